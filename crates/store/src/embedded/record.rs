//! The stored message: one row of the keyspace `messages`.
//!
//! ```text
//! key    chat, canonical, UTF-8 | 0x00 | seq u64            (no chat holds 0x00, so rows sort by chat, then by seq)
//! value  version u8 = 2
//!        flags u8: 1 the second user sent it, 2 key, 4 data, 8 revision
//!        ts u64, microseconds since the Unix epoch
//!        nth (varint): which of its sender's messages in the chat it is; not in version 1
//!        key: length u8, bytes                              where flagged
//!        revision: ts u64, flags u8 (1 edited_ts, 2 unsent, 4 first_digest), edited_ts u64, first_digest 16 bytes,
//!                  reactions u8, each: side u8, length u8, emoji          where flagged
//!        data: length u16, compact JSON                     where flagged
//!        text, UTF-8, up to the checksum
//!        checksum u32: CRC-32 of the key and of the value up to here
//! ```
//! A later version of the format is another first byte; this one reads only what it knows. Rows of version 1 stand only
//! in a store of format 1, until it is opened: see `migrate`.

use super::codec::{Reader, Wrong, checked, put_checksum, put_varint};
use bytes::{BufMut, BytesMut};
use chinwag_model::{Chat, Data, Message, Reaction, Revision, SendKey, Seq, Side, Ts};
use std::ops::Range;

const VERSION: u8 = 2;
/// The version before, without `nth`.
const VERSION_1: u8 = 1;
const SECOND: u8 = 1;
const KEY: u8 = 2;
const DATA: u8 = 4;
const REVISION: u8 = 8;
const EDITED: u8 = 1;
const UNSENT: u8 = 2;
const DIGEST: u8 = 4;

/// The bytes of a row's key after the chat's name.
const KEY_TAIL_BYTES: usize = 9;

/// Where an encoded row lies in the buffer that it was appended to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowPlace {
    /// Its key.
    pub key: Range<usize>,
    /// Its value.
    pub value: Range<usize>,
}

/// The key of a message's row.
pub fn key(chat: &Chat, seq: Seq) -> Vec<u8> {
    let mut key = Vec::with_capacity(chat.as_str().len() + KEY_TAIL_BYTES);
    key.extend_from_slice(chat.as_str().as_bytes());
    key.push(0);
    key.extend_from_slice(&seq.0.to_be_bytes());
    key
}

/// The chat's name and the seq that a row's key holds.
///
/// # Errors
/// What is wrong with the key.
pub fn split_key(key: &[u8]) -> Result<(&str, Seq), Wrong> {
    let (name, tail) =
        key.len().checked_sub(KEY_TAIL_BYTES).map(|at| key.split_at(at)).ok_or("the key is too short")?;
    let [0, seq @ ..] = tail else { return Err("the key has no separator") };
    let seq = seq.try_into().map(u64::from_be_bytes).map_err(|_| "the key is too short")?;
    Ok((std::str::from_utf8(name).map_err(|_| "the chat is not UTF-8")?, Seq(seq)))
}

/// Appends a message's row, its key and then its value, to `into`.
pub fn encode(message: &Message, into: &mut BytesMut) -> RowPlace {
    let start = into.len();
    let chat = message.chat.as_str();
    into.reserve(chat.len() + KEY_TAIL_BYTES + message.weight());
    into.put_slice(chat.as_bytes());
    into.put_u8(0);
    into.put_u64(message.seq.0);
    let value_start = into.len();
    into.put_u8(VERSION);
    let second = message.sender == Side::Second;
    let flags = [
        (second, SECOND),
        (message.key.is_some(), KEY),
        (message.data.is_some(), DATA),
        (message.revision.is_some(), REVISION),
    ];
    into.put_u8(flag_bits(flags));
    into.put_u64(message.ts.0);
    put_varint(into, message.nth);
    if let Some(key) = &message.key {
        put_short(into, key.as_str());
    }
    if let Some(revision) = &message.revision {
        put_revision(into, revision);
    }
    if let Some(data) = &message.data {
        into.put_u16(u16::try_from(data.as_str().len()).expect("data is at most 4 KiB"));
        into.put_slice(data.as_str().as_bytes());
    }
    into.put_slice(message.text.as_bytes());
    put_checksum(into, start..value_start, value_start);
    RowPlace { key: start..value_start, value: value_start..into.len() }
}

