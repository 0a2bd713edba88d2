//! Pages of other sites: those of an allowed origin may call and read, and no others.

use crate::{
    server::{NOW, Server, Setup},
    socket::HANDSHAKE,
    stream::Stream,
    wire::{JSON, Reply, get, hello, request},
};
use chinwag::identity::{ApiKeys, Door, Expectations, KeySet};
use chinwag_model::ManualClock;
use chinwag_store::memory::MemoryStore;
use std::sync::Arc;

const APP: &str = "Origin: https://app.example";
const PHONE: &str = "Origin: capacitor://localhost:81";
const ASKS: &str = "Access-Control-Request-Method: POST";

fn setup() -> Setup {
    let mut setup = Setup::memory();
    setup.http.allowed_origins = vec!["https://app.example".into(), "capacitor://localhost:81".into()];
    setup
}

/// A preflight of a page for a path.
async fn preflight(server: &Server, path: &str, headers: &[&str]) -> Reply {
    server.ask(request(&format!("OPTIONS {path}"), &[&[ASKS], headers].concat(), "")).await
}

#[track_caller]
fn assert_open(reply: &Reply, origin: &str) {
    assert_eq!(reply.header("access-control-allow-origin"), origin.strip_prefix("Origin: "), "{reply:?}");
    assert_eq!(
        reply.header("access-control-expose-headers"),
        Some("Idempotent-Replayed, RateLimit, RateLimit-Policy, Retry-After, X-Request-Id"),
        "{reply:?}"
    );
    assert_eq!(reply.header("vary"), Some("Origin"), "{reply:?}");
    assert_eq!(reply.header("access-control-allow-credentials"), None, "{reply:?}");
}

#[track_caller]
fn assert_closed(reply: &Reply) {
    for name in ["origin", "methods", "headers", "credentials"] {
        assert_eq!(reply.header(&format!("access-control-allow-{name}")), None, "{reply:?}");
    }
    assert_eq!(reply.header("access-control-expose-headers"), None, "{reply:?}");
}

#[tokio::test]
async fn a_page_of_an_allowed_origin_may_read_every_reply() {
    let server = setup().start().await;
    for origin in [APP, PHONE] {
        for (line, headers, body, status) in [
            ("POST /api/send", &[origin, JSON][..], hello("x"), 200),
            ("GET /api/pull?chat=apple:banana", &[origin], String::new(), 200),
            ("GET /ping", &[origin], String::new(), 200),
            ("GET /nowhere", &[origin], String::new(), 404),
            ("PUT /api/send", &[origin], String::new(), 405),
            ("POST /api/send", &[origin, JSON], "{".into(), 400),
            ("POST /api/send", &[origin], hello("x"), 415),
        ] {
            let reply = server.ask(request(line, headers, body)).await;
            assert_eq!(reply.status, status, "{line}: {reply:?}");
            assert_open(&reply, origin);
        }
    }
    let stream = Stream::open(&server, "user=apple", &[APP]).await;
    assert_open(&stream.reply, APP);
    drop(stream);
    let mut connection = server.connect().await;
    connection.write(request("GET /api/ws?user=apple", &[&HANDSHAKE[..], &[APP]].concat(), "")).await;
    assert_eq!(connection.head().await.status, 101);
    drop(connection);
    server.stop().await;
}

#[tokio::test]
async fn a_preflight_tells_what_a_path_takes() {
    let server = setup().start().await;
    for (path, methods) in [
        ("/api/send", "POST"),
        ("/api/react", "POST"),
        ("/api/ticket", "POST"),
        ("/api/pull?chat=apple:banana", "GET, HEAD, POST"),
        ("/api/chats", "GET, HEAD"),
        ("/api/events", "GET"),
    ] {
        let reply = preflight(&server, path, &[APP, "Access-Control-Request-Headers: authorization"]).await;
        assert_eq!(reply.status, 204, "{path}: {reply:?}");
        assert_open(&reply, APP);
        assert_eq!(reply.header("access-control-allow-methods"), Some(methods), "{path}");
        let headers = reply.header("access-control-allow-headers");
        assert_eq!(
            headers,
            Some("Authorization, Content-Type, Idempotency-Key, Last-Event-ID, Traceparent"),
            "{path}"
        );
        assert_eq!(reply.header("access-control-max-age"), Some("7200"), "{path}");
    }
    preflight(&server, "/nowhere", &[APP]).await.refused(404, "no_such_path", "");
    // Without the method that it asks for, it is a request as any other.
    server.ask(request("OPTIONS /api/send", &[APP], "")).await.refused(405, "method_not_allowed", "");
    server.stop().await;
}

