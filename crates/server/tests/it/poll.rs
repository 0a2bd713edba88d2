//! A feed by long poll.

use crate::{
    server::{Server, Setup},
    wire::{get, hello, post, within},
};
use serde_json::{Value, json};
use std::time::Duration;

async fn poll(server: &Server, query: &str) -> Value {
    server.ask(get(&format!("/api/poll?{query}"))).await.ok()
}

/// Where the feed of `banana` stands.
async fn place(server: &Server) -> String {
    let reply = poll(server, "user=banana&timeout=60").await;
    assert_eq!(
        (&reply["events"], &reply["recovered"]),
        (&json!([]), &json!(true)),
        "at once, though it may wait"
    );
    reply["since"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn what_is_there_is_answered_at_once_and_whole() {
    for setup in Setup::each() {
        let server = setup.start().await;
        let start = place(&server).await;
        for text in ["one", "two"] {
            server.ask(post("/api/send", hello(text))).await.ok();
        }
        let reply = poll(&server, &format!("user=banana&since={start}&timeout=60")).await;
        let texts: Vec<_> = reply["events"]
            .as_array()
            .expect("events")
            .iter()
            .map(|event| &event["message"]["text"])
            .collect();
        assert_eq!(texts, ["one", "two"]);
        assert_eq!(reply["since"], reply["events"][1]["id"], "{reply}");
        assert_eq!(reply["recovered"], true);
        let since = reply["since"].as_str().expect("an id");
        let next = poll(&server, &format!("user=banana&since={since}&timeout=0")).await;
        assert_eq!((&next["events"], &next["since"]), (&json!([]), &reply["since"]));
        server.stop().await;
    }
}

#[tokio::test]
async fn else_the_first_event_is_waited_for() {
    let server = Setup::memory().start().await;
    let start = place(&server).await;
    let mut waiting = server.connect().await;
    waiting.write(get(&format!("/api/poll?user=banana&since={start}&timeout=60"))).await;
    within("the poll to be there", async {
        let mut connection = server.connect().await;
        let online = get("/api/presence?user=banana");
        while connection.ask(&online).await.ok()["users"]["banana"]["online"] == false {}
    })
    .await;
    server.ask(post("/api/send", hello("now"))).await.ok();
    let reply = waiting.reply().await;
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let reply = reply.ok();
    assert_eq!(reply["events"][0]["message"]["text"], "now");
    // The connection takes another.
    let since = reply["since"].as_str().expect("an id");
    waiting.write(get(&format!("/api/poll?user=banana&since={since}&timeout=1"))).await;
    let reply = waiting.reply().await.ok();
    assert_eq!((&reply["events"], reply["since"].as_str()), (&json!([]), Some(since)));
    drop(waiting);
    server.stop().await;
}

#[tokio::test]
async fn another_life_of_the_store_can_not_be_told() {
    let server = Setup::memory().start().await;
    let start = place(&server).await;
    server.ask(post("/api/send", hello("x"))).await.ok();
    let digit = if start.starts_with('0') { "1" } else { "0" };
    let other = format!("{digit}{}", &start[1..]);
    let reply = poll(&server, &format!("user=banana&since={other}&timeout=60")).await;
    assert_eq!((&reply["events"], &reply["recovered"]), (&json!([]), &json!(false)));
    assert_ne!(reply["since"], start, "from there it goes on");
    server.stop().await;
}

#[tokio::test]
async fn an_answer_is_bounded_and_the_rest_comes_next() {
    let server = Setup::memory().start().await;
    let start = place(&server).await;
    let mut connection = server.connect().await;
    for _ in 0..100 {
        connection.ask(post("/api/send", hello(&"x".repeat(16_000)))).await.ok();
    }
    let (mut since, mut seq, mut replies) = (start, 0, 0);
    while seq < 100 {
        let reply = connection.ask(get(&format!("/api/poll?user=banana&since={since}&timeout=60"))).await;
        assert!(reply.body.len() < 1_100_000);
        let reply = reply.ok();
        for event in reply["events"].as_array().expect("events") {
            seq += 1;
            assert_eq!(event["message"]["seq"], seq);
        }
        since = reply["since"].as_str().expect("an id").to_owned();
        replies += 1;
    }
    assert_eq!(replies, 2);
    drop(connection);
    server.stop().await;
}

#[tokio::test]
async fn a_poll_that_is_replaced_is_told_and_one_at_the_end_is_answered() {
    let mut setup = Setup::memory();
    setup.hub.sessions_per_user_max = 1;
    setup.life.drain_timeout = Duration::from_mins(10);
    let server = setup.start().await;
    let start = place(&server).await;
    let waits = get(&format!("/api/poll?user=banana&since={start}&timeout=60"));
    let mut first = server.connect().await;
    first.write(&waits).await;
    within("the first to be there", async {
        let mut connection = server.connect().await;
        let online = get("/api/presence?user=banana");
        while connection.ask(&online).await.ok()["users"]["banana"]["online"] == false {}
    })
    .await;
    let mut second = server.connect().await;
    second.write(&waits).await;
    first.reply().await.refused(409, "replaced", "");
    server.trigger.fire();
    let reply = second.reply().await.ok();
    assert_eq!((&reply["events"], reply["since"].as_str()), (&json!([]), Some(&*start)));
    drop((first, second));
    assert_eq!(server.ended().await, Ok(()));
}
