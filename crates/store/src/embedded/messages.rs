//! Messages read from disk: one, or a chat's in order. Everything here blocks.

use super::{
    codec::Wrong,
    record,
    tables::{Kept, Tables, View, engine},
};
use crate::StoreError;
use chinwag_model::{Chat, Message, Seq};

/// A chat's messages up to one, the newest first, without gaps.
pub(super) fn backwards(
    view: &View,
    chat: &Chat,
    last: Seq,
) -> impl Iterator<Item = Result<Message, StoreError>> {
    let mut expected = None;
    let (first, last) = (record::key(chat, Seq(1)), record::key(chat, last));
    view.messages_in(first..=last).rev().map(move |row| {
        let message = read(chat, row)?;
        if expected.is_some_and(|seq| seq != message.seq) {
            return Err(damaged(chat, "a message is missing", expected));
        }
        expected = Some(Seq(message.seq.0 - 1));
        Ok(message)
    })
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

/// Reads a row of a chat's messages.
pub(super) fn read(chat: &Chat, row: fjall::Guard) -> Result<Message, StoreError> {
    let (key, value) = row.into_inner().map_err(|error| engine(&error))?;
    record::decode(Some(chat), &key, &value).map_err(|wrong| {
        let seq = record::split_key(&key).ok().map(|(_, seq)| seq);
        damaged(chat, wrong, seq)
    })
}

/// What is not as it was written, in words.
pub(super) fn damaged(chat: &Chat, wrong: Wrong, seq: Option<Seq>) -> StoreError {
    let at = seq.map_or(String::new(), |seq| format!(" at seq {}", seq.0));
    StoreError::Damaged(format!("chat {chat}{at}: {wrong}"))
}
