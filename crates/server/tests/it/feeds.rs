//! One feed, whatever the face.

use crate::{
    server::{Server, Setup},
    socket::{CLOSE, Socket, frame},
    store::Stage,
    stream::Stream,
    wire::{get, hello, post},
};
use serde_json::Value;
use std::io::ErrorKind;

/// The events since an id, on one of the faces: the texts of messages, and where the feed then stands.
async fn since(server: &Server, face: usize, id: &str) -> (Vec<String>, String) {
    let query = format!("user=banana&since={id}&timeout=0");
    let mut texts = Vec::new();
    let mut take = |event: &Value| {
        if event["type"] == "ready" {
            return Some(event["id"].as_str().expect("an id").to_owned());
        }
        texts.push(event["message"]["text"].as_str().expect("a text").to_owned());
        None
    };
    let place = match face % 3 {
        0 => {
            let mut socket = Socket::open(server, &query).await;
            loop {
                if let Some(id) = take(&socket.event().await) {
                    break id;
                }
            }
        }
        1 => {
            let mut stream = Stream::open(server, &query, &[]).await;
            loop {
                if let Some(id) = take(&stream.block().await.expect("it goes on").data) {
                    break id;
                }
            }
        }
        _ => {
            let reply = server.ask(get(&format!("/api/poll?{query}"))).await.ok();
            for event in reply["events"].as_array().expect("events") {
                take(event);
            }
            reply["since"].as_str().expect("an id").to_owned()
        }
    };
    (texts, place)
}

#[tokio::test]
async fn a_client_moves_between_faces_and_loses_nothing() {
    for setup in Setup::each() {
        let server = setup.start().await;
        let reply = server.ask(get("/api/poll?user=banana")).await.ok();
        let mut place = reply["since"].as_str().expect("an id").to_owned();
        for round in 0..12 {
            let sent: Vec<_> = (0..round % 4).map(|at| format!("{round}.{at}")).collect();
            for text in &sent {
                server.ask(post("/api/send", hello(text))).await.ok();
            }
            let (texts, next) = since(&server, round, &place).await;
            assert_eq!(texts, sent, "round {round}");
            assert!(next >= place);
            place = next;
        }
        server.stop().await;
    }
}

#[tokio::test]
async fn a_drain_answers_what_is_in_flight_and_tells_the_rest() {
    let stage = Stage::new(Setup::memory().store);
    let server = Setup::on(stage.clone()).start().await;
    let mut busy = Socket::open(&server, "user=apple").await;
    busy.expect("ready").await;
    let mut idle = Socket::open(&server, "user=apple").await;
    idle.expect("ready").await;
    let mut stream = Stream::open(&server, "user=apple", &[]).await;
    busy.write(frame(0x81, r#"{"id":5,"op":"send","chat":"a:b","text":"x","sender":"a"}"#)).await;
    stage.arrival().await;
    server.trigger.fire();
    assert_eq!(idle.closed().await, 1012);
    assert_eq!(stream.closed().await, 1012);
    assert!(!stage.is_closed());
    stage.release(1);
    let reply = busy.reply().await;
    assert_eq!((&reply["reply"], &reply["status"]), (&5.into(), &200.into()));
    assert_eq!(busy.closed().await, 1012);
    assert_eq!(server.ended().await, Ok(()));
    assert!(stage.is_closed());
}

#[tokio::test]
async fn a_drain_does_not_wait_for_a_client_that_says_nothing() {
    let server = Setup::memory().start().await;
    let mut mute = Socket::open(&server, "user=apple").await;
    mute.expect("ready").await;
    server.trigger.fire();
    assert_eq!(server.ended().await, Ok(()));
    assert_eq!(mute.close_frame().await.0, 1012);
}

#[tokio::test]
async fn every_face_holds_a_slot_and_gives_it_back() {
    let mut setup = Setup::memory();
    setup.life.connections_max = 2;
    let server = setup.start().await;
    for round in 0..6 {
        let mut socket = Socket::open(&server, "user=apple").await;
        socket.expect("ready").await;
        let mut stream = Stream::open(&server, "user=apple", &[]).await;
        stream.expect("ready").await;
        let mut third = server.connect().await;
        third.write(get("/ping")).await;
        for _ in 0..100 {
            let reply = socket.ask(r#"{"id":1,"op":"presence","user":"x"}"#).await;
            assert_eq!(reply["status"], 200);
        }
        let early = third.stream.try_read(&mut [0]).expect_err("nothing came");
        assert_eq!(early.kind(), ErrorKind::WouldBlock);
        match round % 3 {
            0 => drop(socket),
            1 => drop(stream),
            _ => {
                socket.write(frame(CLOSE, 1000_u16.to_be_bytes())).await;
                assert_eq!(socket.close_frame().await.0, 1000);
            }
        }
        third.reply().await.ok();
    }
    server.stop().await;
}

#[tokio::test]
async fn a_server_that_goes_away_opens_no_feed() {
    let server = Setup::memory().start().await;
    let mut connection = server.connect().await;
    server.app.leave();
    for path in ["/api/ws", "/api/poll"] {
        let ask = crate::wire::request(&format!("GET {path}?user=apple"), &crate::socket::HANDSHAKE, "");
        connection.ask(ask).await.refused(503, "unavailable", "");
    }
    // An `EventSource` that is refused never comes back.
    let mut stream = crate::stream::Stream::open(&server, "user=apple", &[]).await;
    let end = stream.block().await.expect("a word before the end");
    assert_eq!((end.event.as_deref(), &end.data["code"]), (Some("close"), &1012.into()));
    assert!(stream.block().await.is_none());
    drop(connection);
    server.stop().await;
}
