//! A user's feed over HTTP/2: a stream that goes on, and a poll.

use super::library::{Http2, get, post, request};
use crate::{
    server::Setup,
    tls::Certificate,
    wire::{hello, within},
};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use std::time::Duration;

/// Reads events up to the one of this type; its block of lines.
async fn until(body: &mut Incoming, text: &mut String, kind: &str) -> String {
    let start = format!("event: {kind}\n");
    loop {
        while let Some(end) = text.find("\n\n") {
            let block: String = text.drain(..end + 2).collect();
            if block.starts_with(&start) {
                return block;
            }
        }
        let frame = within("an event", body.frame()).await.expect("the stream goes on").expect("no error");
        *text += std::str::from_utf8(&frame.into_data().expect("data")).expect("UTF-8");
    }
}

#[tokio::test]
async fn events_that_are_gone_on_with() {
    let certificate = Certificate::new();
    let server = Setup::memory().with(&certificate).start().await;
    let mut http2 = Http2::open(&certificate, &server).await;
    let mut events = http2.begin(get("/api/events?user=banana")).await;
    assert_eq!(events.status(), 200);
    assert_eq!(events.headers()["content-type"], "text/event-stream");
    assert!(events.headers().get("connection").is_none());
    let mut text = String::new();
    until(events.body_mut(), &mut text, "ready").await;
    http2.ask(post("/api/send", hello("first"))).await.ok();
    let first = until(events.body_mut(), &mut text, "message").await;
    let id = first.lines().find_map(|line| line.strip_prefix("id: ")).expect("an id").to_owned();
    drop(events);
    // The stream is gone, the connection is not.
    http2.ask(post("/api/send", hello("missed"))).await.ok();
    let mut again =
        http2.begin(request("GET /api/events?user=banana", &[&format!("Last-Event-ID: {id}")], "")).await;
    let missed = until(again.body_mut(), &mut text, "message").await;
    assert!(missed.contains("missed"), "{missed}");
    assert!(until(again.body_mut(), &mut text, "ready").await.contains("\"recovered\":true"));
    server.trigger.fire();
    let last = until(again.body_mut(), &mut text, "close").await;
    assert!(last.contains("1012"), "{last}");
    let rest = within("the end", again.body_mut().collect()).await.expect("in order").to_bytes();
    assert!(rest.is_empty() && text.is_empty(), "{rest:?} {text:?}");
    drop((again, http2));
    assert_eq!(server.ended().await, Ok(()));
}

#[tokio::test]
async fn a_poll_is_answered_by_what_happens_and_ends_with_its_stream() {
    let certificate = Certificate::new();
    let mut setup = Setup::memory().with(&certificate);
    setup.hub.presence_grace = Duration::ZERO;
    let server = setup.start().await;
    let mut http2 = Http2::open(&certificate, &server).await;
    let since = http2.ask(get("/api/poll?user=banana")).await.ok()["since"].clone();
    let path = format!("/api/poll?user=banana&timeout=600&since={}", since.as_str().expect("an id"));
    let mut other = Http2::open(&certificate, &server).await;
    let mut online = async |expected: bool| {
        within("the user to come or go", async {
            while other.ask(get("/api/presence?user=banana")).await.ok()["users"]["banana"]["online"]
                != expected
            {}
        })
        .await;
    };
    let poll = tokio::spawn(http2.sender.send_request(get(&path)));
    online(true).await;
    poll.abort();
    let _aborted = poll.await;
    online(false).await;
    let poll = tokio::spawn(http2.sender.send_request(get(&path)));
    online(true).await;
    http2.ask(post("/api/send", hello("wake up"))).await.ok();
    let reply = within("the poll", poll).await.expect("no panic").expect("a reply");
    let reply = super::library::whole(reply).await.ok();
    assert_eq!(reply["events"][0]["message"]["text"], "wake up");
    drop((http2, other));
    server.stop().await;
}
