//! Every bound: exactly at it, and one past it.

use crate::server::{Server, Setup, memory};
use serde_json::json;

async fn send(server: &Server, fields: serde_json::Value) -> crate::raw::Answer {
    let mut request = json!({"chat": "a:b", "text": "x", "sender": "a"});
    for (name, value) in fields.as_object().expect("an object") {
        request[name] = value.clone();
    }
    server.post("/api/send", &request.to_string()).await
}

#[tokio::test]
async fn texts() {
    let server = Server::start().await;
    for text in ["x".repeat(16_384), "👍".repeat(4_096), "\"".repeat(16_384), "\u{1}".repeat(16_384)] {
        assert_eq!(send(&server, json!({"text": text})).await.ok()["text"], text);
    }
    for text in ["x".repeat(16_385), "👍".repeat(4_096) + "x", "\u{1}".repeat(16_385)] {
        send(&server, json!({"text": text})).await.refused(400, "text_too_long", Some("text"));
    }
    let mut setup = Setup::on(memory());
    setup.http.text_max_bytes = 3;
    let server = setup.start().await;
    send(&server, json!({"text": "xyz"})).await.ok();
    send(&server, json!({"text": "wxyz"})).await.refused(400, "text_too_long", Some("text"));
}

#[tokio::test]
async fn names_keys_and_data() {
    let server = Server::start().await;
    let (longest, too_long) = ("é".repeat(64), "é".repeat(64) + "x");
    send(&server, json!({"chat": format!("a:{longest}"), "sender": longest})).await.ok();
    let refused = send(&server, json!({"chat": format!("a:{too_long}"), "sender": too_long})).await;
    refused.refused(400, "invalid_field", Some("chat"));
    send(&server, json!({"key": "k".repeat(64)})).await.ok();
    send(&server, json!({"key": "k".repeat(65)})).await.refused(400, "invalid_field", Some("key"));
    send(&server, json!({"data": {"a": "x".repeat(4_096 - 8)}})).await.ok();
    let refused = send(&server, json!({"data": {"a": "x".repeat(4_096 - 7)}})).await;
    refused.refused(400, "data_too_long", Some("data"));
}

#[tokio::test]
async fn bodies() {
    let server = Server::start().await;
    let body = |length: usize| {
        let json = r#"{"chat":"a:b","text":"x","sender":"a"}"#;
        json.to_owned() + &" ".repeat(length - json.len())
    };
    server.post("/api/send", &body(131_072)).await.ok();
    server.post("/api/send", &body(131_073)).await.refused(413, "body_too_large", None);
    let chunked = ["Content-Type: application/json", "Transfer-Encoding: chunked"];
    for (length, fits) in [(131_072, true), (131_073, false)] {
        let bytes: String = body(length).as_bytes().chunks(10_000).fold(String::new(), |bytes, chunk| {
            bytes + &format!("{:x}\r\n{}\r\n", chunk.len(), String::from_utf8_lossy(chunk))
        }) + "0\r\n\r\n";
        let answer = server.ask("POST /api/send", &chunked, bytes.as_bytes()).await;
        if fits {
            answer.ok();
        } else {
            answer.refused(413, "body_too_large", None);
        }
    }
}

#[tokio::test]
async fn pages_and_cursors() {
    let server = Server::start().await;
    let mut raw = server.connect().await;
    let json = br#"{"chat":"a:b","text":"x","sender":"a"}"#;
    for _ in 0..1_001 {
        raw.ask("POST /api/send", &["Content-Type: application/json"], json).await.ok();
    }
    for (query, length, next) in [
        ("", 10, Some(10)),
        ("&limit=0", 10, Some(10)),
        ("&limit=1", 1, Some(1)),
        ("&limit=1000", 1_000, Some(1_000)),
        ("&limit=1001", 1_000, Some(1_000)),
        ("&limit=18446744073709551615", 1_000, Some(1_000)),
        ("&cursor=1000", 1, None),
        ("&cursor=1001", 0, None),
        ("&cursor=9007199254740991", 0, None),
        ("&cursor=9007199254740991&reverse=true", 10, Some(991)),
        ("&cursor=1&reverse=true", 1, None),
        ("&limit=1000&reverse=true", 1_000, Some(1)),
    ] {
        let page = raw.ask(&format!("GET /api/pull?chat=a:b{query}"), &[], b"").await.ok();
        assert_eq!(page["messages"].as_array().map(Vec::len), Some(length), "{query}");
        assert_eq!(page.get("next_cursor").and_then(serde_json::Value::as_u64), next, "{query}");
        assert_eq!(page.get("has_more").is_some(), next.is_some(), "{query}");
    }
    let past = raw.ask("GET /api/pull?chat=a:b&cursor=9007199254740992", &[], b"").await;
    past.refused(400, "invalid_field", Some("cursor"));
}
