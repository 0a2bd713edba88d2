//! Into a store that no server has open.
//!
//! Each batch is whole by itself: messages, markers, the inbox rows of their chats, and a row of the change log that holds
//! the store's latest time. So an import that was cut short leaves a store that is sound, with a part of the history, and
//! run again it finds what is there and goes on.

use crate::embedded::{
    OpenError, Options, blocks,
    changes::{self, Change, Kind},
    floors::Floor,
    follower::{self, write_heads},
    head::{Begin, Head, Standing, encode_derived, encode_head, encode_standing},
    layout::Layout,
    migrate, reader, rebuild, record, sweep,
    tables::Tables,
    upkeep::Upkeep,
    wipe,
};
use bytes::BytesMut;
use chinwag_model::{
    Chat, Clock, Data, Hold, MarkerKind, Markers, Message, Revision, SendKey, Seq, Side, Ts,
    limits::CLOCK_JUMP_MAX,
};
use fjall::OwnedWriteBatch;
use std::{collections::HashMap, path::Path};

/// Rows of messages in a batch.
const BATCH_MESSAGES: usize = 4_096;
/// Rows of the change log that go at once.
const TRIM_ROWS: usize = 16_384;

/// A message to import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The chat.
    pub chat: Chat,
    /// Its position there: the next one, or one that the store has already. A chat that the store does not know may begin with any:
    /// those before it have expired.
    pub seq: Seq,
    /// When it was sent; later than the message before it.
    pub ts: Ts,
    /// Who sent it.
    pub sender: Side,
    /// What it says; empty where it was unsent.
    pub text: Box<str>,
    /// The sender's own id of the send.
    pub key: Option<SendKey>,
    /// The application's own object.
    pub data: Option<Data>,
    /// What happened to it since.
    pub revision: Option<Box<Revision>>,
}

/// What became of a part of the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is new here.
    Added,
    /// The store had it, as it stood before, and has it now as it was imported.
    Revised,
    /// The store had it; perhaps it has expired here.
    There,
}

/// Why something was not imported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// It does not go with what the store holds. Nothing of it was stored.
    #[error("{field}: {why}")]
    Refused {
        /// Which part of it.
        field: &'static str,
        /// Why.
        why: String,
    },
    /// The store can't be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The store can't be read or written.
    #[error("{0}")]
    Store(String),
}

/// Takes history into a store.
pub struct Importer {
    tables: Tables,
    layout: Layout,
    latest_allowed: Ts,
    /// The newest row of the change log, and the latest time that the store holds.
    newest: Option<Change>,
    /// Whether a batch was written.
    began: bool,
    /// Whether any message was revised, here or where it comes from: what is derived of revisions is derived anew then.
    revised: bool,
    /// Whether a later state of a message took the place of the one that the store had.
    replaced: bool,
    /// The chat at hand.
    chat: Option<Current>,
    batch: Batch,
}

/// A chat as it will stand with the batch.
struct Current {
    chat: Chat,
    head: Head,
}

#[derive(Default)]
struct Batch {
    messages: Vec<Message>,
    heads: HashMap<Chat, Head>,
    marked: HashMap<Chat, Head>,
    /// Where chats begin that are new here, and whose older messages have expired.
    floors: HashMap<Chat, Floor>,
}

fn refused(field: &'static str, why: impl Into<String>) -> ImportError {
    ImportError::Refused { field, why: why.into() }
}

fn engine(error: &fjall::Error) -> ImportError {
    ImportError::Store(format!("the storage engine: {error}"))
}

fn store(error: impl std::fmt::Display) -> ImportError {
    ImportError::Store(error.to_string())
}

impl Importer {
    /// Opens a store that no server has open, or creates one.
    ///
    /// # Errors
    /// [`ImportError::Open`], [`ImportError::Store`].
    pub fn open(data: &Path, clock: &dyn Clock) -> Result<Self, ImportError> {
        let (layout, tables) = Layout::open(
            data,
            |db| Tables::open(db, &Options::default()),
            |tables, format| migrate::all(data, tables, format),
        )?;
        let newest = newest(&tables)?;
        let jump_us = u64::try_from(CLOCK_JUMP_MAX.as_micros()).unwrap_or(u64::MAX);
        let latest_allowed = Ts(clock.read().wall.0.saturating_add(jump_us));
        Ok(Self {
            tables,
            layout,
            latest_allowed,
            newest,
            began: false,
            revised: false,
            replaced: false,
            chat: None,
            batch: Batch::default(),
        })
    }

