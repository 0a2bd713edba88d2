//! What the server counts, and how it is told to Prometheus.
//!
//! Reading order: `names` (which metrics there are), `words` (what labels may be), `count` (how it is counted), this file
//! (what is counted), `machine` (what the system says), `expose` (how it is told).
//!
//! **Architecture invariant:** whoever counts pays for an atomic or two. No label comes from outside: neither a user, nor a
//! chat, nor a path.

mod count;
mod expose;
mod machine;
pub mod names;
mod words;

pub use count::{Counter, Gauge, Held, Histogram};
pub use expose::{Format, Snapshot};
pub use machine::Machine;
pub use words::{Face, NoRoom, Outcome, Verb};

use chinwag_store::vitals::{Batch, Observer};
use chinwag_wire::ProblemCode;
use count::{SIZES, TIMES_NS};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// The codes with which a server ends a WebSocket or a stream.
const CLOSE_CODES: [u16; 12] = [1002, 1003, 1007, 1008, 1009, 1011, 1012, 1013, 4401, 4403, 4408, 4409];

/// How a session came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The server ended it, with this code.
    Code(u16),
    /// The client said that it ends.
    Client,
    /// The client went without a word.
    Gone,
}

/// What is counted, of the whole server.
#[derive(Debug)]
pub struct Metrics {
    served: Vec<Vec<Served>>,
    errors: Vec<Counter>,
    sessions: Vec<Sessions>,
    catch_ups: Vec<Counter>,
    catch_up_time: Histogram,
    /// Open connections.
    pub connections: Gauge,
    connections_max: AtomicU64,
    /// Connections that were taken.
    pub accepted: Counter,
    refused: Vec<Counter>,
    /// Lines of the audit log that could not be written to it.
    pub audit_lost: Counter,
    /// Spans that were not brought to a collector.
    pub spans_lost: Counter,
    messages: Counter,
    changes: Counter,
    batch_bytes: Counter,
    batch_entries: Histogram,
    commit_time: Histogram,
}

/// The requests of a verb on a face.
#[derive(Debug)]
struct Served {
    count: Counter,
    time: Histogram,
}

/// The sessions of a face.
#[derive(Debug, Default)]
struct Sessions {
    open: AtomicU64,
    opened: Counter,
    /// In the order of [`CLOSE_CODES`]; then those of clients, and those that are gone.
    closes: [Counter; CLOSE_CODES.len() + 2],
}

/// A session that is counted until it is dropped.
#[derive(Debug)]
pub struct Counted {
    metrics: Arc<Metrics>,
    face: Face,
    ended: Option<Ended>,
}

impl Default for Metrics {
    fn default() -> Self {
        let served = || Served { count: Counter::default(), time: Histogram::new(TIMES_NS) };
        Self {
            served: Face::ALL.iter().map(|_| Verb::ALL.iter().map(|_| served()).collect()).collect(),
            errors: ProblemCode::ALL.iter().map(|_| Counter::default()).collect(),
            sessions: Face::ALL.iter().map(|_| Sessions::default()).collect(),
            catch_ups: Outcome::ALL.iter().map(|_| Counter::default()).collect(),
            catch_up_time: Histogram::new(TIMES_NS),
            connections: Gauge::default(),
            connections_max: AtomicU64::new(0),
            accepted: Counter::default(),
            refused: NoRoom::ALL.iter().map(|_| Counter::default()).collect(),
            audit_lost: Counter::default(),
            spans_lost: Counter::default(),
            messages: Counter::default(),
            changes: Counter::default(),
            batch_bytes: Counter::default(),
            batch_entries: Histogram::new(SIZES),
            commit_time: Histogram::new(TIMES_NS),
        }
    }
}

impl Metrics {
    /// A request was answered.
    pub fn served(&self, face: Face, verb: Verb, took: Duration) {
        let served = &self.served[face.index()][verb.index()];
        served.count.count();
        if !verb.waits() {
            served.time.observe_time(took);
        }
    }

    /// A request was refused; it is served as well.
    pub fn error(&self, code: ProblemCode) {
        self.errors[code as usize].count();
    }

    /// A connection was closed for want of room.
    pub fn refused(&self, why: NoRoom) {
        self.refused[why.index()].count();
    }

    /// A session has begun.
    pub fn session(self: &Arc<Self>, face: Face) -> Counted {
        let sessions = &self.sessions[face.index()];
        sessions.opened.count();
        sessions.open.fetch_add(1, Relaxed);
        Counted { metrics: self.clone(), face, ended: None }
    }

    /// A WebSocket or a stream has ended, be it before it began.
    pub fn close(&self, face: Face, why: Ended) {
        let at = match why {
            Ended::Code(code) => CLOSE_CODES.iter().position(|known| *known == code),
            Ended::Client => Some(CLOSE_CODES.len()),
            Ended::Gone => Some(CLOSE_CODES.len() + 1),
        };
        debug_assert!(at.is_some(), "{why:?} is not among the codes that are counted");
        if let Some(at) = at {
            self.sessions[face.index()].closes[at].count();
        }
    }

    /// A feed that came back knows how it fares.
    pub fn catch_up(&self, outcome: Outcome, took: Duration) {
        self.catch_ups[outcome.index()].count();
        self.catch_up_time.observe_time(took);
    }

    /// Says how many connections there may be.
    pub fn set_connections_max(&self, max: u64) {
        self.connections_max.store(max, Relaxed);
    }
}

impl Counted {
    /// Says why it ends; the first reason stays.
    pub fn end(&mut self, why: Ended) {
        self.ended.get_or_insert(why);
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.metrics.sessions[self.face.index()].open.fetch_sub(1, Relaxed);
        // A poll ends with its reply.
        if self.face != Face::Poll {
            self.metrics.close(self.face, self.ended.unwrap_or(Ended::Gone));
        }
    }
}

impl Observer for Metrics {
    fn committed(&self, batch: Batch) {
        let Batch { messages, changes, bytes, took } = batch;
        self.messages.add(messages as u64);
        self.changes.add(changes as u64);
        self.batch_bytes.add(bytes as u64);
        self.batch_entries.observe((messages + changes) as u64);
        self.commit_time.observe_time(took);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_of_a_problem_is_where_it_stands_in_the_list() {
        for (at, code) in ProblemCode::ALL.iter().enumerate() {
            assert_eq!(*code as usize, at);
        }
    }
}
