//! The machine's clock jumps, forward and back, under the whole program: by libfaketime, which stands between a program and
//! the system's wall clock and leaves the steady clock alone. Where it is not installed, the test says so.

use crate::{
    child::{Server, check_store, serve},
    http::Answer,
    random::full,
    watchdog::until,
};
use serde_json::{Value, json};
use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

const LIBRARY: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";
const CHAT: &str = "apple:banana";
const HOUR_US: u64 = 3_600_000_000;

/// A server whose wall clock a file sets, relative to the machine's.
pub(crate) struct Machine {
    directory: TempDir,
}

impl Machine {
    /// One whose clock is right; `None` where its clock can't be set.
    pub(crate) fn new() -> Option<Self> {
        if !Path::new(LIBRARY).exists() {
            let why = format!("{LIBRARY} is missing; apt-get install libfaketime brings it");
            assert!(!full(), "{why}");
            println!("skipped: {why}");
            return None;
        }
        let machine = Self { directory: tempfile::tempdir().expect("a directory") };
        machine.set("+0");
        Some(machine)
    }

    /// Sets the clock, such as `+2h`.
    pub(crate) fn set(&self, offset: &str) {
        // In one step, so that no program reads half of it.
        let new = self.directory.path().join("clock.new");
        fs::write(&new, format!("{offset}\n")).expect("a file");
        fs::rename(new, self.clock()).expect("the same directory");
    }

