//! Who blocks whom: one row a block, which goes when the block does.
//!
//! ```text
//! key    user, UTF-8 | 0x00 | peer, UTF-8
//! value  version u8 = 1, since when u64
//!        where the markers of the chat's first and second user stood then: of each delivered seq, ts; read seq, ts (varints)
//!        checksum u32: CRC-32 of the key and of the value up to here
//! ```
//! Whether a send is refused is told by the chat's cell, which has of each side since when it blocks the other. The rows are
//! read where a chat becomes hot, and by the verbs that show one user another.

use super::{
    codec::{Reader, Wrong, checked, put_checksum, put_varint},
    record::RowPlace,
    tables::{Tables, engine},
};
use crate::StoreError;
use bytes::{BufMut, BytesMut};
use chinwag_model::{
    BlocksPage, BlocksQuery, Chat, Hold, Marker, Markers, Seq, Side, Ts, UserId, limits::BLOCKS_MAX_USERS,
};
use std::{
    hash::{BuildHasher, RandomState},
    ops::Bound::Excluded,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};
use tokio::sync::{Mutex, OwnedMutexGuard};

const VERSION: u8 = 1;
/// Turns that users share. A power of two.
const TURNS: usize = 64;

/// What is in memory of all blocks.
pub(super) struct Blocks {
    /// Whether there may be any: nobody pays for what nobody uses.
    any: AtomicBool,
    turns: [Arc<Mutex<()>>; TURNS],
    hasher: RandomState,
}

impl Blocks {
    pub(super) fn of(tables: &Tables) -> fjall::Result<Self> {
        let any = !tables.blocks.is_empty()?;
        Ok(Self {
            any: any.into(),
            turns: std::array::from_fn(|_| Arc::default()),
            hasher: RandomState::new(),
        })
    }

    /// Waits for a user's turn: one block of a user is on its way at a time, so that they can be counted.
    pub(super) async fn turn(&self, user: &UserId) -> OwnedMutexGuard<()> {
        let hash = usize::try_from(self.hasher.hash_one(user) & (TURNS as u64 - 1));
        self.turns[hash.expect("smaller than the number of turns")].clone().lock_owned().await
    }

    pub(super) fn any(&self) -> bool {
        self.any.load(Relaxed)
    }

    /// Says that there is one, before it is answered.
    pub(super) fn begin(&self) {
        self.any.store(true, Relaxed);
    }
}

/// The key of the block of the user on a side of a chat.
pub(super) fn key(chat: &Chat, by: Side) -> Vec<u8> {
    [chat.user(by).as_bytes(), &[0], chat.user(by.other()).as_bytes()].concat()
}

/// Appends a row.
pub(super) fn encode(chat: &Chat, by: Side, hold: &Hold, into: &mut BytesMut) -> RowPlace {
    let start = into.len();
    into.put_slice(&key(chat, by));
    let value_start = into.len();
    into.put_u8(VERSION);
    into.put_u64(hold.since.0);
    for marker in hold.markers.iter().flat_map(|markers| [markers.delivered, markers.read]) {
        put_varint(into, marker.seq.0);
        put_varint(into, marker.ts.0);
    }
    put_checksum(into, start..value_start, value_start);
    RowPlace { key: start..value_start, value: value_start..into.len() }
}

/// Reads a row: whose block of whom it is, as the chat and the side, and the block.
pub(super) fn decode(key: &[u8], value: &[u8]) -> Result<(Chat, Side, Hold), Wrong> {
    let (user, peer) = names(key)?;
    let hold = decode_value(key, value)?;
    if user == peer {
        return Err("nobody blocks oneself");
    }
    let (chat, by) = Chat::of(&user, &peer);
    Ok((chat, by, hold))
}

fn names(key: &[u8]) -> Result<(UserId, UserId), Wrong> {
    let at = key.iter().position(|byte| *byte == 0).ok_or("the key has no second name")?;
    let name = |bytes: &[u8]| {
        let name = str::from_utf8(bytes).map_err(|_| "a name is not UTF-8")?;
        UserId::parse("user", name).map_err(|_| "a name is none of a user")
    };
    Ok((name(&key[..at])?, name(&key[at + 1..])?))
}

fn decode_value(key: &[u8], value: &[u8]) -> Result<Hold, Wrong> {
    let mut row = Reader(checked(key, value)?);
    if row.u8()? != VERSION {
        return Err("the row is of an unknown version");
    }
    let since = Ts(row.u64()?);
    let mut markers = [Markers::START; 2];
    for markers in &mut markers {
        for marker in [&mut markers.delivered, &mut markers.read] {
            *marker = Marker { seq: Seq(row.varint()?), ts: Ts(row.varint()?) };
        }
    }
    if row.is_empty() { Ok(Hold { since, markers }) } else { Err("something follows the markers") }
}

/// The blocks of a chat's first and second user.
pub(super) fn of_chat(tables: &Tables, chat: &Chat) -> Result<[Option<Hold>; 2], StoreError> {
    if chat.is_note_to_self() {
        return Ok([None, None]);
    }
    let read = |by| {
        let key = key(chat, by);
        let row = tables.blocks.get(&key).map_err(|error| engine(&error))?;
        row.map(|value| decode_value(&key, &value).map_err(|wrong| damaged(chat.user(by), wrong))).transpose()
    };
    Ok([read(Side::First)?, read(Side::Second)?])
}