    /// Takes a message.
    ///
    /// # Errors
    /// [`ImportError::Refused`] where it does not go with what is there; [`ImportError::Store`].
    pub fn message(&mut self, imported: Imported) -> Result<Fate, ImportError> {
        let changed = imported.revision.as_ref().map_or(imported.ts, |revision| revision.ts);
        if changed > self.latest_allowed {
            return Err(refused("ts", "the time is more than an hour ahead of this machine's clock"));
        }
        self.revised |= imported.revision.is_some();
        let last = self.turn_to(&imported.chat)?.head.last;
        if imported.seq <= last {
            return self.compare(imported);
        }
        if last == Seq(0) && imported.seq > Seq(1) {
            self.begin_chat(&imported.chat, imported.seq)?;
        }
        let head = &mut self.turn_to(&imported.chat)?.head;
        if imported.seq.0 != head.last.0 + 1 {
            let why = format!("{} stands where {} belongs", imported.seq.0, head.last.0 + 1);
            return Err(refused("seq", why));
        }
        if imported.ts <= head.last_ts {
            return Err(refused("ts", "it is not later than the message before it"));
        }
        let nth = head.sent_by(imported.sender) + 1;
        let message = imported.into_message(nth);
        head.add(&message);
        let head = *head;
        self.put(message, head)?;
        Ok(Fate::Added)
    }

    /// Takes where the markers of a chat's two users stand, after its messages. They only move forward.
    ///
    /// # Errors
    /// Those of [`Self::message`].
    pub fn markers(&mut self, chat: &Chat, markers: [Markers; 2]) -> Result<Fate, ImportError> {
        let head = self.turn_to(chat)?.head;
        let mut moved = head;
        for &side in chat.sides() {
            for kind in [MarkerKind::Delivered, MarkerKind::Read] {
                let marker = markers[side.index()].get(kind);
                let field = if kind == MarkerKind::Read { "read" } else { "delivered" };
                if marker.seq > head.last {
                    let why = format!("{} is past the chat's last message, {}", marker.seq.0, head.last.0);
                    return Err(refused(field, why));
                }
                if marker.ts > self.latest_allowed {
                    return Err(refused(
                        field,
                        "the time is more than an hour ahead of this machine's clock",
                    ));
                }
                if marker.seq <= head.standing.markers[side.index()].get(kind).seq {
                    continue;
                }
                let peers = self.peers(chat, side, marker.seq)?;
                moved.put(side, kind, marker, peers);
            }
            let stands = moved.standing.markers[side.index()];
            if stands.read.seq > stands.delivered.seq {
                return Err(refused("read", "it is ahead of delivered"));
            }
        }
        if moved == head {
            return Ok(Fate::There);
        }
        if let Some(current) = &mut self.chat {
            current.head = moved;
        }
        self.batch.marked.insert(chat.clone(), moved);
        self.batch.heads.insert(chat.clone(), moved);
        Ok(Fate::Added)
    }

    /// Takes that the user on a side of a chat blocks the other; a block that is there stays as it is.
    ///
    /// # Errors
    /// Those of [`Self::message`].
    pub fn block(&mut self, chat: &Chat, by: Side, hold: &Hold) -> Result<Fate, ImportError> {
        if hold.since > self.latest_allowed {
            return Err(refused("ts", "the time is more than an hour ahead of this machine's clock"));
        }
        let key = blocks::key(chat, by);
        if self.tables.blocks.contains_key(&key).map_err(|error| engine(&error))? {
            return Ok(Fate::There);
        }
        let mut bytes = BytesMut::new();
        let place = blocks::encode(chat, by, hold, &mut bytes);
        let mut rows = self.tables.batch(1);
        rows.insert(&self.tables.blocks, &bytes[place.key], &bytes[place.value]);
        Tables::commit(rows).map_err(|error| engine(&error))?;
        Ok(Fate::Added)
    }

    /// Writes what is left.
    ///
    /// # Errors
    /// [`ImportError::Store`].
    pub fn finish(mut self) -> Result<(), ImportError> {
        self.flush()?;
        if self.revised {
            rebuild::inbox(&self.tables).map_err(ImportError::Store)?;
        }
        self.tables.sync().map_err(|error| engine(&error))?;
        if self.replaced { wipe::wipe_now(&self.tables).map_err(ImportError::Store) } else { Ok(()) }
    }

