//! The shapes of requests and replies.

use crate::ProblemCode;
use chinwag_model::limits::{
    DATA_MAX_BYTES, EMOJI_MAX_BYTES, INTEGER_MAX, KEY_MAX_BYTES, REACTIONS_MAX, TEXT_DEFAULT_MAX_BYTES,
    USER_MAX_BYTES,
};
use serde_json::{Value, json};

/// A reference to one of them.
pub(super) fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// A reference with a word about what it means there.
fn described(name: &str, description: &str) -> Value {
    let mut value = reference(name);
    value["description"] = description.into();
    value
}

/// An object: properties in which a `?` at the end of the name says that the key may be absent (and, in a request, `null`).
fn object(properties: &[(&str, Value)]) -> Value {
    let name = |property: &str| property.trim_end_matches('?').to_owned();
    json!({
        "type": "object",
        "required": properties.iter().filter(|(key, _)| !key.ends_with('?')).map(|(key, _)| name(key)).collect::<Vec<_>>(),
        "properties": properties.iter().map(|(key, value)| (name(key), value.clone())).collect::<serde_json::Map<_, _>>(),
    })
}

fn natural(description: &str) -> Value {
    json!({"type": "integer", "minimum": 0, "maximum": INTEGER_MAX, "description": description})
}

/// What may be left out of a request may also be `null`.
fn or_null(schema: &Value) -> Value {
    json!({"anyOf": [schema, {"type": "null"}]})
}

/// All of them.
pub(super) fn all() -> Value {
    let mut all = words();
    for part in [requests(), replies(), events()] {
        let (Value::Object(all), Value::Object(part)) = (&mut all, part) else { continue };
        all.extend(part);
    }
    all
}

fn words() -> Value {
    json!({
        "User": {
            "type": "string",
            "description": "An opaque name that the application chose: UTF-8 without `:`, control characters or white space at its ends; compared byte for byte.",
            "minLength": 1,
            "maxLength": USER_MAX_BYTES,
            "pattern": r"^[^:\u0000-\u001f\u007f-\u009f]+$",
            "examples": ["apple"],
        },
        "Chat": {
            "type": "string",
            "description": "The conversation of two users, `a:b`. `a:b` and `b:a` are one chat; the canonical spelling sorts the two by bytes.",
            "minLength": 3,
            "maxLength": 2 * USER_MAX_BYTES + 1,
            "pattern": r"^[^:\u0000-\u001f\u007f-\u009f]+:[^:\u0000-\u001f\u007f-\u009f]+$",
            "examples": ["apple:banana"],
        },
        "Text": {
            "type": "string",
            "description": "What a message says: at most this many bytes of UTF-8 by default (a setting), every character kept, NUL refused.",
            "minLength": 1,
            "maxLength": TEXT_DEFAULT_MAX_BYTES,
            "pattern": r"^[^\u0000]+$",
            "examples": ["Hello how are you?"],
        },
        "Key": {
            "type": "string",
            "description": "The sender's own id of one send: visible ASCII.",
            "minLength": 1,
            "maxLength": KEY_MAX_BYTES,
            "pattern": r"^[\u0021-\u007e]+$",
            "examples": ["0b0f8d9e"],
        },
        "Data": {
            "type": "object",
            "description": format!("The application's own object, at most {DATA_MAX_BYTES} bytes as compact JSON; opaque to the server."),
            "examples": [{"colour": "green"}],
        },
        "Seq": {
            "type": "integer",
            "description": "A message's position in its chat: 1, 2, 3, …",
            "minimum": 1,
            "maximum": INTEGER_MAX,
            "examples": [1],
        },
        "Ts": natural("Server time in microseconds since the Unix epoch."),
        "Emoji": {
            "type": "string",
            "description": format!("At most {EMOJI_MAX_BYTES} bytes of UTF-8 without control characters; a user has at most {REACTIONS_MAX} a message."),
            "minLength": 1,
            "maxLength": EMOJI_MAX_BYTES,
            "pattern": r"^[^\u0000-\u001f\u007f-\u009f]+$",
            "examples": ["👍"],
        },
        "EventId": {
            "type": "string",
            "description": "A place in a feed; opaque.",
            "minLength": 1,
            "examples": ["8c1f0a5b3d2e4f60-05fdc6a3f6e640"],
        },
    })
}

