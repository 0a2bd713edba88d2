//! Too few file descriptors: what clients hold never keeps the store or an operator from a file.

use super::{WebSocket, connect, ping};
use crate::{
    child::{Server, check_store, chinwag, serve},
    http::Connection,
    watchdog::until,
};
use rustix::process::{Resource, Rlimit, getrlimit, prlimit};
use serde_json::json;
use std::{
    io::{Read as _, Write as _},
    process::Command,
    thread,
};

/// The limit of the process, of which a quarter is not for connections.
const LIMIT: usize = 256;
const TEXT_BYTES: usize = 16_000;
/// So much that the engine writes its tables out and rewrites them.
const SENDS: usize = 8_000;
const SENDERS: usize = 8;

/// The same command with so few descriptors.
fn limited(command: &Command, limit: usize) -> Command {
    let mut limited = Command::new("sh");
    limited.args(["-c", &format!("ulimit -n {limit}; exec \"$0\" \"$@\"")]).arg(command.get_program());
    limited.args(command.get_args());
    limited.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    limited
}

#[test]
fn clients_that_take_every_descriptor_leave_the_store_its_own() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("data");
    let server = Server::spawn(limited(&serve(&data), LIMIT));
    let address = server.address();
    server.await_line("a word about the limit", "the system lets this process open too few files");
    server.await_ready();
    let mut sockets: Vec<_> =
        (0..SENDERS).map(|number| WebSocket::open(address, &format!("sender{number}"))).collect();
    // Streams are under way for as long as they like: nobody may close them for newcomers.
    let stream = |number: usize| {
        let mut stream = connect(address).expect("the kernel takes it");
        let request = format!("GET /api/events?user=stream{number} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("it is taken");
        stream
    };
    let streams: Vec<_> = (0..2 * LIMIT).map(stream).collect();
    server.await_line("a word about it", "all connections are taken; new ones wait");
    let (open, text) = (server.descriptors(), "x".repeat(TEXT_BYTES));
    assert!(open < LIMIT, "{open} of {LIMIT} descriptors are taken");
    thread::scope(|scope| {
        for (sender, socket) in sockets.iter_mut().enumerate() {
            let (server, text) = (&server, &text);
            scope.spawn(move || {
                for number in 0..SENDS / SENDERS {
                    let chat = format!("a:b{}", number % 500);
                    let request =
                        json!({"id": number, "op": "send", "chat": chat, "sender": "a", "text": text});
                    assert_eq!(socket.ask(&request), 200, "{sender}: {}", server.printed());
                }
            });
        }
    });
    // An operator gets in, and what is done for one opens files.
    let backup = directory.path().join("backup").display().to_string();
    for arguments in [&["backup", &backup][..], &["check"]] {
        let (status, printed) = chinwag(arguments, &data);
        assert!(status.success(), "{arguments:?}: {printed}\n{}", server.printed());
    }
    println!(
        "{} streams for {open} of {LIMIT} descriptors; {SENDS} sends of {TEXT_BYTES} bytes were stored meanwhile",
        streams.len()
    );
    drop(streams);
    ping(address);
    drop(sockets);
    server.stop();
    check_store(&data);
}

/// Nothing that the server could have foreseen: the limit falls below what it has open.
#[test]
fn without_a_descriptor_it_lives_says_so_and_recovers() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("data");
    let server = Server::start(&data);
    let address = server.address();
    let mut socket = WebSocket::open(address, "listener");
    let mut send = |id: usize| {
        let request = json!({"id": id, "op": "send", "chat": "a:listener", "sender": "a", "text": "beside"});
        assert_eq!(socket.ask(&request), 200);
    };
    send(0);
    let limit = |descriptors: usize| {
        let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
        let limit = Rlimit { current: Some(descriptors as u64), maximum };
        prlimit(Some(server.pid()), Resource::Nofile, limit).expect("our own child");
    };
    // One connection that waits for a request is closed, so that a newcomer gets in.
    let mut idle = Connection::open(address).expect("a connection");
    assert_eq!(idle.get("/ping").expect("an answer").status, 200);
    limit(server.first_free_descriptor());
    ping(address);
    server.await_line("a word about it", "cannot accept connections; trying again");
    assert!(idle.get("/ping").is_err(), "it idled longest");
    // Nobody is left to be closed: newcomers wait, and whoever is there is served.
    until(
        "all to be gone but the listener",
        || server.printed(),
        || {
            limit(server.first_free_descriptor());
            let mut waiting = connect(address).ok()?;
            waiting.write_all(b"GET /ping HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok()?;
            for id in 1..100 {
                send(id);
            }
            waiting.set_nonblocking(true).ok()?;
            waiting.read(&mut [0]).is_err().then_some(())
        },
    );
    limit(10_000);
    ping(address);
    assert_eq!(chinwag(&["check"], &data).0.code(), Some(0));
    server.stop();
    check_store(&data);
}
