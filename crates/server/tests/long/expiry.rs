//! Power cuts while history expires, by number and by age, and while its rows are removed from the disk.
//!
//! The wall clock is the test's, by libfaketime: each round begins a day and two hours after the last one, so that nothing of it is
//! kept. A cut comes anywhere from the server's start on, or in the midst of a load, or while `chinwag user erase` of nobody takes
//! expired rows off the disk and writes the rest anew. `CHINWAG_TEST_CUTS` says how many (60 with `CHINWAG_TEST_FULL=1`, else 6),
//! `CHINWAG_TEST_SEED` which.

use crate::{
    child::{Server, check_store, serve},
    clock::Machine,
    ledger::{Outcome, Send},
    load::Load,
    random::{Random, full},
    volatile::{Disk, Faults},
    watchdog::until,
};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, HashSet},
    path::Path,
    process::Command,
    time::{Duration, SystemTime},
};

/// Messages of a chat that are kept.
const KEPT: u64 = 40;
const MINUTE_US: u64 = 60_000_000;
const DAY_US: u64 = 24 * 60 * MINUTE_US;
/// From round to round.
const ROUND_MINUTES: u64 = 26 * 60;

/// What was sent of one chat, and what was seen of it.
#[derive(Default)]
struct Chat {
    /// What stands, as it was answered or found.
    stands: BTreeMap<u64, Value>,
    /// Texts of sends whose outcome nobody knows.
    unknown: HashSet<String>,
    /// Where it began when it was last looked at.
    floor: u64,
}

fn server(data: &Path, machine: &Machine) -> Server {
    let mut command = serve(data);
    command
        .env("CHINWAG_MEMTABLE_MIB", "1")
        .env("CHINWAG_RETAIN_MESSAGES", KEPT.to_string())
        .env("CHINWAG_RETAIN_DAYS", "1");
    machine.rule(&mut command);
    Server::spawn(command)
}

/// Removes what has expired from the directory of a stopped server.
fn sweep(data: &Path, machine: &Machine) -> Server {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chinwag"));
    command.args(["user", "erase", "nobody", "--yes", "--data"]).arg(data);
    machine.rule(&mut command);
    Server::spawn(command)
}

fn now_us(minutes: u64) -> u64 {
    let now = SystemTime::UNIX_EPOCH.elapsed().expect("after 1970");
    u64::try_from(now.as_micros()).expect("before the year 586524") + minutes * MINUTE_US
}

#[test]
fn what_has_expired_stays_away_and_what_is_kept_survives_power_cuts() {
    let default = if full() { 60 } else { 6 };
    let cuts = std::env::var("CHINWAG_TEST_CUTS").map_or(default, |cuts| cuts.parse().expect("a number"));
    let Some(machine) = Machine::new() else { return };
    let Some(mut disk) = Disk::mount("expiry") else { return };
    let [_, seed] = Random::seeds();
    let mut random = Random::new(seed);
    let mut chats: BTreeMap<String, Chat> = BTreeMap::new();
    let mut came_to = Seen::default();
    for round in 0..cuts {
        let minutes = (1 + round) * ROUND_MINUTES;
        machine.set(&format!("+{minutes}m"));
        let (data, kind) = (disk.data(), round % 3);
        let calls = if kind == 2 { [15, 40, 150, 2_000] } else { [40, 150, 600, 2_500] };
        let within = *random.one_of(&calls);
        let at = 1 + random.below(within);
        let cut = Faults { cut_at: Some(at), ..Faults::default() };
        if kind == 2 {
            disk.set(cut);
            let (status, printed) = sweep(&data, &machine).await_end("expired rows to be removed");
            let was_cut = disk.await_cut(Duration::ZERO);
            assert!(was_cut || status.success(), "{printed}");
            *(if was_cut { &mut came_to.cut_in_a_sweep } else { &mut came_to.swept }) += 1;
            disk.cut_now();
        } else {
            if kind == 0 {
                disk.set(cut.clone());
            }
            let server = server(&data, &machine);
            if server.address_unless_it_ends().is_some() {
                let load = Load::start(server.address(), 12, &format!("{seed}.{round}"), &mut random);
                if kind == 1 {
                    load.await_answers(300, || server.printed());
                    disk.set(cut);
                }
                let has_gone = || disk.await_cut(Duration::from_millis(20)).then_some(());
                until("the power to go", || server.printed(), has_gone);
                server.signal(Signal::KILL);
                server.await_end("the power to go");
                came_to.stored += take_in(&mut chats, load.finish());
            } else {
                disk.cut_now();
                server.await_end("a server whose disk died as it started");
            }
        }
        let what = format!("seed {seed}, cut {round}, at call {at}: {:?}", disk.revive(&mut random));
        println!("{what}");
        if data.join("FORMAT").exists() {
            check_store(&data);
        }
        // What is too old is hidden within a minute.
        let minutes = minutes + 2;
        machine.set(&format!("+{minutes}m"));
        let after = server(&data, &machine);
        after.await_ready();
        for (name, chat) in &mut chats {
            came_to.moved += u64::from(chat.look(&after, name, now_us(minutes), &what));
        }
        after.stop();
        disk.remount();
    }
    println!("{cuts} cuts, seed {seed}: {came_to:?}");
    assert!(came_to.moved > 0 && came_to.stored > 0, "nothing has expired");
    assert!(came_to.swept + came_to.cut_in_a_sweep > 0, "no cut came while rows were removed");
}

