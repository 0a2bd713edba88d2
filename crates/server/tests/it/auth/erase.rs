//! Erasing a user through the front door.

use super::{Guarded, bearer, token};
use crate::{
    server::Setup,
    socket::{HANDSHAKE, Socket},
    wire::{JSON, post, request, within},
};
use chinwag_model::Scope;
use serde_json::{Value, json};

async fn socket(guarded: &Guarded, user: &str, header: &str) -> Socket {
    let mut connection = guarded.server.connect().await;
    let headers: Vec<_> = HANDSHAKE.into_iter().chain([header]).collect();
    connection.write(request(&format!("GET /api/ws?user={user}"), &headers, "")).await;
    assert_eq!(connection.head().await.status, 101);
    let mut socket = Socket::of(connection);
    socket.expect("ready").await;
    socket
}

#[tokio::test]
async fn an_administrators_key_erases_a_user_and_the_peer_hears_of_it() {
    let guarded = Guarded::start().await;
    let key = bearer(&guarded.key(Scope::Admin).await);
    let ask = async |line: &str, body: Value| {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let json = (!body.is_empty()).then_some(JSON);
        let headers: Vec<_> = json.into_iter().chain([key.as_str()]).collect();
        guarded.server.ask(request(line, &headers, body)).await.ok()
    };
    for (sender, text) in [("apple", "one"), ("banana", "two"), ("apple", "three")] {
        ask("POST /api/send", json!({"chat": "apple:banana", "sender": sender, "text": text})).await;
    }
    ask("POST /api/react", json!({"chat": "apple:banana", "seq": 2, "user": "apple", "emoji": "👍"})).await;
    ask("POST /api/read", json!({"chat": "apple:banana", "user": "apple", "seq": 2})).await;
    ask("POST /api/block", json!({"user": "apple", "peer": "cherry"})).await;
    let mut of_apple = socket(&guarded, "apple", &bearer(&token("apple"))).await;
    let mut of_banana = socket(&guarded, "banana", &bearer(&token("banana"))).await;

    let with = |messages, reactions, markers, blocks, done| json!({"user": "apple", "messages": messages, "reactions": reactions, "markers": markers, "blocks": blocks, "done": done});
    let counted = ask("POST /api/erase", json!({"user": "apple", "dry_run": true})).await;
    assert_eq!(counted, with(2, 1, 1, 1, true));
    let before = ask("GET /api/pull?chat=apple:banana", Value::Null).await;
    assert_eq!(before["messages"][0]["text"], "one", "it was only counted");

    let erased = ask("POST /api/erase", json!({"user": "apple"})).await;
    assert_eq!(erased, with(2, 1, 1, 1, false), "one more look is due");
    assert_eq!(within("the end of the session", of_apple.closed()).await, 4403);
    for (kind, seq) in [("unsend", 1), ("reaction", 2), ("unsend", 3)] {
        assert_eq!(of_banana.expect(kind).await["message"]["seq"], seq);
    }
    assert_eq!(ask("POST /api/erase", json!({"user": "apple"})).await, with(0, 0, 0, 0, true));
    let page = ask("GET /api/pull?chat=apple:banana", Value::Null).await;
    let texts: Vec<_> = page["messages"].as_array().expect("a list").iter().map(|one| &one["text"]).collect();
    assert_eq!(texts, ["", "two", ""]);
    let inbox = ask("GET /api/chats?user=banana", Value::Null).await;
    assert_eq!((&inbox["unread_total"], &inbox["chats"][0]["read"]["apple"]), (&json!(0), &json!(0)));
    let blocks = ask("GET /api/blocks?user=apple", Value::Null).await;
    assert_eq!(blocks["blocks"], json!([]));
    // Who sends again is a new user, and the chat goes on.
    let sent = ask("POST /api/send", json!({"chat": "apple:banana", "sender": "apple", "text": "new"})).await;
    assert_eq!(sent["seq"], 4);
    let mut by_key = socket(&guarded, "banana", &key).await;
    let reply = by_key.ask(r#"{"id":1,"op":"erase","user":"apple"}"#).await;
    assert_eq!(reply["body"], with(1, 0, 0, 0, false), "{reply}");
    drop(by_key);
    guarded.server.stop_with(of_banana).await;
}

/// Where nobody is asked who calls, it is the operator's alone.
#[tokio::test]
async fn an_open_server_erases_for_nobody() {
    let server = Setup::memory().start().await;
    server.ask(post("/api/erase", r#"{"user":"apple"}"#)).await.refused(403, "not_allowed", "");
    server.ask(post("/api/erase", r#"{"user":"a:b"}"#)).await.refused(400, "invalid_field", "user");
    server.stop().await;
}