    fn clock(&self) -> PathBuf {
        self.directory.path().join("clock")
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// Has a command live by this machine's clock.
    pub(crate) fn rule(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", LIBRARY)
            .env("FAKETIME_TIMESTAMP_FILE", self.clock())
            .env("FAKETIME_NO_CACHE", "1")
            .env("DONT_FAKE_MONOTONIC", "1")
            .env("FAKETIME_DONT_FAKE_STAT", "1");
    }

    fn start(&self) -> Server {
        self.start_with(&[])
    }

    fn start_with(&self, more: &[&str]) -> Server {
        let mut command = serve(&self.data());
        self.rule(command.args(more));
        let server = Server::spawn(command);
        server.await_ready();
        server
    }
}

/// Sends, and gives the message.
fn send(server: &Server, text: &str, key: Option<&str>) -> Answer {
    let answer = server.connect().send(CHAT, "apple", text, key).expect("an answer");
    assert_eq!(answer.status, 200, "{answer:?}\n{}", server.printed());
    answer
}

fn ts(message: &Value) -> u64 {
    message["ts"].as_u64().expect("a time")
}

/// The next event of a stream that carries a message.
fn next_message(stream: &mut impl Iterator<Item = io::Result<String>>) -> Value {
    loop {
        let line = stream.next().expect("the stream goes on").expect("the stream goes on");
        if let Some(data) = line.strip_prefix("data:") {
            let event: Value = serde_json::from_str(data).expect("JSON");
            if event["type"] == "message" {
                return event["message"].clone();
            }
        }
    }
}

#[test]
fn a_clock_that_jumps_forward_and_back_loses_nothing_and_forgets_no_key() {
    let Some(machine) = Machine::new() else { return };
    let server = machine.start();
    let mut stream = server.connect().stream("/api/events?user=banana").expect("a stream");
    // It is open once it says so.
    assert!(stream.any(|line| line.expect("the stream goes on").contains("ready")));
    let mut sent = vec![send(&server, "on time", Some("first")).body];
    assert_eq!(next_message(&mut stream), sent[0]);

    // Forward by two days: it says so, sends go on, and the key of the first send, which by that clock is over, is known.
    machine.set("+2d");
    sent.push(send(&server, "two days ahead", None).body);
    assert!(ts(&sent[1]) > ts(&sent[0]) + 47 * HOUR_US, "the server's clock has jumped: {sent:?}");
    server.await_line("the server to say that its clock jumped", "jumped forward by more than an hour");
    let again = send(&server, "on time", Some("first"));
    assert!(again.replayed(), "a key is not forgotten until the clock is confirmed: {again:?}");
    assert_eq!(again.body, sent[0]);
    assert_eq!(next_message(&mut stream), sent[1]);

    // Back by a day before the first: times rise all the same, and the stream goes on.
    machine.set("-1d");
    for text in ["a day behind", "and one more"] {
        sent.push(send(&server, text, None).body);
        assert_eq!(next_message(&mut stream), *sent.last().expect("just sent"));
    }
    assert_holds(&server, &sent);
    assert_eq!(server.connect().get("/readyz").expect("an answer").status, 200);
    let marked = server.connect().post("/api/read", &json!({"chat": CHAT, "user": "banana", "seq": 3}));
    let marked = marked.expect("an answer");
    assert_eq!((marked.status, &marked.body["read"]), (200, &json!(3)), "{marked:?}");
    assert!(ts(&marked.body) > ts(&sent[3]), "{marked:?}");
    server.stop();

    // A start trusts the clock that it finds: behind what the store holds, and then right again.
    for (offset, text) in [("-1d", "a day behind, started anew"), ("+0", "on time again")] {
        machine.set(offset);
        let server = machine.start();
        assert_holds(&server, &sent);
        sent.push(send(&server, text, None).body);
        assert_holds(&server, &sent);
        server.stop();
        check_store(&machine.data());
    }
}

/// Neither a restart nor a supervisor that starts it again is anybody's word that the clock is right.
#[test]
fn a_clock_that_is_years_ahead_at_the_start_expires_nothing_until_it_is_confirmed() {
    const SAID: &str = "further ahead of when the server last ran than it is trusted";
    let Some(machine) = Machine::new() else { return };
    let keeping = || machine.start_with(&["--retain-days", "30"]);
    let server = keeping();
    let sent = vec![send(&server, "kept", Some("first")).body];
    server.stop();

    machine.set("+1825d");
    for killed in [true, false] {
        let server = keeping();
        server.await_line("the server to say that its clock is in doubt", SAID);
        assert_holds(&server, &sent);
        assert!(send(&server, "kept", Some("first")).replayed(), "its key is known");
        let ready = server.connect().get("/readyz").expect("an answer");
        assert_eq!(ready.status, 200, "{ready:?}");
        assert!(
            ready.body["detail"].as_str().is_some_and(|detail| detail.contains("nothing expires")),
            "{ready:?}"
        );
        if killed {
            server.kill();
        } else {
            server.stop();
        }
    }

    // Two weeks are no doubt: so long a server may be off.
    machine.set("+13d");
    let server = keeping();
    assert!(!server.printed().contains(SAID), "{}", server.printed());
    assert_holds(&server, &sent);
    server.stop();

    machine.set("+1825d");
    let server = keeping();
    server.await_line("the server to say that its clock is in doubt", SAID);
    let told = confirm(&machine.data());
    assert!(told.starts_with("confirmed: it is 203"), "{told}");
    assert_holds(&server, &[]);
    server.stop();
    let server = keeping();
    assert!(!server.printed().contains(SAID), "{}", server.printed());
    assert_holds(&server, &[]);
    server.stop();
    check_store(&machine.data());
}

/// What `chinwag clock confirm` says.
fn confirm(data: &Path) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chinwag"));
    let output = command.args(["clock", "confirm", "--data"]).arg(data).output().expect("it runs");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

#[test]
fn an_hour_and_less_is_no_jump() {
    let Some(machine) = Machine::new() else { return };
    let server = machine.start();
    let first = send(&server, "on time", None).body;
    machine.set("+58m");
    // The library keeps what it read for all threads: one that read just before may put the old time back for a moment.
    until(
        "the server's clock to have jumped",
        || server.printed(),
        || {
            let second = send(&server, "nearly an hour ahead", None).body;
            (ts(&second) > ts(&first) + HOUR_US / 2).then_some(())
        },
    );
    assert!(!server.printed().contains("jumped"), "{}", server.printed());
    // Two hours more are one.
    machine.set("+3h");
    until(
        "the server to say that its clock jumped",
        || server.printed(),
        || {
            send(&server, "three hours ahead", None);
            server.printed().contains("jumped forward by more than an hour").then_some(())
        },
    );
    server.stop();
    check_store(&machine.data());
}

/// The chat is what was answered, in order, and its times rise.
fn assert_holds(server: &Server, sent: &[Value]) {
    let messages = server.connect().pull_all(CHAT, false).expect("a page");
    assert_eq!(messages, sent);
    assert!(messages.is_sorted_by_key(ts) && messages.windows(2).all(|pair| ts(&pair[0]) < ts(&pair[1])));
}
