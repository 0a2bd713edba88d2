//! A WebSocket through TLS.

use super::Certificate;
use crate::{
    server::{Server, Setup},
    socket::{BINARY, HANDSHAKE, PING, PONG, Socket, frame},
    wire::{get, request, within},
};
use std::time::Duration;
use tokio::{io::AsyncWriteExt as _, net::TcpStream};
use tokio_rustls::client::TlsStream;

type Secure = Socket<TlsStream<TcpStream>>;

async fn open(certificate: &Certificate, server: &Server, path: &str) -> Secure {
    let mut tunnel = certificate.connect(server).await;
    tunnel.write(request(&format!("GET {path}"), &HANDSHAKE, "")).await;
    assert_eq!(tunnel.head().await.status, 101);
    Socket::of(tunnel)
}

#[tokio::test]
async fn requests_up_and_events_down() {
    let certificate = Certificate::new();
    let server = Setup::memory().with(&certificate).start().await;
    let mut banana = open(&certificate, &server, "/api/ws?user=banana").await;
    banana.expect("ready").await;
    let mut apple = open(&certificate, &server, "/api/ws?user=apple").await;
    apple.expect("ready").await;
    for length in [1, 10_000, 16_384] {
        let text = "x".repeat(length);
        let send = serde_json::json!({"op": "send", "id": length, "chat": "apple:banana", "text": text, "sender": "apple"});
        let reply = apple.ask(send.to_string()).await;
        assert_eq!(reply["body"]["text"], text.as_str(), "{reply}");
        assert_eq!(banana.expect("message").await["message"]["text"], text.as_str());
        assert_eq!(apple.expect("message").await["message"]["text"], text.as_str());
    }
    apple.write(frame(PING, "are you there?")).await;
    assert_eq!(apple.frame().await, Some((PONG, b"are you there?".to_vec())));
    server.trigger.fire();
    assert_eq!(apple.closed().await, 1012);
    assert_eq!(banana.closed().await, 1012);
    assert_eq!(server.ended().await, Ok(()));
}

/// Frames of many records of TLS, in both directions at once.
#[tokio::test]
async fn large_messages() {
    let certificate = Certificate::new();
    let mut setup = Setup::memory().with(&certificate);
    setup.http.bench_routes = true;
    let server = setup.start().await;
    let mut echo = open(&certificate, &server, "/bench/echo").await;
    for length in [0, 1, 16_383, 16_384, 16_385, 1 << 20] {
        let sent: Vec<u8> = (0..length).map(|at: u32| at.to_le_bytes()[0]).collect();
        echo.write(frame(BINARY, &sent)).await;
        echo.write(frame(PING, "")).await;
        assert!(echo.frame().await == Some((BINARY, sent)), "{length} bytes came back otherwise");
        assert_eq!(echo.frame().await, Some((PONG, Vec::new())));
    }
    drop(echo);
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_dropped() {
    let certificate = Certificate::new();
    let mut setup = Setup::memory().with(&certificate);
    setup.http.bench_routes = true;
    setup.life.write_timeout = Duration::from_millis(50);
    let server = setup.start().await;
    let mut echo = open(&certificate, &server, "/bench/echo").await;
    let message = frame(BINARY, vec![0; 100_000]);
    within("the WebSocket to be dropped", async {
        while echo.connection.stream.write_all(&message).await.is_ok()
            && echo.connection.stream.flush().await.is_ok()
        {}
    })
    .await;
    certificate.connect(&server).await.ask(get("/ping")).await.ok();
    server.stop().await;
}

#[tokio::test]
async fn a_silent_client_is_asked_and_then_dropped() {
    let certificate = Certificate::new();
    let mut setup = Setup::memory().with(&certificate);
    setup.http.ping_interval = Duration::from_millis(50);
    let server = setup.start().await;
    let mut apple = open(&certificate, &server, "/api/ws?user=apple").await;
    apple.expect("ready").await;
    assert_eq!(apple.frame().await, Some((PING, Vec::new())));
    within("the WebSocket to end", async {
        use tokio::io::AsyncReadExt as _;
        while matches!(apple.connection.stream.read(&mut [0]).await, Ok(1..)) {}
    })
    .await;
    server.stop().await;
}
