//! How requests arrive: in pieces, in a row, too large, half, or announced.

use crate::{
    raw::{request, within},
    server::{Server, Setup, memory},
};
use tokio::io::AsyncWriteExt;

const JSON: &str = "Content-Type: application/json";
const SEND: &str = r#"{"chat":"a:b","text":"x","sender":"a"}"#;

/// The answer must be there while the client sends, and the client must be able to finish without a reset.
#[tokio::test]
async fn too_large_is_told_while_the_client_still_sends() {
    let server = Server::start().await;
    let megabyte = vec![b' '; 1 << 20];
    let announced = format!("Content-Length: {}", 10 << 20);
    for framing in [announced.as_str(), "Transfer-Encoding: chunked"] {
        let mut raw = server.connect().await;
        raw.write(&request("POST /api/send", &[JSON, framing], b"")).await;
        for _ in 0..10 {
            if framing.starts_with("Transfer") {
                raw.write(b"100000\r\n").await;
            }
            raw.write(&megabyte).await;
            if framing.starts_with("Transfer") {
                raw.write(b"\r\n").await;
            }
        }
        let answer = raw.answer().await;
        answer.refused(413, "body_too_large", None);
        assert_eq!(answer.header("connection"), Some("close"));
        raw.closed().await;
    }
    // A client that waits for a word before it goes on gets it.
    let mut raw = server.connect().await;
    raw.write(&request("POST /api/send", &[JSON, &announced], b"  ")).await;
    raw.answer().await.refused(413, "body_too_large", None);
    raw.closed().await;
}

#[tokio::test]
async fn a_refusal_of_a_small_request_leaves_the_connection_open() {
    let server = Server::start().await;
    let mut raw = server.connect().await;
    for _ in 0..2 {
        raw.ask("POST /nowhere", &[JSON], SEND.as_bytes()).await.refused(404, "no_such_path", None);
        let form = raw.ask("POST /api/send", &["Content-Type: text/plain"], SEND.as_bytes()).await;
        form.refused(415, "unsupported_media_type", None);
        assert_eq!(form.header("connection"), None);
        raw.ask("POST /api/send", &[JSON], SEND.as_bytes()).await.ok();
    }
}

#[tokio::test]
async fn expect_continue() {
    let server = Server::start().await;
    let length = format!("Content-Length: {}", SEND.len());
    let mut raw = server.connect().await;
    raw.write(&request("POST /api/send", &[JSON, &length, "Expect: 100-continue"], b"")).await;
    assert_eq!(raw.head().await.status, 100);
    raw.write(SEND.as_bytes()).await;
    raw.answer().await.ok();
    // What will be refused anyway is not asked for.
    for (line, length, code) in [
        ("POST /api/send", "Content-Length: 999999", "body_too_large"),
        ("POST /nowhere", &*length, "no_such_path"),
    ] {
        let mut raw = server.connect().await;
        raw.write(&request(line, &[JSON, length, "Expect: 100-continue"], b"")).await;
        assert_eq!(raw.answer().await.json()["code"], code);
        raw.closed().await;
    }
}

