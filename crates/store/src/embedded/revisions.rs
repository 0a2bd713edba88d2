//! Which messages were revised: by time, for those who were away, and which are unsent, for the unread counts.
//!
//! ```text
//! key    chat, canonical, UTF-8 | 0x00 | 0x00 | ts u64 of the message's last revision
//! value  version u8 = 1, seq u64, checksum
//! key    chat, canonical, UTF-8 | 0x00 | 0x01 | seq u64 of an unsent message
//! value  version u8 = 1, side u8 of its sender, checksum
//! ```
//! All of it is derived from the messages' own rows and written with them.

use super::{
    codec::{Reader, Wrong, checked, put_checksum},
    head::{Begin, Head, Standing},
    record::RowPlace,
    tables::{Tables, View, engine},
};
use crate::StoreError;
use bytes::{BufMut, Bytes, BytesMut};
use chinwag_model::{Chat, Message, Revision, Seq, Side, Ts};
use fjall::OwnedWriteBatch;
use std::collections::BTreeSet;

const VERSION: u8 = 1;
const BY_TIME: u8 = 0;
const UNSENT: u8 = 1;

/// Of each user: the unsent messages of the peer above the read marker.
pub(super) type Gone = [BTreeSet<Seq>; 2];

fn key(chat: &Chat, sort: u8, at: u64) -> Vec<u8> {
    [chat.as_str().as_bytes(), &[0, sort], &at.to_be_bytes()].concat()
}

/// Puts the rows of a message that was revised into a batch; `before` is when it was revised before.
pub(super) fn put(message: &Message, before: Option<Ts>, tables: &Tables, batch: &mut OwnedWriteBatch) {
    let Some(revision) = &message.revision else { return };
    if let Some(before) = before {
        batch.remove(&tables.revised, key(&message.chat, BY_TIME, before.0));
    }
    for (key, value) in rows(message, revision) {
        batch.insert(&tables.revised, key, value);
    }
}

/// The rows of a message that was revised: by time, and as unsent.
fn rows(message: &Message, revision: &Revision) -> impl Iterator<Item = (Bytes, Bytes)> {
    let mut bytes = BytesMut::new();
    let by_time =
        encode(&key(&message.chat, BY_TIME, revision.ts.0), &message.seq.0.to_be_bytes(), &mut bytes);
    let unsent = revision.unsent.then(|| {
        let side = u8::from(message.sender == Side::Second);
        encode(&key(&message.chat, UNSENT, message.seq.0), &[side], &mut bytes)
    });
    let bytes = bytes.freeze();
    let both = std::iter::once(by_time).chain(unsent);
    both.map(move |place| (bytes.slice(place.key), bytes.slice(place.value)))
}

fn encode(key: &[u8], body: &[u8], into: &mut BytesMut) -> RowPlace {
    let start = into.len();
    into.put_slice(key);
    let value_start = into.len();
    into.put_u8(VERSION);
    into.put_slice(body);
    put_checksum(into, start..value_start, value_start);
    RowPlace { key: start..value_start, value: value_start..into.len() }
}

/// The number that a row's key ends in, and the rest of its value.
fn decode<'a>(key: &[u8], value: &'a [u8]) -> Result<(u64, Reader<'a>), Wrong> {
    let mut row = Reader(checked(key, value)?);
    if row.u8()? != VERSION {
        return Err("the row is of an unknown version");
    }
    let at = key.last_chunk().map(|at| u64::from_be_bytes(*at)).ok_or("the key is too short")?;
    Ok((at, row))
}

/// The messages of a chat whose last revision is later than `since`, at most `most`, in order of that.
pub(super) fn since(view: &View, chat: &Chat, since: Ts, most: usize) -> Result<Vec<Seq>, StoreError> {
    let range = key(chat, BY_TIME, since.0 + 1)..=key(chat, BY_TIME, u64::MAX);
    let rows = view.revised_in(range).take(most).map(|row| {
        let (key, value) = row.into_inner().map_err(|error| engine(&error))?;
        let seq = decode(&key, &value).and_then(|(_, mut row)| row.u64()).map_err(|wrong| of(chat, wrong))?;
        Ok(Seq(seq))
    });
    rows.collect()
}