/// Reads a message's row. Pass the chat where it is known, so that its name is shared and checked.
///
/// # Errors
/// What is wrong with the row: it is not what was written.
pub fn decode(chat: Option<&Chat>, key: &[u8], value: &[u8]) -> Result<Message, Wrong> {
    match decode_any(chat, key, value)? {
        Row::Present(message) => Ok(message),
        Row::WithoutNth(_) => Err("the row is of version 1, which this format does not hold"),
    }
}

/// A row of any version.
pub(super) enum Row {
    /// As it is written now.
    Present(Message),
    /// Of version 1; its `nth` is 0, to be counted.
    WithoutNth(Message),
}

/// Reads a message's row of any version.
pub(super) fn decode_any(chat: Option<&Chat>, key: &[u8], value: &[u8]) -> Result<Row, Wrong> {
    let (name, seq) = split_key(key)?;
    let chat = match chat {
        Some(chat) if chat.as_str() == name => chat.clone(),
        Some(_) => return Err("the row is of another chat"),
        None => match Chat::parse(name) {
            Ok((chat, _)) if chat.as_str() == name => chat,
            _ => return Err("the key holds no chat"),
        },
    };
    let mut row = Reader(checked(key, value)?);
    let version = row.u8()?;
    if version != VERSION && version != VERSION_1 {
        return Err("the row is of an unknown version");
    }
    let flags = row.u8()?;
    if flags & !(SECOND | KEY | DATA | REVISION) != 0 {
        return Err("the row has unknown flags");
    }
    let ts = Ts(row.u64()?);
    let nth = if version == VERSION { row.varint()? } else { 0 };
    if version == VERSION && !(1..=seq.0).contains(&nth) {
        return Err("more of its sender's messages than messages");
    }
    let key = (flags & KEY != 0).then(|| read_key(&mut row)).transpose()?;
    let revision = (flags & REVISION != 0).then(|| read_revision(&mut row)).transpose()?.map(Box::new);
    let data = (flags & DATA != 0).then(|| read_data(&mut row)).transpose()?;
    let text = row.str(row.0.len())?.into();
    let message = Message { chat, seq, ts, sender: side(flags & SECOND)?, nth, text, key, data, revision };
    Ok(if version == VERSION { Row::Present(message) } else { Row::WithoutNth(message) })
}

fn put_short(into: &mut BytesMut, text: &str) {
    into.put_u8(u8::try_from(text.len()).expect("keys and emoji are at most 64 bytes"));
    into.put_slice(text.as_bytes());
}

fn read_short<'a>(row: &mut Reader<'a>) -> Result<&'a str, Wrong> {
    let len = row.u8()?;
    row.str(len.into())
}

fn read_key(row: &mut Reader<'_>) -> Result<SendKey, Wrong> {
    SendKey::parse(read_short(row)?).map_err(|_| "the key of the send is not one")
}

fn read_data(row: &mut Reader<'_>) -> Result<Data, Wrong> {
    let len = row.u16()?;
    Data::from_compact(row.str(len.into())?).map_err(|_| "the data is too long")
}

fn put_revision(into: &mut BytesMut, revision: &Revision) {
    into.put_u64(revision.ts.0);
    let flags = [
        (revision.edited_ts.is_some(), EDITED),
        (revision.unsent, UNSENT),
        (revision.first_digest.is_some(), DIGEST),
    ];
    into.put_u8(flag_bits(flags));
    if let Some(ts) = revision.edited_ts {
        into.put_u64(ts.0);
    }
    if let Some(digest) = revision.first_digest {
        into.put_slice(&digest);
    }
    into.put_u8(u8::try_from(revision.reactions.len()).expect("a message has at most 40 reactions"));
    for reaction in &revision.reactions {
        into.put_u8(u8::from(reaction.by == Side::Second));
        put_short(into, &reaction.emoji);
    }
}

fn read_revision(row: &mut Reader<'_>) -> Result<Revision, Wrong> {
    let ts = Ts(row.u64()?);
    let flags = row.u8()?;
    if flags & !(EDITED | UNSENT | DIGEST) != 0 {
        return Err("the revision has unknown flags");
    }
    let edited_ts = (flags & EDITED != 0).then(|| row.u64().map(Ts)).transpose()?;
    let first_digest = (flags & DIGEST != 0).then(|| row.array()).transpose()?;
    let count = row.u8()?;
    let reactions = (0..count)
        .map(|_| {
            let by = side(row.u8()?)?;
            Ok(Reaction { emoji: read_short(row)?.into(), by })
        })
        .collect::<Result<_, Wrong>>()?;
    Ok(Revision { ts, edited_ts, unsent: flags & UNSENT != 0, reactions, first_digest })
}

