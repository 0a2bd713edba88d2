//! Every refusal of a request that arrives whole: its status, its code, its field.

use crate::server::{Server, Setup, memory};

const JSON: &str = "Content-Type: application/json";
const SEND: &str = r#"{"chat":"a:b","text":"x","sender":"a"}"#;

#[tokio::test]
async fn bodies_of_a_send() {
    let server = Server::start().await;
    for (json, status, code, field) in [
        ("", 400, "malformed_json", "body"),
        ("{", 400, "malformed_json", "body"),
        (r#"{"chat":"a:b","text":"x","sender":"a"} x"#, 400, "malformed_json", "body"),
        (r#"["a:b","x","a"]"#, 400, "invalid_field", "body"),
        ("null", 400, "invalid_field", "body"),
        (r#"{"text":"x","sender":"a"}"#, 400, "missing_field", "chat"),
        (r#"{"chat":"a:b","sender":"a"}"#, 400, "missing_field", "text"),
        (r#"{"chat":"a:b","text":"x"}"#, 400, "missing_field", "sender"),
        (r#"{"chat":"a:b","text":null,"sender":"a"}"#, 400, "missing_field", "text"),
        (r#"{"chat":"a:b","text":"x","text":"x","sender":"a"}"#, 400, "duplicate_field", "text"),
        (r#"{"chat":7,"text":"x","sender":"a"}"#, 400, "invalid_field", "chat"),
        (r#"{"chat":"a:b","text":["x"],"sender":"a"}"#, 400, "invalid_field", "text"),
        (r#"{"chat":"ab","text":"x","sender":"a"}"#, 400, "invalid_field", "chat"),
        (r#"{"chat":"a:b:c","text":"x","sender":"a"}"#, 400, "invalid_field", "chat"),
        (r#"{"chat":" a:b","text":"x","sender":"a"}"#, 400, "invalid_field", "chat"),
        (r#"{"chat":"a:b","text":"","sender":"a"}"#, 400, "invalid_field", "text"),
        (r#"{"chat":"a:b","text":"\u0000","sender":"a"}"#, 400, "invalid_field", "text"),
        (r#"{"chat":"a:b","text":"x","sender":"c"}"#, 403, "not_a_member", "sender"),
        (r#"{"chat":"a:b","text":"x","sender":"a","key":""}"#, 400, "invalid_field", "key"),
        (r#"{"chat":"a:b","text":"x","sender":"a","key":"a b"}"#, 400, "invalid_field", "key"),
        (r#"{"chat":"a:b","text":"x","sender":"a","data":[]}"#, 400, "invalid_field", "data"),
    ] {
        let answer = server.post("/api/send", json).await;
        eprintln!("{json}");
        answer.refused(status, code, Some(field));
    }
    let invalid_utf8 = b"{\"chat\":\"a:b\",\"text\":\"\xff\",\"sender\":\"a\"}";
    server.ask("POST /api/send", &[JSON], invalid_utf8).await.refused(400, "malformed_json", Some("body"));
    assert_eq!(server.get("/api/pull?chat=a:b").await.text(), r#"{"messages":[]}"#);
    server
        .post("/api/send", r#"{"chat":"a:b","text":"x","sender":"a","key":null,"data":null,"unknown":[]}"#)
        .await
        .ok();
}

#[tokio::test]
async fn pulls() {
    let server = Server::start().await;
    for (query, code, field) in [
        ("", "missing_field", "chat"),
        ("?", "missing_field", "chat"),
        ("?limit=1", "missing_field", "chat"),
        ("?chat=ab", "invalid_field", "chat"),
        ("?chat=a:b&chat=a:b", "duplicate_field", "chat"),
        ("?chat=a:b&limit=-1", "invalid_field", "limit"),
        ("?chat=a:b&limit=ten", "invalid_field", "limit"),
        ("?chat=a:b&cursor=-1", "invalid_field", "cursor"),
        ("?chat=a:b&reverse=1", "invalid_field", "reverse"),
        ("?chat=%ff:b", "malformed_json", "query"),
        ("?chat=%", "malformed_json", "query"),
    ] {
        eprintln!("{query}");
        server.get(&format!("/api/pull{query}")).await.refused(400, code, Some(field));
    }
    for (json, code, field) in [
        ("[]", "invalid_field", "body"),
        ("{}", "missing_field", "chat"),
        (r#"{"chat":"a:b","limit":-1}"#, "invalid_field", "limit"),
        (r#"{"chat":"a:b","limit":1.5}"#, "invalid_field", "limit"),
        (r#"{"chat":"a:b","cursor":"1"}"#, "invalid_field", "cursor"),
        (r#"{"chat":"a:b","reverse":"true"}"#, "invalid_field", "reverse"),
    ] {
        eprintln!("{json}");
        server.post("/api/pull", json).await.refused(400, code, Some(field));
        server.ask("GET /api/pull", &[JSON], json.as_bytes()).await.refused(400, code, Some(field));
    }
    for line in ["GET /api/pull?chat=a:b", "POST /api/pull?chat=a:b"] {
        let both = server.ask(line, &[JSON], br#"{"chat":"a:b"}"#).await;
        both.refused(400, "body_and_query", None);
    }
}

#[tokio::test]
async fn paths_and_methods() {
    let server = Server::start().await;
    for path in [
        "/",
        "/api",
        "/api/",
        "/api/send/",
        "/API/send",
        "/api//send",
        "/bench/noop",
        "/ping/x",
        "/%61pi/send",
    ] {
        server.get(path).await.refused(404, "no_such_path", None);
        server.post(path, SEND).await.refused(404, "no_such_path", None);
    }
    for (line, allow) in [
        ("GET /api/send", "POST"),
        ("PUT /api/send", "POST"),
        ("OPTIONS /api/send", "POST"),
        ("BREW /api/send", "POST"),
        ("DELETE /api/pull", "GET, HEAD, POST"),
        ("POST /ping", "GET, HEAD"),
        ("POST /healthz", "GET, HEAD"),
        ("PATCH /readyz", "GET, HEAD"),
    ] {
        let answer = server.ask(line, &[], b"").await;
        answer.refused(405, "method_not_allowed", None);
        assert_eq!(answer.header("allow"), Some(allow), "{line}");
    }
}

#[tokio::test]
async fn the_bench_route_reads_as_a_send_does() {
    let mut setup = Setup::on(memory());
    setup.http.bench_routes = true;
    let server = setup.start().await;
    server.post("/bench/noop", SEND).await.ok();
    server.post("/bench/noop", "{}").await.refused(400, "missing_field", Some("chat"));
    let foreign_key = ["Idempotency-Key: é", JSON];
    let answer = server.ask("POST /bench/noop", &foreign_key, SEND.as_bytes()).await;
    answer.refused(400, "invalid_field", Some("Idempotency-Key"));
    assert_eq!(server.get("/bench/noop").await.header("allow"), Some("POST"));
    assert_eq!(server.get("/api/pull?chat=a:b").await.text(), r#"{"messages":[]}"#);
}

#[tokio::test]
async fn content_types() {
    let server = Server::start().await;
    for bad in [
        "Content-Type: text/plain",
        "Content-Type: application/x-www-form-urlencoded",
        "Content-Type:",
        "Accept: */*",
    ] {
        for line in ["POST /api/send", "POST /api/pull", "GET /api/pull"] {
            server.ask(line, &[bad], SEND.as_bytes()).await.refused(415, "unsupported_media_type", None);
        }
    }
    for good in ["Content-Type: APPLICATION/JSON;charset=utf-8", "content-type: application/vnd.chat+json"] {
        server.ask("POST /api/send", &[good], SEND.as_bytes()).await.ok();
    }
    server.ask("GET /api/pull?chat=a:b", &["Content-Type: text/plain"], b"").await.ok();
}

#[tokio::test]
async fn hosts_and_origins() {
    let server = Server::start().await;
    for host in ["localhost", "127.0.0.1:1", "[::1]:8080", "192.168.1.9", "CHAT.example.com:443"] {
        server.ask("GET /ping", &[&format!("Host: {host}")], b"").await.ok();
    }
    for host in ["evil.example", "localhost.evil.example", "a@localhost"] {
        server.ask("GET /ping", &[&format!("Host: {host}")], b"").await.refused(403, "host", None);
    }
    server.ask("GET http://evil.example/ping", &[], b"").await.refused(403, "host", None);
    server.ask("GET http://localhost/ping", &[], b"").await.ok();
    let twice = ["Host: localhost", "Host: localhost"];
    server.ask("GET /ping", &twice, b"").await.refused(400, "bad_request", None);
    let mut raw = server.connect().await;
    raw.write(b"GET /ping HTTP/1.1\r\n\r\n").await;
    raw.answer().await.refused(400, "bad_request", None);
    let mut raw = server.connect().await;
    raw.write(b"GET /ping HTTP/1.0\r\n\r\n").await;
    raw.answer().await.ok();
    for origin in ["http://localhost:3000", "http://127.0.0.1", "https://chat.example.com"] {
        let headers = [&format!("Origin: {origin}"), JSON];
        server.ask("POST /api/send", &headers, SEND.as_bytes()).await.ok();
    }
    for origin in ["null", "https://evil.example", "http://localhost.evil.example", "localhost"] {
        let headers = [&format!("Origin: {origin}"), JSON];
        server.ask("POST /api/send", &headers, SEND.as_bytes()).await.refused(403, "origin", None);
        server.ask("GET /api/pull?chat=a:b", &headers[..1], b"").await.refused(403, "origin", None);
    }
}
