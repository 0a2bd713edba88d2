//! Refusals: what may come of a request, by status and code.

use super::{example, headers, schemas};
use crate::{Problem, ProblemCode as Code};
use serde_json::{Map, Value, json};

/// The example of a query string that can't be decoded, beside that of a body, which has the same code.
pub(super) const MALFORMED_QUERY: &str = "malformed_query";

/// An example of every code.
pub(super) fn examples() -> Map<String, Value> {
    let shown = |name: &str, code: Code, (detail, field): (&'static str, Option<&'static str>)| {
        let problem = Problem { field: field.map(Into::into), ..Problem::new(code, detail) };
        (name.to_owned(), json!({"summary": code.title(), "value": problem}))
    };
    let query = ("the query string does not decode to UTF-8", Some("query"));
    Code::ALL
        .iter()
        .map(|code| shown(code.as_str(), *code, occurrence(*code)))
        .chain([shown(MALFORMED_QUERY, Code::Malformed, query)])
        .collect()
}

/// What any request may be answered with that names no path, or no method, of the document.
pub(super) fn everywhere() -> Map<String, Value> {
    [Code::NoSuchPath, Code::MethodNotAllowed]
        .map(|code| {
            let mut response = response(&[code], false);
            headers::tell(&mut response, false);
            (code.as_str().to_owned(), response)
        })
        .into_iter()
        .collect()
}

/// The responses to a request that may be refused with these codes, and has a body or can have none.
pub(super) fn responses(codes: &[Code], has_body: bool) -> Map<String, Value> {
    let mut by_status = Map::new();
    for code in Code::ALL.iter().filter(|code| codes.contains(code)) {
        let status = code.status();
        let same: Vec<_> = Code::ALL
            .iter()
            .copied()
            .filter(|code| code.status() == status && codes.contains(code))
            .collect();
        by_status.insert(status.to_string(), response(&same, has_body));
    }
    by_status
}

/// One response, of codes that share a status.
fn response(codes: &[Code], has_body: bool) -> Value {
    let names: Vec<_> = codes.iter().map(|code| code.as_str()).collect();
    let mut schema = schemas::reference("Problem");
    schema["properties"] = json!({"code": {"enum": names}});
    let mut response = json!({
        "description": codes.iter().map(|code| format!("`{}`: {}", code.as_str(), code.title())).collect::<Vec<_>>().join("  \n"),
        "content": {
            "application/problem+json": {
                "schema": schema,
                "examples": codes.iter().map(|code| (code.as_str().to_owned(), example(*code, has_body))).collect::<Map<_, _>>(),
            },
        },
    });
    for (name, schema, description) in headers_of(codes[0].status()) {
        response["headers"][name] = json!({"required": true, "schema": schema, "description": description});
    }
    response
}

/// What a reply of a status carries of its own: name, schema, words.
fn headers_of(status: u16) -> Vec<(&'static str, Value, &'static str)> {
    let is = |text: &str| json!({"type": "string", "const": text});
    match status {
        401 => vec![("WWW-Authenticate", is("Bearer"), "How to say who one is.")],
        405 => vec![("Allow", json!({"type": "string"}), "The methods that the path takes.")],
        426 => vec![
            ("Upgrade", is("websocket"), "What to ask for."),
            ("Sec-WebSocket-Version", is("13"), "Which of it."),
        ],
        429 | 503 => {
            let seconds = json!({"type": "integer", "minimum": 1});
            vec![("Retry-After", seconds, "Seconds after which to come back.")]
        }
        _ => Vec::new(),
    }
}

/// What a problem says once: its detail and its field.
fn occurrence(code: Code) -> (&'static str, Option<&'static str>) {
    match code {
        Code::Malformed => ("the body is not JSON: expected value at line 1 column 1", Some("body")),
        Code::InvalidField => ("a chat holds one colon, between its two user names", Some("chat")),
        Code::MissingField => ("the field text is missing", Some("text")),
        Code::DuplicateField => ("the field text stands twice", Some("text")),
        Code::TextTooLong => ("the text has 20000 bytes; at most 16384 are allowed", Some("text")),
        Code::DataTooLong => ("data has 5000 bytes; at most 4096 are allowed", Some("data")),
        Code::BodyAndQuery => ("the request has a body and a query string; send one of them", None),
        Code::TokenInUrl => {
            ("a token in a URL ends in logs and histories; send it in the header Authorization", None)
        }
        Code::BadRequest => ("the header Host stands twice", None),
        Code::TokenMissing => ("this server asks who you are: send Authorization: Bearer and a token", None),
        Code::TokenInvalid => ("the signature is wrong", None),
        Code::TokenExpired => ("the token's time is over", None),
        Code::BadSubject => ("the token's sub is no user name", None),
        Code::NotAllowed => ("the request acts for another user than the caller", None),
        Code::NotAMember => ("the sender must be one of the two users of the chat", Some("sender")),
        Code::NotTheSender => ("only the message's sender may edit or unsend it", None),
        Code::Blocked => ("the peer takes nothing from this user", None),
        Code::SessionEnded => ("an administrator ended the session; do not reconnect by yourself", None),
        Code::TooManyBlocks => ("a user blocks at most 10000 users", None),
        Code::Origin => ("the request comes from a page of another site", None),
        Code::Host => ("the request is for another host", None),
        Code::NoSuchPath => ("there is nothing at this path", None),
        Code::NoSuchMessage => ("the chat has no message of that seq", None),
        Code::MethodNotAllowed => ("the methods of this path are POST", None),
        Code::Timeout => ("the body did not arrive in time", None),
        Code::Replaced => ("a newer session took the place of this one", None),
        Code::Unsent => ("the message was taken back", None),
        Code::TooLate => ("the message is too old to be edited or unsent", None),
        Code::TooManyReactions => ("a user has at most 20 reactions to a message", None),
        Code::BodyTooLarge => ("a request body is at most 131072 bytes", None),
        Code::UnsupportedMediaType => ("the body's Content-Type is text/plain; send application/json", None),
        Code::KeyReused => {
            ("this key was used before in this chat by this sender, with another text or data", None)
        }
        Code::UpgradeRequired => {
            ("this path needs the handshake of a WebSocket, version 13, over HTTP/1.1", None)
        }
        Code::RateLimited => ("sends: 60 at once and 10 a second; come back in 1 s", None),
        Code::Internal => ("the server met a defect of its own; nothing was stored", None),
        Code::Overloaded => ("too many requests wait; nothing was stored", None),
        Code::Unavailable => ("the server is shutting down", None),
        Code::OutcomeUnknown => (
            "it may or may not have been stored; a send with a key, and a mark, can be repeated safely",
            None,
        ),
        Code::StorageFull => ("the disk's free space is below the reserve; nothing was stored", None),
    }
}
