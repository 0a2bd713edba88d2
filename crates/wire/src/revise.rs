use crate::fields::{Fields, missing};
use chinwag_model::{Change, Chat, Emoji, Invalid, Revise, Spelling, Text};
use serde::Serialize;
use std::{borrow::Cow, time::Duration};

/// The body of `POST /api/edit`.
///
/// Its shape is right, its values are not yet looked at: [`EditRequest::into_revise`] does that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EditRequest<'a> {
    /// The chat, in either spelling.
    pub chat: Cow<'a, str>,
    /// Which message.
    pub seq: u64,
    /// Who sent it.
    pub sender: Cow<'a, str>,
    /// The new text.
    pub text: Cow<'a, str>,
}

impl<'a> EditRequest<'a> {
    /// Reads a body.
    ///
    /// # Errors
    /// [`Invalid`] that names the field, or `body`.
    pub fn parse_json(body: &'a [u8]) -> Result<Self, Invalid> {
        let fields = Fields::read(body, ["chat", "seq", "sender", "text"])?;
        Ok(Self {
            chat: fields.required_string("chat")?,
            seq: fields.natural("seq")?.ok_or_else(|| missing("seq"))?,
            sender: fields.required_string("sender")?,
            text: fields.required_string("text")?,
        })
    }

    /// Checks every value; a message is edited at most `window` after it was stored.
    ///
    /// # Errors
    /// [`Invalid`] that names the field.
    pub fn into_revise(self, text_max_bytes: usize, window: Duration) -> Result<(Revise, Spelling), Invalid> {
        let (chat, spelling) = Chat::parse(&self.chat)?;
        let change = Change::Edit { text: Text::parse(self.text, text_max_bytes)?, window };
        Ok((Revise::new(chat, "sender", &self.sender, self.seq, change)?, spelling))
    }
}

/// The body of `POST /api/unsend`.
///
/// Its shape is right, its values are not yet looked at: [`UnsendRequest::into_revise`] does that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnsendRequest<'a> {
    /// The chat, in either spelling.
    pub chat: Cow<'a, str>,
    /// Which message.
    pub seq: u64,
    /// Who sent it.
    pub sender: Cow<'a, str>,
}

impl<'a> UnsendRequest<'a> {
    /// Reads a body.
    ///
    /// # Errors
    /// [`Invalid`] that names the field, or `body`.
    pub fn parse_json(body: &'a [u8]) -> Result<Self, Invalid> {
        let fields = Fields::read(body, ["chat", "seq", "sender"])?;
        Ok(Self {
            chat: fields.required_string("chat")?,
            seq: fields.natural("seq")?.ok_or_else(|| missing("seq"))?,
            sender: fields.required_string("sender")?,
        })
    }

    /// Checks every value; a message is unsent at most `window` after it was stored.
    ///
    /// # Errors
    /// [`Invalid`] that names the field.
    pub fn into_revise(self, window: Duration) -> Result<(Revise, Spelling), Invalid> {
        let (chat, spelling) = Chat::parse(&self.chat)?;
        Ok((Revise::new(chat, "sender", &self.sender, self.seq, Change::Unsend { window })?, spelling))
    }
}

/// The body of `POST /api/react`.
///
/// Its shape is right, its values are not yet looked at: [`ReactRequest::into_revise`] does that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReactRequest<'a> {
    /// The chat, in either spelling.
    pub chat: Cow<'a, str>,
    /// Which message.
    pub seq: u64,
    /// Who reacts: one of the chat's two users.
    pub user: Cow<'a, str>,
    /// With what.
    pub emoji: Cow<'a, str>,
    /// Whether the reaction is taken back.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub remove: bool,
}

impl<'a> ReactRequest<'a> {
    /// Reads a body.
    ///
    /// # Errors
    /// [`Invalid`] that names the field, or `body`.
    pub fn parse_json(body: &'a [u8]) -> Result<Self, Invalid> {
        let fields = Fields::read(body, ["chat", "seq", "user", "emoji", "remove"])?;
        Ok(Self {
            chat: fields.required_string("chat")?,
            seq: fields.natural("seq")?.ok_or_else(|| missing("seq"))?,
            user: fields.required_string("user")?,
            emoji: fields.required_string("emoji")?,
            remove: fields.boolean("remove")?.unwrap_or(false),
        })
    }

    /// Checks every value.
    ///
    /// # Errors
    /// [`Invalid`] that names the field.
    pub fn into_revise(self) -> Result<(Revise, Spelling), Invalid> {
        let (chat, spelling) = Chat::parse(&self.chat)?;
        let change = Change::React { emoji: Emoji::parse(&self.emoji)?, remove: self.remove };
        Ok((Revise::new(chat, "user", &self.user, self.seq, change)?, spelling))
    }
}
