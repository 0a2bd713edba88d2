//! Seeded clients on every face that torment a server, and the history of what they asked and heard.
//!
//! `chinwag torture` points them at a process that it kills meanwhile, tests at a server of their own. Nothing here decides
//! whether what was heard is right: that is the judge's, in `chinwag-torture`.
//!
//! **Architecture invariant:** this room knows the server by its address alone, and the contract by what it reads there.

mod acts;
mod answers;
mod clients;
mod feeds;
mod gate;
mod http;
mod random;
mod socket;

pub use gate::{ApiKey, Gate};
pub use http::Connection;
pub use random::Random;

use chinwag_torture::history::{By, Call, Record, Reply};
use parking_lot::{Condvar, Mutex};
use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

/// How long a test's wait for the clients may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// How fast the clients go about it.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// The longest that a client rests between two calls.
    pub rest: Duration,
    /// The longest that a feed is followed before it is cut.
    pub follow: Duration,
}

/// Who torments what.
pub struct Setting {
    /// The server.
    pub address: SocketAddr,
    /// Users of this round's own; every two of them have a chat.
    pub users: Vec<String>,
    /// How those are known to the server; `None` of one that asks nobody.
    pub gate: Option<Gate>,
    /// Clients that send, pull, mark and revise; each user's feed is followed besides.
    pub clients: u64,
    /// How fast.
    pub pace: Pace,
}

/// What all clients of a round share.
pub struct Round {
    setting: Setting,
    began: Instant,
    stop: AtomicBool,
    records: Mutex<Vec<Record>>,
    came: Condvar,
}

/// Torments a server for as long as `during` takes, then looks at all of it; the history, and what `during` came to.
///
/// # Errors
/// Those of `during`, and of the server when it is looked at in the end; a client that has panicked.
pub fn torment<T>(
    setting: Setting,
    random: &mut Random,
    during: impl FnOnce(&Round) -> io::Result<T>,
) -> io::Result<(Vec<Record>, T)> {
    let round = Arc::new(Round {
        setting,
        began: Instant::now(),
        stop: AtomicBool::new(false),
        records: Mutex::default(),
        came: Condvar::new(),
    });
    let mut threads = Vec::new();
    for number in 0..round.setting.clients {
        let (round, random) = (round.clone(), random.fork());
        threads.push(thread::spawn(move || clients::run(&round, number, random)));
    }
    for (number, user) in round.setting.users.clone().into_iter().enumerate() {
        let (round, random) = (round.clone(), random.fork());
        threads.push(thread::spawn(move || feeds::run(&round, &user, number as u64, random)));
    }
    let done = during(&round);
    round.stop.store(true, Relaxed);
    for thread in threads {
        // A client that has panicked has a defect, which must not pass for a promise held.
        thread.join().map_err(|_| io::Error::other("a client of the torture has panicked"))?;
    }
    let done = done?;
    clients::look_at_all(&round)?;
    let records = std::mem::take(&mut *round.records.lock());
    Ok((records, done))
}

impl Round {
    /// The moment on the clock of all clients, in microseconds.
    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn ended(&self) -> bool {
        self.stop.load(Relaxed)
    }

    fn record(&self, began: u64, by: By, call: Call, reply: Reply) {
        let ended = self.now();
        self.records.lock().push(Record { began, ended, by, call, reply });
        self.came.notify_all();
    }

    /// Waits until the history has so many records.
    ///
    /// # Errors
    /// Where they do not come within a minute.
    pub fn await_records(&self, count: usize) -> io::Result<()> {
        let until = Instant::now() + PATIENCE;
        let mut records = self.records.lock();
        while records.len() < count {
            if self.came.wait_until(&mut records, until).timed_out() {
                let had = records.len();
                return Err(io::Error::other(format!("waited {PATIENCE:?} for {count} records, had {had}")));
            }
        }
        Ok(())
    }

    /// Has the operator revoke the key that is to be revoked, and writes it down; nothing in an open server.
    ///
    /// # Errors
    /// Those of `revoke`, which is given the key's id.
    pub fn revoke(&self, revoke: impl FnOnce(&str) -> io::Result<()>) -> io::Result<()> {
        let Some(key) = self.setting.gate.as_ref().map(|gate| gate.doomed.id.clone()) else { return Ok(()) };
        let began = self.now();
        revoke(&key)?;
        self.record(began, By::Anyone, Call::Revoke { key }, Reply::Done);
        Ok(())
    }

    /// Writes down that the server's process is gone.
    pub fn ended_process(&self) {
        self.record(self.now(), By::Anyone, Call::End, Reply::Done);
    }

    /// The chats of all pairs of users.
    fn chats(&self) -> Vec<[&str; 2]> {
        let all = &self.setting.users;
        let users = all.iter().enumerate();
        users
            .flat_map(|(at, one)| all[at + 1..].iter().map(move |two| [one.as_str(), two.as_str()]))
            .collect()
    }

    /// A user's own token for so many seconds, or none in an open server.
    fn own(&self, user: &str, seconds: i64) -> (By, Option<String>) {
        match &self.setting.gate {
            Some(gate) => gate.token(user, seconds, self.now()),
            None => (By::Anyone, None),
        }
    }

    /// A key that is never revoked, or none in an open server.
    fn key(&self) -> (By, Option<String>) {
        match &self.setting.gate {
            Some(gate) => gate.lasting.shown(),
            None => (By::Anyone, None),
        }
    }

    /// Whoever asks for what `user` is to do: mostly that user, at times one who may not.
    fn somebody(&self, user: &str, random: &mut Random) -> (By, Option<String>) {
        let Some(gate) = &self.setting.gate else { return (By::Anyone, None) };
        match random.below(20) {
            0 => gate.lasting.shown(),
            1 => gate.doomed.shown(),
            2 => gate.token(gate::STRANGER, 600, self.now()),
            3 => {
                let other: &String = random.one_of(&self.setting.users);
                gate.token(other, 600, self.now())
            }
            4 => gate.token(user, -120, self.now()),
            _ => gate.token(user, 600, self.now()),
        }
    }
}
