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
    head::{Head, Standing},
    reader,
    record::RowPlace,
    retained::Retained,
    tables::{Kept, View, engine},
};
use crate::{
    StoreError,
    retention::{Reach, first_kept},
};
use bytes::{BufMut, BytesMut};
use chinwag_model::{Chat, Message, Seq, Side, Ts};

const VERSION: u8 = 1;
/// The key of the row that says how far expiry has come.
pub(super) const EXPIRY_KEY: &[u8] = &[0];

/// Where a chat begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Begin {
    /// The first message that has not expired; one past the last where all have.
    pub(super) first: Seq,
    /// When it was sent; 0 where that is not known.
    pub(super) ts: Ts,
    /// How many messages of the first user stand below it.
    pub(super) first_sent: u64,
}

impl Begin {
    /// Of a chat of which nothing has expired.
    pub(super) const START: Self = Self { first: Seq(1), ts: Ts(0), first_sent: 0 };

    /// The chat begins with this message.
    pub(super) fn with(message: &Message) -> Self {
        let own = u64::from(message.sender == Side::First);
        Self { first: message.seq, ts: message.ts, first_sent: message.sent_by(Side::First) - own }
    }

    /// How many messages of a user stand below.
    pub(super) fn sent_before(&self, side: Side) -> u64 {
        match side {
            Side::First => self.first_sent,
            Side::Second => self.first.0 - 1 - self.first_sent,
        }
    }
}

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

/// Where a chat with this head begins, by a view that was taken before, and so shows all that has not expired since.
pub(super) fn begin_of(
    view: &View,
    retained: &Retained,
    chat: &Chat,
    head: &Head,
) -> Result<Begin, StoreError> {
    let removed = head.standing.removed;
    if !retained.is_any() && removed == Seq(0) {
        return Ok(Begin::START);
    }
    let limits = retained.limits();
    let stands = of(view, chat)?.map_or(Begin::START, |floor| floor.begin);
    let mut first = stands.first.max(Seq(removed.0 + 1)).max(limits.by_count(head.last));
    for rule in retained.rules().iter().filter(|rule| rule.upto < head.last_ts) {
        let later = first_from(view, chat, first, head.last, Ts(rule.upto.0 + 1))?;
        first = first.max(first_kept(rule.keep, Seq(later.0 - 1)));
    }
    for rule in retained.rules().iter().filter(|rule| rule.upto >= head.last_ts) {
        first = first.max(first_kept(rule.keep, head.last));
    }
    if limits.cut > head.last_ts {
        first = first.max(Seq(head.last.0 + 1));
    } else if limits.cut > Ts(0) {
        first = first_from(view, chat, first, head.last, limits.cut)?;
    }
    if first <= head.last {
        Ok(Begin::with(&reader::message_of(view, chat, first)?))
    } else if first == stands.first {
        Ok(stands)
    } else {
        Ok(Begin { first, ts: Ts(0), first_sent: head.first_sent })
    }
}

/// The first message of `first..=last` that is not from before a time; one past the last where all are.
fn first_from(view: &View, chat: &Chat, first: Seq, last: Seq, ts: Ts) -> Result<Seq, StoreError> {
    let is_later = |seq| Ok::<_, StoreError>(reader::message_of(view, chat, Seq(seq))?.ts >= ts);
    let (mut below, mut step) = (first.0 - 1, 1);
    let mut found = loop {
        let at = (below + step).min(last.0);
        if at <= below {
            return Ok(Seq(below + 1));
        }
        if is_later(at)? {
            break at;
        }
        (below, step) = (at, 2 * step);
    };
    while below + 1 < found {
        let middle = below + (found - below) / 2;
        if is_later(middle)? {
            found = middle;
        } else {
            below = middle;
        }
    }
    Ok(Seq(found))
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
