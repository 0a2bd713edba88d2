//! The watch over the machine's clock, which every part of a store that goes by time shares.

use chinwag_model::{
    Clock, Reading, Ts,
    limits::{CLOCK_AWAY_MAX, CLOCK_JUMP_MAX},
};
use parking_lot::Mutex;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

/// Reads the clock, and notices where it jumps forward, or begins too far ahead: then nothing expires, whoever of the store's
/// parts saw it first.
pub(crate) struct ClockWatch {
    clock: Arc<dyn Clock>,
    seen: Mutex<Seen>,
    held: AtomicBool,
    /// Since it was last asked.
    confirmed: AtomicBool,
}

struct Seen {
    last: Reading,
    /// When the clock was trusted last: what it said, and the steady clock.
    trusted: Reading,
    /// Where the clock was last trusted before the start, as long as it is behind that; else 0.
    known: Ts,
    /// When, by the steady clock, a doubt that began with the start is over by itself.
    until: Option<Duration>,
}

impl ClockWatch {
    /// A watch that begins now, and trusts the clock as it stands.
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self::since(clock, None, Duration::ZERO)
    }

    /// A watch that begins now, of a store whose last watch trusted the clock when it stood at `known`. Where it is further ahead of
    /// that than a server is off, it is in doubt until it is confirmed, or `longest` has passed: then all of before is
    /// older than anything that expires, whatever the clock says.
    pub(crate) fn since(clock: Arc<dyn Clock>, known: Option<Ts>, longest: Duration) -> Self {
        let last = clock.read();
        let known = known.unwrap_or_default();
        let held = known > Ts(0) && last.wall > later(known, CLOCK_AWAY_MAX);
        if held {
            let day_us = 24 * 3_600_000_000;
            tracing::error!(
                days = (last.wall.0 - known.0) / day_us,
                known_us = known.0,
                now_us = last.wall.0,
                "the machine's clock is further ahead of when the server last ran than it is trusted: nothing \
                 expires until somebody confirms it"
            );
        }
        let until = held.then(|| last.steady + longest);
        let trusted = if held { Reading { wall: known, ..last } } else { last };
        let known = if last.wall < known { known } else { Ts(0) };
        let seen = Mutex::new(Seen { last, trusted, known, until });
        Self { clock, seen, held: AtomicBool::new(held), confirmed: AtomicBool::new(false) }
    }

    /// Reads the clock.
    pub(crate) fn read(&self) -> Reading {
        let mut seen = self.seen.lock();
        let now = self.clock.read();
        if seen.until.is_some_and(|until| now.steady >= until) {
            seen.until = None;
            self.held.store(false, Relaxed);
            tracing::info!("all of before the start is over now, whatever the clock says: it is trusted");
        }
        let Reading { wall, steady } = seen.last;
        let mut allowed = later(wall, now.steady.saturating_sub(steady) + CLOCK_JUMP_MAX);
        if wall < seen.known {
            // It was behind at the start, and may come right: that is judged as a start would be.
            allowed = allowed.max(later(seen.known, CLOCK_AWAY_MAX));
        }
        if now.wall > allowed {
            // A doubt of now does not end by itself.
            seen.until = None;
            if !self.held.swap(true, Relaxed) {
                tracing::error!(
                    from_us = wall.0,
                    to_us = now.wall.0,
                    "the machine's clock jumped forward by more than an hour: nothing expires until somebody \
                     confirms it. Set the clock right first; times that were given out are not taken back"
                );
            }
        }
        seen.last = now;
        if now.wall >= seen.known {
            // It is not behind any more: from now on a step back is one.
            seen.known = Ts(0);
        }
        if !self.is_held() {
            seen.trusted = now;
        }
        now
    }

    /// What time it is at least, whatever the clock says: while it is in doubt time goes on from where it was trusted last.
    pub(crate) fn at_least(&self) -> Ts {
        let now = self.read();
        let trusted = self.seen.lock().trusted;
        if self.is_held() { later(trusted.wall, now.steady.saturating_sub(trusted.steady)) } else { now.wall }
    }

    /// Whether nothing may expire.
    pub(crate) fn is_held(&self) -> bool {
        self.held.load(Relaxed)
    }

    /// Trusts the clock as it stands now: what expired by it expires. Whether it was in doubt.
    pub(crate) fn confirm(&self) -> bool {
        let mut seen = self.seen.lock();
        let last = self.clock.read();
        *seen = Seen { last, trusted: last, known: Ts(0), until: None };
        self.confirmed.store(true, Relaxed);
        self.held.swap(false, Relaxed)
    }

    /// Whether it was confirmed since this was last asked.
    pub(crate) fn take_confirmed(&self) -> bool {
        self.confirmed.swap(false, Relaxed)
    }
}

