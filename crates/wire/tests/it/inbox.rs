use crate::{message, refused, written};
use chinwag_model::{
    Chat, InboxEntry, InboxPage, InboxQuery, Invalid, Marker, Markers, Message, Seq, Side, Ts,
};
use chinwag_wire::{InboxReply, InboxRequest, ProblemCode, encode_inbox};
use std::sync::Arc;

const MAX: u64 = (1 << 53) - 1;

fn json(body: &str) -> Result<InboxQuery, Invalid> {
    InboxRequest::parse_json(body.as_bytes())?.into_query()
}

fn query(query: &str) -> Result<InboxQuery, Invalid> {
    InboxRequest::parse_query(query)?.into_query()
}

fn check(asked: Result<InboxQuery, Invalid>, before: Option<u64>, limit: usize, chat: Option<&str>) {
    let asked = asked.expect("valid");
    assert_eq!((asked.user.as_str(), asked.before, asked.limit), ("a", before.map(Ts), limit));
    assert_eq!(asked.chat.as_ref().map(Chat::as_str), chat);
}

#[test]
fn both_forms_say_the_same() {
    check(json(r#"{"user":"a"}"#), None, 10, None);
    check(query("user=a"), None, 10, None);
    check(json(r#"{"user":"a","limit":null,"cursor":0,"chat":null,"id":1}"#), None, 10, None);
    check(query("user=a&limit=0&cursor=0&other=1"), None, 10, None);
    check(json(r#"{"user":"a","limit":1001,"cursor":7,"chat":"b:a"}"#), Some(7), 1_000, Some("a:b"));
    check(query("chat=b%3Aa&user=a&limit=1001&cursor=7"), Some(7), 1_000, Some("a:b"));
    check(query(&format!("user=a&cursor={MAX}&limit=1")), Some(MAX), 1, None);
    let request = InboxRequest { user: "a".into(), limit: Some(3), cursor: None, chat: Some("a:b".into()) };
    let body = serde_json::to_string(&request).expect("it serializes");
    assert_eq!(body, r#"{"user":"a","limit":3,"chat":"a:b"}"#);
    check(json(&body), None, 3, Some("a:b"));
}

#[test]
fn a_wrong_field_is_named() {
    for (body, code, field) in [
        ("{}", ProblemCode::MissingField, "user"),
        (r#"{"user":null}"#, ProblemCode::MissingField, "user"),
        (r#"{"user":["a"]}"#, ProblemCode::InvalidField, "user"),
        (r#"{"user":"a:b"}"#, ProblemCode::InvalidField, "user"),
        (r#"{"user":"a","user":"a"}"#, ProblemCode::DuplicateField, "user"),
        (r#"{"user":"a","limit":-1}"#, ProblemCode::InvalidField, "limit"),
        (r#"{"user":"a","limit":"1"}"#, ProblemCode::InvalidField, "limit"),
        (r#"{"user":"a","cursor":9007199254740992}"#, ProblemCode::InvalidField, "cursor"),
        (r#"{"user":"a","cursor":1.5}"#, ProblemCode::InvalidField, "cursor"),
        (r#"{"user":"a","chat":"a"}"#, ProblemCode::InvalidField, "chat"),
        (r#"{"user":"c","chat":"a:b"}"#, ProblemCode::NotAMember, "user"),
        (r#"["a"]"#, ProblemCode::InvalidField, "body"),
        ("", ProblemCode::Malformed, "body"),
    ] {
        refused(json(body), code, field);
    }
    for (text, code, field) in [
        ("", ProblemCode::MissingField, "user"),
        ("user=", ProblemCode::InvalidField, "user"),
        ("user=a&user=b", ProblemCode::DuplicateField, "user"),
        ("user=a&x&x", ProblemCode::DuplicateField, "x"),
        ("user=a&limit=", ProblemCode::InvalidField, "limit"),
        ("user=a&limit=-2", ProblemCode::InvalidField, "limit"),
        ("user=a&cursor=9007199254740992", ProblemCode::InvalidField, "cursor"),
        ("user=a&chat=", ProblemCode::InvalidField, "chat"),
        ("user=%f", ProblemCode::Malformed, "query"),
    ] {
        refused(query(text), code, field);
    }
}

fn entry(chat: &str, side: Side, last: Message) -> InboxEntry {
    let at = |seq| Marker { seq: Seq(seq), ts: Ts(9) };
    InboxEntry {
        chat: Chat::parse(chat).expect("valid").0,
        side,
        last: Arc::new(last),
        unread: 4,
        first_seq: Seq(2),
        markers: [
            Markers { delivered: at(8), read: at(7) },
            Markers { delivered: at(6), read: Marker::START },
        ],
    }
}

#[test]
fn an_inbox_is_written_as_the_contract_shows_it() {
    assert_eq!(encode_inbox(&InboxPage::default()), br#"{"chats":[],"unread_total":0}"#);
    let note = Message { chat: Chat::parse("b\"b:b\"b").expect("valid").0, seq: Seq(3), ..message("note") };
    let page = InboxPage {
        entries: vec![
            entry("apple:banana", Side::Second, message("Hello")),
            entry("b\"b:b\"b", Side::First, note),
        ],
        unread_total: 11,
        next: Some(Ts(1_686_404_158_123_456)),
    };
    let json = encode_inbox(&page);
    assert_eq!(
        written(&json),
        concat!(
            r#"{"chats":[{"chat":"apple:banana","peer":"apple","last_message":{"chat":"apple:banana","text":"Hello","#,
            r#""sender":"apple","send_time":1686404158,"seq":1,"ts":1686404158123456},"unread":4,"first_seq":2,"#,
            r#""read":{"apple":7,"banana":0},"delivered":{"apple":8,"banana":6}},"#,
            r#"{"chat":"b\"b:b\"b","peer":"b\"b","last_message":{"chat":"b\"b:b\"b","text":"note","#,
            r#""sender":"b\"b","send_time":1686404158,"seq":3,"ts":1686404158123456},"unread":4,"first_seq":2,"#,
            r#""read":{"b\"b":7},"delivered":{"b\"b":8}}],"#,
            r#""unread_total":11,"has_more":true,"next_cursor":1686404158123456}"#
        )
    );
    let reply: InboxReply<'_> = serde_json::from_slice(&json).expect("it reads back");
    assert_eq!(
        (reply.unread_total, reply.has_more, reply.next_cursor),
        (11, true, Some(1_686_404_158_123_456))
    );
    let [first, second] = &reply.chats[..] else { panic!("two chats: {reply:?}") };
    assert_eq!(
        (&*first.peer, first.unread, first.first_seq, &*first.last_message.text),
        ("apple", 4, 2, "Hello")
    );
    assert_eq!((first.read.get("apple"), first.delivered.get("banana")), (Some(&7), Some(&6)));
    assert_eq!((&*second.chat, &*second.peer, second.read.len()), ("b\"b:b\"b", "b\"b", 1));
}
