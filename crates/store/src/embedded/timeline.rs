//! Time as the store gives it out.

use crate::clock::ClockWatch;
use chinwag_model::{Ts, limits::INTEGER_MAX};
use std::sync::Arc;

/// Gives out strictly rising times, also when the machine's clock steps back.
pub(super) struct Timeline {
    watch: Arc<ClockWatch>,
    last: Ts,
    wall: Ts,
}

impl Timeline {
    /// Goes on after `last`, the latest time that was given out.
    pub(super) fn new(watch: Arc<ClockWatch>, last: Ts) -> Self {
        let wall = watch.read().wall;
        Self { watch, last, wall }
    }

    /// Reads the machine's clock; until the next reading, times rise by one from here.
    pub(super) fn read_clock(&mut self) {
        self.wall = self.watch.read().wall;
    }

    /// The time that [`Self::take`] would give now.
    pub(super) fn peek(&self) -> Ts {
        Ts(self.wall.0.min(INTEGER_MAX).max(self.last.0 + 1))
    }

    /// Gives out the next time.
    pub(super) fn take(&mut self) -> Ts {
        self.last = self.peek();
        self.last
    }

    /// Whether nothing may expire.
    pub(super) fn is_held(&self) -> bool {
        self.watch.is_held()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chinwag_model::ManualClock;

    #[test]
    fn time_rises_whatever_the_clock_does() {
        let clock = Arc::new(ManualClock::at(Ts(5_000_000)));
        let watch = Arc::new(ClockWatch::new(clock.clone()));
        let mut timeline = Timeline::new(watch.clone(), Ts(3_000_000));
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
        assert!(!watch.is_held());

        let mut behind = Timeline::new(watch, Ts(20_000_000));
        assert_eq!(behind.take(), Ts(20_000_001), "a restart with a clock that is behind");
    }
}