/// What the user on a side of a chat sees of its markers.
pub(super) fn show(
    tables: &Tables,
    chat: &Chat,
    side: Side,
    markers: [Markers; 2],
) -> Result<[Markers; 2], StoreError> {
    let [first, second] = of_chat(tables, chat)?;
    Ok(Hold::show([first.as_ref(), second.as_ref()], side, markers))
}

/// Whether a user blocks as many as are allowed.
pub(super) fn is_full(tables: &Tables, user: &UserId) -> Result<bool, StoreError> {
    let mut count = 0;
    for row in tables.blocks.prefix(prefix(user)).take(BLOCKS_MAX_USERS) {
        row.key().map_err(|error| engine(&error))?;
        count += 1;
    }
    Ok(count == BLOCKS_MAX_USERS)
}

/// One page of the users whom a user blocks.
pub(super) fn page(tables: &Tables, query: &BlocksQuery) -> Result<BlocksPage, StoreError> {
    let prefix = prefix(&query.user);
    let after = query.after.as_ref().map(|after| [&prefix, after.as_str().as_bytes()].concat());
    // A name holds no control character, so that none begins past this.
    let end = [query.user.as_str().as_bytes(), &[1]].concat();
    let range = (after.map_or(Excluded(prefix), Excluded), Excluded(end));
    let wrong = |wrong| damaged(query.user.as_str(), wrong);
    let rows = tables.blocks.range::<Vec<u8>, _>(range).map(|row| {
        let (key, value) = row.into_inner().map_err(|error| engine(&error))?;
        let (chat, by, hold) = decode(&key, &value).map_err(wrong)?;
        Ok((chat.user_id(by.other()), hold.since))
    });
    BlocksPage::fill(query, rows)
}

/// Of each of some users, whether that user and another block one another, in either direction.
pub(super) fn silent(tables: &Tables, user: &UserId, peers: &[UserId]) -> Result<Vec<bool>, StoreError> {
    let there = |chat: &Chat, by| tables.blocks.contains_key(key(chat, by)).map_err(|error| engine(&error));
    let one = |peer: &UserId| {
        if peer == user {
            return Ok(false);
        }
        let (chat, by) = Chat::of(user, peer);
        Ok(there(&chat, by)? || there(&chat, by.other())?)
    };
    peers.iter().map(one).collect()
}

fn prefix(user: &UserId) -> Vec<u8> {
    [user.as_str().as_bytes(), &[0]].concat()
}

fn damaged(user: &str, wrong: Wrong) -> StoreError {
    StoreError::Damaged(format!("a block of {user}: {wrong}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_round_trip_and_notice_every_changed_bit() {
        let user = |name| UserId::parse("user", name).expect("a name");
        let at = |seq| Marker { seq: Seq(seq), ts: Ts(1_686_404_158_123_456 + seq) };
        let markers = [Markers { delivered: at(300), read: at(7) }, Markers::START];
        let hold = Hold { since: Ts(1_686_404_158_123_456), markers };
        for (blocker, peer) in [("apple", "banana"), ("banana", "apple")] {
            let (chat, by) = Chat::of(&user(blocker), &user(peer));
            let mut buffer = BytesMut::new();
            let place = encode(&chat, by, &hold, &mut buffer);
            let (key, value) = (&buffer[place.key], &buffer[place.value]);
            assert_eq!(decode(key, value), Ok((chat, by, hold)));
            for bit in 0..value.len() * 8 {
                let mut broken = value.to_vec();
                broken[bit / 8] ^= 1 << (bit % 8);
                assert!(decode(key, &broken).is_err(), "bit {bit}");
            }
        }
    }

    #[test]
    fn as_many_as_are_allowed_are_full() {
        let dir = tempfile::tempdir().expect("a directory");
        let tables =
            Tables::open(&dir.path().join("db"), &crate::embedded::Options::default()).expect("opened");
        let user = |name: &str| UserId::parse("user", name).expect("a name");
        let hold = Hold { since: Ts(1), markers: [Markers::START; 2] };
        let mut batch = tables.loose_batch(BLOCKS_MAX_USERS);
        // The one of a user whose name begins like that counts for nothing.
        for (name, peer) in std::iter::once(("aa", "b".into()))
            .chain((1..BLOCKS_MAX_USERS).map(|n| ("a", format!("peer{n}"))))
        {
            let (chat, by) = Chat::of(&user(name), &user(&peer));
            let mut bytes = BytesMut::new();
            let place = encode(&chat, by, &hold, &mut bytes);
            batch.insert(&tables.blocks, &bytes[place.key], &bytes[place.value]);
        }
        batch.commit().expect("written");
        assert_eq!(is_full(&tables, &user("a")), Ok(false));
        let (chat, by) = Chat::of(&user("a"), &user("last"));
        let mut bytes = BytesMut::new();
        let place = encode(&chat, by, &hold, &mut bytes);
        tables.blocks.insert(&bytes[place.key], &bytes[place.value]).expect("written");
        assert_eq!(is_full(&tables, &user("a")), Ok(true));
        assert_eq!(is_full(&tables, &user("aa")), Ok(false));
    }
}