/// What a chat's counts of unsent messages count.
pub(super) fn gone(view: &View, chat: &Chat, standing: &Standing) -> Result<Gone, StoreError> {
    gone_after(view, chat, standing, standing.markers.map(|markers| markers.read.seq))
}

/// The same, of those above other places.
fn gone_after(view: &View, chat: &Chat, standing: &Standing, read: [Seq; 2]) -> Result<Gone, StoreError> {
    let mut gone = Gone::default();
    if standing.peers_gone == [0; 2] {
        return Ok(gone);
    }
    let from = read[0].min(read[1]);
    for row in view.revised_in(key(chat, UNSENT, from.0 + 1)..=key(chat, UNSENT, u64::MAX)) {
        let (key, value) = row.into_inner().map_err(|error| engine(&error))?;
        let (seq, side) = decode(&key, &value)
            .and_then(|(seq, mut row)| Ok((Seq(seq), row.u8()?)))
            .map_err(|wrong| of(chat, wrong))?;
        let reader = if side == 0 { Side::Second } else { Side::First };
        if seq > read[reader.index()] {
            gone[reader.index()].insert(seq);
        }
    }
    Ok(gone)
}

/// How many messages of a user's peer are unread and have not expired, in a chat that begins there.
pub(super) fn unread(
    view: &View,
    chat: &Chat,
    side: Side,
    head: &Head,
    begin: &Begin,
) -> Result<u64, StoreError> {
    let (peer, standing) = (side.other(), &head.standing);
    if standing.markers[side.index()].read.seq.0 + 1 >= begin.first.0 {
        return Ok(head.unread(side));
    }
    // What the count of unsent ones counts has expired in part.
    let below = Seq(begin.first.0 - 1);
    let gone = gone_after(view, chat, standing, [below, below])?[side.index()].len() as u64;
    Ok(head.sent_by(peer).saturating_sub(begin.sent_before(peer)).saturating_sub(gone))
}

/// The keys of the rows of a message.
pub(super) fn keys_of(message: &Message) -> impl Iterator<Item = Vec<u8>> {
    let by_time = message.revision.as_ref().map(|revision| key(&message.chat, BY_TIME, revision.ts.0));
    let unsent = message.is_unsent().then(|| key(&message.chat, UNSENT, message.seq.0));
    by_time.into_iter().chain(unsent)
}

/// The messages of a user in a chat that are unsent; none of a note to self, where nothing is unread.
pub(super) fn unsent_of(tables: &Tables, chat: &Chat, sender: Side) -> Result<BTreeSet<Seq>, StoreError> {
    let mut unsent = BTreeSet::new();
    if chat.is_note_to_self() {
        return Ok(unsent);
    }
    for row in tables.revised.range(key(chat, UNSENT, 0)..=key(chat, UNSENT, u64::MAX)) {
        let (key, value) = row.into_inner().map_err(|error| engine(&error))?;
        let (seq, side) = decode(&key, &value)
            .and_then(|(seq, mut row)| Ok((Seq(seq), row.u8()?)))
            .map_err(|wrong| of(chat, wrong))?;
        if (side == 0) == (sender == Side::First) {
            unsent.insert(seq);
        }
    }
    Ok(unsent)
}

/// How many rows a message that was revised has.
pub(super) fn rows_of(message: &Message) -> u64 {
    message.revision.as_ref().map_or(0, |revision| 1 + u64::from(revision.unsent))
}

/// Whether they are there, byte for byte.
pub(super) fn has(view: &View, message: &Message) -> fjall::Result<bool> {
    let Some(revision) = &message.revision else { return Ok(true) };
    for (key, value) in rows(message, revision) {
        if view.revised_row(&key)?.is_none_or(|stands| *stands != *value) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn of(chat: &Chat, wrong: Wrong) -> StoreError {
    StoreError::Damaged(format!("the revisions of {chat}: {wrong}"))
}
