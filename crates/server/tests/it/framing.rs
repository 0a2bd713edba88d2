//! How requests and replies are framed: what is refused is readable, and what is taken is taken whole.

use crate::{
    server::Setup,
    wire::{JSON, get, hello, post, request},
};
use serde_json::json;
use std::time::Duration;

const MIB: usize = 1 << 20;

#[tokio::test]
async fn too_large_a_body_is_refused_readably_while_the_client_still_sends() {
    let server = Setup::memory().start().await;
    let length = format!("Content-Length: {}", 10 * MIB);
    let part = vec![b'x'; 64 * 1024];
    let mut chunk = format!("{:x}\r\n", part.len()).into_bytes();
    chunk.extend_from_slice(&part);
    chunk.extend_from_slice(b"\r\n");
    for (header, part) in [(length.as_str(), &part), ("Transfer-Encoding: chunked", &chunk)] {
        // A client that reads only once it has sent everything.
        let mut patient = server.connect().await;
        patient.write(request("POST /api/send", &[JSON, header], "")).await;
        for _ in 0..10 * MIB / (64 * 1024) {
            patient.write(part).await;
        }
        patient.reply().await.refused(413, "body_too_large", "");
        patient.ended().await;
        // A client that reads as soon as there is something, and sends on.
        let mut eager = server.connect().await;
        eager.write(request("POST /api/send", &[JSON, header], "")).await;
        for _ in 0..4 {
            eager.write(part).await;
        }
        let reply = eager.reply().await;
        reply.refused(413, "body_too_large", "");
        assert_eq!(reply.header("connection"), Some("close"));
        eager.write(part).await;
        eager.ended().await;
    }
    server.stop().await;
}

#[tokio::test]
async fn a_refusal_before_the_body_was_read_is_readable_too() {
    let server = Setup::memory().start().await;
    for (line, headers, status) in [
        ("POST /nowhere", &[JSON][..], 404),
        ("POST /api/send", &["Content-Type: text/plain"], 415),
        ("POST /api/send", &[JSON, "Origin: null"], 403),
        ("PUT /api/send", &[JSON], 405),
    ] {
        let mut connection = server.connect().await;
        let length = format!("Content-Length: {MIB}");
        connection.write(request(line, &[headers, &[length.as_str()]].concat(), "")).await;
        for _ in 0..16 {
            connection.write(vec![b'x'; 64 * 1024]).await;
        }
        assert_eq!(connection.reply().await.status, status);
        connection.ended().await;
    }
    server.stop().await;
}

