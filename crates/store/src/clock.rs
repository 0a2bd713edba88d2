//! The watch over the machine's clock, which every part of a store that goes by time shares.

use chinwag_model::{Clock, Reading, limits::CLOCK_JUMP_MAX};
use parking_lot::Mutex;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

/// Reads the clock, and notices where it jumps forward: then nothing expires, whoever of the store's parts saw it first.
pub(crate) struct ClockWatch {
    clock: Arc<dyn Clock>,
    seen: Mutex<Reading>,
    held: AtomicBool,
}

impl ClockWatch {
    /// A watch that begins now, and trusts the clock as it stands.
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        let seen = Mutex::new(clock.read());
        Self { clock, seen, held: AtomicBool::new(false) }
    }

    /// Reads the clock.
    pub(crate) fn read(&self) -> Reading {
        let mut seen = self.seen.lock();
        let now = self.clock.read();
        let passed_us = now.steady.saturating_sub(seen.steady).as_micros();
        let allowed = u128::from(seen.wall.0) + passed_us + CLOCK_JUMP_MAX.as_micros();
        if u128::from(now.wall.0) > allowed && !self.held.swap(true, Relaxed) {
            tracing::error!(
                from_us = seen.wall.0,
                to_us = now.wall.0,
                "the machine's clock jumped forward by more than an hour: nothing expires until somebody \
                 confirms it. Set the clock right first; times that were given out are not taken back"
            );
        }
        *seen = now;
        now
    }

    /// Whether nothing may expire.
    pub(crate) fn is_held(&self) -> bool {
        self.held.load(Relaxed)
    }

    /// Trusts the clock as it stands now: what expired by it expires. Whether it was in doubt.
    pub(crate) fn confirm(&self) -> bool {
        let mut seen = self.seen.lock();
        *seen = self.clock.read();
        self.held.swap(false, Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chinwag_model::{ManualClock, Ts};
    use std::time::Duration;

    #[test]
    fn a_jump_of_more_than_an_hour_holds_expiry_and_time_that_passes_does_not() {
        let start = 1_700_000_000_000_000;
        let clock = Arc::new(ManualClock::at(Ts(start)));
        let watch = ClockWatch::new(clock.clone());
        let held = |step: &dyn Fn()| {
            step();
            watch.read();
            watch.is_held()
        };
        let hour_us = 3_600_000_000;
        assert!(!held(&|| clock.advance(Duration::from_hours(48))));
        assert!(!held(&|| clock.step_to(Ts(start + 49 * hour_us))), "an hour is allowed");
        assert!(held(&|| clock.step_to(Ts(start + 50 * hour_us + 1))));
        assert!(held(&|| clock.step_to(Ts(start))), "setting it back is no confirmation");
        assert!(held(&|| clock.step_to(Ts(start + 90 * hour_us))));
        assert!(watch.confirm());
        assert!(!watch.confirm(), "there is no doubt any more");
        assert!(!held(&|| clock.advance(Duration::from_mins(1))));
        assert!(held(&|| clock.step_to(Ts(start + 190 * hour_us))), "the next jump");
    }
}
