//! Whether what is on its way waits too long, and how much may be on its way then.
//!
//! A queue that stays long serves nobody better than a short one: all of it only waits. So what is told apart is not how
//! long the queue is, but whether the *shortest* wait of a whole interval was too long (as `CoDel` has it): then it is no
//! burst. How much may be on its way is then what goes through in the time that one may wait (Little's law), and grows again
//! step by step once some wait is short. How long one may wait follows how long a commit takes: on a slow disk all wait.

use parking_lot::Mutex;
use std::{
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::{Duration, Instant},
};

/// For so long every wait must be too long.
const INTERVAL: Duration = Duration::from_millis(100);
/// A wait that is never too long.
const WAIT: Duration = Duration::from_millis(20);
/// A wait may be as long as so many commits: the one that is at the disk, its own, and what lies between.
const COMMITS: u32 = 3;
/// So much may always be on its way.
const LEAST: usize = 256;
/// After so many quiet intervals nothing of what was learned is true any more.
const QUIET_INTERVALS: u32 = 20;

/// How much may be on its way.
pub(super) struct Pressure {
    allowed: AtomicUsize,
    most: usize,
    state: Mutex<State>,
}

struct State {
    since: Instant,
    /// The shortest wait since then.
    shortest: Option<Duration>,
    /// What was answered since then.
    answered: usize,
    /// How long a commit takes, as a moving mean.
    commit: Duration,
}

impl Pressure {
    /// At first as much as ever, which is `most`.
    pub(super) fn new(most: usize) -> Self {
        let state = State { since: Instant::now(), shortest: None, answered: 0, commit: Duration::ZERO };
        Self { allowed: AtomicUsize::new(most), most, state: Mutex::new(state) }
    }

    /// How much may be on its way at most.
    pub(super) fn most(&self) -> usize {
        self.most
    }

    /// How much may be on its way now.
    pub(super) fn allowed(&self) -> usize {
        self.allowed.load(Relaxed)
    }

    /// A commit took so long.
    pub(super) fn committed(&self, took: Duration) {
        let mut state = self.state.lock();
        // It rises at once, and falls step by step.
        state.commit = took.max((state.commit * 7 + took) / 8);
    }

    /// So many were answered just now, after this wait or a longer one.
    pub(super) fn answered(&self, count: usize, shortest: Duration, now: Instant) {
        let mut state = self.state.lock();
        state.answered += count;
        state.shortest = Some(state.shortest.map_or(shortest, |known| known.min(shortest)));
        let lasted = now.saturating_duration_since(state.since);
        if lasted < INTERVAL {
            return;
        }
        let may_wait = WAIT.max(state.commit * COMMITS);
        let too_long = state.shortest.take().is_some_and(|shortest| shortest > may_wait);
        let through = std::mem::take(&mut state.answered);
        state.since = now;
        drop(state);
        let before = self.allowed();
        let next = if too_long {
            let fits = through as u128 * may_wait.as_micros() / lasted.as_micros().max(1);
            usize::try_from(fits).unwrap_or(usize::MAX).min(before - before / 4)
        } else if lasted >= INTERVAL * QUIET_INTERVALS {
            self.most
        } else {
            before + (before / 8).max(16)
        };
        self.allowed.store(next.max(LEAST.min(self.most)).min(self.most), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Intervals in each of which so many are answered, after this wait at least.
    fn pass(pressure: &Pressure, now: &mut Instant, intervals: u32, count: usize, wait: Duration) {
        for _ in 0..intervals {
            *now += INTERVAL;
            pressure.answered(count, wait, *now);
        }
    }

    #[test]
    fn what_waits_too_long_all_the_time_is_cut_down_to_what_goes_through() {
        let pressure = Pressure::new(8_192);
        let mut now = Instant::now();
        assert_eq!(pressure.allowed(), 8_192);
        pass(&pressure, &mut now, 10, 2_500, 19 * MS);
        assert_eq!(pressure.allowed(), 8_192);
        // 25,000 a second, of whom each may wait 20 ms.
        pass(&pressure, &mut now, 1, 2_500, 300 * MS);
        assert_eq!(pressure.allowed(), 500);
        pass(&pressure, &mut now, 20, 2_500, 300 * MS);
        assert_eq!(pressure.allowed(), LEAST);
        // It comes back within seconds.
        pass(&pressure, &mut now, 1, 2_500, 2 * MS);
        assert_eq!(pressure.allowed(), LEAST + 32);
        pass(&pressure, &mut now, 29, 2_500, 2 * MS);
        assert_eq!(pressure.allowed(), 8_192);
    }

    #[test]
    fn one_short_wait_in_an_interval_is_enough() {
        let pressure = Pressure::new(8_192);
        let mut now = Instant::now();
        for _ in 0..50 {
            now += INTERVAL / 2;
            pressure.answered(100, 900 * MS, now);
            now += INTERVAL / 2;
            pressure.answered(1, MS, now);
        }
        assert_eq!(pressure.allowed(), 8_192);
    }

    #[test]
    fn a_slow_disk_is_no_reason_to_refuse() {
        let pressure = Pressure::new(8_192);
        let mut now = Instant::now();
        for _ in 0..50 {
            now += 2_000 * MS;
            pressure.committed(2_000 * MS);
            pressure.answered(3_000, 3_900 * MS, now);
        }
        assert_eq!(pressure.allowed(), 8_192);
    }

    #[test]
    fn a_quiet_time_forgets_and_a_small_queue_stays_as_it_is() {
        let pressure = Pressure::new(8_192);
        let mut now = Instant::now();
        pass(&pressure, &mut now, 5, 10, 300 * MS);
        assert_eq!(pressure.allowed(), LEAST);
        now += INTERVAL * 19;
        pass(&pressure, &mut now, 1, 1, MS);
        assert_eq!(pressure.allowed(), 8_192);
        let small = Pressure::new(10);
        pass(&small, &mut now, 5, 10, 300 * MS);
        assert_eq!(small.allowed(), 10);
    }
}
