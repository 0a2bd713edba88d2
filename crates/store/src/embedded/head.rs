//! What a chat comes to: where its users' markers stand, and its head, as both of their inboxes show it.
//!
//! ```text
//! markers  key    chat, canonical, UTF-8
//!          value  version u8 = 3, standing, checksum
//! inbox    key    user, UTF-8 | 0x00 | chat, canonical, UTF-8
//!          value  version u8 = 3
//!                 last seq, last ts, ts of the last change, messages that the first user sent (varints)
//!                 standing, checksum
//! inbox    key    0x00                                     (no user is empty, so it is before all of them)
//!          value  version u8 = 1, ts u64 up to which the rows are derived from the change log, checksum
//!
//! standing    per user: delivered seq, ts; read seq, ts; messages of the peer up to the read seq (varints);
//!             from version 2 on also unsent messages of the peer above it (varint), and after both users when a message of the
//!             chat was last revised, or a user's markers were forgotten (varint); from version 3 on then when either user was erased from
//!             the chat (varints), and the message up to which it was removed, since both were (varint)
//! checksum    u32: CRC-32 of the key and of the value up to here
//! ```
//! The rows of `markers` are written with the changes that they are of; those of `inbox` are derived, and written late.

use super::codec::{Reader, Wrong, checked, put_checksum, put_varint};
use super::record::RowPlace;
use bytes::{BufMut, BytesMut};
use chinwag_model::{Chat, Marker, MarkerKind, Markers, Message, Seq, Side, Ts};

const VERSION: u8 = 3;
/// The versions before: the first knows no revisions, the second no one who was erased. Their rows stay until they change.
const VERSION_2: u8 = 2;
const VERSION_1: u8 = 1;
/// The key of the row that says up to when the others are derived.
pub(super) const DERIVED_KEY: &[u8] = &[0];

/// Where both users' markers stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) markers: [Markers; 2],
    /// Of each user: how many messages of the peer stand up to the read marker.
    pub(super) peers_read: [u64; 2],
    /// Of each user: how many messages of the peer above the read marker are unsent.
    pub(super) peers_gone: [u64; 2],
    /// When a message of the chat was last revised, or a user's markers were forgotten.
    pub(super) revised: Ts,
    /// When either user was last erased from the chat; 0 where never.
    pub(super) erased: [Ts; 2],
    /// The chat was removed up to this message, since both users were erased; 0 where it never was.
    pub(super) removed: Seq,
}

/// A chat at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    /// The last message.
    pub(super) last: Seq,
    pub(super) last_ts: Ts,
    /// When anything last changed. Of two heads of a chat, the one that changed later is the newer.
    pub(super) changed: Ts,
    /// How many of the messages the first user sent.
    pub(super) first_sent: u64,
    pub(super) standing: Standing,
}

impl Default for Standing {
    fn default() -> Self {
        Self::START
    }
}

impl Standing {
    pub(super) const START: Self = Self {
        markers: [Markers::START; 2],
        peers_read: [0; 2],
        peers_gone: [0; 2],
        revised: Ts(0),
        erased: [Ts(0); 2],
        removed: Seq(0),
    };

    /// Puts a marker where it moved to; `peers` is how many messages of the peer stand up to there.
    pub(super) fn put(&mut self, side: Side, kind: MarkerKind, marker: Marker, peers: u64) {
        *self.markers[side.index()].get_mut(kind) = marker;
        if kind == MarkerKind::Read {
            self.peers_read[side.index()] = peers;
        }
    }

    /// Forgets a user's markers, since the user is erased; the messages that are unsent above them are to be counted anew.
    pub(super) fn forget(&mut self, side: Side, ts: Ts) {
        self.erased[side.index()] = ts;
        self.markers[side.index()] = Markers::START;
        self.peers_read[side.index()] = 0;
        self.revised = self.revised.max(ts);
    }

    /// When a marker last moved, or a message was last revised.
    pub(super) fn moved(&self) -> Ts {
        let ts = |markers: &Markers| markers.delivered.ts.max(markers.read.ts);
        ts(&self.markers[0]).max(ts(&self.markers[1])).max(self.revised)
    }
}

impl Head {
    /// A chat without a message.
    pub(super) const EMPTY: Self =
        Self { last: Seq(0), last_ts: Ts(0), changed: Ts(0), first_sent: 0, standing: Standing::START };

    /// The head of a chat with this last message, and its markers.
    pub(super) fn of(last: &Message, standing: Standing) -> Self {
        let mut head = Self { standing, changed: standing.moved(), ..Self::EMPTY };
        head.add(last);
        head
    }

    /// Takes the chat's next message.
    pub(super) fn add(&mut self, message: &Message) {
        self.last = message.seq;
        self.last_ts = message.ts;
        self.first_sent = message.sent_by(Side::First);
        self.changed = self.changed.max(message.ts);
    }

