//! Where chats begin whose oldest messages have expired, and how far expiry has come.
//!
//! ```text
//! floors  key    chat, canonical, UTF-8
//!         value  version u8 = 1
//!                first seq: the messages below it have expired; freed seq: the rows of those below it are gone
//!                messages of the first user below the first seq; ts of the message before it; when this row was written (varints)
//!                checksum
//! floors  key    0x00                                     (no chat begins like that, so it is before all of them)
//!         value  version u8 = 1
//!                the step that time has reached; the time before which all has expired; newest messages of a chat that are kept,
//!                0 for all; of each rule that was made looser since: the messages that it kept, the store's latest time under it
//!                (varints)
//!                checksum
//! ```
//! A chat's row is written by the [`sweep`](super::sweep), late. What has expired is known without it: from the time and the number
//! of the messages, so nothing is written for a send.

pub(super) use super::codec::Wrong;
use super::{
    codec::{Reader, checked, put_checksum, put_varint},
    head::{Begin, Head, Standing},
    record::RowPlace,
    tables::{Kept, View, engine},
};
use crate::{StoreError, retention::Reach};
use bytes::{BufMut, BytesMut};
use chinwag_model::{Chat, Seq, Ts};

const VERSION: u8 = 1;
/// The key of the row that says how far expiry has come.
pub(super) const EXPIRY_KEY: &[u8] = &[0];

/// A chat's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Floor {
    /// Where the chat begins at the latest; the time is not known.
    pub(super) begin: Begin,
    /// Rows of messages below this are gone.
    pub(super) freed: Seq,
    /// When the message before the first was sent.
    pub(super) before_ts: Ts,
    /// When the row was written: later than all that had happened then.
    pub(super) written: Ts,
}

impl Floor {
    /// The head of the chat while it has no message.
    pub(super) fn head(&self, standing: Standing) -> Head {
        Head {
            last: Seq(self.begin.first.0 - 1),
            last_ts: self.before_ts,
            changed: self.before_ts.max(standing.moved()),
            first_sent: self.begin.first_sent,
            standing,
        }
    }
}

/// A rule that is no longer kept, and what it hid until then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rule {
    /// The newest messages of a chat that it kept.
    pub(super) keep: u64,
    /// The store's latest time under it.
    pub(super) upto: Ts,
}

/// The row that says how far expiry has come.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Expiry {
    pub(super) reach: Reach,
    /// The newest messages of a chat that are kept; 0: all.
    pub(super) keep: u64,
    pub(super) rules: Vec<Rule>,
}

/// Appends a chat's row.
pub(super) fn encode(chat: &Chat, floor: &Floor, into: &mut BytesMut) -> RowPlace {
    let Floor { begin, freed, before_ts, written } = floor;
    let numbers = [begin.first.0, freed.0, begin.first_sent, before_ts.0, written.0];
    row(chat.as_str().as_bytes(), &numbers, into)
}

/// Reads a chat's row.
pub(super) fn decode(key: &[u8], value: &[u8]) -> Result<Floor, Wrong> {
    let mut row = versioned(key, value)?;
    let (first, freed) = (Seq(row.varint()?), Seq(row.varint()?));
    let (first_sent, before_ts, written) = (row.varint()?, Ts(row.varint()?), Ts(row.varint()?));
    if first.0 == 0 || freed.0 == 0 || freed > first || first_sent >= first.0 || !row.is_empty() {
        return Err("the row makes no sense");
    }
    Ok(Floor { begin: Begin { first, ts: Ts(0), first_sent }, freed, before_ts, written })
}

/// The chat that a row's key names.
pub(super) fn chat_of(key: &[u8]) -> Result<Chat, Wrong> {
    let name = std::str::from_utf8(key).map_err(|_| "the key is not UTF-8")?;
    match Chat::parse(name) {
        Ok((chat, _)) if chat.as_str() == name => Ok(chat),
        _ => Err("the key holds no chat"),
    }
}

/// Appends the row that says how far expiry has come.
pub(super) fn encode_expiry(expiry: &Expiry, into: &mut BytesMut) -> RowPlace {
    let mut numbers = vec![expiry.reach.reached.0, expiry.reach.cut.0, expiry.keep];
    numbers.extend(expiry.rules.iter().flat_map(|rule| [rule.keep, rule.upto.0]));
    row(EXPIRY_KEY, &numbers, into)
}

