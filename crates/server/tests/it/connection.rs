//! The bounds of connections.

use crate::{
    server::{Server, Setup},
    socket::{HANDSHAKE, Socket},
    wire::{Connection, get, hello, post, request, within},
};
use chinwag::metrics::Format;
use chinwag_peer::Networks;
use std::{io::ErrorKind, time::Duration};
use tokio::io::AsyncWriteExt;

const SHORT: Duration = Duration::from_millis(50);

#[tokio::test]
async fn a_head_that_does_not_arrive_ends_the_connection() {
    let mut setup = Setup::memory();
    setup.life.head_timeout = SHORT;
    let server = setup.start().await;
    let mut first = server.connect().await;
    first.write("GET /ping HTTP/1.1\r\nHost: loc").await;
    first.ended().await;
    let mut second = server.connect().await;
    second.ask(get("/ping")).await.ok();
    second.write("GET").await;
    second.ended().await;
    server.stop().await;
}

#[tokio::test]
async fn a_head_that_drips_has_no_more_time_than_one_that_stalls() {
    let mut setup = Setup::memory();
    setup.life.head_timeout = SHORT;
    let server = setup.start().await;
    let mut connection = server.connect().await;
    connection.write("GET /ping HTTP/1.1\r\nX: ").await;
    within("the server to end the connection", async {
        while connection.stream.write_all(b"x").await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    server.stop().await;
}

#[tokio::test]
async fn an_idle_connection_is_ended() {
    let mut setup = Setup::memory();
    setup.life.idle_timeout = SHORT;
    let server = setup.start().await;
    server.connect().await.ended().await;
    let mut used = server.connect().await;
    used.ask(get("/ping")).await.ok();
    used.ended().await;
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_dropped() {
    let mut setup = Setup::memory();
    setup.life.write_timeout = SHORT;
    let server = setup.start().await;
    let mut connection = server.connect().await;
    for _ in 0..60 {
        connection.ask(post("/api/send", hello(&"x".repeat(16_384)))).await.ok();
    }
    let pull = get("/api/pull?chat=apple:banana&limit=1000");
    let error = within("the connection to be dropped", async {
        loop {
            if let Err(error) = connection.stream.write_all(&pull).await {
                break error;
            }
        }
    })
    .await;
    assert!(matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{error}");
    server.ask(get("/ping")).await.ok();
    server.stop().await;
}

#[tokio::test]
async fn a_slow_reply_is_no_idle_connection() {
    let mut setup = Setup::memory();
    let stage = crate::store::Stage::new(setup.store);
    setup.store = stage.clone();
    setup.life.head_timeout = SHORT;
    setup.life.idle_timeout = SHORT;
    setup.life.write_timeout = SHORT;
    setup.http.body_timeout = SHORT;
    let server = setup.start().await;
    let mut connection = server.connect().await;
    connection.write(post("/api/send", hello("x"))).await;
    stage.arrival().await;
    // An idle connection that began later has had its time: so would this one have.
    let mut idle = server.connect().await;
    idle.ended().await;
    stage.release(1);
    connection.reply().await.ok();
    connection.ended().await;
    server.stop().await;
}

/// While every connection has something under way, one more waits.
#[tokio::test]
async fn one_connection_too_many_waits_until_another_has_ended() {
    let mut setup = Setup::memory();
    setup.life.connections_max = 2;
    let stage = crate::store::Stage::new(setup.store);
    setup.store = stage.clone();
    let server = setup.start().await;
    let mut first = server.connect().await;
    first.write(post("/api/send", hello("first"))).await;
    stage.arrival().await;
    let mut socket = Socket::open(&server, "user=apple").await;
    socket.expect("ready").await;
    let mut third = server.connect().await;
    third.write(get("/ping")).await;
    for _ in 0..100 {
        assert_eq!(socket.ask(r#"{"id":1,"op":"presence","user":"x"}"#).await["status"], 200);
    }
    let early = third.stream.try_read(&mut [0]).expect_err("nothing came");
    assert_eq!(early.kind(), ErrorKind::WouldBlock);
    stage.release(1);
    first.reply().await.ok();
    drop(first);
    third.reply().await.ok();
    server.stop_with(socket).await;
}

#[tokio::test]
async fn for_one_connection_too_many_the_one_that_idles_longest_is_closed() {
    let mut setup = Setup::memory();
    setup.life.connections_max = 3;
    let server = setup.start().await;
    let mut idle = Vec::new();
    for _ in 0..2 {
        idle.push(server.connect().await);
        idle.last_mut().expect("just pushed").ask(get("/ping")).await.ok();
    }
    let mut socket = Socket::open(&server, "user=apple").await;
    socket.expect("ready").await;
    // The first has been used last.
    idle[0].ask(get("/ping")).await.ok();
    for longest in [1, 0, 1, 0] {
        let mut newcomer = server.connect().await;
        newcomer.ask(get("/ping")).await.ok();
        std::mem::replace(&mut idle[longest], newcomer).ended().await;
    }
    assert_eq!(socket.ask(r#"{"id":1,"op":"presence","user":"x"}"#).await["status"], 200);
    drop(idle);
    server.stop_with(socket).await;
}

/// Connections that say nothing, or only half of a head, do not keep anybody out, and those that do not even say whose they
/// are neither.
#[tokio::test]
async fn a_flood_of_silent_connections_lets_newcomers_in() {
    let mut setup = Setup::memory();
    setup.life.connections_max = 8;
    setup.life.proxy_protocol = Networks::read(["127.0.0.9"]).expect("an address");
    let server = setup.start().await;
    let mut flood = Vec::new();
    for round in 0..40 {
        let from = ["127.0.0.8", "127.0.0.9"][round % 2];
        let mut silent = Connection::from(from, server.address).await;
        if round % 3 == 0 {
            silent.write("PROXY ").await;
        }
        flood.push(silent);
        if round % 8 == 7 {
            server.ask(get("/ping")).await.ok();
        }
    }
    // All but eight of the forty, and none for what its peer had.
    let (crowded, peer) = refused(&server).await;
    assert!((32..=45).contains(&crowded), "{crowded}");
    assert_eq!(peer, 0);
    drop(flood);
    server.stop().await;
}

/// Connections that were closed, as the metrics have it: for newcomers, and for what their peer had.
async fn refused(server: &Server) -> (u32, u32) {
    let told = server.app.snapshot().await.text(Format::Prometheus);
    let of = |reason: &str| {
        let sample = format!("chinwag_connections_refused_total{{reason=\"{reason}\"}} ");
        let count = told.lines().find_map(|line| line.strip_prefix(&*sample)?.parse().ok());
        count.unwrap_or_else(|| panic!("{sample} is not told"))
    };
    (of("crowded"), of("peer"))
}

/// A WebSocket, which lives on in another task, is counted as any other connection.
#[tokio::test]
async fn one_connection_too_many_of_a_peer_is_closed_and_others_come_in() {
    let mut setup = Setup::memory();
    setup.life.peer_connections_max = 2;
    setup.life.proxy_protocol = Networks::read(["127.0.0.1"]).expect("an address");
    let server = setup.start().await;
    let mut first = client(&server, "192.0.2.7").await;
    first.ask(get("/ping")).await.ok();
    let mut socket = client(&server, "192.0.2.7").await;
    socket.write(request("GET /api/ws?user=apple", &HANDSHAKE, "")).await;
    assert_eq!(socket.head().await.status, 101);
    client(&server, "192.0.2.7").await.ended().await;
    assert_eq!(refused(&server).await, (0, 1));
    let mut others =
        [client(&server, "192.0.2.8").await, Connection::from("127.0.0.2", server.address).await];
    for other in &mut others {
        other.ask(get("/ping")).await.ok();
    }
    first.ask(get("/ping")).await.ok();
    let mut kept = Vec::new();
    for held in [first, socket] {
        drop(held);
        kept.push(comes_in(&server).await);
    }
    drop((kept, others));
    server.stop().await;
}

/// A connection that a proxy passes on for a client.
async fn client(server: &Server, address: &str) -> Connection {
    let mut connection = server.connect().await;
    connection.write(format!("PROXY TCP4 {address} 198.51.100.1 4711 443\r\n")).await;
    connection
}

/// Connects until the server has seen that a connection of ours has ended.
async fn comes_in(server: &Server) -> Connection {
    within("a place of a connection that has ended", async {
        loop {
            let mut connection = client(server, "192.0.2.7").await;
            // One that was refused takes the request, or doesn't, and gives nothing back.
            let asked = connection.stream.write_all(&get("/ping")).await;
            let answered =
                asked.is_ok() && connection.stream.peek(&mut [0]).await.is_ok_and(|bytes| bytes > 0);
            if answered {
                return connection;
            }
        }
    })
    .await
}

#[tokio::test]
async fn nonsense_is_refused_and_ended() {
    let server = Setup::memory().start().await;
    for nonsense in
        ["\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", "GET /ping HTTP/9.9\r\n\r\n", "GET  /ping\r\n\r\n"]
    {
        let mut connection = server.connect().await;
        connection.write(nonsense).await;
        assert_eq!(connection.head().await.status, 400, "{nonsense:?}");
        connection.ended().await;
    }
    let mut long = server.connect().await;
    let path = "x".repeat(70_000);
    let _refused_midway = long.stream.write_all(format!("GET /{path} HTTP/1.1\r\n\r\n").as_bytes()).await;
    assert!(matches!(long.head().await.status, 414 | 431));
    server.ask(get("/ping")).await.ok();
    server.stop().await;
}
