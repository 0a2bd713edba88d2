//! Clients that send or read so slowly that they seem to want to stay for ever: each is cut, and nobody else notices.

use super::{Beside, connect};
use crate::{
    child::{Server, check_store, serve},
    frame::handshake,
    http::Connection,
    watchdog::{PATIENCE, until},
};
use serde_json::json;
use socket2::{Domain, Socket, Type};
use std::{
    io::Write as _,
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

/// How many do it at once.
const SLOW: usize = 128;
/// Sessions share users, who may have but so many.
const USERS: usize = 8;
const TEXT_BYTES: usize = 16_000;
/// Enough for each user that no socket takes it all.
const MESSAGES: usize = 64;
/// Connections of others that may be open while the slow ones are counted.
const OTHERS: usize = 8;

struct Stage {
    server: Server,
    address: SocketAddr,
    before: usize,
}

impl Stage {
    fn start(data: &std::path::Path) -> Self {
        let mut command = serve(data);
        for time in ["head", "body", "write"] {
            command.args([&format!("--{time}-timeout-s"), "2"]);
        }
        command.args(["--ping-interval-s", "2", "--heartbeat-s", "1"]);
        let server = Server::spawn(command);
        server.await_ready();
        Self { address: server.address(), before: server.descriptors(), server }
    }

    /// Opens all of a kind and goes on with them until the server has cut each.
    fn all_are_cut(
        &self,
        kind: &str,
        mut open: impl FnMut(usize) -> TcpStream,
        mut go_on: impl FnMut(&mut TcpStream),
    ) {
        let good = Beside::start(self.address, kind);
        let begin = Instant::now();
        let mut slow: Vec<_> = (0..SLOW).map(&mut open).collect();
        until(
            &format!("most to be in before the first is cut: {kind}"),
            || self.server.printed(),
            || (self.server.descriptors() >= self.before + SLOW * 3 / 4).then_some(()),
        );
        until(
            &format!("the end of all that were slow: {kind}"),
            || {
                format!(
                    "{} descriptors, {} before\n{}",
                    self.server.descriptors(),
                    self.before,
                    self.server.printed()
                )
            },
            || {
                slow.iter_mut().for_each(&mut go_on);
                (self.server.descriptors() <= self.before + OTHERS).then_some(())
            },
        );
        let took = begin.elapsed();
        let good = good.finish();
        println!(
            "{kind}: {SLOW} cut in {took:?}; {} good turns beside, {:?} the slowest",
            good.sends, good.slowest
        );
    }

    fn end(self, data: &std::path::Path) {
        self.server.stop();
        check_store(data);
    }
}

/// One more byte, of which it is no matter whether anybody takes it.
fn drip(stream: &mut TcpStream) {
    let _cut = stream.write(b"x");
}

/// Takes nothing of what comes.
fn sit(_stream: &mut TcpStream) {}

/// A connection whose system takes in little of what is not read.
fn narrow(address: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_recv_buffer_size(4_096).expect("a socket");
    socket.set_linger(Some(Duration::ZERO)).expect("a socket");
    socket.connect_timeout(&address.into(), PATIENCE).expect("connected");
    socket.into()
}

fn user(number: usize) -> String {
    format!("slow{}", number % USERS)
}

/// Sends every user more than sockets hold.
fn pump(address: SocketAddr) {
    let mut connection = Connection::open(address).expect("a connection");
    for number in 0..USERS * MESSAGES {
        let chat = format!("pump:{}", user(number));
        let sent = connection.send(&chat, "pump", &"x".repeat(TEXT_BYTES), None).expect("an answer");
        assert_eq!(sent.status, 200, "{sent:?}");
    }
}

#[test]
fn slow_senders_are_cut_in_the_head_and_in_the_body() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("data");
    let stage = Stage::start(&data);
    let open = |begin: &'static str| {
        let address = stage.address;
        move |_| {
            let mut stream = connect(address).expect("a connection");
            stream.write_all(begin.as_bytes()).expect("it is taken");
            stream
        }
    };
    stage.all_are_cut("a head", open("GET /ping HTTP/1.1\r\nHost: localhost\r\nX: "), drip);
    let head = "POST /api/send HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n";
    stage.all_are_cut("a body", open(head), drip);
    let head = "POST /api/send HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
                Transfer-Encoding: chunked\r\n\r\nfffff\r\n";
    stage.all_are_cut("a body in chunks", open(head), drip);
    stage.end(&data);
}

/// A message of a WebSocket has the time of a body.
#[test]
fn slow_messages_of_a_websocket_are_cut() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("data");
    let stage = Stage::start(&data);
    let open = |number| {
        let mut stream = connect(stage.address).expect("a connection");
        stream
            .write_all(handshake(&format!("/api/ws?user={}", user(number))).as_bytes())
            .expect("it is taken");
        // A text of 65,535 bytes.
        stream.write_all(b"\x81\xfe\xff\xff\0\0\0\0").expect("it is taken");
        stream
    };
    stage.all_are_cut("a message of a WebSocket", open, drip);
    stage.end(&data);
}

#[test]
fn clients_that_read_nothing_are_cut_on_every_face() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("data");
    let stage = Stage::start(&data);
    let address = stage.address;
    let mut connection = Connection::open(address).expect("a connection");
    let since = connection.get("/api/poll?user=slow0").expect("an answer").body["since"].clone();
    let since = since.as_str().expect("where the feed stands").to_owned();
    drop(connection);
    pump(address);
    let asked = |path: String| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let open = |request: &dyn Fn(usize) -> String, number| {
        let mut stream = narrow(address);
        stream.write_all(request(number).as_bytes()).expect("it is taken");
        stream
    };
    let pull = |number| asked(format!("/api/pull?chat=pump:{}&limit=1000", user(number))).repeat(4);
    stage.all_are_cut("a pull's reply", |number| open(&pull, number), sit);
    let long_poll = |number| asked(format!("/api/poll?user={}&since={since}", user(number)));
    stage.all_are_cut("a poll's reply", |number| open(&long_poll, number), sit);
    let events = |number| asked(format!("/api/events?user={}&since={since}", user(number)));
    stage.all_are_cut("an event stream", |number| open(&events, number), sit);
    let socket = |number| handshake(&format!("/api/ws?user={}&since={since}", user(number)));
    stage.all_are_cut("a WebSocket", |number| open(&socket, number), sit);
    stage.end(&data);
}

/// It takes a byte now and then: too little to keep up, so it falls behind what its outbox holds.
#[test]
fn a_feed_that_is_read_byte_by_byte_falls_behind_and_is_cut() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("data");
    let stage = Stage::start(&data);
    let address = stage.address;
    let open = |number| {
        let mut stream = narrow(address);
        let request = format!("GET /api/events?user={} HTTP/1.1\r\nHost: localhost\r\n\r\n", user(number));
        stream.write_all(request.as_bytes()).expect("it is taken");
        stream
    };
    let mut rounds = 0;
    let mut connection = Connection::open(address).expect("a connection");
    let go_on = |stream: &mut TcpStream| {
        let _cut = std::io::Read::read(stream, &mut [0]);
        rounds += 1;
        let sent = connection
            .post("/api/send", &json!({"chat": format!("pump:{}", user(rounds)), "sender": "pump", "text": "x".repeat(TEXT_BYTES)}))
            .expect("an answer");
        assert_eq!(sent.status, 200, "{sent:?}");
    };
    stage.all_are_cut("an event stream, byte by byte", open, go_on);
    stage.end(&data);
}
