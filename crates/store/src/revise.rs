//! What a change makes of a message: the rules of editing, unsending and reacting, which every backend keeps alike.

use crate::StoreError;
use chinwag_model::{
    Change, Data, Draft, Emoji, Message, Reaction, Revise, Reviser, Revision, Side, Ts, limits::REACTIONS_MAX,
};
use std::time::Duration;
use xxhash_rust::xxh3::Xxh3;

/// The message after a change that happens at `now`; `None` where it stands like that already.
///
/// # Errors
/// [`StoreError::NotTheSender`], [`StoreError::Unsent`], [`StoreError::TooLate`], [`StoreError::TooManyReactions`].
pub(crate) fn apply(message: &Message, revise: &Revise, now: Ts) -> Result<Option<Message>, StoreError> {
    match (&revise.change, revise.by) {
        (Change::Edit { text, window }, by) => {
            check_sender(message, by)?;
            if message.is_unsent() {
                return Err(StoreError::Unsent);
            }
            if *message.text == *text.as_str() {
                return Ok(None);
            }
            check_window(message, *window, now)?;
            let mut revision = begin(message, now);
            revision.edited_ts = Some(now);
            Ok(Some(Message { text: text.as_str().into(), ..with(message, revision) }))
        }
        (Change::Unsend { window }, by) => {
            if by != Reviser::Admin {
                check_sender(message, by)?;
            }
            if message.is_unsent() {
                return Ok(None);
            }
            if by != Reviser::Admin {
                check_window(message, *window, now)?;
            }
            let mut revision = begin(message, now);
            revision.unsent = true;
            revision.reactions.clear();
            Ok(Some(Message { text: "".into(), data: None, ..with(message, revision) }))
        }
        (Change::React { emoji, remove }, Reviser::User(by)) => react(message, by, emoji, *remove, now),
        (Change::Erase { of }, Reviser::Admin) => Ok(erase(message, *of, now)),
        // An erasure is no user's to do. An administrator is no user of the chat, so the reaction would be nobody's.
        (Change::Erase { .. }, Reviser::User(_)) | (Change::React { .. }, Reviser::Admin) => {
            Err(StoreError::NotTheSender)
        }
    }
}

/// The message once a user is erased; `None` where nothing of that user is in it.
fn erase(message: &Message, of: Side, now: Ts) -> Option<Message> {
    let before = message.revision.as_deref();
    let mut revision = Revision {
        ts: now,
        edited_ts: before.and_then(|before| before.edited_ts),
        unsent: message.is_unsent(),
        reactions: before.map_or_else(Vec::new, |before| before.reactions.clone()),
        first_digest: before.and_then(|before| before.first_digest),
    };
    if message.sender != of {
        revision.reactions.retain(|reaction| reaction.by != of);
        let there = before.map_or(0, |before| before.reactions.len());
        return (revision.reactions.len() < there).then(|| with(message, revision));
    }
    if message.is_unsent() && message.key.is_none() {
        return None;
    }
    (revision.unsent, revision.edited_ts, revision.first_digest) = (true, None, None);
    revision.reactions.clear();
    Some(Message { text: "".into(), data: None, key: None, ..with(message, revision) })
}

/// Whether a change is kept from one whom the peer blocks: it would reach the peer. What is taken back is not.
pub(crate) fn reaches_the_peer(change: &Change) -> bool {
    match change {
        Change::Edit { .. } => true,
        Change::React { remove, .. } => !remove,
        Change::Unsend { .. } | Change::Erase { .. } => false,
    }
}

fn react(
    message: &Message,
    by: Side,
    emoji: &Emoji,
    remove: bool,
    now: Ts,
) -> Result<Option<Message>, StoreError> {
    if message.is_unsent() {
        return Err(StoreError::Unsent);
    }
    let mut reactions =
        message.revision.as_ref().map_or_else(Vec::new, |revision| revision.reactions.clone());
    let at = reactions.iter().position(|known| known.by == by && *known.emoji == *emoji.as_str());
    match (at, remove) {
        (Some(_), false) | (None, true) => return Ok(None),
        (Some(at), true) => drop(reactions.remove(at)),
        (None, false) if reactions.iter().filter(|known| known.by == by).count() >= REACTIONS_MAX => {
            return Err(StoreError::TooManyReactions);
        }
        (None, false) => reactions.push(Reaction { emoji: emoji.as_str().into(), by }),
    }
    let before = message.revision.as_deref();
    let revision = Revision {
        ts: now,
        edited_ts: before.and_then(|before| before.edited_ts),
        unsent: false,
        reactions,
        first_digest: before.and_then(|before| before.first_digest),
    };
    Ok(Some(with(message, revision)))
}

/// The revision of a message whose text or data change now.
fn begin(message: &Message, now: Ts) -> Revision {
    let before = message.revision.as_deref();
    let first = || {
        // A message without a key is never asked for again.
        message.key.is_some().then(|| first_digest(&message.text, message.data.as_ref().map(Data::as_str)))
    };
    Revision {
        ts: now,
        edited_ts: before.and_then(|before| before.edited_ts),
        unsent: false,
        reactions: before.map_or_else(Vec::new, |before| before.reactions.clone()),
        first_digest: before.and_then(|before| before.first_digest).or_else(first),
    }
}

fn with(message: &Message, revision: Revision) -> Message {
    Message { revision: Some(Box::new(revision)), ..message.clone() }
}

fn check_sender(message: &Message, by: Reviser) -> Result<(), StoreError> {
    if by == Reviser::User(message.sender) { Ok(()) } else { Err(StoreError::NotTheSender) }
}

fn check_window(message: &Message, window: Duration, now: Ts) -> Result<(), StoreError> {
    let age_us = u128::from(now.0.saturating_sub(message.ts.0));
    if age_us <= window.as_micros() { Ok(()) } else { Err(StoreError::TooLate) }
}

/// The digest of what a message first said, by which a repeat is known once the message was revised.
pub(crate) fn first_digest(text: &str, data: Option<&str>) -> [u8; 16] {
    let mut hasher = Xxh3::new();
    hasher.update(&(text.len() as u64).to_be_bytes());
    hasher.update(text.as_bytes());
    hasher.update(data.unwrap_or_default().as_bytes());
    hasher.digest128().to_be_bytes()
}

/// Whether a message is what a draft with the same key asks for.
pub(crate) fn is_repeat(message: &Message, draft: &Draft) -> bool {
    match message.revision.as_ref().and_then(|revision| revision.first_digest) {
        Some(digest) => digest == first_digest(draft.text.as_str(), draft.data.as_ref().map(Data::as_str)),
        None => *message.text == *draft.text.as_str() && message.data == draft.data,
    }
}
