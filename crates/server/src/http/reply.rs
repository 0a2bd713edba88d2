//! How a reply is put together, and the one place where an error becomes a status.

use super::{Reply, content::Content};
use crate::{
    hub::Close,
    identity::Unidentified,
    request::Request,
    service::{Denied, ServiceError},
};
use bytes::Bytes;
use chinwag_model::Invalid;
use chinwag_store::StoreError;
use chinwag_wire::{Problem, ProblemCode};
use hyper::{
    Response, StatusCode,
    header::{
        ALLOW, CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER, SEC_WEBSOCKET_VERSION, UPGRADE,
        WWW_AUTHENTICATE,
    },
};
use std::borrow::Cow;

/// A reply of 200 with JSON.
pub(super) fn ok(json: impl Into<Bytes>) -> Reply {
    let mut reply = Response::new(Content::from(json.into()));
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    reply
}

/// A reply of 204.
pub(super) fn no_content() -> Reply {
    let mut reply = Response::new(Content::from(Bytes::new()));
    *reply.status_mut() = StatusCode::NO_CONTENT;
    reply
}

/// Why a request is not served.
#[derive(Debug)]
pub(crate) struct Refusal {
    code: ProblemCode,
    problem: Box<Problem<'static>>,
    allow: Option<&'static str>,
    retry_after_s: u64,
}

impl Refusal {
    pub(crate) fn new(code: ProblemCode, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { code, problem: Box::new(Problem::new(code, detail)), allow: None, retry_after_s: 1 }
    }

    /// A header that is there once at most came twice.
    pub(super) fn twice(header: &'static str) -> Self {
        let refusal = Self::new(ProblemCode::BadRequest, format!("the header {header} stands twice"));
        refusal.of_field(header)
    }

    /// The same, of a field or a header.
    pub(crate) fn of_field(self, field: &'static str) -> Self {
        Self { problem: Box::new(self.problem.of_field(field)), ..self }
    }

    pub(crate) fn code(&self) -> ProblemCode {
        self.code
    }

    /// The same, where it is known when to come back.
    pub(crate) fn after(self, retry_after_s: u64) -> Self {
        Self { retry_after_s, ..self }
    }

    /// The path exists, and takes only these methods.
    pub(super) fn method(allow: &'static str) -> Self {
        let refusal =
            Self::new(ProblemCode::MethodNotAllowed, format!("the methods of this path are {allow}"));
        Self { allow: Some(allow), ..refusal }
    }

    /// The path speaks WebSocket, of one version, and nothing else.
    pub(crate) fn upgrade_required() -> Self {
        Self::new(
            ProblemCode::UpgradeRequired,
            "this path needs the handshake of a WebSocket, version 13, over HTTP/1.1",
        )
    }

    pub(super) fn outcome_unknown() -> Self {
        Self::new(
            ProblemCode::OutcomeUnknown,
            "it may or may not have been stored; a send with a key, and a mark, can be repeated safely",
        )
    }

    /// A handler panicked. `changes`: it may have reached the store with something to keep.
    pub(crate) fn after_panic(changes: bool) -> Self {
        if changes {
            Self::outcome_unknown()
        } else {
            Self::new(ProblemCode::Internal, "the server met a defect of its own; nothing was stored")
        }
    }

    /// Its status, and its problem document as JSON.
    pub(crate) fn into_problem(mut self) -> (u16, Vec<u8>) {
        if matches!(self.code, ProblemCode::RateLimited | ProblemCode::Overloaded) {
            self.problem.retry_after = Some(self.retry_after_s);
        }
        if let (ProblemCode::Internal | ProblemCode::OutcomeUnknown, Some(request)) =
            (self.code, Request::current())
        {
            // What the log says of it is found by this.
            self.problem.detail = format!("{} (request {})", self.problem.detail, request.id).into();
        }
        tracing::debug!(code = self.code.as_str(), detail = &*self.problem.detail, "refused");
        (self.code.status(), self.problem.to_json())
    }

    pub(super) fn into_reply(self) -> Reply {
        let (code, allow, retry_after_s) = (self.code, self.allow, self.retry_after_s);
        let (status, problem) = self.into_problem();
        let mut reply = Response::new(Content::from(Bytes::from(problem)));
        *reply.status_mut() = StatusCode::from_u16(status).expect("every code has a status of HTTP");
        let headers = reply.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(allow) = allow {
            headers.insert(ALLOW, HeaderValue::from_static(allow));
        }
        if status == 401 {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if matches!(status, 429 | 503) {
            headers.insert(RETRY_AFTER, retry_after_s.into());
        }
        if code == ProblemCode::UpgradeRequired {
            headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
            headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        }
        reply
    }
}

impl From<Invalid> for Refusal {
    fn from(invalid: Invalid) -> Self {
        let code = invalid.code.into();
        Self { code, problem: Box::new(invalid.into()), allow: None, retry_after_s: 1 }
    }
}

impl From<ServiceError> for Refusal {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::Denied(denied) => denied.into(),
            ServiceError::Leaving => Self::new(ProblemCode::Unavailable, "the server is shutting down"),
            ServiceError::TooManyWatched => {
                Self::new(ProblemCode::Overloaded, "too many users are watched already; come back later")
            }
            ServiceError::Store(error) => error.into(),
        }
    }
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        let code = match denied {
            Denied::NotAMember => ProblemCode::NotAMember,
            _ => ProblemCode::NotAllowed,
        };
        Self::new(code, denied.to_string())
    }
}

