use crate::{
    encode::{write_number, write_string},
    fields::{Fields, missing},
};
use chinwag_model::{Chat, Invalid, Mark, Marked, MarkerKind, Side, Spelling};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// The body of `POST /api/read` and `POST /api/delivered`.
///
/// Its shape is right, its values are not yet looked at: [`MarkRequest::into_mark`] does that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MarkRequest<'a> {
    /// The chat, in either spelling.
    pub chat: Cow<'a, str>,
    /// Whose marker: one of the chat's two users.
    pub user: Cow<'a, str>,
    /// The last message that it is to cover.
    pub seq: u64,
}

impl<'a> MarkRequest<'a> {
    /// Reads a body.
    ///
    /// # Errors
    /// [`Invalid`] that names the field, or `body`.
    pub fn parse_json(body: &'a [u8]) -> Result<Self, Invalid> {
        let fields = Fields::read(body, ["chat", "user", "seq"])?;
        Ok(Self {
            chat: fields.required_string("chat")?,
            user: fields.required_string("user")?,
            seq: fields.natural("seq")?.ok_or_else(|| missing("seq"))?,
        })
    }

    /// Checks every value.
    ///
    /// # Errors
    /// [`Invalid`] that names the field.
    pub fn into_mark(self, kind: MarkerKind) -> Result<(Mark, Spelling), Invalid> {
        let (chat, spelling) = Chat::parse(&self.chat)?;
        Ok((Mark::new(chat, &self.user, kind, self.seq)?, spelling))
    }
}

/// The body of `POST /api/typing`.
///
/// Its shape is right, its values are not yet looked at: [`TypingRequest::into_typing`] does that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TypingRequest<'a> {
    /// The chat, in either spelling.
    pub chat: Cow<'a, str>,
    /// Who writes: one of the chat's two users.
    pub user: Cow<'a, str>,
}

impl<'a> TypingRequest<'a> {
    /// Reads a body.
    ///
    /// # Errors
    /// [`Invalid`] that names the field, or `body`.
    pub fn parse_json(body: &'a [u8]) -> Result<Self, Invalid> {
        let fields = Fields::read(body, ["chat", "user"])?;
        Ok(Self { chat: fields.required_string("chat")?, user: fields.required_string("user")? })
    }

    /// Checks every value: in which chat who writes.
    ///
    /// # Errors
    /// [`Invalid`] that names the field.
    pub fn into_typing(self) -> Result<(Chat, Side), Invalid> {
        let (chat, _) = Chat::parse(&self.chat)?;
        let side = chat.member("user", &self.user)?;
        Ok((chat, side))
    }
}

/// The name under which a marker stands in replies, which is also the type of its event.
pub(crate) fn marker_name(kind: MarkerKind) -> &'static str {
    match kind {
        MarkerKind::Read => "read",
        MarkerKind::Delivered => "delivered",
    }
}

/// The reply to a mark as JSON, the chat spelled as the request did.
pub fn encode_marked(marked: &Marked, spelling: Spelling) -> Vec<u8> {
    let mut out = Vec::with_capacity(2 * marked.chat.as_str().len() + 80);
    out.extend_from_slice(br#"{"chat":"#);
    write_string(&mut out, &marked.chat.spelled(spelling));
    out.extend_from_slice(br#","user":"#);
    write_string(&mut out, marked.user_name());
    out.extend_from_slice(b",\"");
    out.extend_from_slice(marker_name(marked.kind).as_bytes());
    out.extend_from_slice(b"\":");
    write_number(&mut out, marked.marker.seq.0);
    out.extend_from_slice(br#","ts":"#);
    write_number(&mut out, marked.marker.ts.0);
    out.push(b'}');
    out
}

/// The reply to a mark, for those who read one; the server writes it with [`encode_marked`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkReply<'a> {
    /// The chat, in the spelling of the request.
    #[serde(borrow)]
    pub chat: Cow<'a, str>,
    /// Whose marker.
    #[serde(borrow)]
    pub user: Cow<'a, str>,
    /// Where the read marker stands, of a request to move that one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<u64>,
    /// Where the delivered marker stands, of a request to move that one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered: Option<u64>,
    /// When it came to stand there, in microseconds since the Unix epoch; 0 before the first move.
    pub ts: u64,
}