    /// Turns to a chat: its head, as it will stand with the batch.
    fn turn_to(&mut self, chat: &Chat) -> Result<&mut Current, ImportError> {
        if self.chat.as_ref().is_none_or(|current| current.chat != *chat) {
            let head = match self.batch.heads.get(chat) {
                Some(head) => *head,
                None => stored_head(&self.tables, chat)?,
            };
            self.chat = Some(Current { chat: chat.clone(), head });
        }
        Ok(self.chat.as_mut().expect("it was just put there"))
    }

    /// How many messages of a user's peer stand up to a message.
    fn peers(&mut self, chat: &Chat, side: Side, seq: Seq) -> Result<u64, ImportError> {
        self.flush()?;
        reader::sent_upto(&self.tables.view(), chat, seq, side.other()).map_err(store)
    }

    /// Begins a chat whose messages before this one have expired where it comes from. Who sent those nobody knows, nor does it
    /// matter: what is counted are the messages from here on.
    fn begin_chat(&mut self, chat: &Chat, first: Seq) -> Result<(), ImportError> {
        let begin = Begin { first, ts: Ts(0), first_sent: first.0 - 1 };
        let floor = Floor { begin, freed: first, before_ts: Ts(0), written: Ts(0) };
        self.turn_to(chat)?.head = floor.head(Standing::START);
        self.batch.floors.insert(chat.clone(), floor);
        Ok(())
    }

    /// Holds a message against the one that the store has in its place.
    fn compare(&mut self, imported: Imported) -> Result<Fate, ImportError> {
        if self.batch.heads.contains_key(&imported.chat) {
            self.flush()?;
        }
        let stored = reader::message_if_kept(&self.tables.view(), &imported.chat, imported.seq);
        // What has expired here does not come back.
        let Some(stored) = stored.map_err(store)? else { return Ok(Fate::There) };
        let imported = imported.into_message(stored.nth);
        if imported == stored {
            return Ok(Fate::There);
        }
        let differs = [
            ("sender", imported.sender != stored.sender),
            ("ts", imported.ts != stored.ts),
            ("key", imported.key != stored.key && imported.key.is_some() && stored.key.is_some()),
        ];
        let field = differs.into_iter().find_map(|(field, differs)| differs.then_some(field));
        let why = "the store holds another message in this place of the chat";
        match field {
            Some(field) => Err(refused(field, why)),
            None if imported.changed() > stored.changed() => {
                let chat = imported.chat.clone();
                let head = self.turn_to(&chat)?.head;
                self.replaced = true;
                self.put(imported, head)?;
                Ok(Fate::Revised)
            }
            None if imported.changed() < stored.changed() => Ok(Fate::There),
            None if imported.text != stored.text => Err(refused("text", why)),
            None if imported.data != stored.data => Err(refused("data", why)),
            None => Err(refused("revised_ts", "the store holds the message in another state of this time")),
        }
    }

    fn put(&mut self, message: Message, head: Head) -> Result<(), ImportError> {
        self.batch.heads.insert(message.chat.clone(), head);
        self.batch.messages.push(message);
        if self.batch.messages.len() >= BATCH_MESSAGES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), ImportError> {
        if self.batch.heads.is_empty() {
            return Ok(());
        }
        if !std::mem::replace(&mut self.began, true) {
            self.begin()?;
        }
        let Batch { messages, heads, marked, floors } = std::mem::take(&mut self.batch);
        let mut rows = self.tables.batch(messages.len() + 3 * heads.len() + 1);
        let mut bytes = BytesMut::new();
        let put =
            |rows: &mut OwnedWriteBatch, table: &fjall::Keyspace, place: record::RowPlace, bytes: &[u8]| {
                rows.insert(table, &bytes[place.key], &bytes[place.value]);
            };
        if self.replaced {
            // For an import that does not come to its end.
            let place = Upkeep::TakenBack.encode(Ts(1), &mut bytes);
            put(&mut rows, &self.tables.upkeep, place, &bytes);
        }
        for message in &messages {
            bytes.clear();
            let place = record::encode(message, &mut bytes);
            put(&mut rows, &self.tables.messages, place, &bytes);
        }
        for (chat, head) in &marked {
            bytes.clear();
            let place = encode_standing(chat, &head.standing, &mut bytes);
            put(&mut rows, &self.tables.markers, place, &bytes);
        }
        for (chat, floor) in &floors {
            sweep::put(&self.tables, chat, floor, &mut rows);
        }
        for (chat, head) in &heads {
            for &side in chat.sides() {
                bytes.clear();
                let place = encode_head(chat, side, head, &mut bytes);
                put(&mut rows, &self.tables.inbox, place, &bytes);
            }
        }
        let newest = self.newest.take();
        let latest = latest(&messages, &marked);
        let next = match (&newest, latest) {
            (Some(newest), Some(latest)) if newest.ts >= latest.ts => Some(newest.clone()),
            (_, Some(latest)) => Some(latest),
            (newest, None) => newest.clone(),
        };
        if let Some(next) = &next {
            if let Some(newest) = newest.filter(|newest| newest.ts != next.ts) {
                rows.remove(&self.tables.changes, newest.ts.0.to_be_bytes().to_vec());
            }
            bytes.clear();
            if let Some(place) = changes::encode(std::slice::from_ref(next), &mut bytes) {
                put(&mut rows, &self.tables.changes, place, &bytes);
            }
            bytes.clear();
            let place = encode_derived(next.ts, &mut bytes);
            put(&mut rows, &self.tables.inbox, place, &bytes);
        }
        self.newest = next;
        Tables::commit(rows).map_err(|error| engine(&error))
    }

