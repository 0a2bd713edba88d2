//! Reads from disk. Everything here blocks, so it runs off the async threads.

use super::{
    blocks,
    cell::{Keys, Loaded, expired, is_whole, keys_of},
    codec::Wrong,
    head::{Head, Standing, decode_head, decode_standing, inbox_prefix},
    record, revisions,
    tables::{Kept, Tables, View, engine},
};
use crate::StoreError;
use chinwag_model::{
    Chat, Direction, Message, Page, PageQuery, Seq, Side, Ts, UserId,
    limits::{TAIL_MAX_BYTES, TAIL_MAX_MESSAGES},
};
use std::{collections::VecDeque, sync::Arc};

/// From when on keys count: those of sends at `now`, or all, while time is in doubt.
#[derive(Debug, Clone, Copy)]
pub(super) struct KeyHorizon {
    pub(super) now: Ts,
    pub(super) held: bool,
}

impl KeyHorizon {
    fn is_past(self, ts: Ts) -> bool {
        !self.held && expired(ts, self.now)
    }
}

/// Reads a chat that became hot: its tail, and its keys where they are all there; `want_keys` reads on for them.
pub(super) fn load(
    tables: &Tables,
    seed: u64,
    chat: &Chat,
    horizon: KeyHorizon,
    want_keys: bool,
) -> Result<Loaded, StoreError> {
    let mut newest_first = backwards(tables, chat, Seq(u64::MAX));
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
    let reaches = is_whole(&tail) || older.as_ref().is_some_and(|message| horizon.is_past(message.ts));
    let mut keys = (reaches || want_keys).then(|| keys_of(seed, tail.iter()));
    if let (Some(keys), false, Some(older)) = (&mut keys, reaches, older) {
        let rest = std::iter::once(Ok(older)).chain(newest_first.map(|message| message.map(Arc::new)));
        read_keys(seed, horizon, rest, keys)?;
    }
    // A chat without a message has no markers.
    let standing = if tail.is_empty() { Standing::START } else { standing(tables, chat)? };
    let gone = revisions::gone(tables, chat, &standing)?;
    let blocked = blocks::of_chat(tables, chat)?.map(|hold| hold.map(|hold| hold.since));
    Ok(Loaded { tail, keys, standing, gone, blocked })
}

/// Reads where a chat's markers stand.
pub(super) fn standing(tables: &Tables, chat: &Chat) -> Result<Standing, StoreError> {
    standing_of(chat, tables.markers.get(chat.as_str().as_bytes()))
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

/// Reads a chat's head: its last message and its markers. The chat has a message.
pub(super) fn head(tables: &Tables, chat: &Chat) -> Result<Head, StoreError> {
    let last = backwards(tables, chat, Seq(u64::MAX)).next();
    let last = last.unwrap_or_else(|| Err(damaged(chat, "it changed, and has no message", None)))?;
    Ok(Head::of(&last, standing(tables, chat)?))
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
        backwards(tables, chat, Seq(u64::MAX)).map(|message| message.map(Arc::new)),
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

/// A chat's messages up to one, the newest first, without gaps.
pub(super) fn backwards(
    tables: &Tables,
    chat: &Chat,
    last: Seq,
) -> impl Iterator<Item = Result<Message, StoreError>> {
    let mut expected = None;
    let (first, last) = (record::key(chat, Seq(1)), record::key(chat, last));
    tables.messages.range(first..=last).rev().map(move |row| {
        let message = read(chat, row)?;
        if expected.is_some_and(|seq| seq != message.seq) {
            return Err(damaged(chat, "a message is missing", expected));
        }
        expected = Some(Seq(message.seq.0 - 1));
        Ok(message)
    })
}

/// Reads a page of a chat whose durable messages are `1..=last`.
pub(super) fn page(tables: &Tables, query: &PageQuery, last: Seq) -> Result<Page, StoreError> {
    let (chat, first) = (&query.chat, Seq(1));
    let Some(begin) = query.begin(first, last) else { return Ok(Page::default()) };
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
        let rows = tables.messages.range(record::key(chat, begin)..=record::key(chat, last));
        Page::fill(query, first, last, rows.map(checked))
    } else {
        let rows = tables.messages.range(record::key(chat, first)..=record::key(chat, begin));
        Page::fill(query, first, last, rows.rev().map(checked))
    }?;
    // What is durable is there: a page that begins within the chat holds a message.
    if page.messages.is_empty() { Err(damaged(chat, "a message is missing", Some(begin))) } else { Ok(page) }
}

/// Reads one message.
pub(super) fn message(tables: &Tables, chat: &Chat, seq: Seq) -> Result<Message, StoreError> {
    let key = record::key(chat, seq);
    message_at(chat, seq, &key, tables.messages.get(&key))
}

/// Reads one message as it is in a view.
pub(super) fn message_of(view: &View, chat: &Chat, seq: Seq) -> Result<Message, StoreError> {
    let key = record::key(chat, seq);
    message_at(chat, seq, &key, view.get(Kept::Messages, &key))
}

fn message_at(
    chat: &Chat,
    seq: Seq,
    key: &[u8],
    row: fjall::Result<Option<fjall::UserValue>>,
) -> Result<Message, StoreError> {
    match row {
        Ok(Some(value)) => {
            record::decode(Some(chat), key, &value).map_err(|wrong| damaged(chat, wrong, Some(seq)))
        }
        Ok(None) => Err(damaged(chat, "a message is missing", Some(seq))),
        Err(error) => Err(engine(&error)),
    }
}

fn read(chat: &Chat, row: fjall::Guard) -> Result<Message, StoreError> {
    let (key, value) = row.into_inner().map_err(|error| engine(&error))?;
    record::decode(Some(chat), &key, &value).map_err(|wrong| {
        let seq = record::split_key(&key).ok().map(|(_, seq)| seq);
        damaged(chat, wrong, seq)
    })
}

fn damaged(chat: &Chat, wrong: Wrong, seq: Option<Seq>) -> StoreError {
    let at = seq.map_or(String::new(), |seq| format!(" at seq {}", seq.0));
    StoreError::Damaged(format!("chat {chat}{at}: {wrong}"))
}
