//! Many connections that send at once, and write down what they were answered.

use crate::{
    http::{Answer, Connection},
    ledger::{Outcome, Send},
    random::Random,
    watchdog::PATIENCE,
};
use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Instant,
};

const CHATS: [&str; 6] =
    ["apple:banana", "banana:cherry", "apple:cherry", "apple:apple", "dill:été", "🍎:🍌"];

/// A load that runs.
pub(crate) struct Load {
    connections: Vec<thread::JoinHandle<Vec<Send>>>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    answered: Mutex<u64>,
    came: Condvar,
    stop: AtomicBool,
}

impl Load {
    /// Starts `connections` of them; `name` makes their keys differ from those of all other loads.
    pub(crate) fn start(address: SocketAddr, connections: u64, name: &str, random: &mut Random) -> Self {
        let shared = Arc::new(Shared::default());
        let start = |number| {
            let mut sender = Sender {
                random: Random::new(random.next()),
                name: format!("{name}.{number}"),
                shared: shared.clone(),
                sends: vec![],
            };
            thread::spawn(move || {
                // It ends when the server goes; that is no fault of the load.
                let _ = Connection::open(address).and_then(|mut connection| sender.run(&mut connection));
                sender.sends
            })
        };
        Self { connections: (0..connections).map(start).collect(), shared }
    }

    /// Waits until so many sends were acknowledged.
    pub(crate) fn await_answers(&self, count: u64, state: impl Fn() -> String) {
        let begin = Instant::now();
        let mut answered = self.shared.answered.lock().unwrap_or_else(PoisonError::into_inner);
        while *answered < count {
            let left = PATIENCE.saturating_sub(begin.elapsed());
            assert!(
                !left.is_zero(),
                "waited {PATIENCE:?} for {count} answers; {} came\n{}",
                *answered,
                state()
            );
            answered =
                self.shared.came.wait_timeout(answered, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Ends every connection after the request that it is at, and gives what they sent.
    pub(crate) fn finish(self) -> Vec<Send> {
        self.shared.stop.store(true, Ordering::Relaxed);
        let sends = self
            .connections
            .into_iter()
            .map(|connection| connection.join().expect("a connection's promises held"));
        sends.flatten().collect()
    }
}

struct Sender {
    random: Random,
    name: String,
    shared: Arc<Shared>,
    sends: Vec<Send>,
}

impl Sender {
    fn run(&mut self, connection: &mut Connection) -> io::Result<()> {
        while !self.shared.stop.load(Ordering::Relaxed) {
            let chat = *self.random.one_of(&CHATS);
            let (left, right) = chat.split_once(':').expect("a chat");
            let sender = *self.random.one_of(&[left, right]);
            let number = self.sends.len();
            let text = self.text(number);
            let key = self.random.one_in(2).then(|| format!("{}.{number}", self.name));
            self.sends.push(Send {
                chat: chat.into(),
                sender: sender.into(),
                text,
                key,
                began: Instant::now(),
                outcome: Outcome::Unknown,
            });
            let send = self.sends.last_mut().expect("just pushed");
            try_send(connection, send)?;
            if let Outcome::Stored(..) = send.outcome {
                *self.shared.answered.lock().unwrap_or_else(PoisonError::into_inner) += 1;
                self.shared.came.notify_all();
                if send.key.is_some() && self.random.one_in(6) {
                    repeat(connection, send)?;
                }
            }
        }
        Ok(())
    }

    /// Equal ones, unlike ones, long ones.
    fn text(&mut self, number: usize) -> String {
        match self.random.below(20) {
            0 => "🥝 kiwi ".repeat(1 + usize::try_from(self.random.below(1638)).expect("small")),
            1..=9 => "the same".into(),
            _ => format!("{}.{number}: {:x} — ça va? 👍🏽", self.name, self.random.next()),
        }
    }
}

/// Tries a send once, and writes down what came of it. An error is that of the connection.
pub(crate) fn try_send(connection: &mut Connection, send: &mut Send) -> io::Result<()> {
    let answer = connection.send(&send.chat, &send.sender, &send.text, send.key.as_deref())?;
    match (answer.status, answer.code()) {
        (200, _) => {
            assert_answers(&answer, send);
            send.outcome = Outcome::Stored(answer.body, Some(Instant::now()));
        }
        (500 | 503, "outcome_unknown") => send.outcome = Outcome::Unknown,
        (429 | 503 | 507, _) => send.outcome = Outcome::NotStored,
        _ => panic!("{send:?} was answered {answer:?}"),
    }
    Ok(())
}

/// Repeats a stored send with its key: the answer must be the same message, and say that it is a repeat's.
pub(crate) fn repeat(connection: &mut Connection, send: &Send) -> io::Result<()> {
    let answer = connection.send(&send.chat, &send.sender, &send.text, send.key.as_deref())?;
    if !matches!(answer.status, 429 | 500 | 503 | 507) {
        let Outcome::Stored(stored, _) = &send.outcome else { panic!("{send:?} is not stored") };
        assert_eq!((answer.status, &answer.body), (200, stored), "a repeat of {send:?}");
        assert!(answer.replayed(), "a repeat of {send:?} does not say so: {answer:?}");
    }
    Ok(())
}

fn assert_answers(answer: &Answer, send: &Send) {
    let said = |name: &str| answer.body[name].as_str();
    let echoed = (said("chat"), said("sender"), said("text"), said("key"));
    let meant = (Some(&*send.chat), Some(&*send.sender), Some(&*send.text), send.key.as_deref());
    assert_eq!(echoed, meant, "{answer:?}");
}
