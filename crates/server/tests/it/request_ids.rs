//! How a request is named: in its reply, and where it meets a defect.

use crate::{
    server::Setup,
    socket::{HANDSHAKE, Socket},
    store::{PANIC, Stage},
    wire::{JSON, Reply, get, hello, post, request},
};
use chinwag_model::ManualClock;
use chinwag_store::memory::MemoryStore;
use std::{collections::HashSet, sync::Arc};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn id(reply: &Reply) -> String {
    let id = reply.header("x-request-id").expect("every reply has an id");
    assert!(id.len() == 32 && id.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f')), "{id}");
    id.to_owned()
}

#[tokio::test]
async fn every_reply_names_its_request_and_no_two_are_named_the_same() {
    let server = Setup::memory().start().await;
    let mut ids = HashSet::new();
    let mut connection = server.connect().await;
    for _ in 0..20 {
        ids.insert(id(&connection.ask(get("/ping")).await));
        ids.insert(id(&connection.ask(post("/api/send", hello("x"))).await));
        ids.insert(id(&connection.ask(get("/no/such/path")).await));
    }
    ids.insert(id(&server.ask(request("GET /ping", &["Host: evil.example"], "")).await));
    assert_eq!(ids.len(), 61);
    server.stop().await;
}

#[tokio::test]
async fn a_good_traceparent_names_it_and_a_bad_one_refuses_nothing() {
    let server = Setup::memory().start().await;
    let good = format!("Traceparent: 00-{TRACE}-00f067aa0ba902b7-01");
    let ask = async |headers: &[&str]| server.ask(request("GET /ping", headers, "")).await;
    assert_eq!(id(&ask(&[&good]).await), TRACE);
    for bad in [&good[..good.len() - 1], "Traceparent: x", "Traceparent:"] {
        let reply = ask(&[bad]).await;
        assert_eq!(reply.status, 200, "{bad}");
        assert_ne!(id(&reply), TRACE, "{bad}");
    }
    assert_ne!(id(&ask(&[&good, &good]).await), TRACE, "twice is not once");

    let mut connection = server.connect().await;
    let headers: Vec<_> = HANDSHAKE.iter().copied().chain([good.as_str()]).collect();
    connection.write(request("GET /api/ws?user=apple", &headers, "")).await;
    let reply = connection.head().await;
    assert_eq!((reply.status, id(&reply).as_str()), (101, TRACE));
    let mut socket = Socket::of(connection);
    socket.expect("ready").await;
    server.stop_with(socket).await;
}

#[tokio::test]
async fn a_defect_is_told_with_the_id_that_the_log_has() {
    let stage = Stage::new(Arc::new(MemoryStore::new(Arc::new(ManualClock::at(crate::server::NOW)))));
    let server = Setup::on(stage).start().await;
    let traceparent = format!("Traceparent: 00-{TRACE}-00f067aa0ba902b7-01");
    let reply = server.ask(request("POST /api/send", &[JSON, &traceparent], hello(PANIC))).await;
    reply.refused(503, "outcome_unknown", "");
    let detail = reply.json()["detail"].as_str().expect("a detail").to_owned();
    assert!(detail.ends_with(&format!("(request {TRACE})")), "{detail}");
    server.stop().await;
}
