//! What a connection may take its time with, and what not.

use crate::{
    raw::{Raw, request},
    server::{Server, Setup, memory},
};
use std::time::Duration;

const SHORT: Duration = Duration::from_millis(50);
const JSON: &str = "Content-Type: application/json";

#[tokio::test]
async fn a_slow_head_is_cut_off() {
    let mut setup = Setup::on(memory());
    setup.life.head_timeout = SHORT;
    let server = setup.start().await;
    let mut raw = server.connect().await;
    raw.write(b"GET /ping HTTP/1.1\r\nHost: loc").await;
    raw.closed().await;
    // Also that of a later request.
    let mut raw = server.connect().await;
    raw.ask("GET /ping", &[], b"").await.ok();
    raw.write(b"GET /pi").await;
    raw.closed().await;
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let mut setup = Setup::on(memory());
    setup.life.idle_timeout = SHORT;
    let server = setup.start().await;
    let mut silent = server.connect().await;
    silent.closed().await;
    let mut idle = server.connect().await;
    idle.ask("GET /ping", &[], b"").await.ok();
    idle.closed().await;
}

#[tokio::test]
async fn a_slow_body_is_told_so() {
    let mut setup = Setup::on(memory());
    setup.http.body_timeout = SHORT;
    let server = setup.start().await;
    for framing in ["Content-Length: 100", "Transfer-Encoding: chunked"] {
        let mut raw = server.connect().await;
        raw.write(&request("POST /api/send", &[JSON, framing], b"")).await;
        let answer = raw.answer().await;
        answer.refused(408, "timeout", None);
        assert_eq!(answer.header("connection"), Some("close"));
        raw.closed().await;
    }
}

/// Its replies outgrow what the kernel holds; then it is dropped, and the only place is free for another.
#[tokio::test]
async fn a_client_that_does_not_read_is_dropped() {
    let mut setup = Setup::on(memory());
    setup.life.write_timeout = SHORT;
    setup.life.connections_max = 1;
    let server = setup.start().await;
    let mut deaf = server.connect().await;
    let json = format!(r#"{{"chat":"a:b","text":"{}","sender":"a"}}"#, "x".repeat(16_000));
    for _ in 0..64 {
        deaf.ask("POST /api/send", &[JSON], json.as_bytes()).await.ok();
    }
    for _ in 0..32 {
        deaf.write(&request("GET /api/pull?chat=a:b&limit=1000", &[], b"")).await;
    }
    let mut next = server.connect().await;
    next.ask("GET /ping", &[], b"").await.ok();
}

#[tokio::test]
async fn connections_past_the_limit_wait_their_turn() {
    let mut setup = Setup::on(memory());
    setup.life.connections_max = 2;
    let server: Server = setup.start().await;
    let (mut first, mut second) = (server.connect().await, server.connect().await);
    first.ask("GET /ping", &[], b"").await.ok();
    second.ask("GET /ping", &[], b"").await.ok();
    let mut third: Raw = server.connect().await;
    third.write(&request("GET /ping", &[], b"")).await;
    for _ in 0..10 {
        first.ask("GET /ping", &[], b"").await.ok();
        second.ask("GET /ping", &[], b"").await.ok();
    }
    assert!(third.is_silent());
    drop(first);
    third.answer().await.ok();
    second.ask("GET /ping", &[], b"").await.ok();
}
