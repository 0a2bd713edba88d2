use crate::{message, written};
use chinwag_model::{
    Chat, Epoch, Event, FeedId, Marked, Marker, MarkerKind, Presence, Seq, Side, Ts, UserId,
};
use chinwag_wire::{PollReply, WireEvent, encode_event, encode_poll, encode_ready, event_name};
use std::sync::Arc;

const TS: u64 = 1_686_404_158_123_456;
const EPOCH: Epoch = Epoch(7);
/// The id that all events of these tests have.
const ID: &str = "0000000000000007-05fdc690caedc0";

fn chat() -> Chat {
    Chat::parse("b\"b:apple").expect("valid").0
}

fn marked(kind: MarkerKind) -> Event {
    Event::Marker(Marked {
        chat: chat(),
        side: Side::Second,
        kind,
        marker: Marker { seq: Seq(5), ts: Ts(TS) },
    })
}

fn check(event: &Event, expected: &str) {
    let json = encode_event(event, EPOCH);
    assert_eq!(written(&json), expected.replace("\"ID\"", &format!("\"{ID}\"")));
    assert!(expected.starts_with(&format!(r#"{{"type":"{}""#, event_name(event))));
}

#[test]
fn an_id_names_its_epoch_and_its_time() {
    assert_eq!(FeedId { epoch: EPOCH, ts: Ts(TS) }.to_string(), ID);
}

#[test]
fn every_event_is_one_line_and_reads_back() {
    let text = Event::Message(Arc::new(message("two\nlines")));
    check(
        &text,
        concat!(
            r#"{"type":"message","id":"ID","message":{"chat":"apple:banana","text":"two\nlines","#,
            r#""sender":"apple","send_time":1686404158,"seq":1,"ts":1686404158123456}}"#
        ),
    );
    let tail = r#""id":"ID","chat":"apple:b\"b","user":"b\"b","seq":5,"ts":1686404158123456}"#;
    check(&marked(MarkerKind::Read), &format!(r#"{{"type":"read",{tail}"#));
    check(&marked(MarkerKind::Delivered), &format!(r#"{{"type":"delivered",{tail}"#));
    let typing = Event::Typing { chat: chat(), by: Side::First };
    check(&typing, r#"{"type":"typing","chat":"apple:b\"b","user":"apple"}"#);
    let presence = |online, last_seen| {
        Event::Presence(Presence { user: UserId::parse("user", "b\"b").expect("valid"), online, last_seen })
    };
    check(&presence(true, None), r#"{"type":"presence","user":"b\"b","online":true}"#);
    check(
        &presence(false, Some(Ts(TS))),
        r#"{"type":"presence","user":"b\"b","online":false,"last_seen":1686404158123456}"#,
    );

    let read_back = |event: &Event| {
        let json = encode_event(event, EPOCH);
        let read = WireEvent::parse(written(&json)).expect("it reads back");
        let id = event.ts().map(|_| ID);
        assert_eq!(read.id(), id);
        format!("{read:?}")
    };
    assert!(read_back(&text).contains(r#"text: "two\nlines""#));
    assert_eq!(
        read_back(&marked(MarkerKind::Read)),
        format!(
            r#"Read(MarkEvent {{ id: "{ID}", chat: "apple:b\"b", user: "b\"b", seq: 5, ts: 1686404158123456 }})"#
        )
    );
    assert!(read_back(&marked(MarkerKind::Delivered)).starts_with("Delivered("));
    assert_eq!(read_back(&typing), r#"Typing(TypingEvent { chat: "apple:b\"b", user: "apple" })"#);
    assert_eq!(
        read_back(&presence(false, Some(Ts(TS)))),
        r#"Presence(PresenceEvent { user: "b\"b", online: false, last_seen: Some(1686404158123456) })"#
    );
}

#[test]
fn ready_says_where_the_stream_stands() {
    let json = encode_ready(FeedId { epoch: EPOCH, ts: Ts(TS) }, false);
    assert_eq!(written(&json), format!(r#"{{"type":"ready","id":"{ID}","recovered":false}}"#));
    let read = WireEvent::parse(written(&json)).expect("it reads back");
    assert!(matches!(&read, WireEvent::Ready(ready) if ready.id == ID && !ready.recovered), "{read:?}");
    let json = encode_ready(FeedId { epoch: EPOCH, ts: Ts(0) }, true);
    assert_eq!(written(&json), r#"{"type":"ready","id":"0000000000000007-00000000000000","recovered":true}"#);
}

#[test]
fn a_poll_holds_the_same_events() {
    let since = FeedId { epoch: EPOCH, ts: Ts(TS) };
    let none: [Vec<u8>; 0] = [];
    assert_eq!(
        written(&encode_poll(&none, since, true)),
        format!(r#"{{"events":[],"since":"{ID}","recovered":true}}"#)
    );
    let events = [
        encode_event(&marked(MarkerKind::Read), EPOCH),
        encode_event(&Event::Typing { chat: chat(), by: Side::First }, EPOCH),
    ];
    let json = encode_poll(&events, since, false);
    assert_eq!(
        written(&json),
        format!(
            r#"{{"events":[{},{}],"since":"{ID}","recovered":false}}"#,
            written(&events[0]),
            written(&events[1])
        )
    );
    let reply: PollReply<'_> = serde_json::from_slice(&json).expect("it reads back");
    assert_eq!((&*reply.since, reply.recovered), (ID, false));
    assert!(matches!(&reply.events[..], [WireEvent::Read(_), WireEvent::Typing(_)]), "{reply:?}");
}

#[test]
fn what_a_newer_server_tells_is_no_error_and_what_is_no_event_is() {
    for (json, id) in [
        (r#"{"type":"later","id":"x","seq":"not what seq is elsewhere","message":7}"#, Some("x")),
        (r#"{"seq":1,"type":"poke"}"#, None),
    ] {
        let event = WireEvent::parse(json).expect("tolerated");
        assert!(matches!(event, WireEvent::Unknown { .. }), "{event:?}");
        assert_eq!(event.id(), id);
    }
    let more = r#"{"type":"typing","chat":"a:b","user":"a","more":[1]}"#;
    assert!(matches!(WireEvent::parse(more), Ok(WireEvent::Typing(_))));
    for bad in
        ["", "[]", "{}", r#"{"type":7}"#, r#"{"type":"read","id":"x"}"#, r#"{"type":"typing","chat":"a:b"}"#]
    {
        assert!(WireEvent::parse(bad).is_err(), "{bad}");
    }
}
