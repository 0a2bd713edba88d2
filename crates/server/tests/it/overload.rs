//! Clients that were told to come back later, and do not wait.

use crate::{
    server::{NOW, Setup},
    store::Stage,
    wire::{Connection, get, post},
};
use chinwag_model::ManualClock;
use chinwag_peer::{Forwarding, Networks};
use chinwag_store::memory::MemoryStore;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// What `Retry-After` says at least.
const WAIT: Duration = Duration::from_secs(1);
const HELLO: &str = r#"{"chat":"apple:banana","text":"hello","sender":"apple"}"#;

fn stage() -> Arc<Stage> {
    Stage::new(Arc::new(MemoryStore::new(Arc::new(ManualClock::at(NOW)))))
}

async fn refused(connection: &mut Connection) {
    connection.reply().await.refused(503, "overloaded", "");
}

#[tokio::test]
async fn who_asks_again_and_again_at_once_is_not_listened_to_for_a_while() {
    let stage = stage();
    let server = Setup::on(stage.clone()).start().await;
    let mut connection = server.connect().await;
    stage.fill();
    let start = Instant::now();
    for _ in 0..2 {
        connection.write(post("/api/send", HELLO)).await;
        refused(&mut connection).await;
    }
    // There is a place again, but not for whoever could not wait.
    stage.shed();
    connection.write(post("/api/send", HELLO)).await;
    refused(&mut connection).await;
    assert!(start.elapsed() >= WAIT, "{:?}", start.elapsed());
    // What is never refused is served at last, and then it is a client as any other.
    connection.ask(get("/api/pull?chat=apple:banana")).await.ok();
    assert!(start.elapsed() >= 2 * WAIT, "{:?}", start.elapsed());
    stage.release(1);
    connection.ask(post("/api/send", HELLO)).await.ok();
    drop(connection);
    server.stop().await;
}

#[tokio::test]
async fn one_refusal_among_others_holds_nobody() {
    let stage = stage();
    let server = Setup::on(stage.clone()).start().await;
    stage.fill();
    let mut connection = server.connect().await;
    let start = Instant::now();
    for _ in 0..30 {
        connection.write(post("/api/send", HELLO)).await;
        refused(&mut connection).await;
        connection.ask(get("/api/pull?chat=apple:banana")).await.ok();
    }
    // Held from the second on, it would have taken 29 times as long.
    assert!(start.elapsed() < 28 * WAIT, "each was held");
    drop(connection);
    server.stop().await;
}

/// Its next request is another's, who was told nothing.
#[tokio::test]
async fn a_connection_of_a_proxy_is_always_listened_to() {
    let stage = stage();
    let mut setup = Setup::on(stage.clone());
    setup.http.forwarding =
        Forwarding { proxies: Networks::read(["127.0.0.1"]).expect("an address"), ..Forwarding::default() };
    let server = setup.start().await;
    stage.fill();
    let mut connection = server.connect().await;
    let start = Instant::now();
    for _ in 0..30 {
        connection.write(post("/api/send", HELLO)).await;
        refused(&mut connection).await;
    }
    assert!(start.elapsed() < 28 * WAIT, "each was held");
    drop(connection);
    server.stop().await;
}
