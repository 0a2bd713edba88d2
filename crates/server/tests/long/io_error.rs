//! An I/O error on the Nth call that changes or syncs something (a write, a name, a length, a sync), for N = 1, 2, … until a
//! whole run, from the first start to its stop, has no Nth.

use crate::{
    child::{Server, check_store, serve},
    ledger::{Ledger, Outcome, Send},
    load::{repeat, try_send},
    random::full,
    volatile::{Disk, Faults},
};
use rustix::process::Signal;
use std::time::Instant;

/// Sends of a run, one after the other, each a commit of its own.
const SENDS: usize = 20;

#[test]
fn an_error_on_any_write_loses_nothing() {
    // All of them, or every seventh where there is less time.
    let step = if full() { 1 } else { 7 };
    let mut failed_at = Vec::new();
    for fail_at in (1..).step_by(step) {
        if !fails_well(fail_at) {
            println!("errors on {} of {fail_at} writes and syncs", failed_at.len());
            if failed_at.is_empty() && !crate::volatile::can_mount() {
                return;
            }
            let enough = failed_at.len() * step > SENDS * 2;
            assert!(enough, "a run has at least a write and a sync a send; these failed: {failed_at:?}");
            return;
        }
        failed_at.push(fail_at);
    }
}

/// One run. Whether its Nth write came at all.
fn fails_well(fail_at: u64) -> bool {
    let Some(disk) = Disk::mount("an I/O error") else { return false };
    disk.set(Faults { fail_at: Some(fail_at), ..Faults::default() });
    let server = Server::spawn(serve(&disk.data()));
    let mut ledger = Ledger::default();
    let printed = run(server, fail_at, &disk, &mut ledger);
    let failed = disk.failed().is_some();
    disk.set(Faults::default());
    let data = disk.data();

    // The disk is well again: whatever was acknowledged is there, and what was not is settled by its key.
    let server = Server::start(&data);
    ledger.verify(&server);
    let mut connection = server.connect();
    for send in ledger.sends.iter_mut().filter(|send| send.key.is_some()) {
        if !matches!(send.outcome, Outcome::Stored(..)) {
            try_send(&mut connection, send).expect("an answer");
        }
        repeat(&mut connection, send).unwrap_or_else(|error| panic!("{fail_at}: {error}\n{printed}"));
    }
    ledger.verify(&server);
    server.stop();
    check_store(&data);
    failed
}

/// Sends until a send fails or all are sent, and sees the server end as it should. What it printed.
fn run(server: Server, fail_at: u64, disk: &Disk, ledger: &mut Ledger) -> String {
    let fault = || disk.failed().unwrap_or_default();
    let started = server.address_unless_it_ends().is_some();
    let mut harmed = !started;
    if let Some(mut connection) = server.try_connect() {
        for number in 0..SENDS {
            let key = (number % 2 == 0).then(|| format!("key-{number}"));
            let mut send = Send {
                chat: "apple:banana".into(),
                sender: "apple".into(),
                text: format!("{number} of the run whose write {fail_at} fails"),
                key,
                began: Instant::now(),
                outcome: Outcome::Unknown,
            };
            let answered = try_send(&mut connection, &mut send);
            harmed = !matches!(send.outcome, Outcome::Stored(..));
            ledger.sends.push(send);
            if harmed {
                answered.unwrap_or_else(|error| panic!("{} {error}\n{}", fault(), server.printed()));
                break;
            }
        }
    }
    if !harmed {
        // It has not come yet, or was of no matter, such as in the engine's tidying up.
        server.signal(Signal::TERM);
    }
    let (status, printed) = server.await_end(&format!("the server to end after {} failed", fault()));
    assert!(!printed.contains("panicked at"), "{} made it panic:\n{printed}", fault());
    if harmed {
        assert!(disk.failed().is_some(), "it failed without a fault:\n{printed}");
        assert!(status.code().is_some_and(|code| code != 0), "{} {status}\n{printed}", fault());
        assert!(started || !printed.trim().is_empty(), "{} it did not start, and did not say why", fault());
    } else if disk.failed().is_none() {
        assert_eq!(status.code(), Some(0), "{printed}");
    }
    printed
}
