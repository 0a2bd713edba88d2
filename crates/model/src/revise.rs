use crate::{
    Chat, Invalid, Message, Seq, Side, Text,
    limits::{EMOJI_MAX_BYTES, INTEGER_MAX},
};
use std::time::Duration;

/// A request to change a message that is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revise {
    /// The chat.
    pub chat: Chat,
    /// Which message.
    pub seq: Seq,
    /// Who asks.
    pub by: Reviser,
    /// What is to be done to it.
    pub change: Change,
}

/// Who asks for a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reviser {
    /// One of the chat's two users. Only the sender edits and unsends.
    User(Side),
    /// One who may unsend any message, at any time.
    Admin,
}

/// What is to be done to a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Its text is replaced, at most `window` after it was stored.
    Edit {
        /// The new text.
        text: Text,
        /// How long after it was stored.
        window: Duration,
    },
    /// It is taken back, at most `window` after it was stored; its text, data and reactions go.
    Unsend {
        /// How long after it was stored.
        window: Duration,
    },
    /// A user reacts, or takes a reaction back.
    React {
        /// With what.
        emoji: Emoji,
        /// Whether it is taken back.
        remove: bool,
    },
    /// A user is erased: a message of that user's is taken back, whenever it was sent, with its key and all by which a
    /// repeat would be known; of another's, the user's reactions go.
    Erase {
        /// The user.
        of: Side,
    },
}

/// What was done to a message, as a feed tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevisionKind {
    /// Its text was replaced.
    Edit,
    /// It was taken back.
    Unsend,
    /// A reaction came or went.
    Reaction,
}

/// What a user reacts with: 1 to [`EMOJI_MAX_BYTES`] bytes without a control character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Emoji(Box<str>);

impl Emoji {
    /// Takes an emoji.
    ///
    /// # Errors
    /// [`Invalid`] naming `emoji`.
    pub fn parse(emoji: &str) -> Result<Self, Invalid> {
        if emoji.is_empty() || emoji.len() > EMOJI_MAX_BYTES || emoji.chars().any(char::is_control) {
            let why = "an emoji is 1 to 64 bytes of UTF-8 without a control character";
            return Err(Invalid::new("emoji", why));
        }
        Ok(Self(emoji.into()))
    }

    /// The emoji.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Change {
    /// What a feed calls it, which made this message.
    pub fn kind(&self, message: &Message) -> RevisionKind {
        match self {
            _ if message.is_unsent() => RevisionKind::Unsend,
            Self::Edit { .. } => RevisionKind::Edit,
            Self::Unsend { .. } => RevisionKind::Unsend,
            // What it does to a message of the user's own is told as the unsending that it is.
            Self::React { .. } | Self::Erase { .. } => RevisionKind::Reaction,
        }
    }
}

impl Change {
    /// Whether something that the message said, or a reaction to it, is there no more after it.
    pub fn takes_away(&self) -> bool {
        match self {
            Self::Edit { .. } | Self::Unsend { .. } | Self::Erase { .. } => true,
            Self::React { remove, .. } => *remove,
        }
    }
}

impl Revise {
    /// Puts a user's request together; `field` is the request's field that named the user.
    ///
    /// # Errors
    /// [`Invalid`] naming `seq`, outside 1 to [`INTEGER_MAX`], or `field`, for a stranger.
    pub fn new(
        chat: Chat,
        field: &'static str,
        user: &str,
        seq: u64,
        change: Change,
    ) -> Result<Self, Invalid> {
        let by = Reviser::User(chat.member(field, user)?);
        if !(1..=INTEGER_MAX).contains(&seq) {
            return Err(Invalid::new("seq", "a seq is a whole number from 1 to 2^53 - 1"));
        }
        Ok(Self { chat, seq: Seq(seq), by, change })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_emoji_at_and_past_its_bounds() {
        for good in ["👍", "+1", &"x".repeat(EMOJI_MAX_BYTES)] {
            assert_eq!(Emoji::parse(good).expect(good).as_str(), good);
        }
        for bad in ["", "\n", "\0", &"x".repeat(EMOJI_MAX_BYTES + 1)] {
            assert_eq!(Emoji::parse(bad).expect_err(bad).field, "emoji");
        }
    }
}
