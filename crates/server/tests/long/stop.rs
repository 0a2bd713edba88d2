//! SIGTERM under load, and a second one.

use crate::{
    child::{Server, check_store},
    ledger::Ledger,
    load::Load,
    random::Random,
};
use rustix::process::Signal;
use serde_json::json;
use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

#[test]
fn a_stop_under_load_loses_nothing_and_takes_15_s_at_most() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("data");
    let mut random = Random::new(11);
    let mut ledger = Ledger::default();
    for round in 0..3 {
        let server = Server::start(&data);
        ledger.verify(&server);
        let load = Load::start(server.address(), 24, &format!("stop.{round}"), &mut random);
        load.await_answers(100 + random.below(500), || server.printed());
        let begin = Instant::now();
        server.signal(Signal::TERM);
        let (status, printed) = server.await_end("the server to drain and end");
        let took = begin.elapsed();
        assert_eq!(status.code(), Some(0), "{printed}");
        assert!(took < Duration::from_secs(15), "it took {took:?}\n{printed}");
        ledger.sends.extend(load.finish());
    }
    let server = Server::start(&data);
    ledger.verify(&server);
    server.stop();
    check_store(&data);
}

#[test]
fn a_second_signal_stops_at_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("data");
    let server = Server::start(&data);
    let stored = server.connect().send("apple:banana", "apple", "before", None).expect("an answer");
    // A request that never ends keeps the server draining.
    let mut slow = TcpStream::connect(server.address()).expect("a connection");
    let body = json!({"chat": "apple:banana", "sender": "apple", "text": "never all of it"}).to_string();
    let head = format!(
        "POST /api/send HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{{",
        body.len()
    );
    slow.write_all(head.as_bytes()).expect("a connection");
    server.signal(Signal::TERM);
    server.await_line("the server to say that it shuts down", "shutting down");
    let begin = Instant::now();
    server.signal(Signal::TERM);
    let (status, printed) = server.await_end("the server to end at once");
    assert!(begin.elapsed() < Duration::from_secs(5), "it took {:?}\n{printed}", begin.elapsed());
    assert_ne!(status.code(), Some(0), "it did not finish what it had begun:\n{printed}");
    assert_eq!(slow.read(&mut [0]).unwrap_or(0), 0, "what was not all sent is not answered");
    let server = Server::start(&data);
    assert_eq!(server.connect().pull_all("apple:banana", false).expect("a page"), [stored.body]);
    server.stop();
}
