//! Sends that are taken, repeated, or refused by the store.

use crate::{
    server::Setup,
    store::{PANIC, Stage},
    wire::{JSON, get, hello, post, request},
};
use chinwag_store::{
    StoreError,
    fault::{Fault, FaultyStore},
};
use serde_json::json;
use std::{sync::Arc, time::Duration};

#[tokio::test]
async fn a_reply_echoes_the_spelling_of_its_request() {
    for setup in Setup::each() {
        let server = setup.start().await;
        let mut connection = server.connect().await;
        let first = connection.ask(post("/api/send", hello("one"))).await.ok();
        assert_eq!((first["chat"].as_str(), first["seq"].as_u64()), (Some("apple:banana"), Some(1)));
        let other = r#"{"chat":"banana:apple","text":"two","sender":"apple"}"#;
        let second = connection.ask(post("/api/send", other)).await.ok();
        assert_eq!((second["chat"].as_str(), second["seq"].as_u64()), (Some("banana:apple"), Some(2)));
        for chat in ["apple:banana", "banana:apple"] {
            let page = connection.ask(get(&format!("/api/pull?chat={chat}"))).await.ok();
            let messages = page["messages"].as_array().expect("messages");
            assert_eq!(messages.len(), 2, "{chat}");
            assert!(messages.iter().all(|message| message["chat"] == chat), "{page}");
        }
        server.stop().await;
    }
}

#[tokio::test]
async fn a_note_to_self() {
    for setup in Setup::each() {
        let server = setup.start().await;
        let note = r#"{"chat":"apple:apple","text":"milk","sender":"apple"}"#;
        let sent = server.ask(post("/api/send", note)).await.ok();
        assert_eq!((sent["chat"].as_str(), sent["sender"].as_str()), (Some("apple:apple"), Some("apple")));
        let page = server.ask(get("/api/pull?chat=apple:apple")).await.ok();
        assert_eq!(page["messages"], json!([sent]));
        server.stop().await;
    }
}

#[tokio::test]
async fn equal_sends_without_a_key_are_as_many_messages() {
    for setup in Setup::each() {
        let server = setup.start().await;
        let connections = (0..8).map(|_| async {
            let mut connection = server.connect().await;
            for _ in 0..8 {
                let sent = connection.ask(post("/api/send", hello("the same"))).await;
                sent.ok();
                assert_eq!(sent.header("idempotent-replayed"), None);
            }
        });
        futures_util::future::join_all(connections).await;
        let page = server.ask(get("/api/pull?chat=apple:banana&limit=1000")).await.ok();
        let messages = page["messages"].as_array().expect("messages");
        let seqs: Vec<_> = messages.iter().map(|message| message["seq"].as_u64().expect("a seq")).collect();
        assert_eq!(seqs, (1..=64).collect::<Vec<_>>());
        let times: Vec<_> = messages.iter().map(|message| message["ts"].as_u64().expect("a time")).collect();
        assert!(times.is_sorted_by(|earlier, later| earlier < later), "{times:?}");
        server.stop().await;
    }
}

#[tokio::test]
async fn a_key_stores_once_by_header_or_body() {
    for setup in Setup::each() {
        let server = setup.start().await;
        let mut connection = server.connect().await;
        let mut body = json!({"chat": "apple:banana", "text": "once", "sender": "apple", "data": {"a": 1}});
        let bare = request("POST /api/send", &[JSON, "Idempotency-Key: k-1"], body.to_string());
        let quoted = request("POST /api/send", &[JSON, r#"Idempotency-Key: "k-1""#], body.to_string());
        body["key"] = "k-1".into();
        let in_body = post("/api/send", body.to_string());
        let in_both = request("POST /api/send", &[JSON, "Idempotency-Key: k-1"], body.to_string());
        body["chat"] = "banana:apple".into();
        let swapped = post("/api/send", body.to_string());

        let first = connection.ask(&bare).await;
        assert_eq!(first.header("idempotent-replayed"), None);
        let first = first.ok();
        assert_eq!((first["key"].as_str(), &first["data"]), (Some("k-1"), &json!({"a": 1})));
        for repeat in [&bare, &quoted, &in_body, &in_both] {
            let reply = connection.ask(repeat).await;
            assert_eq!(reply.header("idempotent-replayed"), Some("true"));
            assert_eq!(reply.ok(), first);
        }
        let reply = connection.ask(&swapped).await;
        assert_eq!(reply.header("idempotent-replayed"), Some("true"), "one chat, however it is spelled");
        assert_eq!(reply.ok()["chat"], "banana:apple");

        body["text"] = "another".into();
        connection.ask(post("/api/send", body.to_string())).await.refused(422, "key_reused", "");
        body["text"] = "once".into();
        body["data"] = json!({"a": 2});
        connection.ask(post("/api/send", body.to_string())).await.refused(422, "key_reused", "");
        body["sender"] = "banana".into();
        let other = connection.ask(post("/api/send", body.to_string())).await;
        assert_eq!(other.header("idempotent-replayed"), None, "a key is its sender's own");
        assert_eq!(other.ok()["seq"], 2);
        server.stop().await;
    }
}

#[tokio::test]
async fn what_the_store_refuses() {
    let secret = || "the disk of /secret".to_owned();
    let busy = StoreError::Busy { retry_after: Duration::from_millis(1_200) };
    let full = StoreError::Full { free_bytes: 1, reserve_bytes: 2 };
    let cases = [
        (busy, 503, "overloaded", Some("2")),
        (full, 507, "storage_full", None),
        (StoreError::Unavailable(secret()), 503, "unavailable", Some("1")),
        (StoreError::OutcomeUnknown(secret()), 503, "outcome_unknown", Some("1")),
        (StoreError::Damaged(secret()), 500, "internal", None),
        (StoreError::KeyReused, 422, "key_reused", None),
    ];
    let store = Arc::new(FaultyStore::new(Setup::memory().store));
    let server = Setup::on(store.clone()).start().await;
    let mut connection = server.connect().await;
    for (error, status, code, retry_after) in cases {
        store.plan(store.calls() + 1, Fault::Fail(error));
        let reply = connection.ask(post("/api/send", hello("x"))).await;
        reply.refused(status, code, "");
        assert_eq!(reply.header("retry-after"), retry_after, "{code}");
        let text = String::from_utf8_lossy(&reply.body).into_owned();
        assert!(!text.contains("secret"), "internals never reach a client: {text}");
    }
    store.plan(store.calls() + 1, Fault::LoseAnswer);
    let keyed = request("POST /api/send", &[JSON, "Idempotency-Key: k"], hello("kept"));
    connection.ask(&keyed).await.refused(503, "outcome_unknown", "");
    let settled = connection.ask(&keyed).await;
    assert_eq!(settled.header("idempotent-replayed"), Some("true"));
    assert_eq!(settled.ok()["seq"], 1, "what failed before had stored nothing");
    server.stop().await;
}

#[tokio::test]
async fn a_send_that_panics_is_of_unknown_outcome_and_harms_no_other() {
    let stage = Stage::new(Setup::memory().store);
    stage.release(1);
    let server = Setup::on(stage).start().await;
    let mut connection = server.connect().await;
    let reply = connection.ask(post("/api/send", hello(PANIC))).await;
    reply.refused(503, "outcome_unknown", "");
    assert!(!String::from_utf8_lossy(&reply.body).contains("as the test asked"));
    connection.ask(post("/api/send", hello("well"))).await.ok();
    server.stop().await;
}
