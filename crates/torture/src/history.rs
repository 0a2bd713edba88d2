//! What the clients asked and heard: one JSON object a line.

use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    io::{self, BufRead, Write},
};

/// Microseconds since the run began, on the one steady clock of all clients.
pub type Moment = u64;

/// One call and its end, or one thing that a feed told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// When the call was about to be made; for what a feed told, when its session began to be asked for.
    pub began: Moment,
    /// When its reply had come, or hope for one was given up.
    pub ended: Moment,
    /// Who asked, as far as the server was told.
    #[serde(default)]
    pub by: By,
    /// What was asked.
    pub call: Call,
    /// What was heard.
    pub reply: Reply,
}

/// Who asked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// The server asks nobody.
    #[default]
    Anyone,
    /// One with a user's token.
    User {
        /// The token's user.
        name: String,
        /// When the token ends; 0 of one that had ended before the run, and well over the leeway.
        until: Moment,
    },
    /// One with an API key that may act for any user, until it is revoked.
    Key {
        /// The key's id.
        id: String,
    },
}

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Call {
    /// A message, each try of it a call of its own.
    Send {
        /// In its canonical spelling, as everywhere in a history.
        chat: String,
        /// Who sends.
        sender: String,
        /// What it says.
        text: String,
        /// The sender's own id of it.
        key: Option<String>,
    },
    /// One page.
    Pull {
        /// Which chat.
        chat: String,
        /// How many at most.
        limit: u64,
        /// From where.
        cursor: u64,
        /// Whether backwards.
        reverse: bool,
    },
    /// A marker is moved.
    Mark {
        /// `read` or `delivered`.
        marker: Marker,
        /// Which chat.
        chat: String,
        /// Whose marker.
        user: String,
        /// How far.
        seq: u64,
    },
    /// The newest page of an inbox.
    Inbox {
        /// Whose.
        user: String,
    },
    /// A message is changed, each try of it a call of its own.
    Revise {
        /// Which chat.
        chat: String,
        /// Which message.
        seq: u64,
        /// Who asks for it.
        user: String,
        /// What is to be done to it.
        change: Change,
    },
    /// A user blocks another, or does so no longer.
    Block {
        /// Who.
        user: String,
        /// Whom.
        peer: String,
        /// Whether it is to begin.
        on: bool,
    },
    /// A user tells the peer of a chat that something is being written.
    Typing {
        /// Which chat.
        chat: String,
        /// Who writes.
        user: String,
    },
    /// An API key is revoked, by the operator.
    Revoke {
        /// Its id.
        key: String,
    },
    /// The server's process is gone, by the operator's will: when this began, whatever was given up by then was done or
    /// never will be.
    End,
    /// A feed; each thing that it tells is a record.
    Feed {
        /// Whose.
        user: String,
        /// Which session, by a number that no other session of the history has.
        session: u64,
        /// The id that it was resumed from.
        since: Option<String>,
    },
}

/// What is done to a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// Another text.
    Edit {
        /// That text.
        text: String,
    },
    /// It is taken back.
    Unsend,
    /// A reaction.
    React {
        /// Which.
        emoji: String,
        /// Whether it goes.
        remove: bool,
    },
}

/// What a feed calls a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Another text.
    Edit,
    /// It was taken back.
    Unsend,
    /// A reaction came or went.
    Reaction,
}

/// Which marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Marker {
    /// Up to where the user has read.
    Read,
    /// Up to where the user's devices have got the messages.
    Delivered,
}

/// What was heard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Reply {
    /// A message was stored, now or, `replayed`, before.
    Stored {
        /// As the server says that it stands.
        message: Message,
        /// Whether the key was known.
        replayed: bool,
    },
    /// A page.
    Page {
        /// In the order in which they came.
        messages: Vec<Message>,
        /// Where the page ended, if more is left.
        next: Option<u64>,
    },
    /// Where a marker stands.
    Marked {
        /// The last message that it covers.
        seq: u64,
        /// When it came to stand there, in microseconds since the Unix epoch; 0 of one that never moved.
        ts: u64,
    },
    /// Whether a user blocks another.
    Blocked {
        /// Since when, in microseconds since the Unix epoch; `None` of one who does not.
        since: Option<u64>,
    },
    /// How a message stands after a change.
    Stands {
        /// The message.
        message: Message,
    },
    /// An inbox, whole.
    Inbox {
        /// Its chats.
        chats: Vec<InboxChat>,
        /// What it says of all of them.
        unread_total: u64,
    },
    /// It was done.
    Done,
    /// A feed is up to date.
    Ready {
        /// Where it stands.
        id: String,
        /// Whether nothing was passed over.
        recovered: bool,
    },
    /// A feed told a message.
    Message {
        /// Its place in the feed.
        id: String,
        /// As it stands.
        message: Message,
    },
    /// A feed told what was done to a message.
    Revised {
        /// Its place in the feed.
        id: String,
        /// What was done.
        what: Kind,
        /// As it stands.
        message: Message,
    },
    /// A feed told a marker.
    Marker {
        /// Its place in the feed.
        id: String,
        /// Which.
        marker: Marker,
        /// In which chat.
        chat: String,
        /// Whose.
        user: String,
        /// The last message that it covers.
        seq: u64,
    },
    /// A feed told that somebody writes.
    Typing {
        /// In which chat.
        chat: String,
        /// Who.
        user: String,
    },
    /// The server refused, and nothing was done.
    Refused {
        /// The HTTP status.
        status: u16,
        /// The stable code.
        code: String,
    },
    /// Nobody knows: no reply, half of one, or the server said so. It may have been done, at any time from the call on.
    Unknown,
}

/// A message as it was told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Its chat, canonical.
    pub chat: String,
    /// Its place there.
    pub seq: u64,
    /// When it was stored, in microseconds since the Unix epoch.
    pub ts: u64,
    /// Who sent it.
    pub sender: String,
    /// What it says.
    pub text: String,
    /// The sender's own id of it.
    pub key: Option<String>,
    /// When its text was last replaced, in microseconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited_ts: Option<u64>,
    /// Whether it was taken back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unsent: bool,
    /// Who reacted, by emoji.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reactions: BTreeMap<String, Vec<String>>,
}

/// A chat of an inbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InboxChat {
    /// Its newest message.
    pub last: Message,
    /// Messages of the peer above the read marker.
    pub unread: u64,
    /// Where the read marker of each of its users stands.
    pub read: BTreeMap<String, u64>,
    /// Where the delivered marker of each of its users stands.
    pub delivered: BTreeMap<String, u64>,
}

/// Writes one record as a line.
///
/// # Errors
/// Those of the writer.
pub fn write(out: &mut impl Write, record: &Record) -> io::Result<()> {
    serde_json::to_writer(&mut *out, record)?;
    out.write_all(b"\n")
}

/// Reads a history.
///
/// # Errors
/// Those of the reader, and the number of the first line that is no record.
pub fn read(input: impl BufRead) -> io::Result<Vec<Record>> {
    let parse = |(number, line): (usize, io::Result<String>)| {
        serde_json::from_str(&line?).map_err(|error| {
            io::Error::new(io::ErrorKind::InvalidData, format!("line {}: {error}", number + 1))
        })
    };
    input.lines().enumerate().map(parse).collect()
}
