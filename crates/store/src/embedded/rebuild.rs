//! The inbox rows, and which messages were revised, derived anew from messages and markers, where rows were put into the tables that no writer wrote.

use super::{
    floors::{self, EXPIRY_KEY},
    follower::{BATCH_ROWS, write_heads},
    head::{Head, encode_standing},
    messages, reader, record, revisions,
    tables::{Kept, Tables, View},
};
use bytes::BytesMut;
use chinwag_model::{Chat, Message, Seq, Side, Ts};

/// Derives the revisions and the inbox rows of every chat. The error says what is wrong with the store.
pub(super) fn inbox(tables: &Tables) -> Result<(), String> {
    let engine = |error: fjall::Error| error.to_string();
    empty(tables, &tables.revised).map_err(engine)?;
    let mut heads: Vec<(Chat, Head)> = Vec::new();
    let mut last: Option<Message> = None;
    let mut revised = Revised::default();
    let view = tables.view();
    let (mut freed, mut gone) = (Seq(1), Vec::new());
    for row in tables.messages.iter() {
        let (key, value) = row.into_inner().map_err(engine)?;
        let before = last.as_ref().map(|last| &last.chat);
        let of_row = |wrong| format!("message {}: {wrong}", String::from_utf8_lossy(&key));
        let name = record::split_key(&key).map_err(of_row)?.0;
        let known = before.filter(|chat| chat.as_str() == name);
        let message = record::decode(known, &key, &value).map_err(of_row)?;
        if known.is_none() {
            let floor = floors::of(&view, &message.chat).map_err(|error| error.to_string())?;
            freed = floor.map_or(Seq(1), |floor| floor.freed);
        }
        if message.seq < freed {
            gone.push(key);
            if gone.len() >= BATCH_ROWS {
                forget(tables, &tables.messages, &mut gone).map_err(engine)?;
            }
            continue;
        }
        let ended = last.replace(message);
        if let Some(ended) = ended
            && last.as_ref().is_some_and(|last| last.chat != ended.chat)
        {
            heads.push(revised.end_chat(tables, &ended)?);
            if 2 * heads.len() >= BATCH_ROWS {
                write(tables, &heads).map_err(engine)?;
                heads.clear();
            }
        }
        if let Some(message) = &last {
            revised.add(message);
        }
    }
    if let Some(ended) = &last {
        heads.push(revised.end_chat(tables, ended)?);
    }
    forget(tables, &tables.messages, &mut gone).map_err(engine)?;
    let view = tables.view();
    for row in view.rows(Kept::Floors) {
        let (key, value) = row.into_inner().map_err(engine)?;
        if *key != *EXPIRY_KEY {
            heads.extend(head_without_messages(&view, &key, &value)?);
        }
        if 2 * heads.len() >= BATCH_ROWS {
            write(tables, &heads).map_err(engine)?;
            heads.clear();
        }
    }
    write(tables, &heads).map_err(engine)?;
    write_heads(tables, &[], Some(tables.last_ts()?)).map_err(engine)
}

/// Takes every row off a table. In batches: the engine's own way leaves something in the journal that is no batch.
pub(super) fn empty(tables: &Tables, table: &fjall::Keyspace) -> fjall::Result<()> {
    loop {
        let keys = table.iter().take(BATCH_ROWS).map(fjall::Guard::key);
        let mut keys: Vec<_> = keys.collect::<fjall::Result<_>>()?;
        if keys.is_empty() {
            return Ok(());
        }
        forget(tables, table, &mut keys)?;
    }
}

/// Removes rows of a table.
fn forget(tables: &Tables, table: &fjall::Keyspace, keys: &mut Vec<fjall::UserKey>) -> fjall::Result<()> {
    let mut batch = tables.loose_batch(keys.len());
    for key in keys.drain(..) {
        batch.remove(table, key);
    }
    Tables::commit(batch)
}

/// The head of a chat whose every message has expired, by the row of where it begins; `None` where it has messages.
fn head_without_messages(view: &View, key: &[u8], value: &[u8]) -> Result<Option<(Chat, Head)>, String> {
    let wrong = |wrong| format!("where chats begin: {}: {wrong}", key.escape_ascii());
    let floor = floors::decode(key, value).map_err(wrong)?;
    let chat = floors::chat_of(key).map_err(wrong)?;
    let read = |error: crate::StoreError| error.to_string();
    if messages::backwards(view, &chat, Seq(u64::MAX)).next().transpose().map_err(read)?.is_some() {
        return Ok(None);
    }
    let standing = reader::standing(view, &chat).map_err(read)?;
    Ok(Some((chat, floor.head(standing))))
}

/// What was revised in the chat at hand.
#[derive(Default)]
struct Revised {
    /// The unsent messages, and who does not read them now.
    unsent: Vec<(Seq, Side)>,
    latest: Ts,
    /// All of them, without what they say.
    messages: Vec<Message>,
}

impl Revised {
    fn add(&mut self, message: &Message) {
        if message.revision.is_none() {
            return;
        }
        self.latest = self.latest.max(message.changed());
        if message.is_unsent() && !message.chat.is_note_to_self() {
            self.unsent.push((message.seq, message.sender.other()));
        }
        self.messages.push(Message { text: "".into(), data: None, ..message.clone() });
    }

    /// Writes what was gathered of a chat whose every message was seen; gives the chat's head.
    fn end_chat(&mut self, tables: &Tables, last: &Message) -> Result<(Chat, Head), String> {
        let chat = &last.chat;
        let mut standing = reader::standing(&tables.view(), chat).map_err(|error| error.to_string())?;
        let Self { unsent, latest, messages } = std::mem::take(self);
        let mut gone = [0; 2];
        for (seq, reader) in unsent {
            gone[reader.index()] += u64::from(seq > standing.markers[reader.index()].read.seq);
        }
        // It is also the time at which markers were forgotten, of which no message tells.
        let latest = latest.max(standing.revised);
        if (gone, latest) != (standing.peers_gone, standing.revised) {
            (standing.peers_gone, standing.revised) = (gone, latest);
            let mut bytes = BytesMut::new();
            let place = encode_standing(chat, &standing, &mut bytes);
            let bytes = bytes.freeze();
            let mut batch = tables.loose_batch(1);
            batch.insert(&tables.markers, bytes.slice(place.key), bytes.slice(place.value));
            Tables::commit(batch).map_err(|error| error.to_string())?;
        }
        for some in messages.chunks(BATCH_ROWS) {
            let mut batch = tables.loose_batch(2 * some.len());
            for message in some {
                revisions::put(message, None, tables, &mut batch);
            }
            Tables::commit(batch).map_err(|error| error.to_string())?;
        }
        Ok((chat.clone(), Head::of(last, standing)))
    }
}

/// Writes the inbox rows of these chats.
fn write(tables: &Tables, heads: &[(Chat, Head)]) -> fjall::Result<()> {
    let rows: Vec<(&Chat, Side, &Head)> = heads
        .iter()
        .flat_map(|(chat, head)| chat.sides().iter().map(move |&side| (chat, side, head)))
        .collect();
    write_heads(tables, &rows, None)
}
