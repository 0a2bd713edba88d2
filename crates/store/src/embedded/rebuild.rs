//! The inbox rows derived anew from messages and markers, where rows were put into the tables that no writer wrote.

use super::{
    follower::{BATCH_ROWS, write_heads},
    head::Head,
    reader, record,
    tables::Tables,
};
use chinwag_model::{Chat, Message, Side};

/// Derives the inbox rows of every chat. The error says what is wrong with the store.
pub(super) fn inbox(tables: &Tables) -> Result<(), String> {
    let engine = |error: fjall::Error| error.to_string();
    let mut heads: Vec<(Chat, Head)> = Vec::new();
    let mut last: Option<Message> = None;
    for row in tables.messages.iter() {
        let (key, value) = row.into_inner().map_err(engine)?;
        let before = last.as_ref().map(|last| &last.chat);
        let of_row = |wrong| format!("message {}: {wrong}", String::from_utf8_lossy(&key));
        let name = record::split_key(&key).map_err(of_row)?.0;
        let known = before.filter(|chat| chat.as_str() == name);
        let message = record::decode(known, &key, &value).map_err(of_row)?;
        if let Some(ended) = last.replace(message)
            && last.as_ref().is_some_and(|last| last.chat != ended.chat)
        {
            heads.push(head_of(tables, &ended)?);
            if 2 * heads.len() >= BATCH_ROWS {
                write(tables, &heads).map_err(engine)?;
                heads.clear();
            }
        }
    }
    if let Some(ended) = &last {
        heads.push(head_of(tables, ended)?);
    }
    write(tables, &heads).map_err(engine)?;
    write_heads(tables, &[], Some(tables.last_ts()?)).map_err(engine)
}

fn head_of(tables: &Tables, last: &Message) -> Result<(Chat, Head), String> {
    let standing = reader::standing(tables, &last.chat).map_err(|error| error.to_string())?;
    Ok((last.chat.clone(), Head::of(last, standing)))
}

/// Writes the inbox rows of these chats.
fn write(tables: &Tables, heads: &[(Chat, Head)]) -> fjall::Result<()> {
    let rows: Vec<(&Chat, Side, &Head)> = heads
        .iter()
        .flat_map(|(chat, head)| chat.sides().iter().map(move |&side| (chat, side, head)))
        .collect();
    write_heads(tables, &rows, None)
}
