use chinwag_model::{Code, Invalid};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $status:literal $code:literal $title:literal;)*) => {
        /// Every reason for which a request is refused, with its status; stable, and the only source of both.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ProblemCode {
            $($(#[$doc])* $variant,)*
        }

        impl ProblemCode {
            /// Every code, in the order of their statuses.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The HTTP status.
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)* }
            }

            /// The stable name that `code` carries.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// The URN that `type` carries.
            pub const fn urn(self) -> &'static str {
                match self { $(Self::$variant => concat!("urn:chinwag:problem:", $code),)* }
            }

            /// A short sentence, the same for every occurrence.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }
        }
    };
}

codes! {
    /// The body is not JSON or not UTF-8, or the query string cannot be decoded.
    Malformed = 400 "malformed_json" "The request cannot be read.";
    /// A field has the wrong type, form or range.
    InvalidField = 400 "invalid_field" "A field of the request is invalid.";
    /// A field that the verb needs is absent or `null`.
    MissingField = 400 "missing_field" "A field of the request is missing.";
    /// A field stands twice.
    DuplicateField = 400 "duplicate_field" "A field stands twice in the request.";
    /// The text is over the limit.
    TextTooLong = 400 "text_too_long" "The text is too long.";
    /// The `data` object is over its limit.
    DataTooLong = 400 "data_too_long" "The data object is too long.";
    /// Both a body and a query string came with one request.
    BodyAndQuery = 400 "body_and_query" "Send a body or a query string, not both.";
    /// A token stands in the URL, where logs and histories would keep it.
    TokenInUrl = 400 "token_in_url" "A token does not belong in a URL.";
    /// HTTP itself was spoken badly, such as a body of another length than announced.
    BadRequest = 400 "bad_request" "The request breaks HTTP's own rules.";
    /// The request says nothing of who makes it.
    TokenMissing = 401 "token_missing" "A token or a key is needed.";
    /// The token, key or ticket is none that this server takes.
    TokenInvalid = 401 "token_invalid" "The token or key is not valid.";
    /// The token was good, and its time is over.
    TokenExpired = 401 "token_expired" "The token has expired.";
    /// The token's `sub` is no user name.
    BadSubject = 401 "bad_subject" "The token's subject is no user name.";
    /// The caller may not do this, whatever there is or is not.
    NotAllowed = 403 "not_allowed" "The caller may not do this.";
    /// The sender or user is not one of the two users of the chat.
    NotAMember = 403 "not_a_member" "Not one of the two users of the chat.";
    /// Only the sender of a message may do this to it.
    NotTheSender = 403 "not_the_sender" "Only the sender of the message may do this.";
    /// The peer takes nothing from the user.
    Blocked = 403 "blocked" "The peer takes nothing from this user.";
    /// An administrator ended the session.
    SessionEnded = 403 "session_ended" "An administrator ended the session.";
    /// The request comes from a page of another site.
    Origin = 403 "origin" "Requests from other sites' pages are refused.";
    /// The request's `Host` is none of this server's names.
    Host = 403 "host" "This server does not answer to that host name.";
    /// No route has this path.
    NoSuchPath = 404 "no_such_path" "There is nothing at this path.";
    /// The chat has no such message.
    NoSuchMessage = 404 "no_such_message" "The chat has no such message.";
    /// The path does not take this method; `Allow` names those that it takes.
    MethodNotAllowed = 405 "method_not_allowed" "This path does not take that method.";
    /// The body did not arrive in time.
    Timeout = 408 "timeout" "The request took too long to arrive.";
    /// Another session of the user took this one's place.
    Replaced = 409 "replaced" "Another session of this user took this one's place.";
    /// The message was taken back.
    Unsent = 409 "unsent" "The message is unsent.";
    /// The message is too old for this.
    TooLate = 409 "too_late" "The message is too old to be changed.";
    /// The user has as many reactions to the message as are allowed.
    TooManyReactions = 409 "too_many_reactions" "No more reactions of this user to this message.";
    /// The user blocks as many users as are allowed.
    TooManyBlocks = 409 "too_many_blocks" "No more users can be blocked.";
    /// The body is over the limit.
    BodyTooLarge = 413 "body_too_large" "The request body is too large.";
    /// The body does not claim to be JSON.
    UnsupportedMediaType = 415 "unsupported_media_type" "A body needs Content-Type: application/json.";
    /// The key was used before with another text or data.
    KeyReused = 422 "key_reused" "This key was used before with another text or data.";
    /// The path speaks WebSocket only; `Upgrade` says so.
    UpgradeRequired = 426 "upgrade_required" "This path needs a WebSocket handshake.";
    /// The caller asks for more than its rate allows. Nothing was stored.
    RateLimited = 429 "rate_limited" "Too many requests of this caller; come back later.";
    /// A defect of the server, in a request that stores nothing.
    Internal = 500 "internal" "The server met a defect of its own.";
    /// More work waits than the server takes on. Nothing was stored.
    Overloaded = 503 "overloaded" "The server is busy; try again shortly.";
    /// The store is not open, is closing or has failed. Nothing was stored.
    Unavailable = 503 "unavailable" "The store is not available.";
    /// The write began and its end is not known.
    OutcomeUnknown = 503 "outcome_unknown" "Whether the message was stored is not known.";
    /// The disk's free space is below the reserve. Nothing was stored.
    StorageFull = 507 "storage_full" "The server has no room for more messages.";
}

