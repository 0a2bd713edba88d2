//! From an older format to the present one. Of format 1 each message learns its `nth`, and the inbox rows are derived.
//!
//! One pass over the messages in the order of their keys, in synced batches. It may end at any point and begin again:
//! rows of both versions stand beside each other until the file `FORMAT` names the present format, which is written after it.

use super::{
    follower::{BATCH_ROWS, write_heads},
    head::{Head, Standing},
    layout::{FORMAT_1, OpenError},
    record::{self, Row, RowPlace},
    tables::Tables,
    upkeep::Upkeep,
};
use bytes::BytesMut;
use chinwag_model::{Chat, Message, Side, Ts};
use std::path::Path;

/// Messages between two lines in the log.
const REPORT_EVERY_MESSAGES: u64 = 1_000_000;

/// Migrates a whole store of an older format, which lies in the directory `data`.
pub(super) fn all(data: &Path, tables: &Tables, format: u32) -> Result<(), OpenError> {
    let damaged = |why| OpenError::Damaged { path: data.to_owned(), why };
    if format == FORMAT_1 {
        return run(tables, BATCH_ROWS, &mut || true).map_err(damaged);
    }
    wipe_what_was_revised(tables).map_err(|error| damaged(error.to_string()))
}

/// Before format 4 nobody wiped the texts that were taken back.
fn wipe_what_was_revised(tables: &Tables) -> fjall::Result<()> {
    if tables.revised.is_empty()? { Ok(()) } else { Upkeep::TakenBack.write(tables, Some(Ts(1))) }
}

/// Migrates a store; `goes_on` is asked after each batch. The error says what is wrong with the store.
fn run(tables: &Tables, batch_rows: usize, goes_on: &mut dyn FnMut() -> bool) -> Result<(), String> {
    let engine = |error: fjall::Error| error.to_string();
    tracing::info!(messages = tables.messages.approximate_len(), "the store is migrated from format 1");
    let mut migration =
        Migration { tables, batch_rows, bytes: BytesMut::new(), messages: Vec::new(), heads: Vec::new() };
    let mut before: Option<Message> = None;
    let mut done = 0_u64;
    for row in tables.messages.iter() {
        let (key, value) = row.into_inner().map_err(engine)?;
        let of_row = |wrong| format!("message {}: {wrong}", String::from_utf8_lossy(&key));
        let chat = record::split_key(&key).map_err(of_row)?.0;
        let same = before.as_ref().filter(|before| before.chat.as_str() == chat);
        let row = record::decode_any(same.map(|before| &before.chat), &key, &value).map_err(of_row)?;
        let message = match row {
            Row::Present(message) => message,
            Row::WithoutNth(message) => {
                let nth = 1 + same.map_or(0, |before| before.sent_by(message.sender));
                let message = Message { nth, ..message };
                if nth > message.seq.0 {
                    return Err(of_row("more messages than its seq"));
                }
                migration.messages.push(record::encode(&message, &mut migration.bytes));
                message
            }
        };
        if let Some(last) = before.as_ref().filter(|before| before.chat != message.chat) {
            migration.heads.push((last.chat.clone(), head_of(last)));
        }
        before = Some(message);
        if migration.is_full() {
            migration.write().map_err(engine)?;
            if !goes_on() {
                return Err("the migration was stopped".into());
            }
        }
        done += 1;
        if done.is_multiple_of(REPORT_EVERY_MESSAGES) {
            tracing::info!(messages = done, "the store is being migrated");
        }
    }
    migration.heads.extend(before.iter().map(|last| (last.chat.clone(), head_of(last))));
    migration.write().map_err(engine)?;
    write_heads(tables, &[], Some(tables.last_ts()?)).map_err(engine)?;
    tables.sync().map_err(engine)?;
    tracing::info!(messages = done, "the store is migrated");
    Ok(())
}

/// In format 1 no marker stands.
fn head_of(last: &Message) -> Head {
    Head::of(last, Standing::START)
}

/// A batch as it is gathered.
struct Migration<'a> {
    tables: &'a Tables,
    batch_rows: usize,
    bytes: BytesMut,
    messages: Vec<RowPlace>,
    heads: Vec<(Chat, Head)>,
}

impl Migration<'_> {
    fn is_full(&self) -> bool {
        self.messages.len() + 2 * self.heads.len() >= self.batch_rows
    }

    fn write(&mut self) -> fjall::Result<()> {
        let bytes = std::mem::take(&mut self.bytes).freeze();
        let mut batch = self.tables.batch(self.messages.len());
        for place in self.messages.drain(..) {
            batch.insert(&self.tables.messages, bytes.slice(place.key), bytes.slice(place.value));
        }
        Tables::commit(batch)?;
        let rows: Vec<(&Chat, Side, &Head)> = self
            .heads
            .iter()
            .flat_map(|(chat, head)| chat.sides().iter().map(move |&side| (chat, side, head)))
            .collect();
        write_heads(self.tables, &rows, None)?;
        self.heads.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
