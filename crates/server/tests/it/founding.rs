//! What the founding document asks, to the letter.

use crate::{
    raw::within,
    server::{Server, Setup, embedded},
};
use std::collections::BTreeSet;

const SEND: &str = "{\n  \t\"chat\": \"apple:banana\",\n  \t\"text\": \"Hello how are you?\",\n  \t\"sender\": \"apple\"\n  }";
const PULL: &str = "{\n      \"chat\": \"apple:banana\",\n  \t\t\"reverse\": true,\n  \t\t\"limit\": 10,\n  \t\t\"cursor\": 1\n  }";
const MESSAGE: &str = r#"{"chat":"apple:banana","text":"Hello how are you?","sender":"apple","send_time":1686404158,"seq":1,"ts":1686404158123456}"#;

/// What curl adds to a request.
const CURL: [&str; 3] = ["User-Agent: curl/8.5.0", "Accept: */*", "Content-Type: application/json"];

#[tokio::test]
async fn the_two_commands() {
    let server = Server::start().await;
    let sent = server.ask("POST /api/send", &CURL, SEND.as_bytes()).await;
    sent.ok();
    assert_eq!(sent.text(), MESSAGE);
    let pulled = server.ask("GET /api/pull", &CURL, PULL.as_bytes()).await;
    pulled.ok();
    assert_eq!(pulled.text(), format!(r#"{{"messages":[{MESSAGE}]}}"#));
}

#[tokio::test]
async fn every_way_to_pull_gives_the_same() {
    let server = Server::start().await;
    for text in ["one", "two", "three"] {
        let json = format!(r#"{{"chat":"apple:banana","text":"{text}","sender":"banana"}}"#);
        server.post("/api/send", &json).await.ok();
    }
    let json = r#"{"chat":"apple:banana","limit":2,"cursor":3,"reverse":true}"#;
    let by_post = server.post("/api/pull", json).await;
    let by_get = server.ask("GET /api/pull", &["content-type: application/json"], json.as_bytes()).await;
    let by_query = server.get("/api/pull?chat=apple%3Abanana&limit=2&cursor=3&reverse=true").await;
    let reply = by_post.ok();
    assert_eq!(reply, by_get.ok());
    assert_eq!(reply, by_query.ok());
    assert_eq!(reply["messages"][0]["text"], "three");
    assert_eq!(reply["messages"][1]["text"], "two");
    assert_eq!((&reply["has_more"], &reply["next_cursor"]), (&true.into(), &1.into()));
    let last = server.get("/api/pull?chat=apple:banana&limit=2&cursor=1&reverse=true").await.ok();
    assert_eq!(last["messages"].as_array().map(Vec::len), Some(1));
    assert!(last.get("has_more").is_none() && last.get("next_cursor").is_none());
}

#[tokio::test]
async fn a_chat_without_a_message_is_empty() {
    let server = Server::start().await;
    assert_eq!(server.get("/api/pull?chat=a:b").await.text(), r#"{"messages":[]}"#);
}

#[tokio::test]
async fn a_chat_has_two_spellings_and_each_is_echoed() {
    let server = Server::start().await;
    let sent = server.post("/api/send", r#"{"chat":"banana:apple","text":"hi","sender":"apple"}"#).await.ok();
    assert_eq!(sent["chat"], "banana:apple");
    let canonical = server.get("/api/pull?chat=apple:banana").await.ok();
    assert_eq!(canonical["messages"][0]["chat"], "apple:banana");
    let swapped = server.get("/api/pull?chat=banana:apple").await.ok();
    assert_eq!(swapped["messages"][0]["chat"], "banana:apple");
    assert_eq!(canonical["messages"][0]["ts"], swapped["messages"][0]["ts"]);
}

#[tokio::test]
async fn a_part_of_a_name_is_no_member() {
    let server = Server::start().await;
    for sender in ["app", "banan", "apple:banana", "Apple", "le:ban"] {
        let json = format!(r#"{{"chat":"apple:banana","text":"hi","sender":"{sender}"}}"#);
        server.post("/api/send", &json).await.refused(403, "not_a_member", Some("sender"));
    }
    assert_eq!(server.get("/api/pull?chat=apple:banana").await.text(), r#"{"messages":[]}"#);
}

#[tokio::test]
async fn a_note_to_self() {
    let server = Server::start().await;
    let sent = server.post("/api/send", r#"{"chat":"me:me","text":"buy milk","sender":"me"}"#).await.ok();
    assert_eq!((&sent["sender"], &sent["seq"]), (&"me".into(), &1.into()));
    assert_eq!(server.get("/api/pull?chat=me:me").await.ok()["messages"][0], sent);
}

#[tokio::test]
async fn ping_and_health() {
    let server = Server::start().await;
    let ping = server.get("/ping").await;
    ping.ok();
    assert_eq!(ping.text(), r#"{"message":"pong"}"#);
    server.get("/healthz").await.ok();
    server.get("/readyz").await.ok();
    server.get("/ping?anything=goes").await.ok();
    // Going away, it still works, and says that it will not for long.
    server.app.leave();
    server.get("/readyz").await.refused(503, "unavailable", None);
    server.get("/healthz").await.ok();
    server.get("/ping").await.ok();
}

#[tokio::test]
async fn equal_sends_are_as_many_messages() {
    const CONNECTIONS: u64 = 8;
    const EACH: u64 = 25;
    let directory = tempfile::tempdir().expect("a directory");
    let server = Setup::on(embedded(directory.path())).start().await;
    let json = br#"{"chat":"apple:banana","text":"again","sender":"apple"}"#;
    let senders: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let address = server.address;
            tokio::spawn(async move {
                let mut raw = crate::raw::Raw::connect(address).await;
                let mut seqs = Vec::new();
                for _ in 0..EACH {
                    let sent = raw.ask("POST /api/send", &CURL, json).await.ok();
                    seqs.push(sent["seq"].as_u64().expect("a number"));
                }
                seqs
            })
        })
        .collect();
    let mut acknowledged = BTreeSet::new();
    for sender in senders {
        acknowledged.extend(within("a sender", sender).await.expect("it does not panic"));
    }
    assert_eq!(acknowledged, (1..=CONNECTIONS * EACH).collect());
    server.stop().await;
    // They have outlived the server.
    let server = Setup::on(embedded(directory.path())).start().await;
    let page = server.get("/api/pull?chat=apple:banana&limit=1000").await.ok();
    let seqs: Vec<_> =
        page["messages"].as_array().into_iter().flatten().map(|message| &message["seq"]).collect();
    assert_eq!(seqs, (1..=CONNECTIONS * EACH).collect::<Vec<_>>());
    server.stop().await;
}
