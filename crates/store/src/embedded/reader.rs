//! Reads from disk. Everything here blocks, so it runs off the async threads.

use super::{
    begin::begin_of,
    blocks, floors,
    head::{Begin, Head, Standing, decode_head, decode_standing, inbox_prefix},
    messages::{backwards, damaged, message_of, read},
    recent_keys::{KeyHash, KeyUse, Keys, expired},
    record,
    retained::Retained,
    revisions::{self, Gone},
    tables::{Kept, Tables, View, engine},
};
use crate::StoreError;
use chinwag_model::{
    Chat, Direction, Message, Page, PageQuery, Seq, Side, Ts, UserId,
    limits::{TAIL_MAX_BYTES, TAIL_MAX_MESSAGES},
};
use std::{collections::VecDeque, sync::Arc};

/// From when on keys count: those that may be known at this time.
#[derive(Debug, Clone, Copy)]
pub(super) struct KeyHorizon(pub(super) Ts);

impl KeyHorizon {
    fn is_past(self, ts: Ts) -> bool {
        expired(ts, self.0)
    }
}

/// What was read of a chat when it became hot.
pub(super) struct Loaded {
    /// Its newest messages, the oldest first, up to the last.
    pub(super) tail: VecDeque<Arc<Message>>,
    /// The keys of the last 24 hours, where the tail reaches that far back or was read for them.
    pub(super) keys: Option<Keys>,
    /// Its last message, which may have expired, and where its users' markers stand.
    pub(super) head: Head,
    /// Where it begins.
    pub(super) begin: Begin,
    /// The unread messages that are unsent.
    pub(super) gone: Gone,
    /// Since when either user blocks the other.
    pub(super) blocked: [Option<Ts>; 2],
}

impl Default for Loaded {
    /// Of a chat that never had a message.
    fn default() -> Self {
        Self {
            tail: VecDeque::new(),
            keys: None,
            head: Head::EMPTY,
            begin: Begin::START,
            blocked: [None; 2],
            gone: Gone::default(),
        }
    }
}

/// Reads a chat that became hot: its tail, and its keys where they are all there; `want_keys` reads on for them.
pub(super) fn load(
    tables: &Tables,
    retained: &Retained,
    seed: u64,
    chat: &Chat,
    horizon: KeyHorizon,
    want_keys: bool,
) -> Result<Loaded, StoreError> {
    let view = tables.view();
    let mut newest_first = backwards(&view, chat, Seq(u64::MAX));
    let mut tail = VecDeque::new();
    let mut bytes = 0;
    let mut older = None;
    for message in newest_first.by_ref() {
        let message = Arc::new(message?);
        bytes += message.weight();
        if tail.len() == TAIL_MAX_MESSAGES || bytes > TAIL_MAX_BYTES {
            older = Some(message);
            break;
        }
        tail.push_front(message);
    }
    let reaches = older.is_none() || older.as_ref().is_some_and(|message| horizon.is_past(message.ts));
    let mut keys = (reaches || want_keys).then(|| keys_of(seed, tail.iter()));
    if let (Some(keys), false, Some(older)) = (&mut keys, reaches, older) {
        let rest = std::iter::once(Ok(older)).chain(newest_first.map(|message| message.map(Arc::new)));
        read_keys(seed, horizon, rest, keys)?;
    }
    let blocked = blocks::of_chat(tables, chat)?.map(|hold| hold.map(|hold| hold.since));
    let Some(head) = head_with(&view, chat, tail.back().map(|last| &**last))? else {
        return Ok(Loaded { keys, blocked, ..Loaded::default() });
    };
    let gone = revisions::gone(&view, chat, &head.standing)?;
    let begin = begin_of(&view, retained, chat, &head)?;
    Ok(Loaded { tail, keys, head, begin, gone, blocked })
}

/// Reads where a chat's markers stand.
pub(super) fn standing(view: &View, chat: &Chat) -> Result<Standing, StoreError> {
    standing_of(chat, view.get(Kept::Markers, chat.as_str().as_bytes()))
}

/// Reads where a chat's markers stand, of its row.
pub(super) fn standing_of(
    chat: &Chat,
    row: fjall::Result<Option<fjall::UserValue>>,
) -> Result<Standing, StoreError> {
    let key = chat.as_str().as_bytes();
    match row {
        Ok(Some(value)) => decode_standing(key, &value).map_err(|wrong| damaged(chat, wrong, None)),
        Ok(None) => Ok(Standing::START),
        Err(error) => Err(engine(&error)),
    }
}

/// Reads a chat's head: its last message and its markers. `None` of a chat that never had a message.
pub(super) fn head(view: &View, chat: &Chat) -> Result<Option<Head>, StoreError> {
    let last = backwards(view, chat, Seq(u64::MAX)).next().transpose()?;
    head_with(view, chat, last.as_ref())
}

