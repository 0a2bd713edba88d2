//! Tickets: once, and not for long.

use super::{Guarded, bearer, claims_but, sign, token};
use crate::{
    server::Setup,
    socket::Socket,
    wire::{post, request, within},
};
use serde_json::json;
use std::time::Duration;

async fn ticket(guarded: &Guarded, token: &str) -> String {
    let reply = guarded.server.ask(request("POST /api/ticket", &[&bearer(token)], "")).await;
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    reply.ok()["ticket"].as_str().expect("a ticket").to_owned()
}

#[tokio::test]
async fn a_ticket_opens_one_websocket() {
    let guarded = Guarded::start().await;
    let once = ticket(&guarded, &token("apple")).await;
    let path = format!("user=apple&ticket={once}");
    let mut socket = Socket::open(&guarded.server, &path).await;
    socket.expect("ready").await;
    assert_eq!(Socket::open(&guarded.server, &path).await.closed().await, 4401, "a second time");
    assert_eq!(Socket::open(&guarded.server, "user=apple&ticket=x").await.closed().await, 4401, "none");

    let others = ticket(&guarded, &token("banana")).await;
    let mut of_another = Socket::open(&guarded.server, &format!("user=apple&ticket={others}")).await;
    assert_eq!(of_another.closed().await, 4403, "another's feed");

    let late = ticket(&guarded, &token("apple")).await;
    guarded.clock.advance(Duration::from_secs(30));
    let mut late = Socket::open(&guarded.server, &format!("user=apple&ticket={late}")).await;
    assert_eq!(late.closed().await, 4401, "too late");

    // What it opened ends with the token that it was given for.
    guarded.clock.advance(Duration::from_secs(571));
    assert_eq!(within("the token's end", socket.closed()).await, 4401);
    guarded.server.stop().await;
}

#[tokio::test]
async fn a_ticket_does_not_outlive_its_token() {
    let guarded = Guarded::start().await;
    let short = sign(&claims_but("apple", &json!({"exp": super::NOW_S + 10})));
    let ticket = ticket(&guarded, &short).await;
    guarded.clock.advance(Duration::from_secs(11));
    let mut socket = Socket::open(&guarded.server, &format!("user=apple&ticket={ticket}")).await;
    assert_eq!(socket.closed().await, 4401);
    guarded.server.stop().await;
}

#[tokio::test]
async fn an_open_server_looks_at_neither() {
    let server = Setup::memory().start().await;
    let reply = server.ask(post("/api/ticket", "{}")).await.ok();
    let path = format!("user=apple&ticket={}", reply["ticket"].as_str().expect("a ticket"));
    let mut socket = Socket::open(&server, &path).await;
    socket.expect("ready").await;
    assert_eq!(socket.ask(r#"{"id":1,"op":"auth","token":"x"}"#).await["status"], 200);
    let ignored = request("GET /api/chats?user=apple&token=x", &["Authorization: Bearer x"], "");
    server.ask(ignored).await.ok();
    server.stop_with(socket).await;
}