/// Reads it.
pub(super) fn decode_expiry(value: &[u8]) -> Result<Expiry, Wrong> {
    let mut row = versioned(EXPIRY_KEY, value)?;
    let reach = Reach { reached: Ts(row.varint()?), cut: Ts(row.varint()?) };
    let keep = row.varint()?;
    let mut rules = Vec::new();
    while !row.is_empty() {
        rules.push(Rule { keep: row.varint()?, upto: Ts(row.varint()?) });
    }
    Ok(Expiry { reach, keep, rules })
}

fn row(key: &[u8], numbers: &[u64], into: &mut BytesMut) -> RowPlace {
    let start = into.len();
    into.put_slice(key);
    let value_start = into.len();
    into.put_u8(VERSION);
    for number in numbers {
        put_varint(into, *number);
    }
    put_checksum(into, start..value_start, value_start);
    RowPlace { key: start..value_start, value: value_start..into.len() }
}

fn versioned<'a>(key: &[u8], value: &'a [u8]) -> Result<Reader<'a>, Wrong> {
    let mut row = Reader(checked(key, value)?);
    if row.u8()? == VERSION { Ok(row) } else { Err("the row is of an unknown version") }
}

/// Reads a chat's row, where it has one.
pub(super) fn of(view: &View, chat: &Chat) -> Result<Option<Floor>, StoreError> {
    let key = chat.as_str().as_bytes();
    let row = view.get(Kept::Floors, key).map_err(|error| engine(&error))?;
    let wrong = |wrong| StoreError::Damaged(format!("where chat {chat} begins: {wrong}"));
    row.map(|value| decode(key, &value).map_err(wrong)).transpose()
}

/// How far expiry has come in a view; `None` where nothing ever expired.
pub(super) fn expiry_of(view: &View) -> Result<Option<Expiry>, StoreError> {
    let row = view.get(Kept::Floors, EXPIRY_KEY).map_err(|error| engine(&error))?;
    let wrong = |wrong| StoreError::Damaged(format!("how far expiry has come: {wrong}"));
    row.map(|value| decode_expiry(&value).map_err(wrong)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_round_trip_and_notice_every_changed_bit() {
        let chat = Chat::parse("apple:banana").expect("valid").0;
        let floor = Floor {
            begin: Begin { first: Seq(300), ts: Ts(0), first_sent: 299 },
            freed: Seq(200),
            before_ts: Ts(1_686_404_158_123_456),
            written: Ts(1_686_404_158_123_999),
        };
        let reach = Reach { reached: Ts(7_000), cut: Ts(5_000) };
        let rules = vec![Rule { keep: 10, upto: Ts(6_000) }, Rule { keep: 300, upto: Ts(6_500) }];
        let expiry = Expiry { reach, keep: 1_000, rules };
        let mut buffer = BytesMut::from(&b"before"[..]);
        let of_chat = encode(&chat, &floor, &mut buffer);
        let of_all = encode_expiry(&expiry, &mut buffer);
        let (key, value) = (&buffer[of_chat.key], &buffer[of_chat.value]);
        assert_eq!((key, decode(key, value)), (&b"apple:banana"[..], Ok(floor)));
        for at in 0..value.len() * 8 {
            let mut broken = value.to_vec();
            broken[at / 8] ^= 1 << (at % 8);
            assert!(decode(key, &broken).is_err(), "bit {at}");
        }
        let (key, value) = (&buffer[of_all.key], &buffer[of_all.value]);
        assert_eq!((key, decode_expiry(value)), (EXPIRY_KEY, Ok(expiry)));
        for at in 0..value.len() * 8 {
            let mut broken = value.to_vec();
            broken[at / 8] ^= 1 << (at % 8);
            assert!(decode_expiry(&broken).is_err(), "bit {at}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let chat = Chat::parse("a:b").expect("valid").0;
        for (first, freed, first_sent) in [(0, 0, 0), (3, 4, 0), (3, 0, 1), (3, 2, 3)] {
            let begin = Begin { first: Seq(first), ts: Ts(0), first_sent };
            let floor = Floor { begin, freed: Seq(freed), before_ts: Ts(1), written: Ts(1) };
            let mut bytes = BytesMut::new();
            let place = encode(&chat, &floor, &mut bytes);
            let refused = decode(&bytes[place.key], &bytes[place.value]);
            assert_eq!(refused, Err("the row makes no sense"), "{first} {freed} {first_sent}");
        }
    }
}
