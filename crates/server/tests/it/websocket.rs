//! The protocol of a WebSocket, and what is out of it.

use crate::{
    server::{Server, Setup},
    socket::{BINARY, CLOSE, PING, PONG, Socket, TEXT, frame, until_offline},
    store::Stage,
    wire::{get, hello, post, within},
};
use chinwag_model::limits::BODY_MAX_BYTES;
use serde_json::json;
use std::{io::ErrorKind, time::Duration};
use tokio::io::AsyncWriteExt;

const SHORT: Duration = Duration::from_millis(50);

async fn open(server: &Server) -> Socket {
    let mut socket = Socket::open(server, "user=apple").await;
    socket.expect("ready").await;
    socket
}

/// The bytes of a frame, of which the head says what a test likes.
fn raw(bytes: &[u8]) -> Vec<u8> {
    bytes.to_vec()
}

#[tokio::test]
async fn what_breaks_the_rules_ends_it_with_a_code() {
    let mut setup = Setup::memory();
    setup.hub.presence_grace = Duration::ZERO;
    let server = setup.start().await;
    let long = "x".repeat(BODY_MAX_BYTES + 1);
    for (bytes, code) in [
        (frame(BINARY, "{}"), 1003),
        (frame(TEXT, b"\xff"), 1007),
        (frame(TEXT, &long), 1009),
        ([frame(0x01, &long[2..]), frame(0x80, "xx")].concat(), 1009),
        (frame(0x80, "no message goes on"), 1002),
        ([frame(0x01, "a message"), frame(TEXT, "another within")].concat(), 1002),
        (frame(0xC1, "a reserved bit"), 1002),
        (frame(0x83, "a reserved opcode"), 1002),
        (frame(0x09, "a ping in parts"), 1002),
        (frame(PING, [0; 126]), 1002),
        (raw(&[TEXT, 2, b'{', b'}']), 1002),
        (frame(CLOSE, [3]), 1002),
        (frame(CLOSE, [3, 237]), 1002),
        (frame(CLOSE, b"\x03\xe8\xff"), 1007),
    ] {
        let mut socket = open(&server).await;
        socket.write(&bytes).await;
        assert_eq!(socket.failed().await, code, "{:x?}", &bytes[..bytes.len().min(40)]);
    }
    until_offline(&server, "apple").await;
    server.stop().await;
}

#[tokio::test]
async fn a_message_may_come_in_parts_with_pings_between() {
    let server = Setup::memory().start().await;
    let mut socket = open(&server).await;
    let request =
        json!({"id": 3, "op": "send", "chat": "a:b", "text": "g\u{fc}n", "sender": "a"}).to_string();
    let (first, rest) = request.as_bytes().split_at(request.find('\u{fc}').expect("there") + 1);
    socket.write(frame(0x01, first)).await;
    socket.write(frame(PING, "still there?")).await;
    assert_eq!(socket.frame().await, Some((PONG, b"still there?".to_vec())));
    socket.write(frame(0x00, "")).await;
    socket.write(frame(PONG, "nobody asked")).await;
    socket.write(frame(0x80, rest)).await;
    let reply = socket.reply().await;
    assert_eq!((&reply["reply"], &reply["body"]["text"]), (&json!(3), &json!("g\u{fc}n")));
    server.stop_with(socket).await;
}

