//! Every verb and every refusal says over HTTP/2 what it says over HTTP/1.1.

use super::{
    frames::{END_HEADERS, END_STREAM, Frames, HEADERS, SETTINGS, frame, header},
    library::{Http2, get, post, request},
};
use crate::{
    server::Setup,
    tls::Certificate,
    wire::{JSON, request as request1},
};

/// What is asked, in this order: a line, headers and a body.
fn script() -> Vec<(&'static str, Vec<&'static str>, String)> {
    let json = |body: &str| (vec![JSON], body.to_owned());
    let send = r#"{"chat":"apple:banana","text":"Hello how are you?","sender":"apple"}"#;
    let mut script = Vec::new();
    let mut add = |line, (headers, body): (Vec<&'static str>, String)| script.push((line, headers, body));
    add("POST /api/send", json(send));
    add("POST /api/send", (vec![JSON, "Idempotency-Key: k1"], send.into()));
    add("POST /api/send", (vec![JSON, "Idempotency-Key: k1"], send.into()));
    add("POST /api/send", (vec![JSON, "Idempotency-Key: k1"], send.replace("Hello", "Bye")));
    add("GET /api/pull?chat=apple:banana", (vec![], String::new()));
    add("HEAD /api/pull?chat=apple:banana", (vec![], String::new()));
    add("GET /api/pull", json(r#"{"chat":"apple:banana","reverse":true,"limit":1}"#));
    add("POST /api/pull", json(r#"{"chat":"apple:banana","limit":1}"#));
    add("GET /api/pull?chat=apple:banana&limit=0", (vec![], String::new()));
    add("GET /api/chats?user=banana", (vec![], String::new()));
    add("HEAD /api/chats?user=banana", (vec![], String::new()));
    add("POST /api/read", json(r#"{"chat":"apple:banana","user":"banana","seq":1}"#));
    add("POST /api/delivered", json(r#"{"chat":"apple:banana","user":"banana","seq":2}"#));
    add("POST /api/edit", json(r#"{"chat":"apple:banana","seq":1,"sender":"apple","text":"Edited"}"#));
    add("POST /api/react", json(r#"{"chat":"apple:banana","seq":1,"user":"banana","emoji":"👍"}"#));
    add("POST /api/unsend", json(r#"{"chat":"apple:banana","seq":1,"sender":"apple"}"#));
    add("POST /api/unsend", json(r#"{"chat":"apple:banana","seq":9,"sender":"apple"}"#));
    add("POST /api/typing", json(r#"{"chat":"apple:banana","user":"banana"}"#));
    add("GET /api/presence?user=apple", (vec![], String::new()));
    add("POST /api/ticket", (vec![], String::new()));
    for path in ["GET /ping", "HEAD /ping", "GET /healthz", "GET /readyz", "HEAD /readyz"] {
        add(path, (vec![], String::new()));
    }
    // What is refused.
    add("GET /api/send", (vec![], String::new()));
    add("DELETE /api/pull", (vec![], String::new()));
    add("PUT /ping", json("{}"));
    add("GET /nowhere", (vec![], String::new()));
    add("OPTIONS /api/send", (vec![], String::new()));
    add("POST /api/send", (vec![], send.into()));
    add("POST /api/send", (vec!["Content-Type: text/plain"], send.into()));
    add("POST /api/send", json("{"));
    add("POST /api/send", json(r#"{"chat":"apple:banana","text":"","sender":"apple"}"#));
    add("POST /api/send", json(r#"{"chat":"apple","text":"x","sender":"apple"}"#));
    add("POST /api/send", json(&format!(r#"{{"text":"{}"}}"#, "x".repeat(140_000))));
    add("GET /api/ws?user=apple", (vec![], String::new()));
    add("GET /api/ws", (vec![], String::new()));
    add("GET /api/events", (vec![], String::new()));
    add("GET /api/poll?user=apple&timeout=x", (vec![], String::new()));
    add("GET /ping", (vec!["Origin: https://evil.example"], String::new()));
    add("GET /api/poll?user=apple&since=x", (vec!["Last-Event-ID: y"], String::new()));
    script
}

#[tokio::test]
async fn every_verb_and_every_refusal() {
    let certificate = Certificate::new();
    let (old, new) = (Setup::memory().start().await, Setup::memory().with(&certificate).start().await);
    let mut http2 = Http2::open(&certificate, &new).await;
    for (line, headers, body) in script() {
        let mut http1 = old.connect().await;
        http1.write(request1(line, &headers, &body)).await;
        let expected = if line.starts_with("HEAD") { http1.head().await } else { http1.reply().await };
        let found = http2.ask(request(line, &headers, body)).await;
        assert_eq!(found.status, expected.status, "{line}: {found:?}");
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
        assert_eq!(text(&found.body), text(&expected.body), "{line}");
        for name in [
            "content-type",
            "content-length",
            "allow",
            "retry-after",
            "idempotent-replayed",
            "cache-control",
            "x-content-type-options",
            "referrer-policy",
            "content-security-policy",
            "www-authenticate",
        ] {
            let found = found.headers.get(name).map(|value| value.to_str().expect("ASCII"));
            assert_eq!(found, expected.header(name), "{line}: {name}");
        }
        for name in ["connection", "upgrade", "transfer-encoding"] {
            assert!(found.headers.get(name).is_none(), "{line}: {name} has no place in HTTP/2");
        }
        assert!(found.headers.contains_key("date"));
    }
    drop(http2);
    old.stop().await;
    new.stop().await;
}

#[tokio::test]
async fn who_may_speak_to_us_is_asked_of_the_authority() {
    let certificate = Certificate::new();
    let server = Setup::memory().with(&certificate).start().await;
    let mut http2 = Http2::open(&certificate, &server).await;
    for (authority, host, expected) in [
        ("localhost", None, None),
        ("chat.example.com", None, None),
        ("chat.example.com:443", Some("chat.example.com:443"), None),
        ("LOCALHOST", Some("localhost"), None),
        ("evil.example", None, Some("host")),
        ("evil.example", Some("localhost"), Some("host")),
        ("localhost", Some("evil.example"), Some("host")),
        ("localhost", Some("chat.example.com"), Some("bad_request")),
        ("user@localhost", None, Some("host")),
    ] {
        let mut asked = get("/ping");
        *asked.uri_mut() = format!("https://{authority}/ping").parse().expect("a URI");
        if let Some(host) = host {
            asked.headers_mut().insert("host", host.parse().expect("a header"));
        }
        let reply = http2.ask(asked).await;
        match expected {
            None => drop(reply.ok()),
            Some(code) => {
                let found = reply.json()["code"].clone();
                assert_eq!(found, code, "{authority}, {host:?}: {reply:?}");
            }
        }
    }
    // Without an authority, the header; without either, nothing.
    let mut frames = Frames::open(&certificate, &server, &[]).await;
    let mut ask = async |stream, host: Option<&str>| {
        let mut head = Vec::new();
        for (name, value) in [(":method", "GET"), (":scheme", "https"), (":path", "/ping")] {
            head.extend(header(name, value));
        }
        head.extend(host.map(|host| header("host", host)).unwrap_or_default());
        frames.write(frame(HEADERS, END_STREAM | END_HEADERS, stream, head)).await;
        frames.until(HEADERS, stream).await.status()
    };
    assert_eq!(ask(1, Some("localhost")).await, 200);
    assert_eq!(ask(3, None).await, 400);
    assert_eq!(ask(5, Some("evil.example")).await / 100, 4);
    drop((http2, frames));
    server.stop().await;
}

#[tokio::test]
async fn no_websocket_is_offered_and_no_tunnel() {
    let certificate = Certificate::new();
    let server = Setup::memory().with(&certificate).start().await;
    let mut frames = Frames::open(&certificate, &server, &[]).await;
    let settings = frames.until(SETTINGS, 0).await;
    let names: Vec<_> =
        settings.payload.chunks(6).map(|entry| u16::from_be_bytes([entry[0], entry[1]])).collect();
    assert!(!names.contains(&0x8), "SETTINGS_ENABLE_CONNECT_PROTOCOL (RFC 8441): {names:?}");
    assert!(names.contains(&0x3) && names.contains(&0x6), "streams and heads are bounded: {names:?}");
    let mut connect = header(":method", "CONNECT");
    connect.extend(header(":authority", "localhost:22"));
    frames.write(frame(HEADERS, END_STREAM | END_HEADERS, 1, connect)).await;
    assert_eq!(frames.until(HEADERS, 1).await.status(), 404);
    let mut http2 = Http2::open(&certificate, &server).await;
    let reply = http2.ask(get("/api/ws?user=apple")).await;
    reply.refused(426, "upgrade_required");
    assert!(String::from_utf8_lossy(&reply.body).contains("HTTP/1.1"));
    http2.ask(post("/api/send", crate::wire::hello("x"))).await.ok();
    drop((http2, frames));
    server.stop().await;
}