fn later(than: Ts, by: Duration) -> Ts {
    Ts(than.0.saturating_add(u64::try_from(by.as_micros()).unwrap_or(u64::MAX)))
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
        assert_eq!(watch.at_least(), Ts(start + 49 * hour_us), "where it was trusted last");
        assert!(held(&|| clock.step_to(Ts(start))), "setting it back is no confirmation");
        assert!(held(&|| clock.step_to(Ts(start + 90 * hour_us))));
        assert!(watch.confirm());
        assert!(!watch.confirm(), "there is no doubt any more");
        assert!(!held(&|| clock.advance(Duration::from_mins(1))));
        assert!(held(&|| clock.step_to(Ts(start + 190 * hour_us))), "the next jump");
    }

    #[test]
    fn a_jump_is_one_also_after_the_clock_stepped_back_below_the_start() {
        let known = Ts(1_700_000_000_000_000);
        let clock = Arc::new(ManualClock::at(known));
        let watch = ClockWatch::since(clock.clone(), Some(known), Duration::ZERO);
        for (wall, held) in [(known.0 - 1_000_000, false), (known.0 + 3_600_000_000, true)] {
            clock.step_to(Ts(wall));
            watch.read();
            assert_eq!(watch.is_held(), held);
        }
    }

    #[test]
    fn a_start_is_trusted_within_two_weeks_of_the_last_and_else_in_doubt_until_all_of_before_is_over() {
        let (known, day) = (Ts(1_700_000_000_000_000), Duration::from_hours(24));
        let longest = 90 * day;
        let at = |from: Duration| Arc::new(ManualClock::at(later(known, from)));
        let held = |watch: &ClockWatch| {
            watch.read();
            watch.is_held()
        };
        assert!(!held(&ClockWatch::since(at(400 * day), None, longest)), "nothing is known");
        assert!(!held(&ClockWatch::since(at(14 * day), Some(known), longest)), "a server that was off");
        let clock = at(15 * day);
        let watch = ClockWatch::since(clock.clone(), Some(known), longest);
        assert!(held(&watch));
        assert_eq!(watch.at_least(), known);
        clock.advance(89 * day);
        assert_eq!(watch.at_least(), later(known, 89 * day));
        assert!(held(&watch), "a message of just before may be 89 days old");
        clock.advance(day);
        assert!(!held(&watch));
        assert_eq!(watch.at_least(), later(known, 105 * day));
        assert!(!watch.confirm());

        let clock = at(15 * day);
        let watch = ClockWatch::since(clock.clone(), Some(known), longest);
        clock.step_to(later(known, 30 * day));
        assert!(held(&watch));
        clock.advance(365 * day);
        assert!(held(&watch), "a jump while it runs ends by an operator's word alone");
        assert!(watch.confirm() && watch.take_confirmed() && !watch.take_confirmed());
        assert!(!held(&watch));
    }

    /// A machine without a clock of its own begins long ago, and is set right by the network.
    #[test]
    fn a_clock_that_was_behind_at_the_start_may_come_right() {
        let (known, day) = (Ts(1_700_000_000_000_000), Duration::from_hours(24));
        for (comes_to, held) in [(Duration::ZERO, false), (14 * day, false), (15 * day, true)] {
            let clock = Arc::new(ManualClock::at(Ts(5)));
            let watch = ClockWatch::since(clock.clone(), Some(known), day);
            clock.step_to(later(known, comes_to));
            watch.read();
            assert_eq!(watch.is_held(), held, "{comes_to:?}");
            clock.step_to(later(known, comes_to + day));
            watch.read();
            assert!(watch.is_held(), "right or not, from here on an hour is what it may jump");
        }
    }
}