/// A browser never sends a token with a preflight; the request itself needs one.
#[tokio::test]
async fn a_preflight_needs_no_token() {
    let clock = Arc::new(ManualClock::at(NOW));
    let secret = b"a secret of tests, of 32 bytes or more";
    let keys = KeySet::open(Some(secret), None, None, clock.clone()).await.expect("a secret");
    let api_keys = ApiKeys::open(Arc::new(MemoryStore::new(clock.clone()))).await.expect("none yet");
    let door = Door::guarded(keys, api_keys, Expectations { audience: None, issuer: None }, clock);
    let server = Setup { door, ..setup() }.start().await;
    let reply = preflight(&server, "/api/send", &[APP]).await;
    assert_eq!(reply.status, 204, "{reply:?}");
    assert_open(&reply, APP);
    let reply = server.ask(request("POST /api/send", &[APP, JSON], hello("x"))).await;
    reply.refused(401, "token_missing", "");
    assert_open(&reply, APP);
    server.stop().await;
}

#[tokio::test]
async fn an_origin_is_allowed_as_a_whole_or_not_at_all() {
    let server = setup().start().await;
    for origin in [
        "Origin: http://app.example",
        "Origin: https://app.example:8443",
        "Origin: https://x.app.example",
        "Origin: https://app.example.evil.example",
        "Origin: https://evilapp.example",
        "Origin: https://app.example/",
        "Origin: https://App.example",
        "Origin: https://app.ex",
        "Origin: null",
        "Origin: *",
        "Origin:",
    ] {
        for reply in [
            preflight(&server, "/api/send", &[origin]).await,
            server.ask(request("POST /api/send", &[origin, JSON], hello("x"))).await,
            server.ask(request("GET /api/pull?chat=apple:banana", &[origin], "")).await,
        ] {
            reply.refused(403, "origin", "");
            assert_closed(&reply);
            assert_eq!(reply.header("vary"), Some("Origin"), "{reply:?}");
        }
    }
    // One that stands beside another says nothing of whose page it is.
    let reply = preflight(&server, "/api/send", &[APP, "Origin: https://evil.example"]).await;
    reply.refused(403, "origin", "");
    assert_closed(&reply);
    let reply = preflight(&server, "/api/send", &[APP, PHONE]).await;
    reply.refused(405, "method_not_allowed", "");
    assert_closed(&reply);
    preflight(&server, "/api/send", &[APP, "Host: evil.example"]).await.refused(403, "host", "");
    let pulled = server.ask(get("/api/pull?chat=apple:banana")).await;
    assert_eq!(pulled.ok()["messages"].as_array().map(Vec::len), Some(0), "nothing was stored");
    server.stop().await;
}

/// A page that the server's own host serves needs no leave to call, and that of another port gets none to read.
#[tokio::test]
async fn pages_of_our_own_hosts_call_as_before() {
    let server = setup().start().await;
    let ours = "Origin: http://localhost:3000";
    let reply = server.ask(request("GET /ping", &[ours], "")).await;
    assert_eq!(reply.status, 200);
    assert_closed(&reply);
    let reply = preflight(&server, "/api/send", &[ours]).await;
    reply.refused(405, "method_not_allowed", "");
    assert_closed(&reply);
    server.stop().await;

    let server = Setup::memory().start().await;
    let reply = server.ask(get("/ping")).await;
    assert_closed(&reply);
    assert_eq!(reply.header("vary"), None, "no reply depends on the origin: {reply:?}");
    server.stop().await;
}
