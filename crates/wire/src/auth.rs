use crate::{
    encode::{write_number, write_string},
    fields::Fields,
};
use chinwag_model::{Invalid, Ts};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// The op `auth` of a WebSocket: a new token for the same caller.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct AuthRequest<'a> {
    /// The token.
    pub token: Cow<'a, str>,
}

/// Without the token.
impl std::fmt::Debug for AuthRequest<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AuthRequest")
    }
}

impl<'a> AuthRequest<'a> {
    /// Reads a JSON object.
    ///
    /// # Errors
    /// [`Invalid`] that names the field, or `body`.
    pub fn parse_json(body: &'a [u8]) -> Result<Self, Invalid> {
        Ok(Self { token: Fields::read(body, ["token"])?.required_string("token")? })
    }
}

/// The reply to `auth`: until when the session now lasts; `None` without an end.
pub fn encode_auth(until: Option<Ts>) -> Vec<u8> {
    let mut out = vec![b'{'];
    if let Some(until) = until {
        out.extend_from_slice(br#""until":"#);
        write_number(&mut out, until.0);
    }
    out.push(b'}');
    out
}

/// The reply to a request for a ticket: the ticket, and until when it may be used.
pub fn encode_ticket(ticket: &str, until: Option<Ts>) -> Vec<u8> {
    let mut out = br#"{"ticket":"#.to_vec();
    write_string(&mut out, ticket);
    if let Some(until) = until {
        out.extend_from_slice(br#","until":"#);
        write_number(&mut out, until.0);
    }
    out.push(b'}');
    out
}

/// What a server tells of itself to whoever asks: who may use it, its longest text in bytes, and for how many seconds a
/// message may be revised.
pub fn encode_about(is_open: bool, text_max_bytes: usize, revise_window_s: u64) -> Vec<u8> {
    let auth = if is_open { "open" } else { "token" };
    format!(r#"{{"auth":"{auth}","text_max_bytes":{text_max_bytes},"revise_window_s":{revise_window_s}}}"#)
        .into_bytes()
}

/// The reply to a request for a ticket, for those who read one.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct TicketReply<'a> {
    /// What `?ticket=` takes, once.
    #[serde(borrow)]
    pub ticket: Cow<'a, str>,
    /// Until when, in microseconds since the Unix epoch.
    pub until: Option<u64>,
}
