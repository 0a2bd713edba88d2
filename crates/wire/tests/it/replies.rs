use crate::message;
use chinwag_model::{Data, Message, Page, Place, Reaction, Revision, SendKey, Seq, Side, Spelling, Ts};
use chinwag_wire::{PullReply, WireMessage, encode_message, encode_page};
use proptest::prelude::*;
use std::sync::Arc;

fn check(message: &Message, spelling: Spelling, expected: &str) {
    let json = encode_message(message, spelling);
    assert_eq!(str::from_utf8(&json), Ok(expected));
    serde_json::from_slice::<WireMessage<'_>>(&json).expect("it reads back");
}

#[test]
fn a_message_is_written_as_the_contract_shows_it() {
    let plain = message("Hello how are you?");
    let json = r#"{"chat":"apple:banana","text":"Hello how are you?","sender":"apple","send_time":1686404158,"seq":1,"ts":1686404158123456}"#;
    check(&plain, Spelling::Canonical, json);
    check(&plain, Spelling::Swapped, &json.replace("apple:banana", "banana:apple"));
    let full = Message {
        sender: Side::Second,
        key: Some(SendKey::parse(r#"k"\"#).expect("valid")),
        data: Some(Data::from_compact(r#"{"a":[1,"é"]}"#).expect("small")),
        revision: Some(Box::new(Revision {
            ts: Ts(3),
            edited_ts: Some(Ts(2)),
            unsent: false,
            reactions: [("👍", Side::Second), ("🎉", Side::First), ("👍", Side::First)]
                .map(|(emoji, by)| Reaction { emoji: emoji.into(), by })
                .into(),
            first_digest: None,
        })),
        ..message("\"\\\n\u{7f}\u{2028}")
    };
    check(
        &full,
        Spelling::Canonical,
        concat!(
            r#"{"chat":"apple:banana","text":"\"\\\n"#,
            "\u{7f}\u{2028}",
            r#"","sender":"banana","send_time":1686404158,"seq":1,"ts":1686404158123456,"key":"k\"\\","#,
            r#""data":{"a":[1,"é"]},"edited_ts":2,"reactions":{"👍":["banana","apple"],"🎉":["apple"]}}"#
        ),
    );
}

#[test]
fn a_page_says_whether_more_is_left_and_nothing_else() {
    assert_eq!(encode_page(&Page::default(), Spelling::Canonical), br#"{"messages":[]}"#);
    let messages = vec![Arc::new(message("1")), Arc::new(Message { seq: Seq(2), ..message("2") })];
    let last = Page { messages: messages.clone(), next: None };
    let json = encode_page(&last, Spelling::Swapped);
    let keys: serde_json::Value = serde_json::from_slice(&json).expect("JSON");
    assert_eq!(keys.as_object().expect("an object").len(), 1);
    let more = Page { messages, next: Some(Place::after(Seq(2))) };
    let json = encode_page(&more, Spelling::Swapped);
    let reply: PullReply<'_> = serde_json::from_slice(&json).expect("it reads back");
    assert_eq!((reply.has_more, reply.next_cursor), (true, Some(2)));
    let seen: Vec<_> =
        reply.messages.iter().map(|message| (&*message.chat, message.seq, &*message.text)).collect();
    assert_eq!(seen, [("banana:apple", 1, "1"), ("banana:apple", 2, "2")]);
}

proptest! {
    #[test]
    fn any_text_reads_back(text in "(\\PC|[\\x01-\\x7f]){0,200}") {
        let json = encode_message(&message(&text), Spelling::Canonical);
        let read: WireMessage<'_> = serde_json::from_slice(&json).expect("JSON");
        prop_assert_eq!(read.text, text);
    }
}
