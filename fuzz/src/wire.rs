//! The parsers of the feed and of what stands around it.

use chinwag_model::{
    FeedId, InboxQuery, Invalid, Marked, Marker, MarkerKind, Ts,
    limits::{PAGE_MAX_MESSAGES, WATCH_MAX_USERS},
};
use chinwag_wire::{
    FeedRequest, InboxRequest, MarkReply, MarkRequest, Op, UpFrame, encode_marked, encode_reply,
};
use serde_json::Value;
use std::time::Duration;

/// A frame of a WebSocket: one that is refused names its number if it is JSON that has one, and the verb's own parser says
/// the same of the same bytes.
pub(crate) fn up_frame(frame: &[u8]) {
    let (id, op) = match UpFrame::parse(frame) {
        Ok(frame) => (Some(frame.id), Some(frame.op)),
        Err(bad) => (bad.id, None),
    };
    assert!(id.is_none_or(|id| id < 1 << 53));
    let reply: Value = serde_json::from_slice(&encode_reply(id, 200, None, false)).expect("a reply is JSON");
    assert_eq!(reply["reply"].as_u64(), id);
    let Some(op) = op else { return };
    // Among ignored fields may stand what a `Value` can't hold, such as 1e999.
    let Ok(object) = serde_json::from_slice::<Value>(frame) else { return };
    // A `Value` takes -0 for a fraction.
    let number = &object["id"];
    assert_eq!(number.as_u64().or_else(|| (number.as_f64() == Some(0.0)).then_some(0)), id);
    let name = match op {
        Op::Send(_) => "send",
        Op::Pull(_) => "pull",
        Op::Chats(_) => "chats",
        Op::Read(_) => "read",
        Op::Delivered(_) => "delivered",
        Op::Edit(_) => "edit",
        Op::Unsend(_) => "unsend",
        Op::React(_) => "react",
        Op::Typing(_) => "typing",
        Op::Block(_) => "block",
        Op::Unblock(_) => "unblock",
        Op::Blocks(_) => "blocks",
        Op::EndSessions(_) => "end_sessions",
        Op::Erase(_) => "erase",
        Op::Auth(_) => "auth",
        Op::Presence(presence) => {
            assert!((1..=WATCH_MAX_USERS).contains(&presence.users.len()));
            "presence"
        }
    };
    assert_eq!(object["op"], name);
}

/// The query string of a feed and, after a line break, the header `Last-Event-ID`.
pub(crate) fn feed_query(bytes: &[u8]) {
    let (query, header) = match bytes.iter().position(|&byte| byte == b'\n') {
        Some(at) => (&bytes[..at], Some(&bytes[at + 1..])),
        None => (bytes, None),
    };
    let Ok(query) = str::from_utf8(query) else { return };
    let Ok(asked) = FeedRequest::parse_query(query, header) else { return };
    assert!(asked.watch.len() <= WATCH_MAX_USERS);
    for (at, user) in asked.watch.iter().enumerate() {
        assert!(!asked.watch[..at].contains(user), "{user} is watched twice");
    }
    assert!(
        asked.timeout().is_err() || asked.timeout().is_ok_and(|timeout| timeout <= Duration::from_mins(1))
    );
    if let Some(header) = header {
        let since = asked.since.expect("a header is a place, if an unknown one");
        assert!(since == FeedId::UNKNOWN || since.to_string().as_bytes() == header.trim_ascii());
    }
}

/// The JSON of a request for an inbox.
pub(crate) fn inbox_json(body: &[u8]) {
    if let Ok(request) = InboxRequest::parse_json(body) {
        let json = serde_json::to_vec(&request).expect("it serializes");
        assert_eq!(InboxRequest::parse_json(&json), Ok(request.clone()));
        inbox_within_bounds(request.into_query());
    }
}

/// The query string of a request for an inbox.
pub(crate) fn inbox_query(query: &[u8]) {
    let Ok(query) = str::from_utf8(query) else { return };
    if let Ok(request) = InboxRequest::parse_query(query) {
        inbox_within_bounds(request.into_query());
    }
}

fn inbox_within_bounds(query: Result<InboxQuery, Invalid>) {
    let Ok(query) = query else { return };
    assert!((1..=PAGE_MAX_MESSAGES).contains(&query.limit));
    assert!(query.before.is_none_or(|before| (1..1 << 53).contains(&before.0)));
    assert!(query.chat.is_none_or(|chat| chat.side_of(query.user.as_str()).is_some()));
}

/// The body of a mark: what is taken is within the bounds, and its reply reads back.
pub(crate) fn mark(body: &[u8]) {
    let Ok(request) = MarkRequest::parse_json(body) else { return };
    let (asked_chat, asked_user) = (request.chat.clone(), request.user.clone());
    let Ok((mark, spelling)) = request.into_mark(MarkerKind::Read) else { return };
    assert!((1..1 << 53).contains(&mark.seq.0));
    let stands = Marker { seq: mark.seq, ts: Ts(1) };
    let marked = Marked { chat: mark.chat, side: mark.side, kind: mark.kind, marker: stands };
    let json = encode_marked(&marked, spelling);
    let reply: MarkReply<'_> = serde_json::from_slice(&json).expect("a reply is JSON");
    assert_eq!((reply.chat, reply.user, reply.read), (asked_chat, asked_user, Some(mark.seq.0)));
}

/// An id of a feed: what is taken is written the same.
pub(crate) fn feed_id(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    if let Ok(id) = FeedId::parse("since", text) {
        assert_eq!(id.to_string(), text);
    }
}
