use crate::{
    block::{BlockReply, write_block},
    encode::{Names, size_hint, write_string},
    mark::marker_name,
    message::WireMessage,
    presence::write_state,
};
use chinwag_model::{Blocked, Chat, Epoch, Event, FeedId, Marked, Presence, RevisionKind, Side, Spelling};
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::value::RawValue;
use std::{borrow::Cow, io::Write as _};

/// The type of an event, which SSE names apart too.
pub fn event_name(event: &Event) -> &'static str {
    match event {
        Event::Message(_) => "message",
        Event::Revised { kind: RevisionKind::Edit, .. } => "edit",
        Event::Revised { kind: RevisionKind::Unsend, .. } => "unsend",
        Event::Revised { kind: RevisionKind::Reaction, .. } => "reaction",
        Event::Marker(marked) | Event::OwnMarker(marked) => marker_name(marked.kind),
        Event::Typing { .. } => "typing",
        Event::Presence(_) => "presence",
        Event::Block { .. } => "block",
    }
}

/// An event as JSON on one line. `epoch` is the store's, for the id of an event that is stored.
pub fn encode_event(event: &Event, epoch: Epoch) -> Vec<u8> {
    let mut out = Vec::with_capacity(match event {
        Event::Message(message) | Event::Revised { message, .. } => size_hint(message) + 80,
        _ => 256,
    });
    out.extend_from_slice(br#"{"type":""#);
    out.extend_from_slice(event_name(event).as_bytes());
    out.push(b'"');
    if let Some(ts) = event.ts() {
        write_id(&mut out, "id", FeedId { epoch, ts });
    }
    match event {
        Event::Message(message) | Event::Revised { message, .. } => {
            out.extend_from_slice(br#","message":"#);
            Names::new(&message.chat, Spelling::Canonical).write_message(&mut out, message);
        }
        Event::Marker(marked) | Event::OwnMarker(marked) => write_marked(&mut out, marked),
        Event::Typing { chat, by } => write_user(&mut out, chat, *by),
        Event::Presence(presence) => write_presence(&mut out, presence),
        Event::Block { stands, .. } => write_blocked(&mut out, stands),
    }
    out.push(b'}');
    out
}

/// The event that says where a stream stands once it is live, as JSON on one line.
pub fn encode_ready(id: FeedId, recovered: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(80);
    out.extend_from_slice(br#"{"type":"ready""#);
    write_id(&mut out, "id", id);
    write_recovered(&mut out, recovered);
    out.push(b'}');
    out
}

/// The reply to a poll: events as [`encode_event`] writes them, the id to come back with, and whether nothing was
/// passed over.
pub fn encode_poll<E: AsRef<[u8]>>(events: &[E], since: FeedId, recovered: bool) -> Vec<u8> {
    let events = events.iter().map(AsRef::as_ref);
    let mut out = Vec::with_capacity(events.clone().map(|event| event.len() + 1).sum::<usize>() + 96);
    out.extend_from_slice(br#"{"events":["#);
    for (at, event) in events.enumerate() {
        if at > 0 {
            out.push(b',');
        }
        out.extend_from_slice(event);
    }
    out.push(b']');
    write_id(&mut out, "since", since);
    write_recovered(&mut out, recovered);
    out.push(b'}');
    out
}

fn write_id(out: &mut Vec<u8>, name: &str, id: FeedId) {
    write!(out, r#","{name}":"{id}""#).expect("a vector takes every write");
}

fn write_recovered(out: &mut Vec<u8>, recovered: bool) {
    write!(out, r#","recovered":{recovered}"#).expect("a vector takes every write");
}

fn write_user(out: &mut Vec<u8>, chat: &Chat, side: Side) {
    out.extend_from_slice(br#","chat":"#);
    write_string(out, chat.as_str());
    out.extend_from_slice(br#","user":"#);
    write_string(out, chat.user(side));
}

fn write_marked(out: &mut Vec<u8>, marked: &Marked) {
    write_user(out, &marked.chat, marked.side);
    let at = marked.marker;
    write!(out, r#","seq":{},"ts":{}"#, at.seq.0, at.ts.0).expect("a vector takes every write");
}

fn write_blocked(out: &mut Vec<u8>, stands: &Blocked) {
    out.push(b',');
    write_block(out, stands);
}

fn write_presence(out: &mut Vec<u8>, presence: &Presence) {
    out.extend_from_slice(br#","user":"#);
    write_string(out, presence.user.as_str());
    out.push(b',');
    write_state(out, presence);
}

/// An event of a feed, for those who read one; the server writes it with [`encode_event`] and [`encode_ready`].
#[derive(Debug, Clone)]
pub enum WireEvent<'a> {
    /// A message was stored.
    Message(MessageEvent<'a>),
    /// A message's text was replaced.
    Edit(MessageEvent<'a>),
    /// A message was taken back.
    Unsend(MessageEvent<'a>),
    /// A reaction came or went.
    Reaction(MessageEvent<'a>),
    /// A read marker moved.
    Read(MarkEvent<'a>),
    /// A delivered marker moved.
    Delivered(MarkEvent<'a>),
    /// A user writes.
    Typing(TypingEvent<'a>),
    /// A user came or went.
    Presence(PresenceEvent<'a>),
    /// The user blocked another, or does so no longer.
    Block(BlockReply<'a>),
    /// The stream is live from here on.
    Ready(ReadyEvent<'a>),
    /// Something that a newer server tells.
    Unknown {
        /// Its type.
        kind: Cow<'a, str>,
        /// Its place in the feed, where it has one.
        id: Option<Cow<'a, str>>,
    },
}

/// What [`WireEvent::Message`] carries, and what tells of its revisions.
#[derive(Debug, Clone, Deserialize)]
pub struct MessageEvent<'a> {
    /// Its place in the feed.
    #[serde(borrow)]
    pub id: Cow<'a, str>,
    /// The message as it stands, its chat canonical.
    #[serde(borrow)]
    pub message: WireMessage<'a>,
}

/// What [`WireEvent::Read`] and [`WireEvent::Delivered`] carry.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct MarkEvent<'a> {
    /// Its place in the feed.
    #[serde(borrow)]
    pub id: Cow<'a, str>,
    /// The chat, canonical.
    #[serde(borrow)]
    pub chat: Cow<'a, str>,
    /// Whose marker.
    #[serde(borrow)]
    pub user: Cow<'a, str>,
    /// The last message that it covers.
    pub seq: u64,
    /// When it came to stand there, in microseconds since the Unix epoch.
    pub ts: u64,
}

/// What [`WireEvent::Typing`] carries.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct TypingEvent<'a> {
    /// The chat, canonical.
    #[serde(borrow)]
    pub chat: Cow<'a, str>,
    /// Who writes.
    #[serde(borrow)]
    pub user: Cow<'a, str>,
}

/// What [`WireEvent::Presence`] carries.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PresenceEvent<'a> {
    /// Who came or went.
    #[serde(borrow)]
    pub user: Cow<'a, str>,
    /// Whether any session of the user is open, or was a moment ago.
    pub online: bool,
    /// When the last of them was closed, in microseconds since the Unix epoch; absent where nobody knows.
    #[serde(default)]
    pub last_seen: Option<u64>,
}

/// What [`WireEvent::Ready`] carries.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ReadyEvent<'a> {
    /// Where the stream stands.
    #[serde(borrow)]
    pub id: Cow<'a, str>,
    /// Whether the client has seen all that there was; else it loads the inbox now.
    pub recovered: bool,
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
}

#[derive(Deserialize)]
struct UnknownHead<'a> {
    #[serde(default, borrow, deserialize_with = "crate::fields::optional_str")]
    id: Option<Cow<'a, str>>,
}

impl<'a> WireEvent<'a> {
    /// Reads an event.
    ///
    /// # Errors
    /// Where it is none, or lacks what its type carries.
    pub fn parse(json: &'a str) -> Result<Self, serde_json::Error> {
        let Head { kind } = serde_json::from_str(json)?;
        Ok(match &*kind {
            "message" => Self::Message(serde_json::from_str(json)?),
            "edit" => Self::Edit(serde_json::from_str(json)?),
            "unsend" => Self::Unsend(serde_json::from_str(json)?),
            "reaction" => Self::Reaction(serde_json::from_str(json)?),
            "read" => Self::Read(serde_json::from_str(json)?),
            "delivered" => Self::Delivered(serde_json::from_str(json)?),
            "typing" => Self::Typing(serde_json::from_str(json)?),
            "presence" => Self::Presence(serde_json::from_str(json)?),
            "block" => Self::Block(serde_json::from_str(json)?),
            "ready" => Self::Ready(serde_json::from_str(json)?),
            _ => Self::Unknown { kind, id: serde_json::from_str::<UnknownHead<'a>>(json)?.id },
        })
    }

    /// Its place in the feed; `None` of what lives only for the moment.
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::Message(event) | Self::Edit(event) | Self::Unsend(event) | Self::Reaction(event) => {
                Some(&event.id)
            }
            Self::Read(event) | Self::Delivered(event) => Some(&event.id),
            Self::Ready(event) => Some(&event.id),
            Self::Unknown { id, .. } => id.as_deref(),
            Self::Typing(_) | Self::Presence(_) | Self::Block(_) => None,
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for WireEvent<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // By way of the text, for what else would hold an event whose type is only known at its end?
        let json = <&RawValue>::deserialize(deserializer)?;
        Self::parse(json.get()).map_err(D::Error::custom)
    }
}

/// The reply to a poll, for those who read one; the server writes it with [`encode_poll`].
#[derive(Debug, Clone, Deserialize)]
pub struct PollReply<'a> {
    /// What happened.
    #[serde(borrow)]
    pub events: Vec<WireEvent<'a>>,
    /// The id to come back with.
    #[serde(borrow)]
    pub since: Cow<'a, str>,
    /// Whether the client has seen all that there was; else it loads the inbox now.
    pub recovered: bool,
}