/// The bits of those that are set.
fn flag_bits<const N: usize>(flags: [(bool, u8); N]) -> u8 {
    flags.into_iter().filter(|(set, _)| *set).map(|(_, bit)| bit).sum()
}

fn side(byte: u8) -> Result<Side, Wrong> {
    match byte {
        0 => Ok(Side::First),
        1 => Ok(Side::Second),
        _ => Err("a side is neither of the two"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain() -> Message {
        Message {
            chat: Chat::parse("apple:banana").expect("valid").0,
            seq: Seq(7),
            ts: Ts(1_686_404_158_123_456),
            sender: Side::Second,
            nth: 3,
            text: "Hello how are you? 👍".into(),
            key: None,
            data: None,
            revision: None,
        }
    }

    fn full() -> Message {
        Message {
            key: Some(SendKey::parse(&"k".repeat(64)).expect("valid")),
            data: Some(Data::from_compact(r#"{"a":1}"#).expect("valid")),
            revision: Some(Box::new(Revision {
                ts: Ts(1_686_404_159_000_000),
                edited_ts: Some(Ts(1_686_404_158_900_000)),
                unsent: false,
                reactions: vec![
                    Reaction { emoji: "👍".into(), by: Side::First },
                    Reaction { emoji: "🎉".into(), by: Side::Second },
                ],
                first_digest: Some([9; 16]),
            })),
            ..plain()
        }
    }

    fn row(message: &Message) -> (Vec<u8>, Vec<u8>) {
        let mut buffer = BytesMut::from(&b"before"[..]);
        let place = encode(message, &mut buffer);
        (buffer[place.key].to_vec(), buffer[place.value].to_vec())
    }

    #[test]
    fn rows_round_trip() {
        for message in [plain(), full(), Message { text: "".into(), ..full() }] {
            let (key, value) = row(&message);
            assert_eq!(decode(None, &key, &value), Ok(message.clone()));
            assert_eq!(decode(Some(&message.chat), &key, &value), Ok(message.clone()));
            assert_eq!(key, super::key(&message.chat, message.seq));
            let other = Chat::parse("apple:cherry").expect("valid").0;
            assert_eq!(decode(Some(&other), &key, &value), Err("the row is of another chat"));
        }
    }

    /// The format of version 2, byte for byte: whoever changes it makes another version.
    #[test]
    fn version_2_is_fixed() {
        let (key, value) = row(&plain());
        assert_eq!(key, b"apple:banana\0\0\0\0\0\0\0\0\x07");
        let mut expected = vec![2, 1];
        expected.extend_from_slice(&1_686_404_158_123_456_u64.to_be_bytes());
        expected.push(3);
        expected.extend_from_slice("Hello how are you? 👍".as_bytes());
        assert_eq!(value[..value.len() - 4], expected);
        assert_eq!(value[value.len() - 4..], crc32fast::hash(&[key, expected].concat()).to_be_bytes());
    }

    #[test]
    fn every_changed_bit_is_noticed() {
        let (key, value) = row(&full());
        for at in 0..value.len() * 8 {
            let mut broken = value.clone();
            broken[at / 8] ^= 1 << (at % 8);
            assert_eq!(decode(None, &key, &broken), Err("the checksum does not match"), "bit {at}");
        }
        for len in 0..value.len() {
            assert!(decode(None, &key, &value[..len]).is_err(), "cut to {len} bytes");
        }
        let mut moved = key.clone();
        *moved.last_mut().expect("not empty") += 1;
        assert_eq!(decode(None, &moved, &value), Err("the checksum does not match"));
    }

    #[test]
    fn rows_sort_by_chat_then_seq() {
        let chat = |name| Chat::parse(name).expect("valid").0;
        let rows = [
            key(&chat("a:b"), Seq(1)),
            key(&chat("a:b"), Seq(255)),
            key(&chat("a:b"), Seq(256)),
            key(&chat("a:b"), Seq(u64::MAX)),
            key(&chat("a:b!"), Seq(1)),
            key(&chat("a:bb"), Seq(1)),
        ];
        assert!(rows.is_sorted());
    }
}
