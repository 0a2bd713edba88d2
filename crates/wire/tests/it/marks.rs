use crate::{refused, written};
use chinwag_model::{
    Chat, Invalid, Mark, Marked, Marker, MarkerKind, Presence, Seq, Side, Spelling, Ts, UserId,
};
use chinwag_wire::{
    MarkReply, MarkRequest, PresenceReply, PresenceRequest, ProblemCode, TypingRequest, encode_marked,
    encode_presence,
};

const MAX: u64 = (1 << 53) - 1;

fn mark(body: &str) -> Result<(Mark, Spelling), Invalid> {
    MarkRequest::parse_json(body.as_bytes())?.into_mark(MarkerKind::Read)
}

fn typing(body: &str) -> Result<(Chat, Side), Invalid> {
    TypingRequest::parse_json(body.as_bytes())?.into_typing()
}

#[test]
fn a_mark_is_taken_in_either_spelling() {
    let chat = Chat::parse("a:b").expect("valid").0;
    for (body, seq, spelling) in [
        (r#"{"chat":"a:b","user":"b","seq":1}"#, 1, Spelling::Canonical),
        (r#"{"seq":9007199254740991,"op":"read","user":"b","chat":"b:a"}"#, MAX, Spelling::Swapped),
    ] {
        let expected = Mark { chat: chat.clone(), side: Side::Second, kind: MarkerKind::Read, seq: Seq(seq) };
        assert_eq!(mark(body), Ok((expected, spelling)), "{body}");
    }
    let request = MarkRequest { chat: "a:b".into(), user: "b".into(), seq: 5 };
    assert_eq!(serde_json::to_string(&request).expect("JSON"), r#"{"chat":"a:b","user":"b","seq":5}"#);
    assert_eq!(typing(r#"{"chat":"b:a","user":"a","seq":1}"#), Ok((chat, Side::First)));
}

#[test]
fn a_wrong_field_of_a_mark_is_named() {
    for (body, code, field) in [
        (r#"{"user":"b","seq":1}"#, ProblemCode::MissingField, "chat"),
        (r#"{"chat":"a:b","seq":1}"#, ProblemCode::MissingField, "user"),
        (r#"{"chat":"a:b","user":"b"}"#, ProblemCode::MissingField, "seq"),
        (r#"{"chat":"a:b","user":"b","seq":null}"#, ProblemCode::MissingField, "seq"),
        (r#"{"chat":"a:b","user":"b","seq":0}"#, ProblemCode::InvalidField, "seq"),
        (r#"{"chat":"a:b","user":"b","seq":-1}"#, ProblemCode::InvalidField, "seq"),
        (r#"{"chat":"a:b","user":"b","seq":9007199254740992}"#, ProblemCode::InvalidField, "seq"),
        (r#"{"chat":"a:b","user":"b","seq":"1"}"#, ProblemCode::InvalidField, "seq"),
        (r#"{"chat":"a:b","user":"b","seq":1,"seq":1}"#, ProblemCode::DuplicateField, "seq"),
        (r#"{"chat":"ab","user":"b","seq":1}"#, ProblemCode::InvalidField, "chat"),
        (r#"{"chat":"a:b","user":"c","seq":1}"#, ProblemCode::NotAMember, "user"),
        ("[]", ProblemCode::InvalidField, "body"),
    ] {
        refused(mark(body), code, field);
    }
    for (body, code, field) in [
        (r#"{"user":"b"}"#, ProblemCode::MissingField, "chat"),
        (r#"{"chat":"a:b"}"#, ProblemCode::MissingField, "user"),
        (r#"{"chat":1,"user":"b"}"#, ProblemCode::InvalidField, "chat"),
        (r#"{"chat":"a:b","user":"c"}"#, ProblemCode::NotAMember, "user"),
        ("{", ProblemCode::Malformed, "body"),
    ] {
        refused(typing(body), code, field);
    }
}

#[test]
fn a_marker_is_written_in_the_spelling_of_its_request() {
    let marked = |kind| Marked {
        chat: Chat::parse("apple:banana").expect("valid").0,
        side: Side::Second,
        kind,
        marker: Marker { seq: Seq(5), ts: Ts(1_686_404_158_123_456) },
    };
    let read = encode_marked(&marked(MarkerKind::Read), Spelling::Swapped);
    let expected = r#"{"chat":"banana:apple","user":"banana","read":5,"ts":1686404158123456}"#;
    assert_eq!(written(&read), expected);
    let reply: MarkReply<'_> = serde_json::from_slice(&read).expect("it reads back");
    assert_eq!(serde_json::to_string(&reply).expect("JSON"), expected);
    let delivered = encode_marked(&marked(MarkerKind::Delivered), Spelling::Canonical);
    let expected = r#"{"chat":"apple:banana","user":"banana","delivered":5,"ts":1686404158123456}"#;
    assert_eq!(written(&delivered), expected);
}

fn names(request: Result<PresenceRequest, Invalid>) -> Vec<String> {
    request.expect("valid").users.iter().map(ToString::to_string).collect()
}

#[test]
fn presence_is_asked_of_several_each_once() {
    assert_eq!(names(PresenceRequest::parse_query("user=b&user=a%20c&other=1&user=b")), ["b", "a c"]);
    assert_eq!(names(PresenceRequest::parse_json(br#"{"user":"b"}"#)), ["b"]);
    assert_eq!(
        names(PresenceRequest::parse_json(br#"{"user":["b","\u0061","b"],"op":"presence"}"#)),
        ["b", "a"]
    );
    let users = |count: usize| (0..count).map(|n| format!("user=u{n}")).collect::<Vec<_>>().join("&");
    assert_eq!(names(PresenceRequest::parse_query(&users(100))).len(), 100);
    assert_eq!(names(PresenceRequest::parse_query(&format!("{}&user=u7", users(100)))).len(), 100);
    refused(PresenceRequest::parse_query(&users(101)), ProblemCode::InvalidField, "user");
    for (query, code, field) in [
        ("", ProblemCode::MissingField, "user"),
        ("user=", ProblemCode::InvalidField, "user"),
        ("user=a:b", ProblemCode::InvalidField, "user"),
        ("user=a&x=1&x=2", ProblemCode::DuplicateField, "x"),
        ("user=%ff", ProblemCode::Malformed, "query"),
    ] {
        refused(PresenceRequest::parse_query(query), code, field);
    }
    for (body, code) in [
        (r"{}", ProblemCode::MissingField),
        (r#"{"user":[]}"#, ProblemCode::MissingField),
        (r#"{"user":7}"#, ProblemCode::InvalidField),
        (r#"{"user":["a",7]}"#, ProblemCode::InvalidField),
        (r#"{"user":[["a"]]}"#, ProblemCode::InvalidField),
        (r#"{"user":["a",null]}"#, ProblemCode::InvalidField),
        (r#"{"user":["\ud83d"]}"#, ProblemCode::InvalidField),
        (r#"{"user":[""]}"#, ProblemCode::InvalidField),
        (r#"{"user":"a","user":"b"}"#, ProblemCode::DuplicateField),
    ] {
        refused(PresenceRequest::parse_json(body.as_bytes()), code, "user");
    }
}

#[test]
fn presence_is_written_by_name() {
    assert_eq!(encode_presence(&[]), br#"{"users":{}}"#);
    let user = |name| UserId::parse("user", name).expect("valid");
    let json = encode_presence(&[
        Presence { user: user("b\"b"), online: true, last_seen: None },
        Presence { user: user("a"), online: false, last_seen: Some(Ts(1_686_404_158_123_456)) },
        Presence { user: user("c"), online: false, last_seen: None },
    ]);
    assert_eq!(
        written(&json),
        r#"{"users":{"b\"b":{"online":true},"a":{"online":false,"last_seen":1686404158123456},"c":{"online":false}}}"#
    );
    let reply: PresenceReply<'_> = serde_json::from_slice(&json).expect("it reads back");
    assert_eq!((reply.users["b\"b"].online, reply.users["a"].last_seen), (true, Some(1_686_404_158_123_456)));
}
