use crate::{
    encode::{write_number, write_string},
    fields::{Fields, missing},
    query::read,
};
use chinwag_model::{Invalid, Presence, UserId, limits::WATCH_MAX_USERS};
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, collections::BTreeMap};

/// A request for the presence of users, each of whom is named once: 1 to [`WATCH_MAX_USERS`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresenceRequest {
    /// Who, in the order of the request.
    pub users: Vec<UserId>,
}

impl PresenceRequest {
    /// Reads a query string, without its `?`, in which `user` is repeated.
    ///
    /// # Errors
    /// [`Invalid`] that names the field, or `query`.
    pub fn parse_query(query: &str) -> Result<Self, Invalid> {
        let mut users = Vec::new();
        read(query, Some("user"), |name, value| match name {
            "user" => add_user(&mut users, "user", &value),
            _ => Ok(()),
        })?;
        Self::of(users)
    }

    /// Reads a JSON object, in which `user` is a name or an array of names.
    ///
    /// # Errors
    /// [`Invalid`] that names the field, or `body`.
    pub fn parse_json(body: &[u8]) -> Result<Self, Invalid> {
        let mut users = Vec::new();
        for name in Fields::read(body, ["user"])?.strings("user")? {
            add_user(&mut users, "user", &name)?;
        }
        Self::of(users)
    }

    fn of(users: Vec<UserId>) -> Result<Self, Invalid> {
        if users.is_empty() {
            return Err(missing("user"));
        }
        Ok(Self { users })
    }
}

/// Adds a user to those named before; one who is named again counts once.
///
/// # Errors
/// [`Invalid`] naming `field`, for what is no name and for one user too many.
pub(crate) fn add_user(users: &mut Vec<UserId>, field: &'static str, name: &str) -> Result<(), Invalid> {
    let user = UserId::parse(field, name)?;
    if users.contains(&user) {
        return Ok(());
    }
    if users.len() == WATCH_MAX_USERS {
        return Err(Invalid::new(field, format!("{field} names at most {WATCH_MAX_USERS} users")));
    }
    users.push(user);
    Ok(())
}

/// The reply to a request for presence as JSON.
pub fn encode_presence(users: &[Presence]) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 * users.len() + 16);
    out.extend_from_slice(br#"{"users":{"#);
    for (at, presence) in users.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write_string(&mut out, presence.user.as_str());
        out.extend_from_slice(b":{");
        write_state(&mut out, presence);
        out.push(b'}');
    }
    out.extend_from_slice(b"}}");
    out
}

/// Writes whether a user is there and when one was, without braces.
pub(crate) fn write_state(out: &mut Vec<u8>, presence: &Presence) {
    out.extend_from_slice(if presence.online { br#""online":true"# } else { br#""online":false"# });
    if let Some(seen) = presence.last_seen {
        out.extend_from_slice(br#","last_seen":"#);
        write_number(out, seen.0);
    }
}

/// The reply to a request for presence, for those who read one; the server writes it with [`encode_presence`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PresenceReply<'a> {
    /// Each user's state, by name.
    #[serde(borrow)]
    pub users: BTreeMap<Cow<'a, str>, WirePresence>,
}

/// Whether a user is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WirePresence {
    /// Whether any session of the user is open, or was a moment ago.
    pub online: bool,
    /// When the last of them was closed, in microseconds since the Unix epoch; absent where nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<u64>,
}
