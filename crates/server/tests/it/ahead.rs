//! Clients that send on behind a request which waits for events, and then go: what they have sent does not hide that.

use crate::{
    server::{Server, Setup},
    tls::Certificate,
    wire::{Connection, get, hello, post, within},
};
use chinwag::metrics::Format;
use chinwag_model::limits::AHEAD_MAX_BYTES;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};

/// Waits until so many sessions are open on a face.
async fn sessions(server: &Server, face: &str, count: u32) {
    let line = format!("chinwag_sessions{{face=\"{face}\"}} {count}.0");
    within(&format!("{line}, of a client that has gone"), async {
        while !told(server, &line).await {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

async fn told(server: &Server, line: &str) -> bool {
    server.app.snapshot().await.text(Format::Prometheus).lines().any(|told| told == line)
}

/// A poll that waits for longer than any test does, behind the place where the feed stands.
async fn poll(server: &Server) -> Vec<u8> {
    let place = server.ask(get("/api/poll?user=banana")).await.ok();
    get(&format!("/api/poll?user=banana&since={}&timeout=60", place["since"].as_str().expect("an id")))
}

/// Asks, sends on once the session is there, and goes.
async fn ask_and_go<S: AsyncRead + AsyncWrite + Unpin>(
    server: &Server,
    mut client: Connection<S>,
    face: &str,
    request: &[u8],
    behind: &[u8],
) {
    client.write(request).await;
    sessions(server, face, 1).await;
    client.write(behind).await;
    client.stream.shutdown().await.expect("its own end");
    sessions(server, face, 0).await;
    assert!(
        !told(server, r#"chinwag_requests_total{face="http",verb="probe"} 1.0"#).await,
        "nobody reads its reply"
    );
}

#[tokio::test]
async fn who_goes_is_missed_although_more_was_sent_before() {
    let certificate = Certificate::new();
    let ping = get("/ping");
    let much = ping.repeat(AHEAD_MAX_BYTES / ping.len());
    for behind in [&ping[..1], &ping, &much] {
        let server = Setup::memory().start().await;
        ask_and_go(&server, server.connect().await, "sse", &get("/api/events?user=banana"), behind).await;
        ask_and_go(&server, server.connect().await, "poll", &poll(&server).await, behind).await;
        server.stop().await;
        let server = Setup::memory().with(&certificate).start().await;
        let tunnel = async || certificate.connect(&server).await;
        ask_and_go(&server, tunnel().await, "sse", &get("/api/events?user=banana"), behind).await;
        let place = tunnel().await.ask(get("/api/poll?user=banana")).await.ok();
        let since = place["since"].as_str().expect("an id");
        let poll = get(&format!("/api/poll?user=banana&since={since}&timeout=60"));
        ask_and_go(&server, tunnel().await, "poll", &poll, behind).await;
        server.stop().await;
    }
}

/// What was read on the way is not lost: it is served in its turn.
#[tokio::test]
async fn what_was_sent_behind_a_poll_is_answered_after_it() {
    let server = Setup::memory().start().await;
    let poll = poll(&server).await;
    let mut client = server.connect().await;
    client.write(&poll).await;
    sessions(&server, "poll", 1).await;
    let send = post("/api/send", hello(&"x".repeat(10_000)));
    for part in send.chunks(3_000) {
        client.write(part).await;
        tokio::task::yield_now().await;
    }
    client.write(get("/ping")).await;
    // One event ends the poll.
    server.ask(post("/api/send", hello("now"))).await.ok();
    assert_eq!(client.reply().await.ok()["events"][0]["message"]["text"], "now");
    assert_eq!(client.reply().await.ok()["seq"], 2);
    assert_eq!(client.reply().await.ok(), json!({"message": "pong"}));
    client.ask(get("/ping")).await.ok();
    server.stop().await;
}

#[tokio::test]
async fn who_sends_too_much_behind_a_request_that_waits_is_cut_off() {
    let server = Setup::memory().start().await;
    for (face, request) in [("sse", get("/api/events?user=banana")), ("poll", poll(&server).await)] {
        let mut client = server.connect().await;
        client.write(&request).await;
        sessions(&server, face, 1).await;
        // More than is read ahead, and less than lies in sockets: it is taken whole.
        client.write(vec![b'x'; AHEAD_MAX_BYTES + 1]).await;
        sessions(&server, face, 0).await;
    }
    server.stop().await;
}