    /// Puts a marker where it moved to: see [`Standing::put`].
    pub(super) fn put(&mut self, side: Side, kind: MarkerKind, marker: Marker, peers: u64) {
        self.standing.put(side, kind, marker, peers);
        self.changed = self.changed.max(marker.ts);
    }

    /// Takes in that a message was revised; `gone` is how many of either user's unread ones are unsent.
    pub(super) fn revise(&mut self, ts: Ts, gone: [u64; 2]) {
        self.standing.peers_gone = gone;
        self.standing.revised = ts;
        self.changed = self.changed.max(ts);
    }

    /// Takes in that a user's markers were forgotten: see [`Standing::forget`].
    pub(super) fn forget(&mut self, side: Side, ts: Ts) {
        self.standing.forget(side, ts);
        self.changed = self.changed.max(ts);
    }

    /// Whether all of the chat was removed, and nothing was sent since.
    pub(super) fn is_removed(&self) -> bool {
        self.last.0 > 0 && self.last <= self.standing.removed
    }

    /// How many messages a user sent. In a note to self the second sent none.
    pub(super) fn sent_by(&self, side: Side) -> u64 {
        match side {
            Side::First => self.first_sent,
            Side::Second => self.last.0 - self.first_sent,
        }
    }

    /// How many messages of the peer stand above a user's read marker and are not unsent.
    pub(super) fn unread(&self, side: Side) -> u64 {
        let index = side.index();
        self.sent_by(side.other())
            .saturating_sub(self.standing.peers_read[index])
            .saturating_sub(self.standing.peers_gone[index])
    }
}

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

/// Appends a row of `markers`.
pub(super) fn encode_standing(chat: &Chat, standing: &Standing, into: &mut BytesMut) -> RowPlace {
    let start = into.len();
    into.put_slice(chat.as_str().as_bytes());
    let value_start = into.len();
    into.put_u8(VERSION);
    put_standing(standing, into);
    put_checksum(into, start..value_start, value_start);
    RowPlace { key: start..value_start, value: value_start..into.len() }
}

/// Reads a row of `markers`.
pub(super) fn decode_standing(key: &[u8], value: &[u8]) -> Result<Standing, Wrong> {
    let (mut row, version) = versioned(key, value)?;
    let standing = read_standing(&mut row, version)?;
    if row.is_empty() { Ok(standing) } else { Err("the row is too long") }
}

/// What the keys of a user's rows of `inbox` begin with.
pub(super) fn inbox_prefix(user: &str) -> Vec<u8> {
    [user.as_bytes(), &[0]].concat()
}

/// The key of a user's row of a chat.
pub(super) fn inbox_key(user: &str, chat: &Chat) -> Vec<u8> {
    [user.as_bytes(), &[0], chat.as_str().as_bytes()].concat()
}

/// Appends the row of a chat in the inbox of the user on `side`.
pub(super) fn encode_head(chat: &Chat, side: Side, head: &Head, into: &mut BytesMut) -> RowPlace {
    let start = into.len();
    into.put_slice(chat.user(side).as_bytes());
    into.put_u8(0);
    into.put_slice(chat.as_str().as_bytes());
    let value_start = into.len();
    into.put_u8(VERSION);
    for number in [head.last.0, head.last_ts.0, head.changed.0, head.first_sent] {
        put_varint(into, number);
    }
    put_standing(&head.standing, into);
    put_checksum(into, start..value_start, value_start);
    RowPlace { key: start..value_start, value: value_start..into.len() }
}

/// Reads a row of `inbox`: the chat, whose inbox it is in, and its head.
pub(super) fn decode_head(key: &[u8], value: &[u8]) -> Result<(Chat, Side, Head), Wrong> {
    let (mut row, version) = versioned(key, value)?;
    let name = std::str::from_utf8(key).map_err(|_| "the key is not UTF-8")?;
    let (user, name) = name.split_once('\0').ok_or("the key has no separator")?;
    let chat = match Chat::parse(name) {
        Ok((chat, _)) if chat.as_str() == name => chat,
        _ => return Err("the key holds no chat"),
    };
    let side = chat.side_of(user).ok_or("the key's user is not of the chat")?;
    let (last, last_ts) = (Seq(row.varint()?), Ts(row.varint()?));
    let (changed, first_sent) = (Ts(row.varint()?), row.varint()?);
    let standing = read_standing(&mut row, version)?;
    if last.0 == 0 || first_sent > last.0 || !row.is_empty() {
        return Err("the row makes no sense");
    }
    Ok((chat, side, Head { last, last_ts, changed, first_sent, standing }))
}