impl ProblemCode {
    /// The code of that name; `None` for one that this version does not know.
    pub fn from_name(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|known| known.as_str() == code)
    }
}

impl From<Code> for ProblemCode {
    fn from(code: Code) -> Self {
        match code {
            Code::Malformed => Self::Malformed,
            Code::Invalid => Self::InvalidField,
            Code::Missing => Self::MissingField,
            Code::Duplicate => Self::DuplicateField,
            Code::TextTooLong => Self::TextTooLong,
            Code::DataTooLong => Self::DataTooLong,
            Code::NotAMember => Self::NotAMember,
        }
    }
}

/// A refusal as RFC 9457 has it, in `application/problem+json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem<'a> {
    /// `urn:chinwag:problem:` and the code.
    #[serde(rename = "type", borrow)]
    pub urn: Cow<'a, str>,
    /// A short sentence, the same for every problem of this code.
    #[serde(borrow)]
    pub title: Cow<'a, str>,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong this time, in a sentence.
    #[serde(borrow)]
    pub detail: Cow<'a, str>,
    /// The stable code: a name of [`ProblemCode`], or one of a newer server.
    #[serde(borrow)]
    pub code: Cow<'a, str>,
    /// The field of the request that is wrong.
    #[serde(
        default,
        borrow,
        deserialize_with = "crate::fields::optional_str",
        skip_serializing_if = "Option::is_none"
    )]
    pub field: Option<Cow<'a, str>>,
    /// Seconds after which to come back, of one that asks for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
}

impl<'a> Problem<'a> {
    /// A problem of a code, with what is wrong this time.
    pub fn new(code: ProblemCode, detail: impl Into<Cow<'a, str>>) -> Self {
        Self {
            urn: code.urn().into(),
            title: code.title().into(),
            status: code.status(),
            detail: detail.into(),
            code: code.as_str().into(),
            field: None,
            retry_after: None,
        }
    }

    /// The same problem, of a field.
    #[must_use]
    pub fn of_field(self, field: impl Into<Cow<'a, str>>) -> Self {
        Self { field: Some(field.into()), ..self }
    }

    /// The code; `None` for one that this version does not know.
    pub fn known_code(&self) -> Option<ProblemCode> {
        ProblemCode::from_name(&self.code)
    }

    /// The body of the reply.
    pub fn to_json(&self) -> Vec<u8> {
        to_json(self)
    }
}

fn to_json(problem: &Problem<'_>) -> Vec<u8> {
    serde_json::to_vec(problem).expect("strings and a number always serialize")
}

impl From<Invalid> for Problem<'static> {
    fn from(invalid: Invalid) -> Self {
        Self::new(invalid.code.into(), invalid.detail).of_field(invalid.field)
    }
}
