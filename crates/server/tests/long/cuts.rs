//! Power cuts on a disk that loses any subset of what was not synced: see [`crate::volatile`].
//!
//! `CHINWAG_TEST_CUTS` says how many (200 with `CHINWAG_TEST_FULL=1`, else 10), `CHINWAG_TEST_SEED` which.

use crate::{
    child::{Server, check_store, serve},
    http::Connection,
    ledger::Ledger,
    load::Load,
    random::{Random, full},
    volatile::{Disk, Faults},
};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs, path::Path, process::Command, time::Duration};

/// Cuts of one store; more would only read its growing history again.
const CUTS_OF_A_STORE: u64 = 20;
const CHAT: &str = "apple:banana";
/// A chat that only the revisions touch.
const REVISED: &str = "kiwi:quince";

/// A server that writes its tables out often, so that cuts meet what the engine does in the background too.
fn busy(data: &Path) -> Command {
    let mut command = serve(data);
    command.env("CHINWAG_MEMTABLE_MIB", "1");
    command
}

fn cuts() -> u64 {
    let default = if full() { 200 } else { 10 };
    std::env::var("CHINWAG_TEST_CUTS")
        .map_or(default, |cuts| cuts.parse().expect("CHINWAG_TEST_CUTS is a number"))
}

#[test]
fn what_was_acknowledged_survives_any_loss_of_unsynced_pages() {
    let [fixed, other] = Random::seeds();
    let (mut sent, mut stored, mut lost, mut tables) = (0, 0, [0; 4], 0);
    for store in 0..cuts().div_ceil(CUTS_OF_A_STORE) {
        // The first with the fixed seed, the others with that of this run.
        let seed = if store == 0 { fixed } else { other.wrapping_add(store) };
        let Some(disk) = Disk::mount("cuts") else { return };
        let here = cuts().saturating_sub(store * CUTS_OF_A_STORE).min(CUTS_OF_A_STORE);
        println!("store {store}: seed {seed}, {here} cuts");
        let ledger = cut_again_and_again(disk, seed, here, &mut lost, &mut tables);
        sent += ledger.sends.len();
        stored += ledger.stored();
    }
    let [pages, torn, kept, names] = lost;
    println!(
        "{} cuts: {sent} sends, {stored} stored, none lost; of what was not synced {pages} pages were lost, {torn} torn, \
         {kept} kept, and {names} changes of names lost",
        cuts()
    );
    println!("{tables} tables were written out or rewritten");
    assert!(tables > 0, "no cut can have met the engine's work in the background");
    assert!(pages + torn + kept > 0, "a cut before a sync finds something that is not yet synced");
    // Each of them is sure to come up in as many as the full test has.
    assert!(
        cuts() < 100 || (pages > 0 && torn > 0 && kept > 0),
        "cuts lose some of it, tear some and keep some"
    );
}

fn cut_again_and_again(
    mut disk: Disk,
    seed: u64,
    cuts: u64,
    lost: &mut [u64; 4],
    tables: &mut u64,
) -> Ledger {
    let mut random = Random::new(seed);
    let mut ledger = Ledger::default();
    let mut marked = 0;
    let mut revised = Revised::default();
    for round in 0..cuts {
        let at = random.below(*random.clone().one_of(&[40, 150, 600, 2_500]));
        disk.set(Faults { cut_at: Some(1 + at), ..Faults::default() });
        let server = Server::spawn(busy(&disk.data()));
        if server.address_unless_it_ends().is_some() {
            let load = Load::start(server.address(), 12, &format!("{seed}.{round}"), &mut random);
            // The disk dies by itself, unless so few calls come that it never would.
            while !disk.await_cut(Duration::from_millis(20)) {
                marked = mark(&server, marked);
                revised.revise(&server);
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
        let server = Server::spawn(busy(&disk.data()));
        server.await_ready();
        ledger.verify(&server);
        revised.verify(&server, &what);
        assert!(marker(&server) >= marked, "{what}: a marker went back, from {marked}");
        server.stop();
        disk.remount();
    }
    *tables += tables_made(&disk.data());
    println!("{} revisions were acknowledged", revised.answered);
    ledger
}

/// How many tables the engine has written out, or rewritten, at least: it numbers them.
fn tables_made(data: &Path) -> u64 {
    let numbers = |directory: &Path| {
        let names = fs::read_dir(directory).into_iter().flatten().flatten();
        names.filter_map(|entry| entry.file_name().to_str()?.parse::<u64>().ok()).collect::<Vec<_>>()
    };
    let tables = data.join("db/keyspaces");
    let of_each = numbers(&tables).into_iter().map(|number| {
        let newest = numbers(&tables.join(number.to_string()).join("tables")).into_iter().max();
        newest.map_or(0, |newest| newest + 1)
    });
    of_each.sum()
}

/// Messages that are edited and taken back, and how each may stand: as it last was answered, or as one without an answer
/// would have it. `None` is unsent.
#[derive(Default)]
struct Revised {
    may: BTreeMap<u64, Vec<Option<String>>>,
    sent: u64,
    answered: u64,
}

impl Revised {
    /// Sends a message, edits it, and takes each second back, as far as the server answers.
    fn revise(&mut self, server: &Server) -> Option<()> {
        let mut connection = server.try_connect()?;
        self.sent += 1;
        let (first, edited) = (format!("first {}", self.sent), format!("edited {}", self.sent));
        let answer = connection.send(REVISED, "kiwi", &first, None).ok()?;
        let seq = answer.body["seq"].as_u64().filter(|_| answer.status == 200)?;
        self.may.insert(seq, vec![Some(first)]);
        let edit = json!({"chat": REVISED, "seq": seq, "sender": "kiwi", "text": edited});
        self.change(&mut connection, "/api/edit", &edit, Some(edited))?;
        if self.sent.is_multiple_of(2) {
            let unsend = json!({"chat": REVISED, "seq": seq, "sender": "kiwi"});
            self.change(&mut connection, "/api/unsend", &unsend, None)?;
        }
        Some(())
    }

    fn change(
        &mut self,
        connection: &mut Connection,
        path: &str,
        request: &Value,
        to: Option<String>,
    ) -> Option<()> {
        let may = self.may.get_mut(&request["seq"].as_u64()?)?;
        may.push(to.clone());
        let answer = connection.post(path, request).ok()?;
        match answer.status {
            200 => {
                *may = vec![to];
                self.answered += 1;
                Some(())
            }
            503 if answer.code() == "outcome_unknown" => None,
            _ => {
                may.pop();
                None
            }
        }
    }

    fn verify(&mut self, server: &Server, what: &str) {
        let messages = server.connect().pull_all(REVISED, false).expect("pages");
        for (seq, may) in &mut self.may {
            let message = usize::try_from(*seq).ok().and_then(|seq| messages.get(seq - 1));
            let message = message.unwrap_or_else(|| panic!("{what}: message {seq} of {REVISED} is lost"));
            let text = message["text"].as_str().map(str::to_owned);
            let stands = if message["unsent"] == true { None } else { text };
            assert!(may.contains(&stands), "{what}: {message} may stand as {may:?}");
            *may = vec![stands];
        }
    }
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