fn requests() -> Value {
    let limit = or_null(&json!({
        "type": "integer",
        "minimum": 0,
        "description": "Most entries on the page; 0 and none are the default of 10, more than 1000 is 1000.",
    }));
    let cursor =
        or_null(&natural("The place after which the page begins; 0 and none are the natural start."));
    let seq = || reference("Seq");
    json!({
        "Send": object(&[
            ("chat", reference("Chat")),
            ("text", reference("Text")),
            ("sender", described("User", "One of the two users of the chat.")),
            ("key?", or_null(&reference("Key"))),
            ("data?", or_null(&reference("Data"))),
        ]),
        "Pull": object(&[
            ("chat", reference("Chat")),
            ("limit?", limit),
            ("cursor?", cursor),
            ("reverse?", json!({"type": ["boolean", "null"], "description": "From the place towards the first message."})),
        ]),
        "Mark": object(&[
            ("chat", reference("Chat")),
            ("user", described("User", "Whose marker.")),
            ("seq", seq()),
        ]),
        "Edit": object(&[
            ("chat", reference("Chat")),
            ("seq", seq()),
            ("sender", described("User", "Who sent it.")),
            ("text", reference("Text")),
        ]),
        "Unsend": object(&[
            ("chat", reference("Chat")),
            ("seq", seq()),
            ("sender", described("User", "Who sent it.")),
        ]),
        "React": object(&[
            ("chat", reference("Chat")),
            ("seq", seq()),
            ("user", described("User", "Who reacts.")),
            ("emoji", reference("Emoji")),
            ("remove?", json!({"type": ["boolean", "null"], "description": "Take it away instead."})),
        ]),
        "Block": object(&[
            ("user", described("User", "Who blocks.")),
            ("peer", described("User", "Whom; another than the user.")),
        ]),
        "EndSessions": object(&[("user", described("User", "Whose."))]),
        "Erase": object(&[
            ("user", described("User", "Who is erased.")),
            ("dry_run?", json!({"type": ["boolean", "null"], "description": "Only count."})),
        ]),
        "Typing": object(&[("chat", reference("Chat")), ("user", described("User", "Who writes."))]),
    })
}

fn replies() -> Value {
    let seqs = json!({"type": "object", "additionalProperties": natural("A seq; 0 before the first.")});
    json!({
        "Message": object(&[
            ("chat", described("Chat", "As the request spelled it; in an inbox or an event canonical.")),
            ("text", json!({"type": "string", "description": "Empty once unsent."})),
            ("sender", reference("User")),
            ("send_time", natural("`ts` in whole seconds.")),
            ("seq", reference("Seq")),
            ("ts", reference("Ts")),
            ("key?", reference("Key")),
            ("data?", reference("Data")),
            ("edited_ts?", described("Ts", "When its text was last replaced.")),
            ("unsent?", json!({"const": true, "description": "Its sender took it back."})),
            ("reactions?", json!({
                "type": "object",
                "description": "Who reacted, by emoji.",
                "additionalProperties": {"type": "array", "minItems": 1, "items": reference("User")},
                "examples": [{"👍": ["banana"]}],
            })),
        ]),
        "Page": object(&[
            ("messages", json!({"type": "array", "items": reference("Message")})),
            ("has_more?", json!({"const": true, "description": "More is left in that direction."})),
            ("next_cursor?", natural("The cursor of the next page; present where `has_more` is.")),
        ]),
        "InboxEntry": object(&[
            ("chat", reference("Chat")),
            ("peer", described("User", "Its other user; of a note to self, the same one.")),
            ("last_message", reference("Message")),
            ("unread", natural("Messages of the peer above the user's read marker.")),
            ("first_seq", described("Seq", "Where the chat begins.")),
            ("read", seqs.clone()),
            ("delivered", seqs),
        ]),
        "Inbox": object(&[
            ("chats", json!({"type": "array", "items": reference("InboxEntry")})),
            ("unread_total", natural("Unread messages of all the user's chats, on whatever page.")),
            ("has_more?", json!({"const": true})),
            ("next_cursor?", natural("The cursor of the next page.")),
        ]),
        "Marked": object(&[
            ("chat", reference("Chat")),
            ("user", reference("User")),
            ("read?", natural("Where the read marker stands, of a request to move that one.")),
            ("delivered?", natural("Where the delivered marker stands, of a request to move that one.")),
            ("ts", described("Ts", "When it came to stand there; 0 for one that never moved.")),
        ]),
        "Blocked": object(&block_fields()),
        "Blocks": object(&[
            ("blocks", json!({
                "type": "array",
                "items": object(&[("peer", reference("User")), ("ts", described("Ts", "Since when."))]),
            })),
            ("has_more?", json!({"const": true})),
            ("next_cursor?", described("User", "The cursor of the next page.")),
        ]),
        "Erased": object(&[
            ("user", reference("User")),
            ("messages", natural("Messages that were unsent.")),
            ("reactions", natural("Reactions that went.")),
            ("markers", natural("Chats in which the user's markers were forgotten.")),
            ("blocks", natural("Blocks that ended.")),
            ("done", json!({"type": "boolean", "description": "Whether nothing is left."})),
        ]),
        "Ended": object(&[("ended", natural("How many sessions there were."))]),
        "PresenceState": object(&[
            ("online", json!({"type": "boolean"})),
            ("last_seen?", described("Ts", "When the last session was closed; absent where nobody knows.")),
        ]),
        "Presence": object(&[
            ("users", json!({"type": "object", "additionalProperties": reference("PresenceState")})),
        ]),
        "Ticket": object(&[
            ("ticket", json!({"type": "string", "description": "What `?ticket=` takes, once."})),
            ("until?", described("Ts", "Until when.")),
        ]),
        "About": object(&[
            ("auth", json!({"type": "string", "enum": ["open", "token"], "description": "Whether requests carry a token."})),
            ("text_max_bytes", natural("The longest text of a message, in bytes of UTF-8.")),
            ("revise_window_s", natural("How long after its send a message may be edited or unsent, in seconds.")),
        ]),
        "Pong": object(&[("message", json!({"const": "pong"}))]),
        "Status": object(&[
            ("status", json!({"type": "string", "examples": ["ready"]})),
            ("detail?", json!({"type": "string", "description": "What does not keep it from serving, and wants a look."})),
        ]),
        "Problem": object(&[
            ("type", json!({"type": "string", "pattern": "^urn:chinwag:problem:"})),
            ("title", json!({"type": "string", "description": "The same for every problem of this code."})),
            ("status", json!({"type": "integer", "minimum": 400, "maximum": 599})),
            ("detail", json!({"type": "string", "description": "What is wrong this time."})),
            ("code", json!({
                "type": "string",
                "description": "Stable. A newer server may know more.",
                "enum": ProblemCode::ALL.iter().map(|code| code.as_str()).collect::<Vec<_>>(),
            })),
            ("field?", json!({"type": "string", "description": "The field of the request that is wrong."})),
            ("retry_after?", natural("Seconds after which to come back, as `Retry-After` says, of `rate_limited` and `overloaded`.")),
        ]),
    })
}

