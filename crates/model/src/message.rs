use crate::{Chat, Data, RevisionKind, SendKey, Side};

/// A message's position in its chat: 1, 2, 3, … with no gap and no reuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq(pub u64);

/// Server time in microseconds since the Unix epoch. Strictly rising within an embedded store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Ts(pub u64);

impl Ts {
    /// Whole seconds, as the founding document's `send_time` shows them.
    pub fn seconds(self) -> u64 {
        self.0 / 1_000_000
    }
}

/// A message as the store holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The chat, canonical.
    pub chat: Chat,
    /// Its position there.
    pub seq: Seq,
    /// When it was stored.
    pub ts: Ts,
    /// Which of the two users sent it.
    pub sender: Side,
    /// Which of its sender's messages in this chat it is: 1, 2, 3, … With its `seq` it tells how many of either user
    /// stand up to it, see [`Message::sent_by`]; so an unread count takes two messages, however many lie between.
    pub nth: u64,
    /// What it says; empty once it is unsent.
    pub text: Box<str>,
    /// The sender's own id of the send.
    pub key: Option<SendKey>,
    /// The application's own object.
    pub data: Option<Data>,
    /// What happened to it since; `None` for nearly all.
    pub revision: Option<Box<Revision>>,
}

/// What was done to a message after it was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    /// When it was last revised, in any way.
    pub ts: Ts,
    /// When its text was last replaced.
    pub edited_ts: Option<Ts>,
    /// Whether its sender took it back.
    pub unsent: bool,
    /// Who reacted with what, in the order of the first of each emoji.
    pub reactions: Vec<Reaction>,
    /// Digest of the text and data first sent, kept where they changed, so that a repeat of the key is still known.
    pub first_digest: Option<[u8; 16]>,
}

/// One user's reaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reaction {
    /// The emoji.
    pub emoji: Box<str>,
    /// Who reacted.
    pub by: Side,
}

impl Message {
    /// When it last changed: when it was stored, or last revised.
    pub fn changed(&self) -> Ts {
        self.revision.as_ref().map_or(self.ts, |revision| revision.ts)
    }

    /// Whether it was taken back.
    pub fn is_unsent(&self) -> bool {
        self.revision.as_ref().is_some_and(|revision| revision.unsent)
    }

    /// What was last done to it, as those hear who know it as it stood at `since`; `None` if nothing was since.
    pub fn revised_since(&self, since: Ts) -> Option<RevisionKind> {
        let revision = self.revision.as_ref().filter(|revision| revision.ts > since)?;
        Some(if revision.unsent {
            RevisionKind::Unsend
        } else if revision.edited_ts.is_some_and(|edited| edited > since) {
            RevisionKind::Edit
        } else {
            RevisionKind::Reaction
        })
    }

    /// The sender's name.
    pub fn sender_name(&self) -> &str {
        self.chat.user(self.sender)
    }

    /// How many messages of a side the chat holds up to and including this one. In a note to self all are of the first.
    pub fn sent_by(&self, side: Side) -> u64 {
        if side == self.sender { self.nth } else { self.seq.0 - self.nth }
    }

    /// How much of a page or a cache it takes, in bytes: its own bytes and a fixed part for what stands around them.
    pub fn weight(&self) -> usize {
        let key = self.key.as_ref().map_or(0, |key| key.as_str().len());
        let data = self.data.as_ref().map_or(0, |data| data.as_str().len());
        let reactions = self
            .revision
            .as_ref()
            .map_or(0, |revision| revision.reactions.iter().map(|reaction| reaction.emoji.len() + 16).sum());
        160 + self.text.len() + key + data + reactions
    }
}
