use crate::{
    fields::{missing, parse_natural},
    presence::add_user,
    query::read,
};
use chinwag_model::{FeedId, Invalid, UserId};
use std::{borrow::Cow, time::Duration};

/// How long a poll waits for an event when the request does not say.
const POLL_DEFAULT: Duration = Duration::from_secs(25);
/// The longest that a poll waits; a request for more is served as this.
const POLL_MAX: Duration = Duration::from_mins(1);

/// A request for a user's feed, on whichever face.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedRequest<'a> {
    /// Whose feed.
    pub user: UserId,
    /// The last id that the client saw; `None` for one that comes for the first time.
    pub since: Option<FeedId>,
    /// Whose presence it tells, each once: at most [`chinwag_model::limits::WATCH_MAX_USERS`].
    pub watch: Vec<UserId>,
    /// What stands in for a token, where a WebSocket is opened.
    pub ticket: Option<Cow<'a, str>>,
    /// As the query string has it: only a poll knows the key, so to the other faces it is one of those they ignore.
    timeout: Option<Cow<'a, str>>,
}

impl<'a> FeedRequest<'a> {
    /// Reads a query string, without its `?`, and the value of the header `Last-Event-ID`. The header wins over `since`:
    /// an `EventSource` keeps its URL when it comes back.
    ///
    /// # Errors
    /// [`Invalid`] that names the field, or `query`.
    pub fn parse_query(query: &'a str, last_event_id: Option<&[u8]>) -> Result<Self, Invalid> {
        let (mut user, mut since, mut watch) = (None, None, Vec::new());
        let (mut ticket, mut timeout) = (None, None);
        read(query, Some("watch"), |name, value| {
            match name {
                "user" => user = Some(UserId::parse("user", &value)?),
                // The header wins, whatever stands here.
                "since" if last_event_id.is_none() => since = Some(FeedId::parse("since", &value)?),
                "watch" => add_user(&mut watch, "watch", &value)?,
                "ticket" => ticket = Some(value),
                "timeout" => timeout = Some(value),
                _ => {}
            }
            Ok(())
        })?;
        if let Some(id) = last_event_id {
            // An `EventSource` that is refused never comes back, and nobody can take the header from it: what can't be read
            // is an unknown place.
            let id = str::from_utf8(id.trim_ascii()).ok();
            since = Some(id.and_then(|id| FeedId::parse("since", id).ok()).unwrap_or(FeedId::UNKNOWN));
        }
        Ok(Self { user: user.ok_or_else(|| missing("user"))?, since, watch, ticket, timeout })
    }

    /// How long a poll waits for an event: whole seconds, 25 unless said, at most a minute.
    ///
    /// # Errors
    /// [`Invalid`] naming `timeout`.
    pub fn timeout(&self) -> Result<Duration, Invalid> {
        let Some(timeout) = &self.timeout else { return Ok(POLL_DEFAULT) };
        Ok(Duration::from_secs(parse_natural("timeout", timeout)?).min(POLL_MAX))
    }
}
