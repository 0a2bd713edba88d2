//! `GET /export?user=…`: the history of all chats, or of a user's, as lines of JSON.

use super::{
    Answer,
    stream::{Failed, stream},
    text,
};
use chinwag_model::{Message, UserId};
use chinwag_store::{
    StoreError,
    embedded::{Maintenance, archive::Piece},
};
use chinwag_wire::{
    encode_archive_block, encode_archive_end, encode_archive_head, encode_archive_markers,
    encode_archive_message,
};
use hyper::StatusCode;
use percent_encoding::percent_decode_str;
use std::io::{self, Write};

/// Why an export ended early.
#[derive(Debug)]
pub enum ExportError {
    /// It can't be written.
    Output(io::Error),
    /// The store can't be read.
    Store(StoreError),
}

impl From<StoreError> for ExportError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<io::Error> for ExportError {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

pub(super) async fn answer(query: &str, store: &Maintenance) -> Answer {
    let user = match query.split_once('=') {
        None => None,
        Some(("user", name)) => {
            let name = percent_decode_str(name).decode_utf8_lossy().into_owned();
            match UserId::parse("user", &name) {
                Ok(user) => Some(user),
                Err(invalid) => return text(StatusCode::BAD_REQUEST, invalid.to_string()),
            }
        }
        Some((name, _)) => return text(StatusCode::BAD_REQUEST, format!("{name} is not known here")),
    };
    let store = store.clone();
    stream("export", move |out| {
        let written = write_export(&store, user.as_ref(), out, &mut |_| {});
        let messages = written.map_err(|error| Failed {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            why: match error {
                ExportError::Output(error) => error.to_string(),
                ExportError::Store(error) => error.to_string(),
            },
        })?;
        tracing::info!(messages, of_one_user = user.is_some(), "the history was exported");
        Ok(())
    })
    .await
}

/// Takes off a message of the peer what its first text could be guessed by: what was edited or unsent is the peer's alone.
fn forget_first_text(message: &mut Message, user: &UserId) {
    if message.chat.user(message.sender) != user.as_str()
        && let Some(revision) = &mut message.revision
    {
        revision.first_digest = None;
    }
}

/// Writes the history of all chats, or of a user's, and says how many messages it has; `progress` is told of each.
///
/// # Errors
/// [`ExportError`]; what was written until then has no end.
pub fn write_export(
    store: &Maintenance,
    user: Option<&UserId>,
    out: &mut dyn Write,
    progress: &mut dyn FnMut(u64),
) -> Result<u64, ExportError> {
    let mut messages = 0_u64;
    out.write_all(&encode_archive_head())?;
    store.export(user, &mut |piece| {
        let line = match piece {
            Piece::Message(mut message) => {
                if let Some(user) = user {
                    forget_first_text(&mut message, user);
                }
                messages += 1;
                progress(messages);
                encode_archive_message(&message)
            }
            Piece::Markers(chat, markers) => encode_archive_markers(&chat, &markers),
            Piece::Block(chat, by, hold) => encode_archive_block(&chat, by, &hold),
        };
        Ok::<_, ExportError>(out.write_all(&line)?)
    })?;
    out.write_all(&encode_archive_end(messages))?;
    Ok(messages)
}