#[tokio::test]
async fn a_small_refused_request_does_not_cost_its_connection() {
    let server = Setup::memory().start().await;
    let mut connection = server.connect().await;
    for refused in [
        post("/nowhere", hello("x")),
        post("/api/send", "[]"),
        post("/ping", "{}"),
        request("POST /api/send", &[], hello("x")),
    ] {
        let reply = connection.ask(refused).await;
        assert!(reply.status >= 400, "{reply:?}");
        assert_eq!(reply.header("connection"), None, "{reply:?}");
    }
    connection.ask(post("/api/send", hello("x"))).await.ok();
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_asks_before_it_sends() {
    let server = Setup::memory().start().await;
    let body = hello("after the word");
    let length = format!("Content-Length: {}", body.len());
    let mut connection = server.connect().await;
    connection.write(request("POST /api/send", &[JSON, &length, "Expect: 100-continue"], "")).await;
    assert_eq!(connection.head().await.status, 100);
    assert_eq!(connection.ask(&body).await.ok()["text"], "after the word");
    connection.ask(get("/ping")).await.ok();

    for (headers, status) in [
        (&[JSON, "Content-Length: 131073", "Expect: 100-continue"][..], 413),
        (&["Content-Type: text/plain", "Content-Length: 9", "Expect: 100-continue"], 415),
    ] {
        let mut connection = server.connect().await;
        connection.write(request("POST /api/send", headers, "")).await;
        assert_eq!(connection.reply().await.status, status, "no 100 before it");
    }
    server.stop().await;
}

#[tokio::test]
async fn requests_that_come_a_byte_at_a_time() {
    let server = Setup::memory().start().await;
    let mut connection = server.connect().await;
    let chunks = "3\r\n{\"c\r\n6;ext=1\r\nhat\":\"\r\n1f\r\na:b\",\"text\":\"x\",\"sender\":\"a\"}  \r\n0\r\nX-Trailer: 1\r\n\r\n";
    let mut chunked = request("POST /api/send", &[JSON, "Transfer-Encoding: chunked"], "");
    chunked.extend_from_slice(chunks.as_bytes());
    for request in [chunked, post("/api/send", r#"{"chat":"a:b","text":"y","sender":"b"}"#)] {
        for byte in request {
            connection.write([byte]).await;
            tokio::task::yield_now().await;
        }
        connection.reply().await.ok();
    }
    let page = connection.ask(get("/api/pull?chat=a:b")).await.ok();
    assert_eq!((&page["messages"][0]["text"], &page["messages"][1]["text"]), (&json!("x"), &json!("y")));
    server.stop().await;
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let server = Setup::embedded().start().await;
    let mut connection = server.connect().await;
    let mut bytes = Vec::new();
    for n in 0..20 {
        bytes.extend(post("/api/send", hello(&n.to_string())));
    }
    bytes.extend(post("/api/send", "[]"));
    bytes.extend(get("/api/pull?chat=apple:banana&limit=1&reverse=true"));
    connection.write(bytes).await;
    for n in 0..20 {
        let sent = connection.reply().await.ok();
        assert_eq!((sent["text"].as_str(), sent["seq"].as_u64()), (Some(&*n.to_string()), Some(n + 1)));
    }
    connection.reply().await.refused(400, "invalid_field", "body");
    assert_eq!(connection.reply().await.ok()["messages"][0]["seq"], 20);
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_ends_its_side_still_gets_its_answer() {
    let server = Setup::memory().start().await;
    let mut connection = server.connect().await;
    connection.write(post("/api/send", hello("x"))).await;
    tokio::io::AsyncWriteExt::shutdown(&mut connection.stream).await.expect("shut down");
    connection.reply().await.ok();
    connection.ended().await;
    server.stop().await;
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let server = Setup::memory().start().await;
    let mut connection = server.connect().await;
    connection.ask(post("/api/send", hello("x"))).await.ok();
    for path in ["/ping", "/healthz", "/readyz", "/api/pull?chat=apple:banana", "/nowhere"] {
        connection.write(request(&format!("HEAD {path}"), &[], "")).await;
        let head = connection.head().await;
        let whole = connection.ask(get(path)).await;
        assert_eq!(head.status, whole.status);
        for name in ["content-type", "content-length"] {
            assert_eq!(head.header(name), whole.header(name), "{path}");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_408() {
    let mut setup = Setup::memory();
    setup.http.body_timeout = Duration::from_millis(50);
    let server = setup.start().await;
    let mut connection = server.connect().await;
    let request = post("/api/send", hello("never whole"));
    connection.write(&request[..request.len() - 1]).await;
    let reply = connection.reply().await;
    reply.refused(408, "timeout", "");
    assert_eq!(reply.header("connection"), Some("close"));
    connection.ended().await;
    server.stop().await;
}

#[tokio::test]
async fn a_body_that_breaks_off_or_is_badly_framed_stores_nothing() {
    let server = Setup::memory().start().await;
    let mut short = server.connect().await;
    let request_bytes = post("/api/send", hello("cut off"));
    short.write(&request_bytes[..request_bytes.len() - 1]).await;
    tokio::io::AsyncWriteExt::shutdown(&mut short.stream).await.expect("shut down");
    short.reply().await.refused(400, "bad_request", "");
    let mut chunked = server.connect().await;
    chunked.write(request("POST /api/send", &[JSON, "Transfer-Encoding: chunked"], "")).await;
    chunked.ask("no length\r\n").await.refused(400, "bad_request", "");
    let page = server.ask(get("/api/pull?chat=apple:banana")).await;
    assert_eq!(page.ok(), json!({"messages": []}));
    server.stop().await;
}

#[tokio::test]
async fn bodies_that_do_not_fit_in_memory_are_refused_at_once() {
    let mut setup = Setup::memory();
    setup.http.bodies_max_bytes = 100_000;
    let server = setup.start().await;
    let large = |bytes: usize| {
        let bare = r#"{"chat":"apple:banana","text":"x","sender":"apple","padding":""}"#;
        post("/api/send", bare.replace("\"\"}", &format!("\"{}\"}}", "x".repeat(bytes - bare.len()))))
    };
    // What is held is given back: 20 times 90,000 bytes pass where 100,000 fit.
    let mut connection = server.connect().await;
    for _ in 0..20 {
        connection.ask(large(90_000)).await.ok();
    }
    server.ask(large(100_001)).await.refused(503, "overloaded", "");
    // One that waits for its last byte keeps others out, but not those that need no room.
    let mut waiting = server.connect().await;
    let request = large(90_000);
    let (most, last) = request.split_at(request.len() - 1);
    waiting.write(most).await;
    crate::wire::within("the first body to be held", async {
        while server.ask(large(90_000)).await.status == 200 {}
    })
    .await;
    server.ask(large(90_000)).await.refused(503, "overloaded", "");
    server.ask(post("/api/send", hello("small"))).await.ok();
    waiting.ask(last).await.ok();
    server.ask(large(90_000)).await.ok();
    server.stop().await;
}

#[tokio::test]
async fn the_no_op_exists_only_where_it_is_asked_for_and_reads_as_a_send_does() {
    let mut setup = Setup::memory();
    setup.http.bench_routes = true;
    let server = setup.start().await;
    server.ask(post("/bench/noop", hello("x"))).await.ok();
    server.ask(post("/bench/noop", "{}")).await.refused(400, "missing_field", "chat");
    server.ask(request("POST /bench/noop", &[], hello("x"))).await.refused(415, "unsupported_media_type", "");
    server.ask(get("/bench/noop")).await.refused(405, "method_not_allowed", "");
    assert_eq!(server.ask(get("/api/pull?chat=apple:banana")).await.ok(), json!({"messages": []}));
    server.stop().await;
}