/// The same, where the last message was read, if the chat has any now.
fn head_with(view: &View, chat: &Chat, last: Option<&Message>) -> Result<Option<Head>, StoreError> {
    // A chat that never had a message has no markers.
    Ok(match last {
        Some(last) => Some(Head::of(last, standing(view, chat)?)),
        None => match floors::of(view, chat)? {
            Some(floor) => Some(floor.head(standing(view, chat)?)),
            None => None,
        },
    })
}

/// Reads all chats of a user as the inbox rows show them.
pub(super) fn inbox(tables: &Tables, user: &UserId) -> Result<Vec<(Chat, Side, Head)>, StoreError> {
    let damaged = |wrong| StoreError::Damaged(format!("the inbox of {user}: {wrong}"));
    let rows = tables.inbox.prefix(inbox_prefix(user.as_str()));
    rows.map(|row| {
        let (key, value) = row.into_inner().map_err(|error| engine(&error))?;
        decode_head(&key, &value).map_err(damaged)
    })
    .collect()
}

/// Reads the keys of a chat back to the horizon.
pub(super) fn load_keys(
    tables: &Tables,
    seed: u64,
    chat: &Chat,
    horizon: KeyHorizon,
) -> Result<Keys, StoreError> {
    let mut keys = Keys::new();
    read_keys(
        seed,
        horizon,
        backwards(&tables.view(), chat, Seq(u64::MAX)).map(|message| message.map(Arc::new)),
        &mut keys,
    )?;
    Ok(keys)
}

/// Adds the keys of messages, the newest first, up to the horizon. Of two uses of a key, the newer counts.
fn read_keys(
    seed: u64,
    horizon: KeyHorizon,
    newest_first: impl Iterator<Item = Result<Arc<Message>, StoreError>>,
    keys: &mut Keys,
) -> Result<(), StoreError> {
    for message in newest_first {
        let message = message?;
        if horizon.is_past(message.ts) {
            break;
        }
        for (hash, usage) in keys_of(seed, std::iter::once(&message)) {
            keys.entry(hash).or_insert(usage);
        }
    }
    Ok(())
}

/// The recent keys among messages.
fn keys_of<'a>(seed: u64, messages: impl Iterator<Item = &'a Arc<Message>>) -> Keys {
    let uses = messages.filter_map(|message| {
        let hash = KeyHash::of(seed, message.sender, message.key.as_ref()?);
        Some((hash, KeyUse { seq: message.seq, ts: message.ts }))
    });
    uses.collect()
}

/// Reads a page of a chat with this head on disk; and where the chat begins.
pub(super) fn page(
    tables: &Tables,
    retained: &Retained,
    query: &PageQuery,
    head: &Head,
) -> Result<(Page, Begin), StoreError> {
    let view = tables.view();
    let begins = begin_of(&view, retained, &query.chat, head)?;
    let (chat, first, last) = (&query.chat, begins.first, head.last);
    let Some(begin) = query.begin(first, last) else { return Ok((Page::default(), begins)) };
    let mut expected = begin;
    let forward = query.direction == Direction::Forward;
    let checked = move |row| {
        let message = read(chat, row)?;
        if message.seq != expected {
            return Err(damaged(chat, "a message is missing", Some(expected)));
        }
        expected = if forward { Seq(expected.0 + 1) } else { Seq(expected.0.saturating_sub(1)) };
        Ok(Arc::new(message))
    };
    let page = if forward {
        let rows = view.messages_in(record::key(chat, begin)..=record::key(chat, last));
        Page::fill(query, first, last, rows.map(checked))
    } else {
        let rows = view.messages_in(record::key(chat, first)..=record::key(chat, begin));
        Page::fill(query, first, last, rows.rev().map(checked))
    }?;
    // What is durable is there: a page that begins within the chat holds a message.
    if page.messages.is_empty() {
        return Err(damaged(chat, "a message is missing", Some(begin)));
    }
    Ok((page, begins))
}

/// Reads one message; `None` where its row is gone, since it has expired.
pub(super) fn message_if_kept(view: &View, chat: &Chat, seq: Seq) -> Result<Option<Message>, StoreError> {
    match floors::of(view, chat)? {
        Some(floor) if seq < floor.freed => Ok(None),
        _ => message_of(view, chat, seq).map(Some),
    }
}

/// How many messages of a user stand up to a message. Of one that is gone it may be more: those up to where the chat begins.
pub(super) fn sent_upto(view: &View, chat: &Chat, seq: Seq, by: Side) -> Result<u64, StoreError> {
    match floors::of(view, chat)? {
        Some(floor) if seq < floor.freed => Ok(floor.begin.sent_before(by)),
        _ => Ok(message_of(view, chat, seq)?.sent_by(by)),
    }
}
