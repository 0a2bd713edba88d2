//! When requests start: the arrivals of an open loop, the stages of a ramp.

use crate::Stage;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};
use tokio::sync::Semaphore;

/// The shortest sleep between two looks at the clock: how late an arrival may be released.
const TICK: Duration = Duration::from_micros(100);

/// The arrivals of an open loop at a constant rate.
///
/// The runtime's own timer counts whole milliseconds, too coarse here; a thread of its own releases the arrivals.
#[derive(Debug)]
pub(crate) struct Arrivals {
    start: Instant,
    rate: f64,
    total: u64,
    next: AtomicU64,
    released: Semaphore,
}

impl Arrivals {
    pub(crate) fn new(start: Instant, rate: f64, lasts: Duration) -> Self {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of requests")]
        let total = (rate * lasts.as_secs_f64()).ceil() as u64;
        Self { start, rate, total, next: AtomicU64::new(0), released: Semaphore::new(0) }
    }

    /// Starts the thread that releases them; `workers` wait for them.
    pub(crate) fn release(self: &Arc<Self>, workers: usize) -> std::io::Result<JoinHandle<()>> {
        let arrivals = self.clone();
        std::thread::Builder::new().name("bench-pace".into()).spawn(move || {
            let mut released = 0;
            while released < arrivals.total {
                let due = arrivals.due(Instant::now());
                arrivals.released.add_permits(usize::try_from(due - released).expect("a count of requests"));
                released = due;
                let next = arrivals.intended(released).saturating_duration_since(Instant::now());
                std::thread::sleep(next.max(TICK));
            }
            // One more for each worker, which finds no arrival and ends.
            arrivals.released.add_permits(workers);
        })
    }

    /// Waits for the next arrival and gives the moment at which it was to start; `None` after the last.
    pub(crate) async fn next(&self) -> Option<Instant> {
        self.released.acquire().await.expect("never closed").forget();
        let index = self.next.fetch_add(1, Relaxed);
        (index < self.total).then(|| self.intended(index))
    }

    /// Gives up what was to start before `since` and nobody has taken; how many that were.
    pub(crate) fn give_up(&self, since: Instant) -> u64 {
        let stale = self.due(since).saturating_sub(self.next.load(Relaxed));
        // All at once: one by one they would cost the generator what it has to offer.
        let permits = u32::try_from(stale).ok().filter(|stale| *stale > 0);
        let Some(taken) = permits.and_then(|stale| self.released.try_acquire_many(stale).ok()) else {
            return 0;
        };
        taken.forget();
        self.next.fetch_add(stale, Relaxed);
        stale
    }

    /// How many are due at a moment.
    fn due(&self, now: Instant) -> u64 {
        let Some(since) = now.checked_duration_since(self.start) else { return 0 };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of requests")]
        let due = (since.as_secs_f64() * self.rate) as u64 + 1;
        due.min(self.total)
    }

    fn intended(&self, index: u64) -> Instant {
        #[expect(clippy::cast_precision_loss, reason = "exact below 2^53")]
        let after = Duration::from_secs_f64(index as f64 / self.rate);
        self.start + after
    }
}

/// How many connections there are at a time since the first stage's start; each stage is a straight line.
pub(crate) fn active_at(stages: &[Stage], mut since: Duration) -> f64 {
    let mut from = 0.0;
    for stage in stages {
        let to = f64::from(stage.to);
        if since < stage.lasts {
            return from + (to - from) * since.as_secs_f64() / stage.lasts.as_secs_f64();
        }
        since -= stage.lasts;
        from = to;
    }
    0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_are_straight_lines() {
        let second = Duration::from_secs(1);
        let stages = [
            Stage { lasts: 30 * second, to: 50 },
            Stage { lasts: 60 * second, to: 200 },
            Stage { lasts: 20 * second, to: 0 },
        ];
        for (at, active) in
            [(0, 0.0), (15, 25.0), (30, 50.0), (60, 125.0), (90, 200.0), (100, 100.0), (110, 0.0)]
        {
            assert!((active_at(&stages, at * second) - active).abs() < 1e-9, "at {at} s");
        }
    }

    #[test]
    fn arrivals_are_due_at_their_rate_and_no_more_than_there_are() {
        let start = Instant::now();
        let arrivals = Arrivals::new(start, 1_000.0, Duration::from_secs(2));
        let after = |ms| start + Duration::from_millis(ms);
        assert_eq!(arrivals.due(start), 1);
        assert_eq!(arrivals.due(after(500)), 501);
        assert_eq!(arrivals.due(after(9_000)), 2_000);
        assert_eq!(arrivals.intended(250), after(250));
    }

    #[tokio::test]
    async fn what_nobody_took_in_time_is_given_up_and_the_rest_is_not() {
        let start = Instant::now();
        let arrivals = Arrivals::new(start, 1_000.0, Duration::from_secs(2));
        let after = |ms| start + Duration::from_millis(ms);
        arrivals.released.add_permits(100);
        assert_eq!(arrivals.next().await, Some(start));
        assert_eq!(arrivals.give_up(after(50)), 50, "those of 1 to 50 ms");
        assert_eq!(arrivals.give_up(after(50)), 0);
        assert_eq!(arrivals.next().await, Some(after(51)));
        assert_eq!(arrivals.give_up(after(150)), 0, "not all are released yet");
    }
}
