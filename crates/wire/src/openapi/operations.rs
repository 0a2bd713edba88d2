//! What a verb of the HTTP face is, and how the document tells it.

use super::{headers::TRACEPARENT, schemas::reference};
use crate::ProblemCode as Code;
use serde_json::{Map, Value, json};

/// A verb at a path.
pub(super) struct Operation {
    pub(super) path: &'static str,
    pub(super) method: &'static str,
    pub(super) id: &'static str,
    pub(super) tag: &'static str,
    pub(super) summary: &'static str,
    pub(super) description: &'static str,
    pub(super) query: &'static [Parameter],
    pub(super) headers: &'static [Parameter],
    pub(super) body: Option<&'static str>,
    pub(super) reply: Reply,
    /// What it may be refused with, beside what every request of its kind may.
    pub(super) codes: &'static [Code],
}

/// A key of a query string, or a header.
pub(super) struct Parameter {
    name: &'static str,
    required: bool,
    kind: Kind,
    description: &'static str,
}

/// What its values are.
pub(super) enum Kind {
    /// One of the schemas.
    Of(&'static str),
    /// An array of one of them: the key is repeated. How many there may be is told in words, since one named twice counts once.
    Many(&'static str),
    /// A number of which too much is taken for the most.
    Count,
    /// A place or a time.
    Natural,
    Flag,
    Opaque,
}

/// What comes of it.
pub(super) enum Reply {
    /// 200 with JSON of a schema.
    Json(&'static str, &'static str),
    /// 200 with JSON of a schema, and the header that tells a repeat.
    Sent,
    /// 204.
    Nothing(&'static str),
    /// 200 with Server-Sent Events.
    Events,
    /// 101.
    Switch,
    /// 200 with this document.
    Document,
}

pub(super) const TAGS: [(&str, &str); 6] = [
    ("messages", "Send, pull, revise."),
    ("inbox", "A user's chats, what is unread, how far they have read."),
    ("live", "The feed, on three faces; typing and presence."),
    ("blocks", "Whom a user takes nothing from."),
    ("identity", "Who calls."),
    ("server", "Whether it is there."),
];

/// Of every request.
const ANY: &[Code] =
    &[Code::BadRequest, Code::Origin, Code::Host, Code::Internal, Code::Unavailable, Code::Overloaded];
/// Of every request that says who makes it.
const GUARDED: &[Code] = &[
    Code::TokenInUrl,
    Code::TokenMissing,
    Code::TokenInvalid,
    Code::TokenExpired,
    Code::BadSubject,
    Code::NotAllowed,
    Code::NotAMember,
    Code::RateLimited,
];
/// Of what has fields.
const FIELDS: &[Code] = &[Code::Malformed, Code::InvalidField, Code::MissingField, Code::DuplicateField];
/// Of what has a body.
pub(super) const BODY: &[Code] = &[Code::Timeout, Code::BodyTooLarge, Code::UnsupportedMediaType];
/// Of what is kept.
pub(super) const KEEPS: &[Code] = &[Code::OutcomeUnknown, Code::StorageFull];

impl Operation {
    /// Whether it asks who makes the request.
    pub(super) fn is_guarded(&self) -> bool {
        self.path.starts_with("/api/")
    }

    /// Everything that it may be refused with.
    pub(super) fn refusals(&self) -> Vec<Code> {
        let mut codes = [ANY, self.codes].concat();
        if self.is_guarded() {
            codes.extend_from_slice(GUARDED);
        }
        if self.body.is_some() || !self.query.is_empty() {
            codes.extend_from_slice(FIELDS);
        }
        if self.body.is_some() {
            codes.extend_from_slice(BODY);
        }
        if !self.query.is_empty() {
            codes.push(Code::BodyAndQuery);
        }
        codes
    }

    /// Its query string's keys and its headers.
    pub(super) fn parameters(&self) -> Vec<Value> {
        let of = |place: &'static str| move |parameter: &Parameter| parameter.describe(place);
        let headers = self.headers.iter().chain([&TRACEPARENT]);
        self.query.iter().map(of("query")).chain(headers.map(of("header"))).collect()
    }
}

impl Parameter {
    fn describe(&self, place: &str) -> Value {
        let schema = match self.kind {
            Kind::Of(name) => reference(name),
            Kind::Many(name) => json!({
                "type": "array",
                "items": reference(name),
                "minItems": 1,
            }),
            Kind::Natural => {
                json!({"type": "integer", "minimum": 0, "maximum": chinwag_model::limits::INTEGER_MAX})
            }
            Kind::Count => json!({"type": "integer", "minimum": 0}),
            Kind::Flag => json!({"type": "boolean"}),
            Kind::Opaque => json!({"type": "string"}),
        };
        json!({
            "name": self.name,
            "in": place,
            "required": self.required,
            "description": self.description,
            "schema": schema,
        })
    }
}

impl Reply {
    /// As the document has it, by status.
    pub(super) fn responses(&self) -> Map<String, Value> {
        let json = |schema: Value| json!({"application/json": {"schema": schema}});
        let (status, response) = match self {
            Self::Json(schema, description) => {
                ("200", json!({"description": description, "content": json(reference(schema))}))
            }
            Self::Sent => (
                "200",
                json!({
                    "description": "The message as stored.",
                    "headers": {
                        "Idempotent-Replayed": {
                            "required": false,
                            "description": "The key was known: nothing was stored, and this is that message as it stands.",
                            "schema": {"const": "true"},
                        },
                    },
                    "content": json(reference("Message")),
                }),
            ),
            Self::Nothing(description) => ("204", json!({"description": description})),
            Self::Events => (
                "200",
                json!({
                    "description": "Each event has its type in `event:`, its id in `id:` and itself in `data:`; comments keep the stream alive. `event: close` with `data: {\"code\":…}` comes before its end.",
                    "content": {"text/event-stream": {"schema": {"type": "string"}}},
                }),
            ),
            Self::Switch => ("101", json!({"description": "From here on a WebSocket."})),
            Self::Document => {
                ("200", json!({"description": "This document.", "content": json(json!({"type": "object"}))}))
            }
        };
        Map::from_iter([(status.to_owned(), response)])
    }
}

/// A parameter.
pub(super) const fn parameter(
    name: &'static str,
    required: bool,
    kind: Kind,
    description: &'static str,
) -> Parameter {
    Parameter { name, required, kind, description }
}

pub(super) const CHAT: Parameter = parameter("chat", true, Kind::Of("Chat"), "The chat, in either spelling.");
pub(super) const USER: Parameter = parameter("user", true, Kind::Of("User"), "Whose.");
pub(super) const LIMIT: Parameter = parameter(
    "limit",
    false,
    Kind::Count,
    "Most entries on the page; 0 is the default of 10, more than 1000 is 1000.",
);
pub(super) const SINCE: Parameter =
    parameter("since", false, Kind::Of("EventId"), "The last id that the client saw.");
pub(super) const WATCH: Parameter =
    parameter("watch", false, Kind::Many("User"), "Whose presence the feed tells; repeated, at most 100.");
const NONE: &[Parameter] = &[];

/// What most of them are.
pub(super) const BLANK: Operation = Operation {
    path: "",
    method: "post",
    id: "",
    tag: "messages",
    summary: "",
    description: "",
    query: NONE,
    headers: NONE,
    body: None,
    reply: Reply::Nothing(""),
    codes: &[],
};