impl From<Unidentified> for Refusal {
    fn from(why: Unidentified) -> Self {
        let code = match why {
            Unidentified::Missing => ProblemCode::TokenMissing,
            Unidentified::NotBearer | Unidentified::Invalid(_) => ProblemCode::TokenInvalid,
            Unidentified::Expired => ProblemCode::TokenExpired,
            Unidentified::BadSubject => ProblemCode::BadSubject,
        };
        Self::new(code, why.to_string())
    }
}

/// Why a feed that a request waits for has ended.
impl From<Close> for Refusal {
    fn from(why: Close) -> Self {
        let code = match why {
            Close::Expired => ProblemCode::TokenExpired,
            Close::Revoked => ProblemCode::TokenInvalid,
            Close::Replaced => ProblemCode::Replaced,
            Close::Ended => ProblemCode::SessionEnded,
            Close::Restart | Close::Overloaded | Close::FellBehind => ProblemCode::Overloaded,
        };
        Self::new(code, why.reason())
    }
}

/// What the store says of its insides goes to the log, here and nowhere else, and never to the client. What may come
/// with every request of a busy hour is logged for debugging only; the store itself tells of its failure once.
impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Busy { retry_after } => {
                tracing::debug!(%error, "a request was refused");
                let retry_after_s = retry_after.as_millis().div_ceil(1_000).max(1);
                Self {
                    retry_after_s: u64::try_from(retry_after_s).unwrap_or(u64::MAX),
                    ..Self::new(ProblemCode::Overloaded, "too many requests wait; nothing was stored")
                }
            }
            StoreError::Full { .. } => {
                tracing::debug!(%error, "a request was refused");
                Self::new(
                    ProblemCode::StorageFull,
                    "the disk's free space is below the reserve; nothing was stored",
                )
            }
            StoreError::KeyReused => Self::new(
                ProblemCode::KeyReused,
                "this key was used before in this chat by this sender, with another text or data",
            ),
            StoreError::NoSuchMessage => {
                Self::new(ProblemCode::NoSuchMessage, "the chat has no message of that seq")
            }
            StoreError::NotTheSender => {
                Self::new(ProblemCode::NotTheSender, "only the message's sender may edit or unsend it")
            }
            StoreError::Unsent => Self::new(ProblemCode::Unsent, "the message was taken back"),
            StoreError::TooLate => {
                Self::new(ProblemCode::TooLate, "the message is too old to be edited or unsent")
            }
            StoreError::Blocked => Self::new(ProblemCode::Blocked, "the peer takes nothing from this user"),
            StoreError::TooManyBlocks => Self::new(
                ProblemCode::TooManyBlocks,
                format!("a user blocks at most {} users", chinwag_model::limits::BLOCKS_MAX_USERS),
            ),
            StoreError::TooManyReactions => Self::new(
                ProblemCode::TooManyReactions,
                format!("a user has at most {} reactions to a message", chinwag_model::limits::REACTIONS_MAX),
            ),
            StoreError::Unavailable(_) => {
                tracing::debug!(%error, "a request was refused");
                Self::new(ProblemCode::Unavailable, "the store is not available; nothing was stored")
            }
            StoreError::OutcomeUnknown(_) => {
                tracing::error!(%error, "a send was answered with outcome_unknown");
                Self::outcome_unknown()
            }
            StoreError::Damaged(_) => {
                tracing::error!(%error, "a pull met damaged bytes");
                Self::new(ProblemCode::Internal, "the stored bytes could not be read")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::problem_code;
    use std::time::Duration;

    #[test]
    fn what_is_told_elsewhere_of_an_error_is_the_code_of_its_reply() {
        let words = || "words".to_owned();
        let of_store = [
            StoreError::Busy { retry_after: Duration::from_secs(1) },
            StoreError::Full { free_bytes: 1, reserve_bytes: 2 },
            StoreError::KeyReused,
            StoreError::NoSuchMessage,
            StoreError::NotTheSender,
            StoreError::Unsent,
            StoreError::TooLate,
            StoreError::TooManyReactions,
            StoreError::Unavailable(words()),
            StoreError::OutcomeUnknown(words()),
            StoreError::Damaged(words()),
        ];
        let denied = [Denied::NotAMember, Denied::OtherUser, Denied::OthersOwn, Denied::Scope];
        let all = of_store.into_iter().map(ServiceError::Store).chain(denied.map(ServiceError::Denied));
        for error in all.chain([ServiceError::Leaving]) {
            let told = problem_code(&error);
            assert_eq!(told, Refusal::from(error).code());
        }
    }
}
