//! How the server ends.

use crate::{
    server::Setup,
    store::Stage,
    wire::{get, hello, post, within},
};
use chinwag::lifecycle::RunError;
use chinwag_store::fault::{Fault, FaultyStore};
use std::{sync::Arc, time::Duration};
use tokio::net::TcpStream;

fn staged() -> (Arc<Stage>, Setup) {
    let stage = Stage::new(Setup::memory().store);
    (stage.clone(), Setup::on(stage))
}

#[tokio::test]
async fn health_and_readiness() {
    let server = Setup::embedded().start().await;
    let mut connection = server.connect().await;
    connection.ask(get("/healthz")).await.ok();
    connection.ask(get("/readyz")).await.ok();
    server.app.leave();
    connection.ask(get("/readyz")).await.refused(503, "unavailable", "");
    connection.ask(get("/healthz")).await.ok();
    connection.ask(post("/api/send", hello("still taken"))).await.ok();
    server.app.store().close().await.expect("closed");
    connection.ask(post("/api/send", hello("too late"))).await.refused(503, "unavailable", "");
    connection.ask(get("/healthz")).await.ok();
    server.stop().await;
}

#[tokio::test]
async fn a_drain_answers_what_is_in_flight_and_ends_what_is_idle() {
    let (stage, setup) = staged();
    let server = setup.start().await;
    let mut busy = server.connect().await;
    busy.write(post("/api/send", hello("in flight"))).await;
    stage.arrival().await;
    let mut silent = server.connect().await;
    let mut idle = server.connect().await;
    idle.ask(get("/ping")).await.ok();

    server.trigger.fire();
    idle.ended().await;
    silent.ended().await;
    within("new connections to be refused", async {
        while TcpStream::connect(server.address).await.is_ok() {}
    })
    .await;
    assert!(!stage.is_closed(), "a request still needs the store");
    stage.release(1);
    let reply = busy.reply().await;
    assert_eq!(reply.header("connection"), Some("close"));
    assert_eq!(reply.ok()["text"], "in flight");
    busy.ended().await;
    assert_eq!(server.ended().await, Ok(()));
    assert!(stage.is_closed());
}

/// The first of requests in a row is answered, and its answer outlives the connection.
#[tokio::test]
async fn a_drain_answers_what_is_in_flight_though_more_was_sent() {
    let (stage, setup) = staged();
    let server = setup.start().await;
    let mut busy = server.connect().await;
    busy.write(post("/api/send", hello("in flight"))).await;
    stage.arrival().await;
    // More than the server reads ahead.
    for _ in 0..20 {
        busy.write(post("/api/send", hello(&"too late".repeat(1_000)))).await;
    }
    // By when the server knows of them.
    server.ask(get("/ping")).await.ok();
    server.trigger.fire();
    stage.release(1);
    assert_eq!(busy.reply().await.ok()["text"], "in flight");
    busy.ended().await;
    // No reset has come, which on its way could overtake the answer.
    busy.write(post("/api/send", hello("later still"))).await;
    drop(busy);
    assert_eq!(server.ended().await, Ok(()));
}

#[tokio::test]
async fn a_drain_drops_what_does_not_end_in_time() {
    let (stage, mut setup) = staged();
    setup.life.drain_timeout = Duration::from_millis(50);
    let server = setup.start().await;
    let mut stuck = server.connect().await;
    stuck.write(post("/api/send", hello("stuck"))).await;
    stage.arrival().await;
    server.trigger.fire();
    stuck.ended().await;
    assert_eq!(server.ended().await, Ok(()));
    assert!(stage.is_closed());
}

#[tokio::test]
async fn a_second_signal_ends_at_once() {
    let (stage, setup) = staged();
    let server = setup.start().await;
    let mut stuck = server.connect().await;
    stuck.write(post("/api/send", hello("stuck"))).await;
    stage.arrival().await;
    server.trigger.fire();
    server.trigger.fire();
    assert_eq!(server.ended().await, Err(RunError::Interrupted));
    assert!(!stage.is_closed(), "the end of the process closes it");
}

#[tokio::test]
async fn a_store_that_fails_ends_the_server_after_its_last_replies() {
    for during_drain in [false, true] {
        let (stage, setup) = staged();
        let server = setup.start().await;
        let mut busy = server.connect().await;
        busy.write(post("/api/send", hello("x"))).await;
        stage.arrival().await;
        if during_drain {
            server.trigger.fire();
        }
        stage.fail();
        let reply = busy.reply().await;
        reply.refused(503, "outcome_unknown", "");
        assert!(!String::from_utf8_lossy(&reply.body).contains("secret"));
        assert_eq!(server.ended().await, Err(RunError::StoreFailed("the disk of /secret".into())));
        assert!(!stage.is_closed(), "a failed store is not to be closed");
    }
}

#[tokio::test]
async fn a_store_that_fails_does_not_wait_for_what_hangs() {
    let store = Arc::new(FaultyStore::new(Setup::memory().store));
    store.plan(1, Fault::Delay);
    let stage = Stage::new(store.clone());
    stage.release(1);
    let server = Setup::on(stage.clone()).start().await;
    let mut stuck = server.connect().await;
    stuck.write(post("/api/send", hello("stuck"))).await;
    within("the store to be called", async {
        while store.calls() == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    stage.fail();
    assert_eq!(server.ended().await, Err(RunError::StoreFailed("the disk of /secret".into())));
}
