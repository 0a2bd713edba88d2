use crate::{
    encode::{write_number, write_string},
    fields::{Fields, parse_natural},
    query::read,
};
use chinwag_model::{Block, Blocked, BlocksPage, BlocksQuery, Invalid, UserId};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// The body of `POST /api/block` and `POST /api/unblock`.
///
/// Its shape is right, its values are not yet looked at: [`BlockRequest::into_block`] does that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BlockRequest<'a> {
    /// Who blocks.
    pub user: Cow<'a, str>,
    /// Whom.
    pub peer: Cow<'a, str>,
}

impl<'a> BlockRequest<'a> {
    /// Reads a body.
    ///
    /// # Errors
    /// [`Invalid`] that names the field, or `body`.
    pub fn parse_json(body: &'a [u8]) -> Result<Self, Invalid> {
        let fields = Fields::read(body, ["user", "peer"])?;
        Ok(Self { user: fields.required_string("user")?, peer: fields.required_string("peer")? })
    }

    /// Checks every value.
    ///
    /// # Errors
    /// [`Invalid`] that names the field.
    pub fn into_block(self, on: bool) -> Result<Block, Invalid> {
        Block::new(&self.user, &self.peer, on)
    }
}

/// A request for a page of the users whom a user blocks, as a query string or the frame of a WebSocket asks for it.
///
/// Its shape is right, its values are not yet looked at: [`BlocksRequest::into_query`] does that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BlocksRequest<'a> {
    /// Who blocks.
    pub user: Cow<'a, str>,
    /// Most names on the page; 0 and `None` are the default, more than the bound is the bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// The last name of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Cow<'a, str>>,
}

impl<'a> BlocksRequest<'a> {
    /// Reads a JSON object.
    ///
    /// # Errors
    /// [`Invalid`] that names the field, or `body`.
    pub fn parse_json(body: &'a [u8]) -> Result<Self, Invalid> {
        let fields = Fields::read(body, ["user", "limit", "cursor"])?;
        Ok(Self {
            user: fields.required_string("user")?,
            limit: fields.natural("limit")?,
            cursor: fields.string("cursor")?,
        })
    }

    /// Reads a query string, without its `?`.
    ///
    /// # Errors
    /// [`Invalid`] that names the field, or `query`.
    pub fn parse_query(query: &'a str) -> Result<Self, Invalid> {
        let (mut user, mut limit, mut cursor) = (None, None, None);
        read(query, None, |name, value| {
            match name {
                "user" => user = Some(value),
                "limit" => limit = Some(parse_natural("limit", &value)?),
                "cursor" => cursor = Some(value),
                _ => {}
            }
            Ok(())
        })?;
        Ok(Self { user: user.ok_or_else(|| crate::fields::missing("user"))?, limit, cursor })
    }

    /// Checks every value.
    ///
    /// # Errors
    /// [`Invalid`] that names the field.
    pub fn into_query(self) -> Result<BlocksQuery, Invalid> {
        let user = UserId::parse("user", &self.user)?;
        let after = self.cursor.map(|cursor| UserId::parse("cursor", &cursor)).transpose()?;
        let limit = usize::try_from(self.limit.unwrap_or(0)).unwrap_or(usize::MAX);
        Ok(BlocksQuery::new(user, after, limit))
    }
}

/// Writes how a user stands to another, without braces.
pub(crate) fn write_block(out: &mut Vec<u8>, stands: &Blocked) {
    out.extend_from_slice(br#""user":"#);
    write_string(out, stands.user());
    out.extend_from_slice(br#","peer":"#);
    write_string(out, stands.peer());
    out.extend_from_slice(if stands.since.is_some() {
        br#","blocked":true"#
    } else {
        br#","blocked":false"#
    });
    if let Some(since) = stands.since {
        out.extend_from_slice(br#","ts":"#);
        write_number(out, since.0);
    }
}

/// The reply to a block, and to its end, as JSON.
pub fn encode_blocked(stands: &Blocked) -> Vec<u8> {
    let mut out = Vec::with_capacity(stands.chat.as_str().len() + 64);
    out.push(b'{');
    write_block(&mut out, stands);
    out.push(b'}');
    out
}

/// A page of the users whom a user blocks, as JSON.
pub fn encode_blocks(page: &BlocksPage) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 * page.entries.len() + 32);
    out.extend_from_slice(br#"{"blocks":["#);
    for (at, (peer, since)) in page.entries.iter().enumerate() {
        out.extend_from_slice(if at > 0 { br#",{"peer":"# } else { br#"{"peer":"# });
        write_string(&mut out, peer.as_str());
        out.extend_from_slice(br#","ts":"#);
        write_number(&mut out, since.0);
        out.push(b'}');
    }
    out.push(b']');
    if let Some(next) = &page.next {
        out.extend_from_slice(br#","has_more":true,"next_cursor":"#);
        write_string(&mut out, next.as_str());
    }
    out.push(b'}');
    out
}

/// How a user stands to another, for those who read it; the server writes it with [`encode_blocked`]. It is also what the
/// event `block` carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockReply<'a> {
    /// Who blocks, or does not.
    #[serde(borrow)]
    pub user: Cow<'a, str>,
    /// Whom.
    #[serde(borrow)]
    pub peer: Cow<'a, str>,
    /// Whether the peer is blocked.
    pub blocked: bool,
    /// Since when, in microseconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ts: Option<u64>,
}

/// The body of `POST /api/sessions/end`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EndSessionsRequest<'a> {
    /// Whose sessions.
    pub user: Cow<'a, str>,
}

impl<'a> EndSessionsRequest<'a> {
    /// Reads a body.
    ///
    /// # Errors
    /// [`Invalid`] that names the field, or `body`.
    pub fn parse_json(body: &'a [u8]) -> Result<Self, Invalid> {
        Ok(Self { user: Fields::read(body, ["user"])?.required_string("user")? })
    }

    /// Checks the name.
    ///
    /// # Errors
    /// [`Invalid`] that names the field.
    pub fn into_user(self) -> Result<UserId, Invalid> {
        UserId::parse("user", &self.user)
    }
}

/// The reply to the end of sessions as JSON: how many there were.
pub fn encode_ended(sessions: usize) -> Vec<u8> {
    format!("{{\"ended\":{sessions}}}").into_bytes()
}