/// Appends the row that says up to when the rows of `inbox` are derived.
pub(super) fn encode_derived(upto: Ts, into: &mut BytesMut) -> RowPlace {
    let start = into.len();
    into.put_slice(DERIVED_KEY);
    let value_start = into.len();
    into.put_u8(VERSION);
    into.put_u64(upto.0);
    put_checksum(into, start..value_start, value_start);
    RowPlace { key: start..value_start, value: value_start..into.len() }
}

/// Reads it.
pub(super) fn decode_derived(value: &[u8]) -> Result<Ts, Wrong> {
    let (mut row, _) = versioned(DERIVED_KEY, value)?;
    let upto = Ts(row.u64()?);
    if row.is_empty() { Ok(upto) } else { Err("the row is too long") }
}

fn versioned<'a>(key: &[u8], value: &'a [u8]) -> Result<(Reader<'a>, u8), Wrong> {
    let mut row = Reader(checked(key, value)?);
    match row.u8()? {
        version @ (VERSION | VERSION_2 | VERSION_1) => Ok((row, version)),
        _ => Err("the row is of an unknown version"),
    }
}

fn put_standing(standing: &Standing, into: &mut BytesMut) {
    let counts = standing.peers_read.into_iter().zip(standing.peers_gone);
    for (markers, (peers, gone)) in standing.markers.iter().zip(counts) {
        for marker in [markers.delivered, markers.read] {
            put_varint(into, marker.seq.0);
            put_varint(into, marker.ts.0);
        }
        put_varint(into, peers);
        put_varint(into, gone);
    }
    let [first, second] = standing.erased;
    for number in [standing.revised.0, first.0, second.0, standing.removed.0] {
        put_varint(into, number);
    }
}

fn read_standing(row: &mut Reader<'_>, version: u8) -> Result<Standing, Wrong> {
    let mut standing = Standing::START;
    for side in [0, 1] {
        for kind in [MarkerKind::Delivered, MarkerKind::Read] {
            *standing.markers[side].get_mut(kind) = Marker { seq: Seq(row.varint()?), ts: Ts(row.varint()?) };
        }
        standing.peers_read[side] = row.varint()?;
        if version >= VERSION_2 {
            standing.peers_gone[side] = row.varint()?;
        }
    }
    if version >= VERSION_2 {
        standing.revised = Ts(row.varint()?);
    }
    if version >= VERSION {
        standing.erased = [Ts(row.varint()?), Ts(row.varint()?)];
        standing.removed = Seq(row.varint()?);
    }
    Ok(standing)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head() -> Head {
        let marker = |seq, ts| Marker { seq: Seq(seq), ts: Ts(ts) };
        let first = Markers { delivered: marker(300, 9_000), read: marker(200, 8_000) };
        Head {
            last: Seq(400),
            last_ts: Ts(1_686_404_158_123_456),
            changed: Ts(1_686_404_158_123_456),
            first_sent: 100,
            standing: Standing {
                markers: [first, Markers::START],
                peers_read: [170, 0],
                peers_gone: [3, 0],
                revised: Ts(7_000),
                erased: [Ts(0), Ts(6_000)],
                removed: Seq(150),
            },
        }
    }

    #[test]
    fn rows_round_trip_and_notice_every_changed_bit() {
        let chat = Chat::parse("apple:banana").expect("valid").0;
        let mut buffer = BytesMut::from(&b"before"[..]);
        let markers = encode_standing(&chat, &head().standing, &mut buffer);
        let inbox = encode_head(&chat, Side::Second, &head(), &mut buffer);
        let derived = encode_derived(Ts(77), &mut buffer);
        let (key, value) = (&buffer[markers.key], &buffer[markers.value]);
        assert_eq!((key, decode_standing(key, value)), (&b"apple:banana"[..], Ok(head().standing)));
        for at in 0..value.len() * 8 {
            let mut broken = value.to_vec();
            broken[at / 8] ^= 1 << (at % 8);
            assert!(decode_standing(key, &broken).is_err(), "bit {at}");
        }
        let (key, value) = (&buffer[inbox.key], &buffer[inbox.value]);
        assert_eq!(key, inbox_key("banana", &chat));
        assert!(key.starts_with(&inbox_prefix("banana")));
        assert_eq!(decode_head(key, value), Ok((chat, Side::Second, head())));
        for at in 0..value.len() * 8 {
            let mut broken = value.to_vec();
            broken[at / 8] ^= 1 << (at % 8);
            assert!(decode_head(key, &broken).is_err(), "bit {at}");
        }
        assert_eq!(buffer[derived.key], *DERIVED_KEY);
        assert_eq!(decode_derived(&buffer[derived.value]), Ok(Ts(77)));
    }

    #[test]
    fn unread_counts_the_peers_messages_above_the_marker() {
        assert_eq!(head().unread(Side::First), 300 - 170 - 3);
        assert_eq!(head().unread(Side::Second), 100);
    }
}
