use crate::{Blocked, Message};
use chinwag_wire::{MarkEvent, WireEvent};
use serde::Serialize;

/// What a feed tells. It serializes as the wire contract writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// A message was stored.
    Message {
        /// Its place in the feed.
        id: String,
        /// The message as it stands, its chat in the canonical spelling.
        message: Message,
    },
    /// A message's text was replaced.
    Edit {
        /// Its place in the feed.
        id: String,
        /// The message as it stands, its chat in the canonical spelling.
        message: Message,
    },
    /// A message was taken back.
    Unsend {
        /// Its place in the feed.
        id: String,
        /// The message as it stands, its chat in the canonical spelling.
        message: Message,
    },
    /// A reaction to a message came or went.
    Reaction {
        /// Its place in the feed.
        id: String,
        /// The message as it stands, its chat in the canonical spelling.
        message: Message,
    },
    /// A user's read marker moved.
    Read {
        /// Its place in the feed.
        id: String,
        /// The chat, in its canonical spelling.
        chat: String,
        /// Whose marker.
        user: String,
        /// The last message that it covers.
        seq: u64,
        /// When it came to stand there, in microseconds since the Unix epoch.
        ts: u64,
    },
    /// A user's delivered marker moved.
    Delivered {
        /// Its place in the feed.
        id: String,
        /// The chat, in its canonical spelling.
        chat: String,
        /// Whose marker.
        user: String,
        /// The last message that it covers.
        seq: u64,
        /// When it came to stand there, in microseconds since the Unix epoch.
        ts: u64,
    },
    /// A user writes; true for some seconds.
    Typing {
        /// The chat, in its canonical spelling.
        chat: String,
        /// Who writes.
        user: String,
    },
    /// A user who is watched came or went.
    Presence {
        /// Who.
        user: String,
        /// Whether any session of the user is open, or was a moment ago.
        online: bool,
        /// When the last of them was closed, in microseconds since the Unix epoch, where the server knows.
        #[serde(skip_serializing_if = "Option::is_none")]
        last_seen: Option<u64>,
    },
    /// The user blocked another, or does so no longer; perhaps on another device.
    Block(Blocked),
}

impl Event {
    /// Its place in the feed; `None` of what lives only for the moment.
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::Message { id, .. }
            | Self::Edit { id, .. }
            | Self::Unsend { id, .. }
            | Self::Reaction { id, .. }
            | Self::Read { id, .. }
            | Self::Delivered { id, .. } => Some(id),
            Self::Typing { .. } | Self::Presence { .. } | Self::Block(_) => None,
        }
    }

    /// An event off the wire; `None` for `ready`, which is none to the caller, and for types of a newer server.
    pub(crate) fn of_wire(event: WireEvent<'_>) -> Option<Self> {
        Some(match event {
            WireEvent::Message(event) => {
                Self::Message { id: event.id.into_owned(), message: event.message.into() }
            }
            WireEvent::Edit(event) => Self::Edit { id: event.id.into_owned(), message: event.message.into() },
            WireEvent::Unsend(event) => {
                Self::Unsend { id: event.id.into_owned(), message: event.message.into() }
            }
            WireEvent::Reaction(event) => {
                Self::Reaction { id: event.id.into_owned(), message: event.message.into() }
            }
            WireEvent::Read(MarkEvent { id, chat, user, seq, ts }) => {
                Self::Read { id: id.into(), chat: chat.into(), user: user.into(), seq, ts }
            }
            WireEvent::Delivered(MarkEvent { id, chat, user, seq, ts }) => {
                Self::Delivered { id: id.into(), chat: chat.into(), user: user.into(), seq, ts }
            }
            WireEvent::Typing(event) => Self::Typing { chat: event.chat.into(), user: event.user.into() },
            WireEvent::Presence(event) => {
                Self::Presence { user: event.user.into(), online: event.online, last_seen: event.last_seen }
            }
            WireEvent::Block(event) => Self::Block(event.into()),
            WireEvent::Ready(_) | WireEvent::Unknown { .. } => return None,
        })
    }
}
