//! What one thread of the generator counted.

use crate::{Failure, ledger::Ledger, numbers::ms};
use hdrhistogram::Histogram;
use std::{collections::BTreeMap, time::Duration};

/// Longest latency that is told apart, in microseconds: beyond any time-out and drain.
const LATENCY_MAX_US: u64 = 600_000_000;

/// A histogram of latencies in microseconds. Its bounds are fixed: one that grows would cut what it saturates.
pub(crate) fn latencies() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LATENCY_MAX_US, 3).expect("sound bounds")
}

/// What a request asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    Send,
    Pull,
    Noop,
}

impl Op {
    pub(crate) const ALL: [Self; 3] = [Self::Send, Self::Pull, Self::Noop];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Pull => "pull",
            Self::Noop => "noop",
        }
    }
}

/// Latencies and counts of one kind of request.
#[derive(Debug, Clone)]
pub(crate) struct OpTally {
    /// Of requests that were to start in the measured time, in microseconds.
    pub(crate) latencies: Histogram<u64>,
    /// Requests answered well within the measured time.
    pub(crate) completed: u64,
    /// Requests answered well, the warm-up's among them.
    pub(crate) succeeded: u64,
}

impl OpTally {
    pub(crate) fn new() -> Self {
        Self { latencies: latencies(), completed: 0, succeeded: 0 }
    }

    /// Counts what came well.
    pub(crate) fn succeed(&mut self, latency: Duration, started_in: bool, ended_in: bool) {
        self.succeeded += 1;
        self.completed += u64::from(ended_in);
        if started_in {
            self.latencies.saturating_record(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX));
        }
    }
}

/// What ended within one second of the load.
#[derive(Debug)]
pub(crate) struct SecondTally {
    /// Requests refused as too many.
    pub(crate) refused: u64,
    /// Of requests answered well, in microseconds.
    pub(crate) latencies: Histogram<u64>,
}

impl SecondTally {
    pub(crate) fn new() -> Self {
        let latencies = Histogram::new_with_bounds(1, LATENCY_MAX_US, 2).expect("sound bounds");
        Self { refused: 0, latencies }
    }

    /// Adds what another counted.
    pub(crate) fn add(&mut self, other: &Self) {
        self.refused += other.refused;
        self.latencies.add(&other.latencies).expect("the same bounds");
    }

    /// 99 of 100 were quicker, in milliseconds; 0 where there was none.
    pub(crate) fn p99_ms(&self) -> f64 {
        if self.latencies.is_empty() { 0.0 } else { ms(self.latencies.value_at_quantile(0.99)) }
    }
}

/// All that one thread counted.
#[derive(Debug)]
pub(crate) struct Tally {
    pub(crate) ops: [OpTally; 3],
    pub(crate) failures: BTreeMap<Failure, u64>,
    pub(crate) ledger: Ledger,
    /// Second by second, where that is asked for.
    pub(crate) seconds: Vec<SecondTally>,
}

impl Tally {
    pub(crate) fn new(chats: u32) -> Self {
        let op = OpTally::new();
        Self {
            ops: [op.clone(), op.clone(), op],
            failures: BTreeMap::new(),
            ledger: Ledger::new(chats),
            seconds: Vec::new(),
        }
    }

    pub(crate) fn fail(&mut self, failure: Failure) {
        self.fail_all(failure, 1);
    }

    /// Counts several that failed alike.
    pub(crate) fn fail_all(&mut self, failure: Failure, count: u64) {
        if count > 0 {
            *self.failures.entry(failure).or_default() += count;
        }
    }

    /// Counts what became of a request in the second of the load in which it ended.
    pub(crate) fn in_second(&mut self, at: Duration, answer: Result<Duration, &Failure>) {
        let at = usize::try_from(at.as_secs()).unwrap_or(usize::MAX);
        while self.seconds.len() <= at {
            self.seconds.push(SecondTally::new());
        }
        let second = &mut self.seconds[at];
        match answer {
            Ok(latency) => second
                .latencies
                .saturating_record(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX).max(1)),
            Err(Failure::Status { status: 503, .. }) => second.refused += 1,
            Err(_) => {}
        }
    }

    /// Counts a request that was answered well.
    pub(crate) fn succeed(&mut self, op: Op, latency: Duration, started_in: bool, ended_in: bool) {
        self.ops[op as usize].succeed(latency, started_in, ended_in);
    }

    /// Adds what another thread counted. The ledgers' lists are joined; their floors were each thread's own.
    pub(crate) fn add(&mut self, other: Self) {
        for (mine, theirs) in self.ops.iter_mut().zip(other.ops) {
            mine.latencies.add(&theirs.latencies).expect("the same bounds");
            mine.completed += theirs.completed;
            mine.succeeded += theirs.succeeded;
        }
        for (failure, count) in other.failures {
            *self.failures.entry(failure).or_default() += count;
        }
        self.ledger.acked.extend(other.ledger.acked);
        while self.seconds.len() < other.seconds.len() {
            self.seconds.push(SecondTally::new());
        }
        for (mine, theirs) in self.seconds.iter_mut().zip(&other.seconds) {
            mine.add(theirs);
        }
    }
}
