//! How a connection of HTTP/2 ends.

use super::{
    frames::{Frames, GOAWAY, HEADERS, get as get_frame},
    library::{Http2, get, post},
};
use crate::{
    server::Setup,
    store::Stage,
    tls::Certificate,
    wire::{hello, within},
};
use std::time::Duration;

#[tokio::test]
async fn a_drain_says_so_and_answers_what_is_in_flight() {
    let certificate = Certificate::new();
    let stage = Stage::new(Setup::memory().store);
    let server = Setup::on(stage.clone()).with(&certificate).start().await;
    let mut busy = Http2::open(&certificate, &server).await;
    busy.ask(get("/ping")).await.ok();
    let in_flight = tokio::spawn(busy.sender.send_request(post("/api/send", hello("in flight"))));
    stage.arrival().await;
    let mut watching = Frames::open(&certificate, &server, &[]).await;
    assert_eq!(watching.ask(1, "/ping").await, 200);
    server.trigger.fire();
    assert_eq!(watching.until(GOAWAY, 0).await.code(), 0);
    drop(watching);
    stage.release(1);
    let reply = within("the reply", in_flight).await.expect("no panic").expect("a reply");
    assert_eq!(super::library::whole(reply).await.ok()["text"], "in flight");
    within("the connection to end", busy.connection).await.expect("no panic").expect("in order");
    assert_eq!(server.ended().await, Ok(()));
}

#[tokio::test]
async fn a_drain_drops_what_does_not_end_in_time() {
    let certificate = Certificate::new();
    let stage = Stage::new(Setup::memory().store);
    let mut setup = Setup::on(stage.clone()).with(&certificate);
    setup.life.drain_timeout = Duration::from_millis(50);
    let server = setup.start().await;
    let mut stuck = Http2::open(&certificate, &server).await;
    stuck.ask(get("/ping")).await.ok();
    let in_flight = tokio::spawn(stuck.sender.send_request(post("/api/send", hello("stuck"))));
    stage.arrival().await;
    server.trigger.fire();
    within("the reply", in_flight).await.expect("no panic").expect_err("the connection is dropped");
    assert_eq!(server.ended().await, Ok(()));
}

#[tokio::test]
async fn an_idle_connection_is_ended_and_one_with_a_stream_is_not() {
    let certificate = Certificate::new();
    let stage = Stage::new(Setup::memory().store);
    let mut setup = Setup::on(stage.clone()).with(&certificate);
    setup.life.idle_timeout = Duration::from_millis(50);
    let server = setup.start().await;
    let mut busy = Frames::open(&certificate, &server, &[]).await;
    busy.write(get_frame(1, "/api/events?user=apple")).await;
    assert_eq!(busy.until(HEADERS, 1).await.status(), 200);
    for used in [false, true] {
        let mut idle = Frames::open(&certificate, &server, &[]).await;
        if used {
            assert_eq!(idle.ask(1, "/ping").await, 200);
        }
        // The client says nothing to that, and is not waited for.
        assert_eq!(idle.farewell().await, Some(0));
    }
    assert_eq!(busy.ask(3, "/ping").await, 200, "it was there before they came");
    drop(busy);
    server.stop().await;
}

#[tokio::test]
async fn a_silent_client_is_asked_and_then_dropped() {
    let certificate = Certificate::new();
    let mut setup = Setup::memory().with(&certificate);
    setup.life.ping_interval = Duration::from_millis(50);
    setup.life.write_timeout = Duration::from_millis(50);
    let server = setup.start().await;
    let mut frames = Frames::open(&certificate, &server, &[]).await;
    frames.write(get_frame(1, "/api/events?user=apple")).await;
    frames.until(super::frames::PING, 0).await;
    frames.farewell().await;
    server.stop().await;
}

#[tokio::test]
async fn where_there_is_no_room_an_idle_connection_leaves_and_one_with_a_stream_does_not() {
    let certificate = Certificate::new();
    let mut setup = Setup::memory().with(&certificate);
    setup.life.connections_max = 2;
    let server = setup.start().await;
    let mut busy = Frames::open(&certificate, &server, &[]).await;
    busy.write(get_frame(1, "/api/events?user=apple")).await;
    assert_eq!(busy.until(HEADERS, 1).await.status(), 200);
    let mut idle = Frames::open(&certificate, &server, &[]).await;
    assert_eq!(idle.ask(1, "/ping").await, 200);
    let mut newcomer = Frames::open(&certificate, &server, &[]).await;
    idle.farewell().await;
    assert_eq!(newcomer.ask(1, "/ping").await, 200);
    assert_eq!(busy.ask(3, "/ping").await, 200);
    drop((busy, newcomer));
    server.stop().await;
}