    /// Before the first row: every inbox row is written, the change log is cut down to its last change, and the store gets
    /// a new epoch, since what comes now is in no feed.
    fn begin(&mut self) -> Result<(), ImportError> {
        self.layout.renew_epoch()?;
        let derived = follower::derived_upto(&self.tables).map_err(store)?;
        let behind = follower::changed_since(&self.tables, derived).map_err(store)?;
        let mut heads = Vec::new();
        for chat in behind {
            let head = stored_head(&self.tables, &chat)?;
            heads.push((chat, head));
        }
        for heads in heads.chunks(follower::BATCH_ROWS) {
            let rows: Vec<(&Chat, Side, &Head)> = heads
                .iter()
                .flat_map(|(chat, head)| chat.sides().iter().map(move |&side| (chat, side, head)))
                .collect();
            write_heads(&self.tables, &rows, None).map_err(|error| engine(&error))?;
        }
        let Some(newest) = self.newest.clone() else { return Ok(()) };
        write_heads(&self.tables, &[], Some(newest.ts)).map_err(|error| engine(&error))?;
        loop {
            let rows = self.tables.changes.range(..newest.ts.0.to_be_bytes()).take(TRIM_ROWS);
            let old: Vec<_> =
                rows.map(fjall::Guard::key).collect::<Result<_, _>>().map_err(|error| engine(&error))?;
            if old.is_empty() {
                break;
            }
            let mut rows = self.tables.batch(old.len());
            for key in old {
                rows.remove(&self.tables.changes, key);
            }
            Tables::commit(rows).map_err(|error| engine(&error))?;
        }
        let mut bytes = BytesMut::new();
        let mut rows = self.tables.batch(1);
        if let Some(place) = changes::encode(&[newest], &mut bytes) {
            rows.insert(&self.tables.changes, &bytes[place.key], &bytes[place.value]);
        }
        Tables::commit(rows).map_err(|error| engine(&error))
    }
}

impl Imported {
    fn into_message(self, nth: u64) -> Message {
        let Self { chat, seq, ts, sender, text, key, data, revision } = self;
        Message { chat, seq, ts, sender, nth, text, key, data, revision }
    }
}

/// The latest change among messages and markers.
fn latest(messages: &[Message], marked: &HashMap<Chat, Head>) -> Option<Change> {
    let messages = messages.iter().map(|message| Change {
        ts: message.changed(),
        kind: if message.revision.is_some() { Kind::Revised } else { Kind::Message },
        chat: message.chat.clone(),
        seq: message.seq,
    });
    let markers = marked.iter().flat_map(|(chat, head)| {
        chat.sides().iter().flat_map(move |&side| {
            [MarkerKind::Delivered, MarkerKind::Read].map(|kind| {
                let stands = head.standing.markers[side.index()].get(kind);
                Change { ts: stands.ts, kind: Kind::Marker(side, kind), chat: chat.clone(), seq: stands.seq }
            })
        })
    });
    messages.chain(markers).max_by_key(|change| change.ts)
}

/// A chat's head as the tables have it; one without a message has none.
fn stored_head(tables: &Tables, chat: &Chat) -> Result<Head, ImportError> {
    Ok(reader::head(&tables.view(), chat).map_err(store)?.unwrap_or(Head::EMPTY))
}

/// The last change of the log.
fn newest(tables: &Tables) -> Result<Option<Change>, ImportError> {
    let Some(row) = tables.changes.last_key_value() else { return Ok(None) };
    let (key, value) = row.into_inner().map_err(|error| engine(&error))?;
    let changes = changes::decode(&key, &value).map_err(store)?;
    Ok(changes.into_iter().next_back())
}
