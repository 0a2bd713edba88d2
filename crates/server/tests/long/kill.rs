//! kill -9 under load, again and again in one directory.

use crate::{
    child::{Server, check_store, serve},
    ledger::{Ledger, Outcome},
    load::{Load, repeat, try_send},
    random::{Random, rounds},
};
use rustix::process::Signal;
use std::{path::Path, time::Duration};

const CONNECTIONS: u64 = 24;

#[test]
fn what_was_acknowledged_survives_kills_with_a_fixed_seed() {
    let [fixed, _] = Random::seeds();
    survive(fixed);
}

#[test]
fn what_was_acknowledged_survives_kills_with_a_random_seed() {
    let [_, random] = Random::seeds();
    survive(random);
}

fn survive(seed: u64) {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("data");
    let mut random = Random::new(seed);
    let mut ledger = Ledger::default();
    for round in 0..rounds() {
        let server = Server::start(&data);
        ledger.verify(&server);
        repeat_keys(&server, &mut ledger, &mut random);
        let load = Load::start(server.address(), CONNECTIONS, &format!("{seed}.{round}"), &mut random);
        // From the first commit of the round to well under way.
        let answers = 1 + random.below(*random.clone().one_of(&[10, 300, 3000]));
        load.await_answers(answers, || server.printed());
        server.kill();
        ledger.sends.extend(load.finish());
        if random.one_in(3) {
            kill_while_it_starts(&data, random.duration_below(Duration::from_millis(40)));
        }
    }
    let server = Server::start(&data);
    ledger.verify(&server);
    repeat_keys(&server, &mut ledger, &mut random);
    ledger.verify(&server);
    server.stop();
    check_store(&data);
    let unknown = ledger.sends.iter().filter(|send| matches!(send.outcome, Outcome::Unknown)).count();
    println!("seed {seed}: {} rounds, {} sends, {} stored", rounds(), ledger.sends.len(), ledger.stored());
    assert_eq!(unknown, 0, "every keyed send is settled by its repeat");
}

/// A kill may come while the last one's damage is being mended.
fn kill_while_it_starts(data: &Path, after: Duration) {
    let server = Server::spawn(serve(data));
    std::thread::sleep(after);
    server.signal(Signal::KILL);
    server.await_end("a killed server to be gone");
}

/// Repeats each keyed send that has no answer, which settles it, and some that have one.
fn repeat_keys(server: &Server, ledger: &mut Ledger, random: &mut Random) {
    let mut connection = server.connect();
    let keyed: Vec<_> = ledger.sends.iter_mut().filter(|send| send.key.is_some()).collect();
    let oldest = keyed.len().saturating_sub(2000);
    for (number, send) in keyed.into_iter().enumerate() {
        match &send.outcome {
            Outcome::Unknown => {
                try_send(&mut connection, send).expect("an answer");
                assert!(matches!(send.outcome, Outcome::Stored(..)), "{send:?}\n{}", server.printed());
                repeat(&mut connection, send).expect("an answer");
            }
            // Recent ones, and a few from long ago.
            Outcome::Stored(..) if random.one_in(if number >= oldest { 40 } else { 2000 }) => {
                repeat(&mut connection, send).expect("an answer");
                let other = connection
                    .send(&send.chat, &send.sender, "something else", send.key.as_deref())
                    .expect("an answer");
                assert_eq!((other.status, other.code()), (422, "key_reused"), "{send:?} with another text");
            }
            _ => {}
        }
    }
}
