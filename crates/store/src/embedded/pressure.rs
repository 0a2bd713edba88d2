//! Whether what is on its way waits too long, and how much may be on its way then.
//!
//! A queue that stays long serves nobody better than a short one: all of it only waits. Since everything that waits is
//! written in one batch, some wait short also in a long queue, so what is looked at is how long one waits on average; and
//! only a time of several intervals is no burst. From then on as much may be on its way as goes through in the time that
//! one may wait (Little's law), found anew each interval, until for a while nobody had to be refused. How long one may wait
//! follows how long the quickest commit takes: on a slow disk all wait, and a large batch is no slow disk.

use parking_lot::Mutex;
use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    time::{Duration, Instant},
};

/// How often it is looked at.
const INTERVAL: Duration = Duration::from_millis(50);
/// A wait that is never too long.
const WAIT: Duration = Duration::from_millis(15);
/// A wait may be as long as so many commits: the one that is at the disk, its own, and what lies between.
const COMMITS: u32 = 3;
/// So much may always be on its way.
const LEAST: usize = 256;
/// Once so many more intervals had waits that are too long than had not, some are refused.
const LONG_INTERVALS: u32 = 3;
/// One place in so many is for those who did not wait as they were told, each interval: few enough to keep the others quick,
/// and enough to let all in within seconds once there is room.
const HASTY_ONE_IN: usize = 64;
/// After so many in a row in which nobody was, nobody has to be.
const CALM_INTERVALS: u32 = 20;

/// How much may be on its way.
pub(super) struct Pressure {
    allowed: AtomicUsize,
    sheds: AtomicBool,
    /// How many who did not wait may still come in this interval, while it sheds.
    hasty: AtomicUsize,
    /// How many were refused in this interval.
    refused: AtomicUsize,
    most: usize,
    state: Mutex<State>,
}

/// What was seen in this interval.
struct State {
    since: Instant,
    answered: usize,
    /// How long these waited, in all.
    waits: Duration,
    shortest_commit: Option<Duration>,
    /// The shortest commit of the interval before.
    commit: Duration,
    /// How many more intervals had waits that are too long than had not.
    long: u32,
    /// For how many in a row nobody was refused.
    calm: u32,
}

impl Pressure {
    /// At first as much as ever, which is `most`.
    pub(super) fn new(most: usize) -> Self {
        let state = State {
            since: Instant::now(),
            answered: 0,
            waits: Duration::ZERO,
            shortest_commit: None,
            commit: Duration::ZERO,
            long: 0,
            calm: 0,
        };
        Self {
            allowed: AtomicUsize::new(most),
            sheds: AtomicBool::new(false),
            hasty: AtomicUsize::new(0),
            refused: AtomicUsize::new(0),
            most,
            state: Mutex::new(state),
        }
    }

    /// How much may be on its way at most.
    pub(super) fn most(&self) -> usize {
        self.most
    }

    /// How much may be on its way now.
    pub(super) fn allowed(&self) -> usize {
        self.allowed.load(Relaxed)
    }

    /// Whether some are refused so that others are served quickly.
    fn sheds(&self) -> bool {
        self.sheds.load(Relaxed)
    }

    /// Whether one may come in who was told to come back later and did not wait.
    pub(super) fn admits_hasty(&self) -> bool {
        !self.sheds() || self.hasty.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok()
    }

    /// Somebody was refused.
    pub(super) fn refused(&self) {
        self.refused.fetch_add(1, Relaxed);
    }

    /// A commit took so long.
    pub(super) fn committed(&self, took: Duration) {
        let mut state = self.state.lock();
        state.shortest_commit = Some(state.shortest_commit.map_or(took, |known| known.min(took)));
    }

    /// So many were answered just now, which have waited so long in all.
    pub(super) fn answered(&self, count: usize, waits: Duration, now: Instant) {
        let mut state = self.state.lock();
        state.answered += count;
        state.waits += waits;
        let lasted = now.saturating_duration_since(state.since);
        if lasted >= INTERVAL {
            self.look(&mut state, lasted);
            state.since = now;
        }
    }

