//! The change log: one row a batch of the keyspace `changes`, keyed by time, that says what the batch changed.
//!
//! ```text
//! key    ts u64 of the batch's last change
//! value  version u8 = 1
//!        per change, in order of ts: key's ts − its ts (varint), kind u8, seq (varint), chat: length u16, UTF-8
//!        kind   0 message, 1 and 2 delivered by the first and the second user, 3 and 4 read by them,
//!               5 a message was revised, 6 and 7 the markers of the first and the second user were forgotten
//!        checksum u32: CRC-32 of the key and of the value up to here
//! ```
//! Everything derived can be rebuilt or followed from it. A row a batch rather than a row a change: the keys rise, so
//! the rows are written in order, and a batch of one hundred costs one insertion.

use super::codec::{Reader, Wrong, checked, put_checksum, put_varint};
use super::record::RowPlace;
use bytes::{BufMut, BytesMut};
use chinwag_model::{Chat, MarkerKind, Seq, Side, Ts};

const VERSION: u8 = 1;

/// One change, as the log names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// When it happened.
    pub ts: Ts,
    /// What happened.
    pub kind: Kind,
    /// In which chat.
    pub chat: Chat,
    /// To which message; of a marker, where it came to stand.
    pub seq: Seq,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A message was appended.
    Message,
    /// A user's marker moved.
    Marker(Side, MarkerKind),
    /// A message was edited or unsent, or a reaction to it came or went.
    Revised,
    /// A user's markers were forgotten: that user was erased. Its `seq` is 0.
    Forgotten(Side),
}

impl Kind {
    const ALL: [Self; 8] = [
        Self::Message,
        Self::Marker(Side::First, MarkerKind::Delivered),
        Self::Marker(Side::Second, MarkerKind::Delivered),
        Self::Marker(Side::First, MarkerKind::Read),
        Self::Marker(Side::Second, MarkerKind::Read),
        Self::Revised,
        Self::Forgotten(Side::First),
        Self::Forgotten(Side::Second),
    ];

    /// The byte of a row that names it: its place in [`Self::ALL`].
    fn byte(self) -> u8 {
        match self {
            Self::Message => 0,
            Self::Marker(Side::First, MarkerKind::Delivered) => 1,
            Self::Marker(Side::Second, MarkerKind::Delivered) => 2,
            Self::Marker(Side::First, MarkerKind::Read) => 3,
            Self::Marker(Side::Second, MarkerKind::Read) => 4,
            Self::Revised => 5,
            Self::Forgotten(Side::First) => 6,
            Self::Forgotten(Side::Second) => 7,
        }
    }
}

/// Appends the row of one batch of changes, in order of `ts`. `None` where there is none.
pub fn encode(changes: &[Change], into: &mut BytesMut) -> Option<RowPlace> {
    let last = changes.last()?.ts;
    let start = into.len();
    into.put_u64(last.0);
    let value_start = into.len();
    into.put_u8(VERSION);
    for change in changes {
        put_varint(into, last.0 - change.ts.0);
        into.put_u8(change.kind.byte());
        put_varint(into, change.seq.0);
        let chat = change.chat.as_str();
        into.put_u16(u16::try_from(chat.len()).expect("a chat is at most 257 bytes"));
        into.put_slice(chat.as_bytes());
    }
    put_checksum(into, start..value_start, value_start);
    Some(RowPlace { key: start..value_start, value: value_start..into.len() })
}

/// The time that a row's key holds.
///
/// # Errors
/// What is wrong with the key.
pub fn decode_key(key: &[u8]) -> Result<Ts, Wrong> {
    key.try_into().map(|key| Ts(u64::from_be_bytes(key))).map_err(|_| "the key is not a time")
}

/// Reads one row.
///
/// # Errors
/// What is wrong with the row: it is not what was written.
pub fn decode(key: &[u8], value: &[u8]) -> Result<Vec<Change>, Wrong> {
    let last = decode_key(key)?;
    let mut row = Reader(checked(key, value)?);
    if row.u8()? != VERSION {
        return Err("the row is of an unknown version");
    }
    let mut changes: Vec<Change> = Vec::new();
    while !row.is_empty() {
        let ts = last.0.checked_sub(row.varint()?).map(Ts).ok_or("a change is before all time")?;
        let kind = Kind::ALL.get(usize::from(row.u8()?)).copied().ok_or("a change is of an unknown kind")?;
        let seq = Seq(row.varint()?);
        let len = row.u16()?;
        let name = row.str(len.into())?;
        let chat = match Chat::parse(name) {
            Ok((chat, _)) if chat.as_str() == name => chat,
            _ => return Err("a change is of no chat"),
        };
        if changes.last().is_some_and(|before| before.ts >= ts) {
            return Err("the changes are out of order");
        }
        changes.push(Change { ts, kind, chat, seq });
    }
    if changes.last().is_some_and(|change| change.ts != last) {
        return Err("the key is not the last change's time");
    }
    Ok(changes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_round_trip_and_notice_every_changed_bit() {
        let change = |ts, kind, name, seq| Change {
            ts: Ts(ts),
            kind,
            chat: Chat::parse(name).expect("valid").0,
            seq: Seq(seq),
        };
        let mut changes = vec![
            change(1_000_000, Kind::Message, "a:b", 1),
            change(1_000_001, Kind::Message, "apple:banana", 300),
        ];
        for (kind, ts) in Kind::ALL.into_iter().zip(1_000_002..) {
            assert_eq!(Kind::ALL[usize::from(kind.byte())], kind);
            changes.push(change(ts, kind, "a:b", ts));
        }
        changes.push(change(9_000_000, Kind::Message, "a:b", 2));
        let mut buffer = BytesMut::new();
        let place = encode(&changes, &mut buffer).expect("not empty");
        let (key, value) = (&buffer[place.key], &buffer[place.value]);
        assert_eq!(decode(key, value), Ok(changes.clone()));
        assert_eq!(decode_key(key), Ok(Ts(9_000_000)));
        for at in 0..value.len() * 8 {
            let mut broken = value.to_vec();
            broken[at / 8] ^= 1 << (at % 8);
            assert!(decode(key, &broken).is_err(), "bit {at}");
        }
        assert_eq!(encode(&[], &mut BytesMut::new()), None);
    }
}
