//! Calls and answers as they go over the wire.

use chinwag_torture::history::{Call, Change, InboxChat, Kind, Marker, Message, Reply};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// An answer, of whichever face.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) replayed: bool,
    pub(super) body: Value,
}

/// The verb of a call, and what it carries.
pub(super) fn asked(call: &Call) -> (&'static str, Value) {
    match call {
        Call::Send { chat, sender, text, key } => {
            ("send", json!({"chat": chat, "sender": sender, "text": text, "key": key}))
        }
        Call::Pull { chat, limit, cursor, reverse } => {
            ("pull", json!({"chat": chat, "limit": limit, "cursor": cursor, "reverse": reverse}))
        }
        Call::Mark { marker, chat, user, seq } => {
            let verb = if *marker == Marker::Read { "read" } else { "delivered" };
            (verb, json!({"chat": chat, "user": user, "seq": seq}))
        }
        Call::Revise { chat, seq, user, change } => match change {
            Change::Edit { text } => {
                ("edit", json!({"chat": chat, "seq": seq, "sender": user, "text": text}))
            }
            Change::Unsend => ("unsend", json!({"chat": chat, "seq": seq, "sender": user})),
            Change::React { emoji, remove } => {
                ("react", json!({"chat": chat, "seq": seq, "user": user, "emoji": emoji, "remove": remove}))
            }
        },
        Call::Block { user, peer, on } => {
            (if *on { "block" } else { "unblock" }, json!({"user": user, "peer": peer}))
        }
        Call::Typing { chat, user } => ("typing", json!({"chat": chat, "user": user})),
        Call::Inbox { user } => ("chats", json!({"user": user, "limit": 100})),
        Call::Feed { .. } | Call::Revoke { .. } | Call::End => unreachable!("no verb asks for it"),
    }
}

pub(super) fn reply(call: &Call, answer: &Answer) -> Reply {
    let Answer { status, replayed, body } = answer;
    let code = body["code"].as_str().unwrap_or_default();
    let heard = match call {
        _ if code == "outcome_unknown" => return Reply::Unknown,
        Call::Typing { .. } if *status == 204 => return Reply::Done,
        _ if *status != 200 => return Reply::Refused { status: *status, code: code.to_owned() },
        Call::Send { .. } => message(body).map(|message| Reply::Stored { message, replayed: *replayed }),
        Call::Pull { .. } => page(body),
        Call::Mark { marker, .. } => {
            let name = if *marker == Marker::Read { "read" } else { "delivered" };
            body[name].as_u64().zip(body["ts"].as_u64()).map(|(seq, ts)| Reply::Marked { seq, ts })
        }
        Call::Revise { .. } => message(body).map(|message| Reply::Stands { message }),
        Call::Block { .. } => blocked(body),
        Call::Inbox { .. } => inbox(body),
        Call::Typing { .. } | Call::Feed { .. } | Call::Revoke { .. } | Call::End => None,
    };
    heard.unwrap_or_else(|| Reply::Refused {
        status: *status,
        code: format!("no answer of the contract: {body}"),
    })
}

/// What a feed told, and its id where it has one; `None` of what is not judged.
pub(super) fn event(event: &Value) -> Option<(Option<String>, Reply)> {
    let word = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
    if event["type"] == "typing" {
        return Some((None, Reply::Typing { chat: word("chat"), user: word("user") }));
    }
    let id = event["id"].as_str()?.to_owned();
    let marker = |marker| Reply::Marker {
        id: id.clone(),
        marker,
        chat: word("chat"),
        user: word("user"),
        seq: event["seq"].as_u64().unwrap_or_default(),
    };
    let revised = |what| Some(Reply::Revised { id: id.clone(), what, message: message(&event["message"])? });
    let reply = match event["type"].as_str()? {
        "message" => Reply::Message { id: id.clone(), message: message(&event["message"])? },
        "edit" => revised(Kind::Edit)?,
        "unsend" => revised(Kind::Unsend)?,
        "reaction" => revised(Kind::Reaction)?,
        "read" => marker(Marker::Read),
        "delivered" => marker(Marker::Delivered),
        "ready" => {
            Reply::Ready { id: id.clone(), recovered: event["recovered"].as_bool().unwrap_or_default() }
        }
        _ => return None,
    };
    Some((Some(id), reply))
}

fn blocked(body: &Value) -> Option<Reply> {
    let since = if body["blocked"].as_bool()? { Some(body["ts"].as_u64()?) } else { None };
    Some(Reply::Blocked { since })
}

fn message(body: &Value) -> Option<Message> {
    let word = |name: &str| body[name].as_str().map(str::to_owned);
    let reactions = match &body["reactions"] {
        Value::Null => BTreeMap::new(),
        reactions => serde_json::from_value(reactions.clone()).ok()?,
    };
    Some(Message {
        chat: word("chat")?,
        seq: body["seq"].as_u64()?,
        ts: body["ts"].as_u64()?,
        sender: word("sender")?,
        text: word("text")?,
        key: word("key"),
        edited_ts: body["edited_ts"].as_u64(),
        unsent: body["unsent"].as_bool().unwrap_or_default(),
        reactions,
    })
}

fn page(body: &Value) -> Option<Reply> {
    let messages = body["messages"].as_array()?.iter().map(message).collect::<Option<_>>()?;
    Some(Reply::Page { messages, next: body["next_cursor"].as_u64() })
}

fn inbox(body: &Value) -> Option<Reply> {
    let chat = |chat: &Value| {
        let markers = |name: &str| serde_json::from_value(chat[name].clone()).ok();
        Some(InboxChat {
            last: message(&chat["last_message"])?,
            unread: chat["unread"].as_u64()?,
            read: markers("read")?,
            delivered: markers("delivered")?,
        })
    };
    let chats = body["chats"].as_array()?.iter().map(chat).collect::<Option<_>>()?;
    Some(Reply::Inbox { chats, unread_total: body["unread_total"].as_u64()? })
}
