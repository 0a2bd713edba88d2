use crate::{Blocked, Chat, Invalid, Marked, Message, RevisionKind, Side, Ts, UserId};
use std::{fmt, sync::Arc};

/// What a user's feed tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A message was stored. Both users of its chat hear of it.
    Message(Arc<Message>),
    /// A message was revised. Both users of its chat hear of it.
    Revised {
        /// As it stands.
        message: Arc<Message>,
        /// What was done to it.
        kind: RevisionKind,
    },
    /// A marker moved. Both users of its chat hear of it.
    Marker(Marked),
    /// A marker moved in a chat of two of whom one blocks the other. Its own user alone hears of it.
    OwnMarker(Marked),
    /// A user writes. The peer hears of it, once, and nobody later.
    Typing {
        /// In which chat.
        chat: Chat,
        /// Who writes.
        by: Side,
    },
    /// A user came or went. Those who watch the user hear of it, and nobody later.
    Presence(Presence),
    /// A user blocked another, or does so no longer. The user's own sessions hear of it, and nobody later.
    Block {
        /// As it stands.
        stands: Blocked,
        /// Whether either of the two now blocks the other: then neither hears of the other's coming and going.
        silent: bool,
    },
}

/// Whether a user is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presence {
    /// Who.
    pub user: UserId,
    /// Whether any session of the user is open, or was a moment ago.
    pub online: bool,
    /// When the last of them was closed, of one who is not online; `None` where this server does not know.
    pub last_seen: Option<Ts>,
}

impl Presence {
    /// What one hears of a user of whom one may know nothing, and of one who was never seen.
    pub fn unknown(user: &UserId) -> Self {
        Self { user: user.clone(), online: false, last_seen: None }
    }
}

impl Event {
    /// When it happened, of one that is stored; those that live only for the moment have no time and no id.
    pub fn ts(&self) -> Option<Ts> {
        match self {
            Self::Message(message) => Some(message.ts),
            Self::Revised { message, .. } => Some(message.changed()),
            Self::Marker(marked) | Self::OwnMarker(marked) => Some(marked.marker.ts),
            Self::Typing { .. } | Self::Presence(_) | Self::Block { .. } => None,
        }
    }

    /// The users in whose feeds it belongs, each once. Presence belongs in the feeds of those who watch.
    pub fn hearers(&self) -> impl Iterator<Item = &str> {
        let (chat, sides) = match self {
            Self::Message(message) | Self::Revised { message, .. } => {
                (Some(&message.chat), message.chat.sides())
            }
            Self::Marker(marked) => (Some(&marked.chat), marked.chat.sides()),
            Self::OwnMarker(Marked { chat, side, .. }) => (Some(chat), side.alone()),
            Self::Block { stands, .. } => (Some(&stands.chat), stands.by.alone()),
            Self::Typing { chat, .. } if chat.is_note_to_self() => (None, &[][..]),
            Self::Typing { chat, by } => (Some(chat), by.other().alone()),
            Self::Presence(_) => (None, &[][..]),
        };
        chat.into_iter().flat_map(move |chat| sides.iter().map(|&side| chat.user(side)))
    }

    /// How much of a catch-up it takes, in bytes, as [`Message::weight`] counts them.
    pub fn weight(&self) -> usize {
        match self {
            Self::Message(message) | Self::Revised { message, .. } => message.weight(),
            Self::Marker(_)
            | Self::OwnMarker(_)
            | Self::Typing { .. }
            | Self::Presence(_)
            | Self::Block { .. } => 160,
        }
    }
}

/// Which life of a store it is; a new or a restored store has another. No store has 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Epoch(pub u64);

/// A place in a user's feed: just after all that happened up to a time, in one life of the store.
///
/// Written as the epoch in 16 hexadecimal digits, a hyphen and the time in 14, so that ids of one epoch sort as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FeedId {
    /// The store's life.
    pub epoch: Epoch,
    /// The time.
    pub ts: Ts,
}

/// Length of a written [`FeedId`], in bytes.
const FEED_ID_BYTES: usize = 16 + 1 + 14;

impl FeedId {
    /// A place that no store knows: whoever comes back with it is told that what was missed can't be.
    pub const UNKNOWN: Self = Self { epoch: Epoch(0), ts: Ts(0) };

    /// Reads an id; `field` is the request's field that held it.
    ///
    /// # Errors
    /// [`Invalid`] naming `field` for what is no id of any feed.
    pub fn parse(field: &'static str, id: &str) -> Result<Self, Invalid> {
        let digits = |text: &str| {
            let plain = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            plain.then(|| u64::from_str_radix(text, 16).ok()).flatten()
        };
        let read = || {
            let (epoch, ts) =
                id.split_once('-').filter(|(epoch, _)| epoch.len() == 16 && id.len() == FEED_ID_BYTES)?;
            Some(Self { epoch: Epoch(digits(epoch)?), ts: Ts(digits(ts)?) })
        };
        read().ok_or_else(|| {
            Invalid::new(field, "this is not an id that an event or a reply of this feed gave")
        })
    }
}

impl fmt::Display for FeedId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{:014x}", self.epoch.0, self.ts.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::INTEGER_MAX;

    #[test]
    fn ids_round_trip_and_sort_as_text() {
        let ids = [0, 1, 15, 16, 1_700_000_000_000_000, INTEGER_MAX]
            .map(|ts| FeedId { epoch: Epoch(7), ts: Ts(ts) });
        let written = ids.map(|id| id.to_string());
        assert!(written.is_sorted());
        for (id, written) in ids.iter().zip(&written) {
            assert_eq!(written.len(), FEED_ID_BYTES);
            assert_eq!(FeedId::parse("since", written), Ok(*id));
        }
    }

    #[test]
    fn what_is_no_id_names_its_field() {
        let good = FeedId { epoch: Epoch(u64::MAX), ts: Ts(10) }.to_string();
        for bad in
            ["", "0", "-", &good[1..], &format!("{good}0"), &good.to_uppercase(), &good.replace('-', "+")]
        {
            assert_eq!(FeedId::parse("since", bad).expect_err(bad).field, "since");
        }
    }
}
