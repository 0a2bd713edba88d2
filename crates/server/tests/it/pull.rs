//! Pulls: their two forms, and pages end to end.

use crate::{
    server::{Server, Setup},
    wire::{JSON, get, hello, post, request},
};
use chinwag_store::{
    StoreError,
    fault::{Fault, FaultyStore},
};
use serde_json::Value;
use std::{sync::Arc, time::Duration};

async fn with_messages(setup: Setup, messages: usize) -> Server {
    let server = setup.start().await;
    let mut connection = server.connect().await;
    for n in 1..=messages {
        connection.ask(post("/api/send", hello(&n.to_string()))).await.ok();
    }
    server
}

fn seqs(page: &Value) -> Vec<u64> {
    let messages = page["messages"].as_array().expect("messages");
    messages.iter().map(|message| message["seq"].as_u64().expect("a seq")).collect()
}

#[tokio::test]
async fn a_query_string_asks_as_a_body_does() {
    let server = with_messages(Setup::embedded(), 5).await;
    let mut connection = server.connect().await;
    let json = r#"{"chat":"apple:banana","limit":2,"cursor":4,"reverse":true}"#;
    let forms = [
        get("/api/pull?chat=apple:banana&limit=2&cursor=4&reverse=true"),
        get("/api/pull?chat=apple%3Abanana&cursor=4&limit=2&reverse=true&unknown=1"),
        request("GET /api/pull", &[JSON], json),
        request("GET /api/pull?", &[JSON], json),
        request("POST /api/pull", &[JSON], json),
        request("POST /api/pull?chat=apple:banana&limit=2&cursor=4&reverse=true", &["Content-Length: 0"], ""),
        request("GET http://localhost/api/pull?chat=apple:banana&limit=2&cursor=4&reverse=true", &[], ""),
    ];
    for form in forms {
        let page = connection.ask(&form).await.ok();
        assert_eq!(seqs(&page), [4, 3], "{}", String::from_utf8_lossy(&form));
        assert_eq!((page["has_more"].as_bool(), page["next_cursor"].as_u64()), (Some(true), Some(2)));
    }
    server.stop().await;
}

#[tokio::test]
async fn pages_reach_the_end_both_ways_without_repeat_or_gap() {
    for setup in Setup::each() {
        let server = with_messages(setup, 25).await;
        let mut connection = server.connect().await;
        for reverse in [false, true] {
            let mut all = Vec::new();
            let mut cursor = 0;
            loop {
                let path = format!("/api/pull?chat=apple:banana&limit=10&cursor={cursor}&reverse={reverse}");
                let page = connection.ask(get(&path)).await.ok();
                all.extend(seqs(&page));
                let Some(next) = page.get("next_cursor") else {
                    assert_eq!(page.get("has_more"), None, "both or neither");
                    break;
                };
                assert_eq!(page["has_more"], true);
                cursor = next.as_u64().expect("a number");
            }
            let expected: Vec<u64> = if reverse { (1..=25).rev().collect() } else { (1..=25).collect() };
            assert_eq!(all, expected);
        }
        server.stop().await;
    }
}

#[tokio::test]
async fn the_default_limit_and_places_past_the_end() {
    for setup in Setup::each() {
        let server = with_messages(setup, 12).await;
        let mut connection = server.connect().await;
        for (query, expected) in [
            ("", (1..=10).collect::<Vec<u64>>()),
            ("&limit=0", (1..=10).collect()),
            ("&cursor=12", vec![]),
            ("&cursor=99", vec![]),
            ("&cursor=99&reverse=true&limit=2", vec![12, 11]),
            ("&reverse=true&limit=1", vec![12]),
            ("&cursor=1&reverse=true", vec![1]),
            ("&cursor=11", vec![12]),
        ] {
            let page = connection.ask(get(&format!("/api/pull?chat=apple:banana{query}"))).await.ok();
            assert_eq!(seqs(&page), expected, "{query}");
        }
        server.stop().await;
    }
}

#[tokio::test]
async fn what_the_store_cannot_read() {
    let store = FaultyStore::new(Setup::memory().store);
    store.plan(1, Fault::Fail(StoreError::Busy { retry_after: Duration::ZERO }));
    store.plan(2, Fault::Fail(StoreError::Damaged("/secret".into())));
    let server = Setup::on(Arc::new(store)).start().await;
    let mut connection = server.connect().await;
    let busy = connection.ask(get("/api/pull?chat=a:b")).await;
    busy.refused(503, "overloaded", "");
    assert_eq!(busy.header("retry-after"), Some("1"));
    let damaged = connection.ask(get("/api/pull?chat=a:b")).await;
    damaged.refused(500, "internal", "");
    assert!(!String::from_utf8_lossy(&damaged.body).contains("secret"));
    connection.ask(get("/api/pull?chat=a:b")).await.ok();
    server.stop().await;
}
