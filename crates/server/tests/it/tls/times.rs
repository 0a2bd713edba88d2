//! The time-outs of connections, through TLS.

use super::{Certificate, Tunnel};
use crate::{
    server::{Server, Setup},
    store::Stage,
    wire::{JSON, get, hello, post, request, within},
};
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;

const SHORT: Duration = Duration::from_millis(50);

async fn start(certificate: &Certificate, change: impl FnOnce(&mut Setup)) -> Server {
    let mut setup = Setup::memory().with(certificate);
    change(&mut setup);
    setup.start().await
}

/// Each ends with a word of TLS, or reading it would fail: a cut could be someone else's.
#[tokio::test]
async fn an_idle_connection_is_ended_in_order() {
    let certificate = Certificate::new();
    let server = start(&certificate, |setup| setup.life.idle_timeout = SHORT).await;
    certificate.connect(&server).await.ended().await;
    let mut used = certificate.connect(&server).await;
    used.ask(get("/ping")).await.ok();
    used.ended().await;
    server.stop().await;
}

#[tokio::test]
async fn a_head_that_does_not_arrive_ends_the_connection() {
    let certificate = Certificate::new();
    let server = start(&certificate, |setup| setup.life.head_timeout = Duration::from_millis(500)).await;
    let mut tunnel = certificate.connect(&server).await;
    tunnel.ask(get("/ping")).await.ok();
    tunnel.write("GET /ping HTTP/1.1\r\nHost: loc").await;
    gone(&mut tunnel).await;
    server.stop().await;
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_refused() {
    let certificate = Certificate::new();
    let server = start(&certificate, |setup| setup.http.body_timeout = SHORT).await;
    let mut tunnel = certificate.connect(&server).await;
    tunnel.write(request("POST /api/send", &[JSON, "Content-Length: 100"], "")).await;
    tunnel.write("{").await;
    tunnel.reply().await.refused(408, "timeout", "");
    tunnel.ended().await;
    drop(tunnel);
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_dropped() {
    let certificate = Certificate::new();
    let server = start(&certificate, |setup| setup.life.write_timeout = SHORT).await;
    let mut tunnel = certificate.connect(&server).await;
    for _ in 0..60 {
        tunnel.ask(post("/api/send", hello(&"x".repeat(16_384)))).await.ok();
    }
    let pull = get("/api/pull?chat=apple:banana&limit=1000");
    within("the connection to be dropped", async {
        while tunnel.stream.write_all(&pull).await.is_ok() && tunnel.stream.flush().await.is_ok() {}
    })
    .await;
    certificate.connect(&server).await.ask(get("/ping")).await.ok();
    server.stop().await;
}

#[tokio::test]
async fn a_large_page_comes_whole_to_a_client_that_reads() {
    let certificate = Certificate::new();
    let server = start(&certificate, |_| {}).await;
    let mut tunnel = certificate.connect(&server).await;
    for _ in 0..60 {
        tunnel.ask(post("/api/send", hello(&"x".repeat(16_384)))).await.ok();
    }
    for _ in 0..3 {
        let page = tunnel.ask(get("/api/pull?chat=apple:banana&limit=1000")).await.ok();
        assert_eq!(page["messages"].as_array().map(Vec::len), Some(60));
    }
    server.stop().await;
}

#[tokio::test]
async fn a_drain_answers_what_is_in_flight() {
    let certificate = Certificate::new();
    let stage = Stage::new(Setup::memory().store);
    let server = Setup::on(stage.clone()).with(&certificate).start().await;
    let mut busy = certificate.connect(&server).await;
    busy.write(post("/api/send", hello("in flight"))).await;
    stage.arrival().await;
    server.trigger.fire();
    stage.release(1);
    let reply = busy.reply().await;
    assert_eq!(reply.header("connection"), Some("close"));
    assert_eq!(reply.ok()["text"], "in flight");
    busy.ended().await;
    assert_eq!(server.ended().await, Ok(()));
}

/// The client of a poll ends without a word, or with one of TLS: nobody reads the reply, and its session ends.
#[tokio::test]
async fn a_poll_ends_with_its_client() {
    let certificate = Certificate::new();
    let server = start(&certificate, |setup| setup.hub.presence_grace = Duration::ZERO).await;
    let mut other = certificate.connect(&server).await;
    let since = other.ask(get("/api/poll?user=apple")).await.ok()["since"].clone();
    for says_so in [true, false] {
        let mut poll = certificate.connect(&server).await;
        let path = format!("/api/poll?user=apple&timeout=600&since={}", since.as_str().expect("an id"));
        poll.write(get(&path)).await;
        until(&mut other, true).await;
        if says_so {
            poll.stream.shutdown().await.expect("told");
        }
        drop(poll);
        until(&mut other, false).await;
    }
    server.stop().await;
}

async fn until(tunnel: &mut Tunnel, online: bool) {
    within("the user to come or go", async {
        while tunnel.ask(get("/api/presence?user=apple")).await.ok()["users"]["apple"]["online"] != online {}
    })
    .await;
}

/// Reads to the end of the connection, whichever way it ends.
async fn gone(tunnel: &mut Tunnel) {
    use tokio::io::AsyncReadExt as _;
    let mut byte = [0];
    let end = within("the connection to end", tunnel.stream.read(&mut byte)).await;
    assert!(!matches!(end, Ok(1..)), "something came");
}
