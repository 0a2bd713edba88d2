use crate::Ts;
use std::{
    sync::atomic::{
        AtomicU64,
        Ordering::{Acquire, Relaxed, Release},
    },
    time::{Duration, Instant},
};

/// One look at both clocks of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// The wall clock. It may step either way.
    pub wall: Ts,
    /// Time since some fixed moment. It never steps.
    pub steady: Duration,
}

/// Where time comes from; passed in, so that tests can move it.
pub trait Clock: Send + Sync {
    /// Reads both clocks.
    fn read(&self) -> Reading;
}

/// The clocks of the machine.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { start: Instant::now() }
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    fn read(&self) -> Reading {
        let wall = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |since| u64::try_from(since.as_micros()).unwrap_or(u64::MAX));
        Reading { wall: Ts(wall), steady: self.start.elapsed() }
    }
}

/// A clock that a test moves by hand.
#[derive(Debug)]
pub struct ManualClock {
    wall_us: AtomicU64,
    steady_us: AtomicU64,
}

impl ManualClock {
    /// A clock that stands at `wall`.
    pub fn at(wall: Ts) -> Self {
        Self { wall_us: AtomicU64::new(wall.0), steady_us: AtomicU64::new(0) }
    }

    /// Lets time pass: both clocks move.
    pub fn advance(&self, by: Duration) {
        let by_us = u64::try_from(by.as_micros()).expect("a test's step fits");
        // Whoever reads in between must not take it for a step.
        self.steady_us.fetch_add(by_us, Release);
        self.wall_us.fetch_add(by_us, Release);
    }

    /// Steps the wall clock alone, as a bad time server would.
    pub fn step_to(&self, wall: Ts) {
        self.wall_us.store(wall.0, Relaxed);
    }
}

impl Clock for ManualClock {
    fn read(&self) -> Reading {
        Reading {
            wall: Ts(self.wall_us.load(Acquire)),
            steady: Duration::from_micros(self.steady_us.load(Acquire)),
        }
    }
}
