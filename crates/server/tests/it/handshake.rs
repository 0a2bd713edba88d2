//! How a WebSocket is opened, and what is refused before it is.

use crate::{
    server::Setup,
    socket::{HANDSHAKE, Socket, refused},
    wire::request,
};

#[tokio::test]
async fn a_handshake_opens_a_feed() {
    let server = Setup::memory().start().await;
    let mut socket = Socket::open(&server, "user=apple").await;
    let ready = socket.expect("ready").await;
    assert_eq!(ready["recovered"], true);
    server.stop_with(socket).await;
}

#[tokio::test]
async fn what_is_no_handshake_is_told_what_is() {
    let server = Setup::memory().start().await;
    let without = |at: usize| {
        let mut headers = HANDSHAKE.to_vec();
        headers.remove(at);
        headers
    };
    let with = |at: usize, header: &'static str| {
        let mut headers = HANDSHAKE.to_vec();
        headers[at] = header;
        headers
    };
    for headers in [
        vec![],
        without(0),
        without(1),
        without(2),
        with(0, "Connection: close"),
        with(1, "Upgrade: h2c"),
        with(2, "Sec-WebSocket-Version: 8"),
        [&HANDSHAKE[..], &["Sec-WebSocket-Version: 13"]].concat(),
    ] {
        let reply = refused(&server, "/api/ws?user=apple", &headers).await;
        reply.refused(426, "upgrade_required", "");
        assert_eq!(reply.header("upgrade"), Some("websocket"), "{headers:?}");
        assert_eq!(reply.header("sec-websocket-version"), Some("13"));
    }
    for headers in [
        without(3),
        with(3, "Sec-WebSocket-Key: short"),
        with(3, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="[..].trim_end_matches('=')),
        [&HANDSHAKE[..], &[HANDSHAKE[3]]].concat(),
    ] {
        let reply = refused(&server, "/api/ws?user=apple", &headers).await;
        reply.refused(400, "bad_request", "Sec-WebSocket-Key");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_bad_request_is_a_problem_document_and_the_connection_goes_on() {
    let server = Setup::memory().start().await;
    let mut connection = server.connect().await;
    for (query, code, field) in [
        ("", "missing_field", "user"),
        ("user=a:b", "invalid_field", "user"),
        ("user=apple&since=yesterday", "invalid_field", "since"),
        ("user=apple&user=banana", "duplicate_field", "user"),
    ] {
        for path in ["/api/ws", "/api/events", "/api/poll"] {
            let ask = request(&format!("GET {path}?{query}"), &HANDSHAKE, "");
            connection.ask(ask).await.refused(400, code, field);
        }
    }
    for path in ["/api/events", "/api/poll"] {
        let ask = request(&format!("GET {path}?user=apple"), &["Content-Type: application/json"], "{}");
        connection.ask(ask).await.refused(400, "body_and_query", "");
    }
    drop(connection);
    server.stop().await;
}

#[tokio::test]
async fn no_page_of_another_site_opens_a_feed() {
    let server = Setup::memory().start().await;
    for path in ["/api/ws?user=apple", "/api/events?user=apple", "/api/poll?user=apple", "/api/chats?user=a"]
    {
        for (header, code) in [
            ("Origin: https://evil.example", "origin"),
            ("Origin: http://192.0.2.7", "origin"),
            ("Host: evil.example", "host"),
        ] {
            let headers = [&HANDSHAKE[..], &[header]].concat();
            refused(&server, path, &headers).await.refused(403, code, "");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn the_methods_of_each_path() {
    let server = Setup::memory().start().await;
    let mut connection = server.connect().await;
    for (path, allow) in [
        ("/api/ws", "GET"),
        ("/api/events", "GET"),
        ("/api/poll", "GET"),
        ("/api/chats", "GET, HEAD"),
        ("/api/presence", "GET, HEAD"),
        ("/api/read", "POST"),
        ("/api/delivered", "POST"),
        ("/api/typing", "POST"),
    ] {
        let reply = connection.ask(request(&format!("DELETE {path}"), &[], "")).await;
        reply.refused(405, "method_not_allowed", "");
        assert_eq!(reply.header("allow"), Some(allow));
    }
    connection.write(request("HEAD /api/events?user=apple", &[], "")).await;
    assert_eq!(connection.head().await.status, 405);
    connection.ask(request("GET /bench/echo", &HANDSHAKE, "")).await.refused(404, "no_such_path", "");
    drop(connection);
    server.stop().await;
}
