//! Out of a store: chat by chat, from one moment of it.

use super::Piece;
use crate::{
    StoreError,
    embedded::{
        Maintenance,
        begin::begin_of,
        blocks,
        follower::{changed_in, derived_of},
        head::{DERIVED_KEY, Head, Standing, decode_head, inbox_prefix},
        reader, record,
        retained::Retained,
        tables::{Kept, View, engine},
    },
};
use chinwag_model::{Chat, Message, Seq, Ts, UserId};
use std::collections::BTreeSet;

impl Maintenance {
    /// Gives the history of every chat, or of one user's chats, as it is at this moment, and all blocks, or those of the
    /// user, and then the latest time of the store. It ends early where `take` says so.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], or what `take` gave.
    pub fn export<E: From<StoreError>>(
        &self,
        user: Option<&UserId>,
        take: &mut dyn FnMut(Piece) -> Result<(), E>,
    ) -> Result<Ts, E> {
        let view = self.tables.view();
        match user {
            None => pieces(&view, view.rows(Kept::Messages), take)?,
            Some(user) => {
                for chat in chats_of(&view, user)? {
                    pieces(&view, view.messages_of(&chat), take)?;
                }
            }
        }
        blocks(&view, user, take)?;
        let newest = crate::embedded::backup::newest(&view, self.epoch);
        newest.map(|newest| newest.ts).map_err(|error| StoreError::Damaged(error.to_string()).into())
    }
}

/// The messages of rows in the order of their keys, and after those of each chat its markers.
fn pieces<E: From<StoreError>>(
    view: &View,
    rows: fjall::Iter,
    take: &mut dyn FnMut(Piece) -> Result<(), E>,
) -> Result<(), E> {
    let retained = Retained::of(view)?;
    let mut before: Option<Chat> = None;
    let (mut first, mut given) = (Seq(1), false);
    for row in rows {
        let (key, value) = row.into_inner().map_err(|error| engine(&error))?;
        let damaged = |wrong| {
            StoreError::Damaged(format!("message {}: {wrong}", String::from_utf8_lossy(&key).escape_debug()))
        };
        let name = record::split_key(&key).map_err(damaged)?.0;
        let known = before.as_ref().filter(|chat| chat.as_str() == name);
        let message: Message = record::decode(known, &key, &value).map_err(damaged)?;
        if known.is_none() {
            if let Some(ended) = before.replace(message.chat.clone()).filter(|_| given) {
                markers(view, ended, take)?;
            }
            given = false;
            first = first_of(view, &retained, &message.chat)?;
        }
        if message.seq < first {
            continue;
        }
        take(Piece::Message(message))?;
        given = true;
    }
    // A chat of which nothing is left has no place for markers either.
    before.filter(|_| given).map_or(Ok(()), |ended| markers(view, ended, take))
}

/// The first message of a chat that has not expired.
fn first_of(view: &View, retained: &Retained, chat: &Chat) -> Result<Seq, StoreError> {
    if !retained.is_any() {
        return Ok(Seq(1));
    }
    let head = reader::head(view, chat)?.unwrap_or(Head::EMPTY);
    Ok(begin_of(view, retained, chat, &head)?.first)
}

/// The blocks of all users, or of one.
fn blocks<E: From<StoreError>>(
    view: &View,
    user: Option<&UserId>,
    take: &mut dyn FnMut(Piece) -> Result<(), E>,
) -> Result<(), E> {
    for row in view.rows(Kept::Blocks) {
        let (key, value) = row.into_inner().map_err(|error| engine(&error))?;
        let damaged = |wrong| StoreError::Damaged(format!("a block: {wrong}"));
        let (chat, by, hold) = blocks::decode(&key, &value).map_err(damaged)?;
        if user.is_none_or(|user| chat.user(by) == user.as_str()) {
            take(Piece::Block(chat, by, hold))?;
        }
    }
    Ok(())
}

fn markers<E: From<StoreError>>(
    view: &View,
    chat: Chat,
    take: &mut dyn FnMut(Piece) -> Result<(), E>,
) -> Result<(), E> {
    let standing = reader::standing_of(&chat, view.get(Kept::Markers, chat.as_str().as_bytes()))?;
    if standing == Standing::START { Ok(()) } else { take(Piece::Markers(chat, standing.markers)) }
}

/// The chats of a user, as the inbox rows show them, and those that they do not show yet.
fn chats_of(view: &View, user: &UserId) -> Result<BTreeSet<Chat>, StoreError> {
    let derived = derived_of(view.inbox_row(DERIVED_KEY))?;
    let mut chats: BTreeSet<Chat> = changed_in(view.changes_after(derived), derived)?
        .into_iter()
        .filter(|chat| chat.side_of(user.as_str()).is_some())
        .collect();
    for row in view.inbox_of(&inbox_prefix(user.as_str())) {
        let (key, value) = row.into_inner().map_err(|error| engine(&error))?;
        let wrong = |wrong| StoreError::Damaged(format!("the inbox of {user}: {wrong}"));
        chats.insert(decode_head(&key, &value).map_err(wrong)?.0);
    }
    Ok(chats)
}
