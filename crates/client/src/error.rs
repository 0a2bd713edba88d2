use chinwag_wire::close_code;
use serde::Deserialize;
use std::{error::Error, time::Duration};

/// Why a request brought no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The request can't be put together: a bad base URL, or `data` that is no JSON. Nothing was sent.
    #[error("{0}")]
    Request(String),
    /// The connection failed or the try took too long. The server may have acted on the request.
    #[error("no answer from the server: {0}")]
    Transport(String),
    /// The server has shown a certificate that is not trusted. Nothing was sent.
    #[error("the server's certificate is not trusted: {0}")]
    Untrusted(String),
    /// The server refused, and said why.
    #[error("{0}")]
    Problem(Box<Problem>),
    /// The answer is not what the wire contract says. The server may have acted on the request.
    #[error("the server answered {status} with something else than the contract says: {reason}")]
    Decode {
        /// The HTTP status.
        status: u16,
        /// What is wrong with the answer.
        reason: String,
        /// When the server asked to come back.
        retry_after: Option<Duration>,
    },
    /// The server ended a feed, and said why.
    #[error("the server ended the feed: {} ({code})", if reason.is_empty() { "it gave no reason" } else { reason })]
    Closed {
        /// The close code, of RFC 6455 or of the wire contract.
        code: u16,
        /// What the server said, for people.
        reason: String,
    },
    /// Every try failed in a way that a repeat may mend. What came of the request is not known unless `last` is a
    /// problem that says so.
    #[error("gave up after {tries} tries: {last}")]
    GaveUp {
        /// How often it was tried.
        tries: u32,
        /// What the last try came to.
        #[source]
        last: Box<ClientError>,
    },
}

/// A refusal of the server (RFC 9457), owned.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// The stable code, such as `text_too_long`.
    pub code: String,
    /// A few words for people.
    pub title: String,
    /// A sentence for people about this very case.
    #[serde(default)]
    pub detail: String,
    /// The field of the request that is wrong, for bad input.
    #[serde(default)]
    pub field: Option<String>,
    /// When the server asked to come back (the header `Retry-After`).
    #[serde(skip)]
    pub retry_after: Option<Duration>,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let what = if self.detail.is_empty() { &self.title } else { &self.detail };
        if let Some(field) = &self.field {
            write!(f, "{field}: ")?;
        }
        write!(f, "{what} ({}, {})", self.code, self.status)
    }
}

impl ClientError {
    /// The server's refusal, also where the client gave up on it.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Problem(problem) => Some(problem),
            Self::GaveUp { last, .. } => last.problem(),
            Self::Request(_)
            | Self::Transport(_)
            | Self::Untrusted(_)
            | Self::Decode { .. }
            | Self::Closed { .. } => None,
        }
    }

    /// Whether the server does not know, or knows no more, who asks.
    pub(crate) fn is_unidentified(&self) -> bool {
        match self {
            Self::Closed { code, .. } => *code == close_code::UNAUTHENTICATED,
            Self::Problem(problem) => problem.status == 401,
            _ => false,
        }
    }

    /// Whether a repeat of the same request may end otherwise.
    pub(crate) fn is_worth_a_repeat(&self) -> bool {
        let (status, code) = match self {
            Self::Transport(_) => return true,
            Self::Problem(problem) => (problem.status, problem.code.as_str()),
            Self::Decode { status, .. } => (*status, ""),
            Self::Request(_) | Self::Untrusted(_) | Self::GaveUp { .. } | Self::Closed { .. } => {
                return false;
            }
        };
        matches!(status, 429 | 502..=504) || (status == 500 && code == "outcome_unknown")
    }

    /// Whether a feed that broke off so may go on over another connection.
    pub(crate) fn may_reconnect(&self) -> bool {
        match self {
            Self::Transport(_) => true,
            Self::Closed { code, .. } => !matches!(
                *code,
                close_code::POLICY
                    | close_code::UNAUTHENTICATED
                    | close_code::FORBIDDEN
                    | close_code::REPLACED
            ),
            Self::Problem(problem) => problem.status >= 500 || matches!(problem.status, 408 | 429),
            // 101 is that of frames: what is no event now will be none the next time.
            Self::Decode { status, .. } => *status >= 500 || matches!(status, 408 | 429),
            Self::Request(_) | Self::Untrusted(_) | Self::GaveUp { .. } => false,
        }
    }

    /// When the server asked to come back.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Problem(problem) => problem.retry_after,
            Self::Decode { retry_after, .. } => *retry_after,
            Self::Request(_)
            | Self::Transport(_)
            | Self::Untrusted(_)
            | Self::GaveUp { .. }
            | Self::Closed { .. } => None,
        }
    }
}

/// An error and all its causes in one line; the text of most libraries leaves the causes out.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
