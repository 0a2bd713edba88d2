//! Who the peer is where proxies stand between, and who may say so.

use crate::{
    server::{Server, Setup},
    wire::{Connection, Reply, get, request},
};
use chinwag_peer::Networks;
use std::time::Duration;

const V1: &[u8] = b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n";
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0f\xc0\0\x02\x07\xc6\x33\x64\x01\xdc\x04\x01\xbb\x04\0\0";
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

/// A server for which 127.0.0.1 is a proxy that passes connections on. It never runs out of patience.
fn behind() -> Setup {
    let mut setup = Setup::memory();
    setup.life.proxy_protocol = Networks::read(["127.0.0.1"]).expect("an address");
    setup
}

async fn passed_on(server: &Server, bytes: &[u8]) -> Connection {
    let mut connection = server.connect().await;
    connection.write(bytes).await;
    connection
}

#[tokio::test]
async fn a_connection_that_is_passed_on_is_served_as_any_other() {
    let server = behind().start().await;
    for preface in [V1, V2, LOCAL, b"PROXY UNKNOWN\r\n"] {
        let mut connection = passed_on(&server, preface).await;
        connection.ask(get("/ping")).await.ok();
        connection.ask(get("/ping")).await.ok();
        // The first request may come with it, and it may come in pieces.
        passed_on(&server, &[preface, &get("/ping")].concat()).await.reply().await.ok();
        let mut connection = server.connect().await;
        for byte in preface {
            connection.write([*byte]).await;
            tokio::task::yield_now().await;
        }
        connection.ask(get("/ping")).await.ok();
    }
    server.stop().await;
}

#[tokio::test]
async fn a_proxy_that_does_not_say_whose_a_connection_is_is_closed() {
    let server = behind().start().await;
    for wrong in [
        &get("/ping")[..],
        b"PROXY TCP4 192.0.2.7\r\n",
        b"PROXY TCP4 1 2 3 4\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x31\x11\0\0",
    ] {
        let mut connection = server.connect().await;
        connection.write(wrong).await;
        connection.cut().await;
    }
    // Others reach it as ever.
    Connection::from("127.0.0.2", server.address).await.ask(get("/ping")).await.ok();
    server.stop().await;
}

#[tokio::test]
async fn a_proxy_has_the_time_of_a_head_to_say_it() {
    let mut setup = behind();
    setup.life.head_timeout = Duration::from_millis(50);
    let server = setup.start().await;
    server.connect().await.cut().await;
    passed_on(&server, &V1[..20]).await.cut().await;
    server.stop().await;
}

#[tokio::test]
async fn a_proxy_that_says_nothing_does_not_hold_up_the_end() {
    let server = behind().start().await;
    let mut silent = server.connect().await;
    passed_on(&server, V1).await.ask(get("/ping")).await.ok();
    server.stop().await;
    silent.cut().await;
}

#[tokio::test]
async fn whoever_is_no_such_proxy_may_not_say_whose_its_connection_is() {
    let mut setup = behind();
    setup.http.forwarding.proxies = Networks::read(["127.0.0.2"]).expect("an address");
    let server = setup.start().await;
    for (from, preface) in [("127.0.0.2", V1), ("127.0.0.3", V1), ("127.0.0.3", V2)] {
        let mut connection = Connection::from(from, server.address).await;
        connection.write([preface, &get("/ping")].concat()).await;
        assert_eq!(connection.head().await.status, 400, "{from}");
    }
    server.stop().await;
}

/// The bound is that of the clients; the proxies that carry them have none.
#[tokio::test]
async fn the_bound_of_a_peer_is_its_own_and_not_that_of_its_proxy() {
    let mut setup = behind();
    setup.life.peer_connections_max = 1;
    setup.http.forwarding.proxies = Networks::read(["198.51.100.0/24"]).expect("a network");
    let server = setup.start().await;
    let mut first = passed_on(&server, V1).await;
    first.ask(get("/ping")).await.ok();
    let mut second = passed_on(&server, V2).await;
    second.cut().await;
    let other = b"PROXY TCP6 2001:db8::7 ::1 1 2\r\n";
    let mut third = passed_on(&server, other).await;
    third.ask(get("/ping")).await.ok();
    let mut carried = Vec::new();
    for _ in 0..3 {
        for preface in [&b"PROXY TCP4 198.51.100.9 198.51.100.1 1 2\r\n"[..], LOCAL] {
            let mut connection = passed_on(&server, preface).await;
            connection.ask(get("/ping")).await.ok();
            carried.push(connection);
        }
    }
    drop((first, third, carried));
    server.stop().await;
}

/// Nothing that a client writes into these headers is an error, whether they are looked at or not.
#[tokio::test]
async fn headers_of_proxies_refuse_nobody() {
    for trusted in [None, Some("127.0.0.1")] {
        let mut setup = Setup::memory();
        setup.http.forwarding.proxies = Networks::read(trusted).expect("an address");
        let server = setup.start().await;
        let mut connection = server.connect().await;
        for value in
            ["192.0.2.7", "unknown", "\"", "for=\"", ",,,", "for=192.0.2.7;for=192.0.2.8", "\u{e9}", ""]
        {
            let lines = ["X-Forwarded-For", "Forwarded", "X-Forwarded-Proto", "X-Forwarded-Host"]
                .map(|name| format!("{name}: {value}"));
            let lines: Vec<_> = lines.iter().map(String::as_str).collect();
            let reply: Reply = connection.ask(request("GET /ping", &lines, "")).await;
            reply.ok();
        }
        server.stop().await;
    }
}