    /// An interval is over.
    fn look(&self, state: &mut State, lasted: Duration) {
        let answered = std::mem::take(&mut state.answered);
        let waits = std::mem::take(&mut state.waits);
        if let Some(shortest) = state.shortest_commit.take() {
            state.commit = shortest;
        }
        let may_wait = WAIT.max(state.commit * COMMITS);
        let waited = waits / u32::try_from(answered).unwrap_or(u32::MAX).max(1);
        let refused = self.refused.swap(0, Relaxed);
        state.long = if waited > may_wait { state.long + 1 } else { state.long.saturating_sub(1) };
        state.calm = if refused == 0 { state.calm + 1 } else { 0 };
        let sheds = if self.sheds() {
            state.calm < CALM_INTERVALS && lasted < INTERVAL * CALM_INTERVALS
        } else {
            state.calm = 0;
            state.long >= LONG_INTERVALS
        };
        if sheds {
            state.long = 0;
        }
        let allowed = if sheds {
            let fits = answered as u128 * may_wait.as_micros() / lasted.as_micros().max(1);
            usize::try_from(fits).unwrap_or(usize::MAX).max(LEAST).min(self.most)
        } else {
            self.most
        };
        self.allowed.store(allowed, Relaxed);
        self.hasty.store((allowed / HASTY_ONE_IN).max(1), Relaxed);
        self.sheds.store(sheds, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Intervals in each of which so many are answered, after this wait each.
    fn pass(pressure: &Pressure, now: &mut Instant, intervals: u32, count: u32, wait: Duration) {
        for _ in 0..intervals {
            *now += INTERVAL;
            pressure.answered(count as usize, wait * count, *now);
        }
    }

    #[test]
    fn what_waits_too_long_all_the_time_is_cut_down_to_what_goes_through() {
        let pressure = Pressure::new(8_192);
        let mut now = Instant::now();
        assert_eq!(pressure.allowed(), 8_192);
        pass(&pressure, &mut now, 10, 1_250, 14 * MS);
        assert!(!pressure.sheds());
        pass(&pressure, &mut now, LONG_INTERVALS - 1, 1_250, 300 * MS);
        assert_eq!((pressure.allowed(), pressure.sheds()), (8_192, false), "it may be a burst");
        // 25,000 a second, of whom each may wait 15 ms.
        pass(&pressure, &mut now, 1, 1_250, 300 * MS);
        assert_eq!((pressure.allowed(), pressure.sheds()), (375, true));
        // It follows what goes through, as long as some are refused.
        for (count, allowed) in [(2_500, 750), (1_000, 300), (10, LEAST), (1_250, 375)] {
            pressure.refused();
            pass(&pressure, &mut now, 1, count, 15 * MS);
            assert_eq!(pressure.allowed(), allowed);
        }
        pass(&pressure, &mut now, CALM_INTERVALS - 1, 1_250, 2 * MS);
        assert!(pressure.sheds());
        pass(&pressure, &mut now, 1, 1_250, 2 * MS);
        assert_eq!((pressure.allowed(), pressure.sheds()), (8_192, false));
    }

    #[test]
    fn of_those_who_did_not_wait_a_few_come_in_at_a_time() {
        let pressure = Pressure::new(8_192);
        let mut now = Instant::now();
        assert!((0..1_000).all(|_| pressure.admits_hasty()));
        for allowed in [375, 750] {
            pressure.refused();
            pass(&pressure, &mut now, LONG_INTERVALS, 10 * allowed / 3, 300 * MS);
            assert_eq!(pressure.allowed(), allowed as usize);
            let admitted = (0..1_000).filter(|_| pressure.admits_hasty()).count();
            assert_eq!(admitted, allowed as usize / HASTY_ONE_IN);
        }
    }

    #[test]
    fn a_burst_is_no_overload_and_what_waits_too_long_most_of_the_time_is() {
        let pressure = Pressure::new(8_192);
        let mut now = Instant::now();
        for _ in 0..50 {
            pass(&pressure, &mut now, LONG_INTERVALS - 1, 100, 900 * MS);
            pass(&pressure, &mut now, LONG_INTERVALS - 1, 100, MS);
            assert_eq!((pressure.allowed(), pressure.sheds()), (8_192, false));
        }
        pass(&pressure, &mut now, LONG_INTERVALS - 1, 100, 900 * MS);
        pass(&pressure, &mut now, 1, 100, MS);
        assert!(!pressure.sheds());
        pass(&pressure, &mut now, LONG_INTERVALS - 1, 100, 900 * MS);
        assert!(pressure.sheds());
    }

    #[test]
    fn a_slow_disk_is_no_reason_to_refuse_and_a_large_batch_is_no_slow_disk() {
        let pressure = Pressure::new(8_192);
        let mut now = Instant::now();
        for _ in 0..50 {
            now += 2_000 * MS;
            pressure.committed(2_000 * MS);
            pressure.answered(3_000, 3_900 * MS * 3_000, now);
        }
        assert!(!pressure.sheds());
        for _ in 0..LONG_INTERVALS {
            now += INTERVAL;
            pressure.committed(40 * MS);
            pressure.committed(MS);
            pressure.answered(1_500, 60 * MS * 1_500, now);
        }
        assert_eq!((pressure.allowed(), pressure.sheds()), (450, true));
    }

    #[test]
    fn a_quiet_time_forgets_and_a_small_queue_stays_as_it_is() {
        let pressure = Pressure::new(8_192);
        let mut now = Instant::now();
        pass(&pressure, &mut now, LONG_INTERVALS, 10, 300 * MS);
        assert_eq!((pressure.allowed(), pressure.sheds()), (LEAST, true));
        now += INTERVAL * (CALM_INTERVALS - 1);
        pass(&pressure, &mut now, 1, 1, MS);
        assert_eq!((pressure.allowed(), pressure.sheds()), (8_192, false));
        let small = Pressure::new(10);
        pass(&small, &mut now, LONG_INTERVALS, 10, 300 * MS);
        assert_eq!(small.allowed(), 10);
    }
}