/// What the test came to.
#[derive(Debug, Default)]
struct Seen {
    /// Sends that were acknowledged.
    stored: u64,
    /// Times that a chat began later than the last time.
    moved: u64,
    /// Removals that were cut, and that had ended before the cut.
    cut_in_a_sweep: u64,
    swept: u64,
}

/// Takes in what a load came to; how many it has stored.
fn take_in(chats: &mut BTreeMap<String, Chat>, sends: Vec<Send>) -> u64 {
    let mut stored = 0;
    for send in sends {
        let chat = chats.entry(send.chat).or_default();
        match send.outcome {
            Outcome::Stored(message, _) => {
                let seq = message["seq"].as_u64().expect("a place");
                if let Some(other) = chat.stands.insert(seq, message) {
                    panic!("{seq} was given twice, first to {other}");
                }
                stored += 1;
            }
            Outcome::Unknown => drop(chat.unknown.insert(send.text)),
            Outcome::NotStored => {}
        }
    }
    stored
}

impl Chat {
    /// Holds the promises against the server; whether the chat begins later than before.
    fn look(&mut self, server: &Server, name: &str, now_us: u64, what: &str) -> bool {
        let what = format!("{what}: {name}");
        let mut connection = server.connect();
        let messages = connection.pull_all(name, false).expect("pages");
        let mut reverse = connection.pull_all(name, true).expect("pages");
        reverse.reverse();
        assert_eq!(messages, reverse, "{what}: forward and reverse differ");
        let seq = |message: &Value| message["seq"].as_u64().expect("a place");
        let ts = |message: &Value| message["ts"].as_u64().expect("a time");
        let highest = self.stands.keys().next_back().copied().unwrap_or_default();
        // A chat of which nothing is left begins after all that it held.
        let first = messages.first().map_or(highest + 1, seq);
        let last = messages.last().map_or(highest, seq);
        assert!(last >= highest, "{what} ends at {last}, and {highest} was acknowledged");
        assert!(first >= self.floor, "{what} began at {}, and begins at {first}", self.floor);
        assert!(first + KEPT > last, "{what} holds {first} to {last}, more than are kept");
        for (message, expected) in messages.iter().zip(first..) {
            assert_eq!(seq(message), expected, "{what}: a gap before {message}");
            assert!(ts(message) + DAY_US + 5 * MINUTE_US > now_us, "{what}: {message} is older than a day");
            let text = message["text"].as_str().expect("a text");
            let known = self.stands.entry(expected).or_insert_with(|| {
                assert!(self.unknown.contains(text), "{what}: nobody sent {message}");
                message.clone()
            });
            assert_eq!(message, known, "{what}");
        }
        for (seq, message) in self.stands.range(..first).filter(|(seq, _)| *seq + KEPT > last) {
            let age_us = now_us.saturating_sub(ts(message));
            assert!(age_us + MINUTE_US > DAY_US, "{what}: {seq} is lost: {message}, {age_us} old");
        }
        if first > 1 && !messages.is_empty() {
            let below = json!({"chat": name, "limit": 1, "cursor": first - 2});
            let page = connection.post("/api/pull", &below).expect("a page").body;
            assert_eq!(seq(&page["messages"][0]), first, "{what}: {page}");
        }
        std::mem::replace(&mut self.floor, first) < first && self.floor > 1
    }
}