#[tokio::test]
async fn a_request_may_come_with_the_handshake_and_byte_by_byte() {
    let server = Setup::memory().start().await;
    let mut bytes = crate::wire::request("GET /api/ws?user=apple", &crate::socket::HANDSHAKE, "");
    bytes.extend(frame(TEXT, r#"{"id":1,"op":"presence","user":"apple"}"#));
    bytes.extend(frame(CLOSE, 1000_u16.to_be_bytes()));
    let mut connection = server.connect().await;
    for byte in bytes {
        connection.write([byte]).await;
    }
    assert_eq!(connection.head().await.status, 101);
    let mut socket = Socket::of(connection);
    assert_eq!(socket.reply().await["reply"], 1);
    assert_eq!(socket.close_frame().await.0, 1000);
    socket.connection.ended().await;
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_closes_is_answered_with_its_code() {
    let mut setup = Setup::memory();
    setup.hub.presence_grace = Duration::ZERO;
    let server = setup.start().await;
    for (payload, answer) in [(&b"\x03\xe8bye"[..], &b"\x03\xe8"[..]), (b"", b""), (b"\x0f\xa0", b"\x0f\xa0")]
    {
        let mut socket = open(&server).await;
        socket.write(frame(CLOSE, payload)).await;
        assert_eq!(socket.frame().await, Some((CLOSE, answer.to_vec())));
        socket.connection.ended().await;
    }
    let socket = open(&server).await;
    drop(socket);
    until_offline(&server, "apple").await;
    server.stop().await;
}

#[tokio::test]
async fn a_silent_client_is_pinged_and_then_dropped() {
    let mut setup = Setup::memory();
    setup.http.ping_interval = SHORT;
    let server = setup.start().await;
    // Its kernel acknowledges everything; nobody answers.
    let mut silent = open(&server).await;
    let mut lively = open(&server).await;
    assert_eq!(silent.frame().await, Some((PING, Vec::new())));
    within("the silent one to be dropped", async {
        loop {
            tokio::select! {
                end = silent.frame() => break assert_eq!(end, None, "no close frame: nobody is there"),
                ping = lively.frame() => {
                    assert_eq!(ping, Some((PING, Vec::new())));
                    lively.write(frame(PONG, "")).await;
                }
            }
        }
    })
    .await;
    // Pongs kept the other.
    lively.write(frame(TEXT, r#"{"id":1,"op":"presence","user":"apple"}"#)).await;
    loop {
        match lively.frame().await {
            Some((PING, _)) => {}
            Some((TEXT, _)) => break,
            other => panic!("{other:?}"),
        }
    }
    server.trigger.fire();
    assert_eq!(server.ended().await, Ok(()));
}

#[tokio::test]
async fn a_message_that_does_not_arrive_ends_it() {
    let mut setup = Setup::memory();
    setup.http.body_timeout = SHORT;
    let server = setup.start().await;
    for part in [&frame(TEXT, "0123456789")[..9], &frame(0x01, "0123456789"), &[TEXT]] {
        let mut socket = open(&server).await;
        socket.write(part).await;
        assert_eq!(socket.failed().await, 1008);
    }
    server.stop().await;
}

#[tokio::test]
async fn messages_in_parts_are_bounded_over_all_connections() {
    let mut setup = Setup::memory();
    setup.http.bodies_max_bytes = 100_000;
    let server = setup.start().await;
    let part = "x".repeat(60_000);
    let mut first = open(&server).await;
    first.write(frame(0x01, &part)).await;
    first.write(frame(PING, "")).await;
    assert_eq!(first.frame().await, Some((PONG, Vec::new())), "the part before it is counted");
    let mut other = open(&server).await;
    other.write(frame(0x01, &part)).await;
    assert_eq!(other.failed().await, 1013);
    first.write(frame(0x80, "")).await;
    assert_eq!(first.reply().await["status"], 400);
    server.stop_with(first).await;
}

#[tokio::test]
async fn nothing_more_is_read_while_a_request_is_served_and_events_flow() {
    let stage = Stage::new(Setup::memory().store);
    let server = Setup::on(stage.clone()).start().await;
    let mut socket = open(&server).await;
    let send = r#"{"id":1,"op":"send","chat":"a:b","text":"x","sender":"a"}"#;
    socket.write(frame(TEXT, send)).await;
    stage.arrival().await;
    // Far more than the kernels hold.
    let presence =
        frame(TEXT, format!(r#"{{"id":2,"op":"presence","user":"apple","x":"{}"}}"#, "x".repeat(60_000)));
    let typing = post("/api/typing", r#"{"chat":"apple:banana","user":"banana"}"#);
    let mut connection = server.connect().await;
    let flood = async {
        for _ in 0..1_000 {
            socket.connection.stream.write_all(&presence).await.expect("taken in the end");
        }
    };
    tokio::select! {
        () = flood => panic!("all of it was read"),
        () = async {
            // By when the server would have read on.
            for _ in 0..200 {
                assert_eq!(connection.ask(&typing).await.status, 204);
            }
        } => {}
    }
    socket.expect("typing").await;
    stage.release(1);
    assert_eq!(socket.reply().await["reply"], 1);
    drop(socket);
    server.stop().await;
}

#[tokio::test]
async fn a_reader_that_stops_reading_is_cut_and_others_are_not_slowed() {
    let mut setup = Setup::memory();
    setup.life.write_timeout = Duration::from_secs(1);
    setup.hub.presence_grace = Duration::ZERO;
    let server = setup.start().await;
    let stuck = Socket::open(&server, "user=banana").await;
    let mut live = open(&server).await;
    let mut connection = server.connect().await;
    let text = "x".repeat(16_000);
    // More than outbox and kernels hold; each arrives elsewhere at once.
    for seq in 1..=1_000 {
        connection.ask(post("/api/send", hello(&text))).await.ok();
        assert_eq!(live.expect("message").await["message"]["seq"], seq);
    }
    until_offline(&server, "banana").await;
    let error = within("the connection to be cut", async {
        let mut stuck = stuck;
        loop {
            if let Err(error) = stuck.connection.stream.write_all(&frame(PONG, "")).await {
                break error;
            }
        }
    })
    .await;
    assert!(matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{error}");
    server.stop_with(live).await;
}

#[tokio::test]
async fn a_reader_that_falls_behind_is_told_and_resumes() {
    let server = Setup::memory().start().await;
    let mut slow = Socket::open(&server, "user=banana").await;
    slow.expect("ready").await;
    let mut connection = server.connect().await;
    let text = "x".repeat(16_000);
    for _ in 0..1_000 {
        connection.ask(post("/api/send", hello(&text))).await.ok();
    }
    let (mut last, mut seq) = (String::new(), 0);
    let code = loop {
        let (first, payload) = slow.frame().await.expect("a close frame first");
        if first == CLOSE {
            break u16::from_be_bytes([payload[0], payload[1]]);
        }
        let event: serde_json::Value = serde_json::from_slice(&payload).expect("JSON");
        seq += 1;
        assert_eq!(event["message"]["seq"], seq, "nothing is skipped");
        last = event["id"].as_str().expect("an id").to_owned();
    };
    assert_eq!(code, 4408);
    assert!(seq < 1_000);
    let mut again = Socket::open(&server, &format!("user=banana&since={last}")).await;
    let next = again.event().await;
    // Where too much was missed the client is told so; else it goes on where it was.
    assert!(next["message"]["seq"] == seq + 1 || next["recovered"] == false, "{next}");
    drop((slow, again));
    server.stop().await;
}

#[tokio::test]
async fn the_echo_gives_back_what_it_gets() {
    let mut setup = Setup::memory();
    setup.http.bench_routes = true;
    let server = setup.start().await;
    let mut socket = Socket::at(&server, "/bench/echo").await;
    for length in [0, 1, 125, 126, 65_535, 65_536, 1_000_000] {
        for first in [TEXT, BINARY] {
            let payload = vec![b'x'; length];
            socket.write(frame(first, &payload)).await;
            assert_eq!(socket.frame().await, Some((first, payload)));
        }
    }
    server.ask(get("/ping")).await.ok();
    server.stop_with(socket).await;
}
