//! Power cuts on a disk that loses any subset of what was not synced: see [`crate::volatile`].
//!
//! `CHINWAG_TEST_CUTS` says how many (200 with `CHINWAG_TEST_FULL=1`, else 10), `CHINWAG_TEST_SEED` which.

use crate::{
    child::{Server, check_store, serve},
    ledger::Ledger,
    load::Load,
    random::{Random, full},
    volatile::{Disk, Faults},
};
use rustix::process::Signal;
use serde_json::json;
use std::time::Duration;

/// Cuts of one store; more would only read its growing history again.
const CUTS_OF_A_STORE: u64 = 20;
const CHAT: &str = "apple:banana";

fn cuts() -> u64 {
    let default = if full() { 200 } else { 10 };
    std::env::var("CHINWAG_TEST_CUTS")
        .map_or(default, |cuts| cuts.parse().expect("CHINWAG_TEST_CUTS is a number"))
}

#[test]
fn what_was_acknowledged_survives_any_loss_of_unsynced_pages() {
    let [fixed, other] = Random::seeds();
    let (mut sent, mut stored, mut lost) = (0, 0, [0; 4]);
    for store in 0..cuts().div_ceil(CUTS_OF_A_STORE) {
        // The first with the fixed seed, the others with that of this run.
        let seed = if store == 0 { fixed } else { other.wrapping_add(store) };
        let Some(disk) = Disk::mount("cuts") else { return };
        let here = cuts().saturating_sub(store * CUTS_OF_A_STORE).min(CUTS_OF_A_STORE);
        println!("store {store}: seed {seed}, {here} cuts");
        let ledger = cut_again_and_again(disk, seed, here, &mut lost);
        sent += ledger.sends.len();
        stored += ledger.stored();
    }
    let [pages, torn, kept, names] = lost;
    println!(
        "{} cuts: {sent} sends, {stored} stored, none lost; of what was not synced {pages} pages were lost, {torn} torn, \
         {kept} kept, and {names} changes of names lost",
        cuts()
    );
    assert!(pages > 0 && torn > 0 && kept > 0, "a cut before a sync finds something that is not yet synced");
}

fn cut_again_and_again(mut disk: Disk, seed: u64, cuts: u64, lost: &mut [u64; 4]) -> Ledger {
    let mut random = Random::new(seed);
    let mut ledger = Ledger::default();
    let mut marked = 0;
    for round in 0..cuts {
        let at = random.below(*random.clone().one_of(&[40, 150, 600]));
        disk.set(Faults { cut_at: Some(1 + at), ..Faults::default() });
        let server = Server::spawn(serve(&disk.data()));
        if server.address_unless_it_ends().is_some() {
            let load = Load::start(server.address(), 12, &format!("{seed}.{round}"), &mut random);
            // The disk dies by itself, unless so few calls come that it never would.
            while !disk.await_cut(Duration::from_millis(20)) {
                marked = mark(&server, marked);
            }
            server.signal(Signal::KILL);
            server.await_end("the power to go");
            ledger.sends.extend(load.finish());
        } else {
            disk.cut_now();
            server.await_end("a server whose disk died as it started");
        }
        let gone = disk.revive(&mut random);
        for (sum, more) in lost.iter_mut().zip([gone.pages, gone.torn, gone.kept, gone.names]) {
            *sum += more;
        }
        let what = format!("seed {seed}, cut {round}, at call {}: {gone:?}", at + 1);
        println!("{what}");
        if disk.data().join("FORMAT").exists() {
            check_store(&disk.data());
        }
        let server = Server::start(&disk.data());
        ledger.verify(&server);
        assert!(marker(&server) >= marked, "{what}: a marker went back, from {marked}");
        server.stop();
        disk.remount();
    }
    ledger
}

/// Reads up to the newest message of a chat, if the server still answers; the marker that it has acknowledged.
fn mark(server: &Server, marked: u64) -> u64 {
    let answer = server.try_connect().and_then(|mut connection| {
        connection.post("/api/read", &json!({"chat": CHAT, "user": "apple", "seq": 1_u64 << 52})).ok()
    });
    match answer {
        Some(answer) if answer.status == 200 => {
            let read = answer.body["read"].as_u64().expect("a marker");
            assert!(read >= marked, "a marker went back from {marked}: {answer:?}");
            read
        }
        _ => marked,
    }
}

fn marker(server: &Server) -> u64 {
    let answer = server.connect().get("/api/chats?user=apple&chat=apple%3Abanana").expect("an answer");
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["chats"][0]["read"]["apple"].as_u64().unwrap_or_default()
}

#[test]
fn a_disk_that_lies_about_syncs_is_found_out_by_cuts() {
    // Were this not so, the test above would prove nothing.
    let Some(mut disk) = Disk::mount("a lying disk") else { return };
    let mut random = Random::new(3);
    let mut ledger = Ledger::default();
    let server = Server::start(&disk.data());
    disk.set(Faults { lying: true, ..Faults::default() });
    let load = Load::start(server.address(), 12, "lie", &mut random);
    load.await_answers(200, || server.printed());
    disk.cut_now();
    server.kill();
    ledger.sends.extend(load.finish());
    let lost = disk.revive(&mut random);
    let server = Server::spawn(serve(&disk.data()));
    // It may refuse what stands there, in words; if it starts, acknowledged messages are missing.
    if server.address_unless_it_ends().is_some() {
        server.await_ready();
        let broken = ledger.broken(&server);
        assert!(!broken.is_empty(), "nothing was missed of {} sends: {lost:?}", ledger.stored());
    } else {
        assert!(server.printed().contains("is damaged"), "{}", server.printed());
    }
}
