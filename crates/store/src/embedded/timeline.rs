//! Time as the store gives it out.

use chinwag_model::{
    Clock, Reading, Ts,
    limits::{CLOCK_JUMP_MAX, INTEGER_MAX},
};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

/// Gives out strictly rising times, also when the machine's clock steps back.
pub(super) struct Timeline {
    clock: Arc<dyn Clock>,
    last: Ts,
    read: Reading,
    held: Arc<AtomicBool>,
}

impl Timeline {
    /// Goes on after `last`, the latest time that was given out. `held` is set once expiry must stop.
    pub(super) fn new(clock: Arc<dyn Clock>, last: Ts, held: Arc<AtomicBool>) -> Self {
        let read = clock.read();
        Self { clock, last, read, held }
    }

    /// Reads the machine's clock; until the next reading, times rise by one from here.
    pub(super) fn read_clock(&mut self) {
        let now = self.clock.read();
        let passed_us = now.steady.saturating_sub(self.read.steady).as_micros();
        let allowed = u128::from(self.read.wall.0) + passed_us + CLOCK_JUMP_MAX.as_micros();
        if u128::from(now.wall.0) > allowed && !self.held.swap(true, Relaxed) {
            tracing::error!(
                from_us = self.read.wall.0,
                to_us = now.wall.0,
                "the machine's clock jumped forward by more than an hour: nothing expires until the server is started \
                 again. Set the clock right first; times that were given out are not taken back"
            );
        }
        self.read = now;
    }

    /// The time that [`Self::take`] would give now.
    pub(super) fn peek(&self) -> Ts {
        Ts(self.read.wall.0.min(INTEGER_MAX).max(self.last.0 + 1))
    }

    /// Gives out the next time.
    pub(super) fn take(&mut self) -> Ts {
        self.last = self.peek();
        self.last
    }

    /// Whether nothing may expire.
    pub(super) fn is_held(&self) -> bool {
        self.held.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chinwag_model::ManualClock;
    use std::time::Duration;

    #[test]
    fn time_rises_whatever_the_clock_does() {
        let clock = Arc::new(ManualClock::at(Ts(5_000_000)));
        let held = Arc::new(AtomicBool::new(false));
        let mut timeline = Timeline::new(clock.clone(), Ts(3_000_000), held.clone());
        let mut take_at = |wall| {
            clock.step_to(Ts(wall));
            timeline.read_clock();
            let peeked = timeline.peek();
            assert_eq!(timeline.take(), peeked);
            peeked.0
        };
        assert_eq!(take_at(5_000_000), 5_000_000);
        assert_eq!(take_at(5_000_000), 5_000_001);
        assert_eq!(take_at(1_000_000), 5_000_002);
        assert_eq!(take_at(0), 5_000_003);
        assert_eq!(take_at(9_000_000), 9_000_000);
        assert!(!held.load(Relaxed));

        let mut behind = Timeline::new(clock, Ts(20_000_000), held);
        assert_eq!(behind.take(), Ts(20_000_001), "a restart with a clock that is behind");
    }

    #[test]
    fn a_jump_of_more_than_an_hour_holds_expiry_and_time_that_passes_does_not() {
        let start = 1_700_000_000_000_000;
        let clock = Arc::new(ManualClock::at(Ts(start)));
        let held = Arc::new(AtomicBool::new(false));
        let mut timeline = Timeline::new(clock.clone(), Ts(0), held.clone());
        clock.advance(Duration::from_hours(48));
        timeline.read_clock();
        assert!(!held.load(Relaxed));
        let hour_us = 3_600_000_000;
        clock.step_to(Ts(start + 49 * hour_us));
        timeline.read_clock();
        assert!(!held.load(Relaxed), "an hour is allowed");
        clock.step_to(Ts(start + 50 * hour_us + 1));
        timeline.read_clock();
        assert!(held.load(Relaxed));
    }
}
