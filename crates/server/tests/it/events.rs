//! A feed as Server-Sent Events.

use crate::{
    server::Setup,
    socket::until_offline,
    stream::Stream,
    wire::{get, hello, post, within},
};
use serde_json::json;
use std::time::Duration;

const SHORT: Duration = Duration::from_millis(50);

#[tokio::test]
async fn a_stream_tells_what_happens() {
    for setup in Setup::each() {
        let server = setup.start().await;
        let mut stream = Stream::open(&server, "user=banana&watch=apple", &[]).await;
        for (header, value) in [
            ("content-type", "text/event-stream"),
            ("cache-control", "no-store"),
            ("x-accel-buffering", "no"),
        ] {
            assert_eq!(stream.reply.header(header), Some(value));
        }
        let ready = stream.expect("ready").await;
        assert_eq!(ready.data["recovered"], true);
        let presence = stream.expect("presence").await.data;
        assert_eq!((&presence["user"], &presence["online"]), (&json!("apple"), &json!(false)));
        server.ask(post("/api/send", hello("line\none"))).await.ok();
        let message = stream.expect("message").await;
        assert_eq!(message.data["message"]["text"], "line\none");
        assert!(message.id > ready.id);
        let typing = post("/api/typing", r#"{"chat":"apple:banana","user":"apple"}"#);
        assert_eq!(server.ask(typing).await.status, 204);
        assert_eq!(stream.expect("typing").await.id, None);
        server.trigger.fire();
        assert_eq!(stream.closed().await, 1012);
        assert_eq!(server.ended().await, Ok(()));
    }
}

#[tokio::test]
async fn a_stream_goes_on_after_the_last_id_which_wins_over_since() {
    let server = Setup::memory().start().await;
    let mut stream = Stream::open(&server, "user=apple", &[]).await;
    let start = stream.expect("ready").await.id.expect("an id");
    for text in ["one", "two", "three"] {
        server.ask(post("/api/send", hello(text))).await.ok();
    }
    let first = stream.expect("message").await.id.expect("an id");
    drop(stream);
    let since = format!("user=apple&since={start}");
    let header = format!("Last-Event-ID: {first}");
    for (query, headers, texts) in [
        (since.as_str(), &[][..], &["one", "two", "three"][..]),
        (&since, &[header.as_str()], &["two", "three"]),
        ("user=apple", &[&header], &["two", "three"]),
        ("user=apple", &[], &[]),
    ] {
        let mut stream = Stream::open(&server, query, headers).await;
        for text in texts {
            assert_eq!(stream.expect("message").await.data["message"]["text"], *text);
        }
        assert_eq!(stream.expect("ready").await.data["recovered"], true);
    }
    server.stop().await;
}

#[tokio::test]
async fn a_silent_stream_carries_comments() {
    let mut setup = Setup::memory();
    setup.http.heartbeat = SHORT;
    // A stream is no idle connection.
    setup.life.idle_timeout = SHORT;
    let server = setup.start().await;
    let mut stream = Stream::open(&server, "user=apple", &[]).await;
    stream.expect("ready").await;
    for _ in 0..5 {
        assert!(stream.block().await.expect("the stream goes on").is_comment);
    }
    server.trigger.fire();
    assert_eq!(stream.closed().await, 1012);
    assert_eq!(server.ended().await, Ok(()));
}

#[tokio::test]
async fn a_client_that_goes_ends_its_session_at_once() {
    let mut setup = Setup::memory();
    setup.hub.presence_grace = Duration::ZERO;
    let server = setup.start().await;
    let mut stream = Stream::open(&server, "user=apple", &[]).await;
    stream.expect("ready").await;
    drop(stream);
    until_offline(&server, "apple").await;
    let mut poll = server.connect().await;
    poll.write(get("/api/poll?user=apple")).await;
    let since = poll.reply().await.ok()["since"].as_str().expect("an id").to_owned();
    poll.write(get(&format!("/api/poll?user=apple&since={since}&timeout=60"))).await;
    within("the poll to be there", async {
        let mut connection = server.connect().await;
        let online = get("/api/presence?user=apple");
        while connection.ask(&online).await.ok()["users"]["apple"]["online"] == false {}
    })
    .await;
    drop(poll);
    until_offline(&server, "apple").await;
    server.stop().await;
}

#[tokio::test]
async fn one_session_too_many_replaces_the_oldest() {
    let mut setup = Setup::memory();
    setup.hub.sessions_per_user_max = 1;
    let server = setup.start().await;
    let mut first = Stream::open(&server, "user=apple", &[]).await;
    first.expect("ready").await;
    let mut second = Stream::open(&server, "user=apple", &[]).await;
    second.expect("ready").await;
    assert_eq!(first.closed().await, 4409);
    server.trigger.fire();
    assert_eq!(second.closed().await, 1012);
    assert_eq!(server.ended().await, Ok(()));
}

#[tokio::test]
async fn a_slow_reader_is_told_that_it_fell_behind() {
    let server = Setup::memory().start().await;
    let mut stream = Stream::open(&server, "user=banana", &[]).await;
    stream.expect("ready").await;
    let mut connection = server.connect().await;
    let text = "x".repeat(16_000);
    for _ in 0..1_000 {
        connection.ask(post("/api/send", hello(&text))).await.ok();
    }
    assert_eq!(stream.closed().await, 4408);
    server.stop().await;
}
