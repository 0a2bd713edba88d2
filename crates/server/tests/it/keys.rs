//! Exactly-once send.

use crate::server::Server;

const JSON: &str = "Content-Type: application/json";

#[tokio::test]
async fn a_key_is_sent_once() {
    let server = Server::start().await;
    let json = r#"{"chat":"a:b","text":"x","sender":"a","key":"k1"}"#;
    let first = server.post("/api/send", json).await;
    assert_eq!(first.ok()["key"], "k1");
    assert_eq!(first.header("idempotent-replayed"), None);
    let without = br#"{"chat":"b:a","text":"x","sender":"a"}"#;
    for header in ["Idempotency-Key: k1", "idempotency-key: \"k1\""] {
        let again = server.ask("POST /api/send", &[JSON, header], without).await;
        assert_eq!(again.ok()["seq"], 1);
        assert_eq!(again.ok()["chat"], "b:a");
        assert_eq!(again.header("idempotent-replayed"), Some("true"));
    }
    let both = server.ask("POST /api/send", &[JSON, "Idempotency-Key: k1"], json.as_bytes()).await;
    assert_eq!(both.ok()["seq"], 1);
    // Another sender's key is another key, and so is another chat's.
    let other = server.post("/api/send", r#"{"chat":"a:b","text":"x","sender":"b","key":"k1"}"#).await;
    assert_eq!(other.ok()["seq"], 2);
    let other = server.post("/api/send", r#"{"chat":"a:c","text":"x","sender":"a","key":"k1"}"#).await;
    assert_eq!(other.ok()["seq"], 1);
}

#[tokio::test]
async fn a_key_means_one_message() {
    let server = Server::start().await;
    server.post("/api/send", r#"{"chat":"a:b","text":"x","sender":"a","key":"k","data":{"n":1}}"#).await.ok();
    for other in [
        r#"{"chat":"a:b","text":"y","sender":"a","key":"k","data":{"n":1}}"#,
        r#"{"chat":"a:b","text":"x","sender":"a","key":"k","data":{"n":2}}"#,
        r#"{"chat":"a:b","text":"x","sender":"a","key":"k"}"#,
    ] {
        server.post("/api/send", other).await.refused(422, "key_reused", None);
    }
}

#[tokio::test]
async fn keys_that_contradict_or_are_none() {
    let server = Server::start().await;
    let json = br#"{"chat":"a:b","text":"x","sender":"a","key":"k1"}"#;
    let answer = server.ask("POST /api/send", &[JSON, "Idempotency-Key: k2"], json).await;
    answer.refused(400, "invalid_field", Some("key"));
    let twice = [JSON, "Idempotency-Key: k1", "Idempotency-Key: k1"];
    server.ask("POST /api/send", &twice, json).await.refused(400, "bad_request", None);
    for header in ["Idempotency-Key:", "Idempotency-Key: \"k", "Idempotency-Key: a b"] {
        let answer = server.ask("POST /api/send", &[JSON, header], json).await;
        answer.refused(400, "invalid_field", Some("Idempotency-Key"));
    }
}