/// How a user stands to another, as a reply and an event tell it.
fn block_fields() -> [(&'static str, Value); 4] {
    [
        ("user", reference("User")),
        ("peer", reference("User")),
        ("blocked", json!({"type": "boolean"})),
        ("ts?", described("Ts", "Since when the peer is blocked.")),
    ]
}

fn events() -> Value {
    let of = |names: &[&str], rest: &[(&str, Value)]| {
        let mut properties = vec![("type", json!({"enum": names}))];
        properties.extend_from_slice(rest);
        object(&properties)
    };
    let id = ("id", reference("EventId"));
    json!({
        "MessageEvent": of(&["message", "edit", "unsend", "reaction"], &[id.clone(), ("message", reference("Message"))]),
        "MarkEvent": of(&["read", "delivered"], &[
            id.clone(),
            ("chat", reference("Chat")),
            ("user", reference("User")),
            ("seq", reference("Seq")),
            ("ts", reference("Ts")),
        ]),
        "ReadyEvent": of(&["ready"], &[id, ("recovered", json!({"type": "boolean"}))]),
        "TypingEvent": of(&["typing"], &[("chat", reference("Chat")), ("user", reference("User"))]),
        "PresenceEvent": of(&["presence"], &[
            ("user", reference("User")),
            ("online", json!({"type": "boolean"})),
            ("last_seen?", reference("Ts")),
        ]),
        "BlockEvent": of(&["block"], &block_fields()),
        "Event": {
            "description": "What happens to a user's chats. A newer server may tell more types.",
            "oneOf": (["MessageEvent", "MarkEvent", "ReadyEvent", "TypingEvent", "PresenceEvent", "BlockEvent"].map(reference)),
        },
        "Poll": object(&[
            ("events", json!({"type": "array", "items": reference("Event")})),
            ("since", described("EventId", "For the next poll.")),
            ("recovered", json!({"type": "boolean", "description": "Whether nothing was passed over; else load the inbox now."})),
        ]),
    })
}
