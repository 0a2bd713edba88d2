//! Every refusal that a request alone can earn.

use crate::{
    server::Setup,
    wire::{JSON, Reply, get, hello, post, request},
};
use serde_json::json;

/// Asks each of a running server.
async fn check(cases: Vec<(Vec<u8>, u16, &str, &str)>) {
    let server = Setup::memory().start().await;
    for (request, status, code, field) in cases {
        // Told only where the test fails.
        println!("{}", String::from_utf8_lossy(&request));
        let reply = server.ask(&request).await;
        reply.refused(status, code, field);
    }
    let page = server.ask(get("/api/pull?chat=apple:banana")).await;
    assert_eq!(page.ok(), json!({"messages": []}), "what is refused is not stored");
    server.stop().await;
}

fn send(body: impl AsRef<[u8]>) -> Vec<u8> {
    post("/api/send", body)
}

#[tokio::test]
async fn bodies_that_are_no_request() {
    let valid = hello("x");
    check(vec![
        (send("{"), 400, "malformed_json", "body"),
        (send("not json"), 400, "malformed_json", "body"),
        (send(format!("{valid} x")), 400, "malformed_json", "body"),
        (request("POST /api/send", &[JSON, "Content-Length: 0"], ""), 400, "malformed_json", "body"),
        (request("POST /api/send", &[JSON], ""), 400, "malformed_json", "body"),
        (send("[]"), 400, "invalid_field", "body"),
        (send(r#"["apple:banana","x","apple"]"#), 400, "invalid_field", "body"),
        (send("null"), 400, "invalid_field", "body"),
        (send("\"text\""), 400, "invalid_field", "body"),
        (send(b"\xff\xfe{}"), 400, "malformed_json", "body"),
        (
            send(b"{\"chat\":\"apple:banana\",\"sender\":\"apple\",\"text\":\"\xff\"}"),
            400,
            "malformed_json",
            "text",
        ),
        (send(r#"{"chat":"apple:banana","sender":"apple","text":"\ud800"}"#), 400, "invalid_field", "text"),
    ])
    .await;
}

#[tokio::test]
async fn fields_that_are_wrong() {
    check(vec![
        (send(r#"{"text":"x","sender":"apple"}"#), 400, "missing_field", "chat"),
        (send(r#"{"chat":"apple:banana","sender":"apple"}"#), 400, "missing_field", "text"),
        (send(r#"{"chat":"apple:banana","text":"x"}"#), 400, "missing_field", "sender"),
        (send(r#"{"chat":null,"text":"x","sender":"apple"}"#), 400, "missing_field", "chat"),
        (send(r#"{"chat":1,"text":"x","sender":"apple"}"#), 400, "invalid_field", "chat"),
        (send(r#"{"chat":"apple:banana","text":["x"],"sender":"apple"}"#), 400, "invalid_field", "text"),
        (
            send(r#"{"chat":"apple:banana","text":"x","text":"y","sender":"apple"}"#),
            400,
            "duplicate_field",
            "text",
        ),
        (send(r#"{"chat":"apple","text":"x","sender":"apple"}"#), 400, "invalid_field", "chat"),
        (send(r#"{"chat":"a:b:c","text":"x","sender":"a"}"#), 400, "invalid_field", "chat"),
        (send(r#"{"chat":"apple:banana","text":"","sender":"apple"}"#), 400, "invalid_field", "text"),
        (send(r#"{"chat":"apple:banana","text":"a\u0000b","sender":"apple"}"#), 400, "invalid_field", "text"),
        (send(r#"{"chat":"apple:banana","text":"x","sender":"app"}"#), 403, "not_a_member", "sender"),
        (send(r#"{"chat":"apple:banana","text":"x","sender":"cherry"}"#), 403, "not_a_member", "sender"),
        (send(r#"{"chat":"apple:banana","text":"x","sender":"Apple"}"#), 403, "not_a_member", "sender"),
        (
            send(r#"{"chat":"apple:banana","text":"x","sender":"apple","key":"a b"}"#),
            400,
            "invalid_field",
            "key",
        ),
        (
            send(r#"{"chat":"apple:banana","text":"x","sender":"apple","data":[1]}"#),
            400,
            "invalid_field",
            "data",
        ),
        (
            request("POST /api/send", &[JSON, "Idempotency-Key: a b"], hello("x")),
            400,
            "invalid_field",
            "Idempotency-Key",
        ),
        (
            request("POST /api/send", &[JSON, "Idempotency-Key: a", "Idempotency-Key: a"], hello("x")),
            400,
            "bad_request",
            "Idempotency-Key",
        ),
        (
            request("POST /api/send", &[JSON, "Idempotency-Key: \u{e9}"], hello("x")),
            400,
            "invalid_field",
            "Idempotency-Key",
        ),
        (
            request("GET /api/events?user=apple", &["Last-Event-ID: a", "Last-Event-ID: a"], ""),
            400,
            "bad_request",
            "Last-Event-ID",
        ),
        (
            request(
                "POST /api/send",
                &[JSON, "Idempotency-Key: one"],
                r#"{"chat":"apple:banana","text":"x","sender":"apple","key":"other"}"#,
            ),
            400,
            "invalid_field",
            "key",
        ),
    ])
    .await;
}

#[tokio::test]
async fn pulls_that_are_wrong() {
    let pull = |query: &str| get(&format!("/api/pull?{query}"));
    let body = |json: &str| request("GET /api/pull", &[JSON], json);
    check(vec![
        (get("/api/pull"), 400, "missing_field", "chat"),
        (pull("limit=1"), 400, "missing_field", "chat"),
        (pull("chat=apple"), 400, "invalid_field", "chat"),
        (pull("chat=a:b&limit=-1"), 400, "invalid_field", "limit"),
        (pull("chat=a:b&limit=x"), 400, "invalid_field", "limit"),
        (pull("chat=a:b&limit=1.5"), 400, "invalid_field", "limit"),
        (pull("chat=a:b&cursor=-1"), 400, "invalid_field", "cursor"),
        (pull("chat=a:b&reverse=1"), 400, "invalid_field", "reverse"),
        (pull("chat=a:b&chat=a:b"), 400, "duplicate_field", "chat"),
        (pull("chat=a:b&limit=1&limit=2"), 400, "duplicate_field", "limit"),
        (pull("chat=%ff:b"), 400, "malformed_json", "query"),
        (pull("chat=%zz"), 400, "malformed_json", "query"),
        (pull("chat=a:b&%e9=x"), 400, "malformed_json", "query"),
        (get("/api/chats?user=%ff"), 400, "malformed_json", "query"),
        (get("/api/presence?user=%f"), 400, "malformed_json", "query"),
        (get("/api/blocks?user=%"), 400, "malformed_json", "query"),
        (get("/api/events?user=%ff"), 400, "malformed_json", "query"),
        (get("/api/poll?user=%zz"), 400, "malformed_json", "query"),
        (body(r#"{"limit":1}"#), 400, "missing_field", "chat"),
        (body(r#"{"chat":"a:b","limit":-1}"#), 400, "invalid_field", "limit"),
        (body(r#"{"chat":"a:b","limit":"1"}"#), 400, "invalid_field", "limit"),
        (body(r#"{"chat":"a:b","cursor":1.5}"#), 400, "invalid_field", "cursor"),
        (body(r#"{"chat":"a:b","reverse":"true"}"#), 400, "invalid_field", "reverse"),
        (body(r#"{"chat":"a:b","chat":"a:b"}"#), 400, "duplicate_field", "chat"),
        (body(r#"["a:b"]"#), 400, "invalid_field", "body"),
        (request("GET /api/pull?chat=a:b", &[JSON], r#"{"chat":"a:b"}"#), 400, "body_and_query", ""),
        (request("POST /api/pull?chat=a:b", &[JSON], r#"{"chat":"a:b"}"#), 400, "body_and_query", ""),
    ])
    .await;
}

#[tokio::test]
async fn content_types() {
    let of = |kind: &str| request("POST /api/send", &[&format!("Content-Type: {kind}")], hello("x"));
    check(vec![
        (request("POST /api/send", &[], hello("x")), 415, "unsupported_media_type", ""),
        (of("text/plain"), 415, "unsupported_media_type", ""),
        (of("application/x-www-form-urlencoded"), 415, "unsupported_media_type", ""),
        (of("multipart/form-data; boundary=application/json"), 415, "unsupported_media_type", ""),
        (request("GET /api/pull", &[], r#"{"chat":"a:b"}"#), 415, "unsupported_media_type", ""),
        (request("POST /api/pull", &["Content-Type: text/json"], "{}"), 415, "unsupported_media_type", ""),
        (request("POST /api/send", &[JSON, JSON], hello("x")), 400, "bad_request", "Content-Type"),
        (
            request("POST /api/send", &[JSON, "Content-Type: text/plain"], hello("x")),
            400,
            "bad_request",
            "Content-Type",
        ),
    ])
    .await;
    let server = Setup::memory().start().await;
    for kind in ["application/json; charset=utf-8", "Application/JSON", "application/vnd.chat+json"] {
        server.ask(of(kind)).await.ok();
    }
    server.stop().await;
}

#[tokio::test]
async fn paths_and_methods() {
    let allow = |reply: &Reply| reply.header("allow").expect("Allow").to_owned();
    let server = Setup::memory().start().await;
    for path in ["//", "/api", "/api/send/", "/API/SEND", "/api/pulls", "/bench/noop", "/favicon.ico", "/%2e"]
    {
        server.ask(get(path)).await.refused(404, "no_such_path", "");
        server.ask(post(path, hello("x"))).await.refused(404, "no_such_path", "");
    }
    for (line, methods) in [
        ("GET /api/send", "POST"),
        ("PUT /api/send", "POST"),
        ("OPTIONS /api/send", "POST"),
        ("BREW /api/send", "POST"),
        ("DELETE /api/pull", "GET, HEAD, POST"),
        ("POST /ping", "GET, HEAD"),
        ("POST /healthz", "GET, HEAD"),
        ("PATCH /readyz", "GET, HEAD"),
    ] {
        let reply = server.ask(request(line, &[], "")).await;
        reply.refused(405, "method_not_allowed", "");
        assert_eq!(allow(&reply), methods, "{line}");
    }
    server.ask(request("OPTIONS *", &[], "")).await.refused(404, "no_such_path", "");
    server.stop().await;
}

#[tokio::test]
async fn hosts_and_origins() {
    let ping = |headers: &[&str]| request("GET /ping", headers, "");
    check(vec![
        (ping(&["Host: evil.example"]), 403, "host", ""),
        (ping(&["Host: localhost.evil.example"]), 403, "host", ""),
        (ping(&["Host:"]), 403, "host", ""),
        (ping(&["Host: localhost", "Host: localhost"]), 400, "bad_request", ""),
        (b"GET /ping HTTP/1.1\r\n\r\n".to_vec(), 400, "bad_request", ""),
        (request("GET http://evil.example/ping", &[], ""), 403, "host", ""),
        (ping(&["Origin: null"]), 403, "origin", ""),
        (ping(&["Origin: https://evil.example"]), 403, "origin", ""),
        (ping(&["Origin: http://localhost", "Origin: http://evil.example"]), 403, "origin", ""),
        (ping(&["Origin: http://192.0.2.7"]), 403, "origin", ""),
        (ping(&["Host: 127.0.0.1", "Origin: http://[2001:db8::7]"]), 403, "origin", ""),
        (request("POST /api/send", &[JSON, "Origin: https://evil.example"], hello("x")), 403, "origin", ""),
        (request("POST /api/send", &[JSON, "Host: evil.example:8080"], hello("x")), 403, "host", ""),
        (request("GET /nowhere", &["Host: evil.example"], ""), 403, "host", ""),
    ])
    .await;
    let server = Setup::memory().start().await;
    for headers in [
        &["Host: localhost:8080", "Origin: http://localhost:3000"][..],
        &["Host: 127.0.0.1"],
        &["Host: 192.0.2.7:80", "Origin: https://chat.example.com"],
        &["Host: [::1]:8080", "Origin: http://[::1]:8080"],
        &["Host: 192.0.2.7:80", "Origin: http://192.0.2.7:3000"],
        &["Host: Chat.Example.com"],
    ] {
        assert_eq!(server.ask(ping(headers)).await.ok(), json!({"message": "pong"}), "{headers:?}");
    }
    let mut old = server.connect().await;
    assert_eq!(old.ask("GET /ping HTTP/1.0\r\n\r\n").await.status, 200, "HTTP/1.0 has no Host");
    server.stop().await;
}
