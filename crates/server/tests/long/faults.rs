//! A disk that turns read-only, and one that is slow: what the server says, and what it serves meanwhile.

use crate::{
    child::{Server, check_store, serve},
    ledger::{Ledger, Outcome},
    load::Load,
    random::Random,
    volatile::{Disk, Faults},
    watchdog::until,
};
use rustix::process::Signal;
use serde_json::json;
use std::time::{Duration, Instant};

#[test]
fn a_disk_that_turns_read_only_ends_the_server_and_loses_nothing() {
    let Some(disk) = Disk::mount("a read-only disk") else { return };
    let mut ledger = Ledger::default();
    let server = Server::start(&disk.data());
    let load = Load::start(server.address(), 8, "read-only", &mut Random::new(5));
    load.await_answers(100, || server.printed());
    disk.set(Faults { read_only: true, ..Faults::default() });
    let (status, printed) = server.await_end("the server to end on a disk that takes no writes");
    ledger.sends.extend(load.finish());
    assert!(status.code().is_some_and(|code| code != 0), "{status}\n{printed}");
    assert!(printed.contains("Read-only file system"), "it does not say why:\n{printed}");
    let unknown = ledger.sends.iter().filter(|send| matches!(send.outcome, Outcome::Unknown)).count();
    assert!(unknown > 0, "those who waited heard no certainty");
    // Nor does it start on one, and says why.
    let (status, printed) = Server::spawn(serve(&disk.data())).await_end("a start on a read-only disk");
    assert!(status.code().is_some_and(|code| code != 0), "{status}\n{printed}");
    assert!(printed.contains("Read-only file system"), "it does not say why:\n{printed}");
    assert!(!printed.contains("panicked at"), "{printed}");

    disk.set(Faults::default());
    let server = Server::start(&disk.data());
    ledger.verify(&server);
    server.stop();
    check_store(&disk.data());
}

#[test]
fn a_disk_with_syncs_of_two_seconds_is_borne_and_what_is_too_much_is_refused() {
    const SYNC: Duration = Duration::from_secs(2);
    let Some(disk) = Disk::mount("a slow disk") else { return };
    let mut ledger = Ledger::default();
    let mut command = serve(&disk.data());
    // So that it fills up: a hundred connections cannot fill the default.
    command.env("CHINWAG_QUEUE_MAX_MESSAGES", "16");
    let server = Server::spawn(command);
    server.await_ready();
    let mut random = Random::new(6);
    let first = Load::start(server.address(), 1, "fast", &mut random);
    first.await_answers(20, || server.printed());
    ledger.sends.extend(first.finish());
    let stored = server.connect().pull_all("apple:banana", false).expect("a page");

    disk.set(Faults { sync_takes: SYNC, ..Faults::default() });
    let begin = Instant::now();
    let load = Load::start(server.address(), 100, "slow", &mut random);
    until(
        "a send to be refused because the queue is full",
        || server.printed(),
        || {
            let message =
                json!({"chat": "kiwi:lime", "sender": "kiwi", "text": "is there room?", "key": "room"});
            let answer = server.connect().post("/api/send", &message).expect("an answer");
            assert!(matches!(answer.status, 200 | 503), "{answer:?}");
            (answer.status == 503).then(|| {
                assert_ne!(answer.code(), "outcome_unknown", "{answer:?}");
                assert!(answer.header("retry-after").is_some(), "{answer:?}");
            })
        },
    );
    // Beside them what needs no disk is served at once.
    let asked = Instant::now();
    let mut connection = server.connect();
    assert_eq!(connection.get("/healthz").expect("an answer").status, 200);
    let pulled = connection.pull_all("apple:banana", false).expect("a page");
    assert!(pulled.starts_with(&stored), "a pull on a slow disk");
    assert!(asked.elapsed() < SYNC, "a pull waited for the disk: {:?}", asked.elapsed());
    load.await_answers(20, || server.printed());
    assert!(begin.elapsed() >= SYNC, "a send was answered before its sync");
    server.await_line("the server to say that the disk is slow", "a commit was slow");

    disk.set(Faults::default());
    ledger.sends.extend(load.finish());
    let begin = Instant::now();
    let answer = server.connect().send("kiwi:lime", "kiwi", "quick again", None).expect("an answer");
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(begin.elapsed() < SYNC, "it stayed slow: {:?}", begin.elapsed());
    ledger.verify(&server);
    server.signal(Signal::TERM);
    let (status, printed) = server.await_end("the server to stop");
    assert_eq!(status.code(), Some(0), "{printed}");
    check_store(&disk.data());
}