#[tokio::test]
async fn one_byte_at_a_time() {
    let server = Server::start().await;
    let mut raw = server.connect().await;
    raw.stream.set_nodelay(true).expect("a socket");
    for byte in request("POST /api/send", &[JSON], SEND.as_bytes()) {
        raw.write(&[byte]).await;
        tokio::task::yield_now().await;
    }
    raw.answer().await.ok();
    let chunked = "3\r\n{\"c\r\n2;ext=1\r\nha\r\n22\r\nt\":\"a:b\",\"text\":\"x\",\"sender\":\"a\"}\r\n0\r\nX-Trailer: 1\r\n\r\n";
    for byte in request("POST /api/send", &[JSON, "Transfer-Encoding: chunked"], chunked.as_bytes()) {
        raw.write(&[byte]).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(raw.answer().await.ok()["seq"], 2);
}

#[tokio::test]
async fn requests_in_a_row_are_answered_in_their_order() {
    let server = Server::start().await;
    let mut raw = server.connect().await;
    let mut bytes = request("POST /api/send", &[JSON], SEND.as_bytes());
    bytes.extend(request("GET /nowhere", &[], b""));
    bytes.extend(request("GET /api/pull?chat=a:b", &[], b""));
    bytes.extend(request("GET /ping", &[], b""));
    raw.write(&bytes).await;
    raw.answer().await.ok();
    raw.answer().await.refused(404, "no_such_path", None);
    assert_eq!(raw.answer().await.ok()["messages"][0]["seq"], 1);
    assert_eq!(raw.answer().await.text(), r#"{"message":"pong"}"#);
}

#[tokio::test]
async fn head_says_what_get_would() {
    let server = Server::start().await;
    server.post("/api/send", SEND).await.ok();
    let mut raw = server.connect().await;
    for path in ["/ping", "/healthz", "/readyz", "/api/pull?chat=a:b", "/nowhere", "/api/pull"] {
        let get = raw.ask(&format!("GET {path}"), &[], b"").await;
        let head = raw.ask(&format!("HEAD {path}"), &[], b"").await;
        assert_eq!(head.status, get.status, "{path}");
        for header in ["content-length", "content-type"] {
            assert_eq!(head.header(header), get.header(header), "{path}");
        }
    }
    raw.ask("HEAD /api/send", &[], b"").await;
    raw.ask("GET /ping", &[], b"").await.ok();
}

#[tokio::test]
async fn a_client_may_end_its_side_and_still_be_answered() {
    let server = Server::start().await;
    let mut raw = server.connect().await;
    raw.write(&request("POST /api/send", &[JSON], SEND.as_bytes())).await;
    raw.stream.shutdown().await.expect("a socket");
    raw.answer().await.ok();
    raw.closed().await;
    // Not in the middle of a body.
    let mut raw = server.connect().await;
    raw.write(&request("POST /api/send", &[JSON, "Content-Length: 100"], SEND.as_bytes())).await;
    raw.stream.shutdown().await.expect("a socket");
    raw.answer().await.refused(400, "bad_request", None);
    raw.closed().await;
}

#[tokio::test]
async fn what_is_not_http_is_refused_by_the_library() {
    let server = Server::start().await;
    for (bytes, status) in [
        ("NONSENSE\r\n\r\n".to_owned(), 400),
        ("POST /api/send HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n".to_owned(), 400),
        (format!("GET /ping HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(70_000)), 431),
    ] {
        let mut raw = server.connect().await;
        raw.write(bytes.as_bytes()).await;
        assert_eq!(raw.head().await.status, status);
    }
}

#[tokio::test]
async fn bytes_of_bodies_are_bounded() {
    let mut setup = Setup::on(memory());
    setup.http.bodies_max_bytes = 1_000;
    let server = setup.start().await;
    let body = |length: usize| SEND.to_owned() + &" ".repeat(length - SEND.len());
    // What comes with its head is not counted.
    server.post("/api/send", &body(2_000)).await.ok();
    // More than the bound cannot be held; the rest is not waited for.
    let mut raw = server.connect().await;
    raw.write(&request("POST /api/send", &[JSON, "Content-Length: 2000"], SEND.as_bytes())).await;
    let answer = raw.answer().await;
    answer.refused(503, "overloaded", None);
    assert_eq!(answer.header("retry-after"), Some("1"));
    raw.closed().await;
    // What is held is given back.
    for _ in 0..3 {
        let mut raw = server.connect().await;
        let whole = body(900);
        let (first, second) = whole.split_at(100);
        raw.write(&request("POST /api/send", &[JSON, "Content-Length: 900", "Expect: 100-continue"], b""))
            .await;
        assert_eq!(raw.head().await.status, 100);
        raw.write(first.as_bytes()).await;
        raw.write(second.as_bytes()).await;
        raw.answer().await.ok();
    }
    // A body of unknown length counts as it grows.
    let mut raw = server.connect().await;
    raw.write(&request("POST /api/send", &[JSON, "Transfer-Encoding: chunked"], b"")).await;
    within("the refusal", async {
        for _ in 0..20 {
            raw.write(format!("64\r\n{}\r\n", " ".repeat(100)).as_bytes()).await;
        }
        raw.answer().await.refused(503, "overloaded", None);
    })
    .await;
}
