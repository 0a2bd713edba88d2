//! The end of a user's sessions by another than the user, and the bounds over all sessions.

use crate::{
    server::{NOW, Setup},
    socket::Socket,
    store::Stage,
    wire::{get, post, within},
};
use chinwag::metrics::Format;
use chinwag_model::{ManualClock, UserId};
use chinwag_store::memory::MemoryStore;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

const END: &str = r#"{"user":"apple"}"#;

#[tokio::test]
async fn all_sessions_of_a_user_end_on_each_face_and_nobody_elses() {
    let server = Setup::memory().start().await;
    let mut socket = Socket::open(&server, "user=apple").await;
    socket.expect("ready").await;
    let mut other = Socket::open(&server, "user=banana").await;
    other.expect("ready").await;
    let mut stream = server.connect().await;
    stream.write(get("/api/events?user=apple")).await;
    assert_eq!(stream.head().await.status, 200);
    let place = server.ask(get("/api/poll?user=apple")).await.ok()["since"].clone();
    let mut poll = server.connect().await;
    poll.write(get(&format!("/api/poll?user=apple&since={}&timeout=60", place.as_str().expect("an id"))))
        .await;
    // The poll is a session once it is there.
    let mut ended = 0;
    while ended < 3 {
        ended += server.ask(post("/api/sessions/end", END)).await.ok()["ended"].as_u64().expect("a number");
    }
    assert_eq!((ended, socket.closed().await), (3, 4403));
    let mut told = String::new();
    while let Some(byte) = stream.take(1).await {
        told.push(char::from(byte[0]));
    }
    assert!(told.contains("event: close\ndata: {\"code\":4403}"), "{told}");
    poll.reply().await.refused(403, "session_ended", "");
    assert_eq!(server.ask(post("/api/sessions/end", END)).await.ok(), json!({"ended": 0}));
    // Whoever may come back does.
    let mut again = Socket::open(&server, "user=apple").await;
    again.expect("ready").await;
    let reply = again.ask(r#"{"id":1,"op":"end_sessions","user":"banana"}"#).await;
    assert_eq!(reply["body"], json!({"ended": 1}));
    assert_eq!(other.closed().await, 4403);
    server.ask(post("/api/sessions/end", r#"{"user":"a:b"}"#)).await.refused(400, "invalid_field", "user");
    server.stop_with(again).await;
}

/// Whenever the sessions that an erasure ended are closed, and although each is told as the user's last farewell else.
#[tokio::test]
async fn an_erased_user_was_never_seen_until_there_is_a_new_one() {
    let mut setup = Setup::memory();
    setup.hub.presence_grace = Duration::ZERO;
    let server = setup.start().await;
    let seen = async || server.ask(get("/api/presence?user=apple")).await.ok()["users"]["apple"].clone();
    let away = json!({"online": false});
    let presence = |told: &Value| (told["online"].clone(), told.get("last_seen").is_some());
    let mut watcher = Socket::open(&server, "user=banana&watch=apple").await;
    watcher.expect("ready").await;
    assert_eq!(presence(&watcher.expect("presence").await), (false.into(), false));
    // One that left before, and two that are there when the user is erased.
    drop(Socket::open(&server, "user=apple").await);
    assert_eq!(presence(&watcher.expect("presence").await), (true.into(), false));
    assert_eq!(presence(&watcher.expect("presence").await), (false.into(), true));
    let mut first = Socket::open(&server, "user=apple").await;
    let second = Socket::open(&server, "user=apple").await;
    assert_eq!(presence(&watcher.expect("presence").await), (true.into(), false));

    let user = UserId::parse("user", "apple").expect("a name");
    assert!(server.app.erase(&user, false).await.expect("a store that works").done);
    assert_eq!(seen().await, away, "at once");
    assert_eq!(
        presence(&watcher.expect("presence").await),
        (false.into(), false),
        "and whoever watches is told"
    );
    assert_eq!(first.closed().await, 4403);
    drop((first, second));
    within("the sessions to be closed", async {
        let one = r#"chinwag_sessions{face="websocket"} 1.0"#;
        while !server.app.snapshot().await.text(Format::Prometheus).lines().any(|line| line == one) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(seen().await, away, "and it stays so");

    drop(Socket::open(&server, "user=apple").await);
    assert_eq!(presence(&watcher.expect("presence").await), (true.into(), false));
    assert_eq!(presence(&watcher.expect("presence").await), (false.into(), true));
    assert_eq!(seen().await["last_seen"], NOW.0, "of the new one");
    server.stop_with(watcher).await;
}

#[tokio::test]
async fn one_user_too_many_to_watch_is_refused() {
    let mut setup = Setup::memory();
    setup.hub.watches_max_users = 3;
    let server = setup.start().await;
    let mut first = Socket::open(&server, "user=apple&watch=a&watch=b").await;
    first.expect("ready").await;
    server.ask(get("/api/events?user=banana&watch=c&watch=d")).await.refused(503, "overloaded", "");
    let mut second = Socket::open(&server, "user=banana&watch=c").await;
    second.expect("ready").await;
    let mut third = Socket::open(&server, "user=cherry").await;
    third.expect("ready").await;
    drop((first, second));
    server.stop_with(third).await;
}

/// Not even who asks is looked at, nor what.
#[tokio::test]
async fn what_could_not_be_taken_is_refused_before_it_is_read() {
    let stage = Stage::new(Arc::new(MemoryStore::new(Arc::new(ManualClock::at(NOW)))));
    let server = Setup::on(stage.clone()).start().await;
    server.ask(post("/api/send", "no JSON")).await.refused(400, "malformed_json", "body");
    stage.fill();
    for path in ["send", "read", "delivered", "edit", "unsend", "react", "block", "unblock"] {
        let refused = server.ask(post(&format!("/api/{path}"), "no JSON")).await;
        refused.refused(503, "overloaded", "");
        assert_eq!(
            (refused.header("retry-after"), refused.json()["retry_after"].as_u64()),
            (Some("3"), Some(3))
        );
    }
    server.ask(get("/api/pull?chat=apple:banana")).await.ok();
    server.stop().await;
}
