//! Whose connection is closed when all are taken and somebody new comes.
//!
//! A connection that waits for a request has a [`Seat`]; so has one that has not said yet what it is. Where there is no room, those
//! are asked to leave that have waited longest: first whoever has been here for a while and never finished a request, then
//! whoever has asked before. So a flood that says nothing pushes itself out, and newcomers come in meanwhile.

use super::told::Told;
use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    task::Poll,
    time::Duration,
};
use tokio::time::Instant;

/// So long a newcomer may say nothing and is still counted as one whose request is on its way.
const ARRIVING: Duration = Duration::from_secs(2);
/// The share of those who wait that is asked to leave at once: looking for them costs as much as there are.
const SHARE: usize = 64;

/// Every connection that could be closed without harm.
#[derive(Debug)]
pub(super) struct Crowd {
    began: Instant,
    seats: Mutex<Seats>,
    told: Told,
}

#[derive(Debug, Default)]
struct Seats {
    next: u64,
    taken: HashMap<u64, Arc<Shared>>,
}

/// One connection's, until it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    number: u64,
    shared: Arc<Shared>,
    crowd: Arc<Crowd>,
}

/// What a seat and the crowd know of each other.
#[derive(Debug, Default)]
struct Shared {
    /// Since when it waits for a request, in microseconds of the crowd plus one; 0 while it does not.
    waits_since: AtomicU64,
    /// Whether it has had a request.
    has_asked: AtomicBool,
    /// Whether it is to leave if it still waits.
    is_asked_to_leave: AtomicBool,
    waker: AtomicWaker,
}

impl Crowd {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { began: Instant::now(), seats: Mutex::default(), told: Told::default() })
    }

    /// A seat for a connection that has just come, and waits.
    pub(super) fn seat(self: &Arc<Self>) -> Seat {
        let shared = Arc::new(Shared::default());
        let mut seats = self.seats.lock();
        let number = seats.next;
        seats.next += 1;
        seats.taken.insert(number, shared.clone());
        drop(seats);
        let seat = Seat { number, shared, crowd: self.clone() };
        seat.waits(Instant::now());
        seat
    }

    /// Asks a few of those who wait to leave; whether there were any.
    pub(super) fn make_room(&self) -> bool {
        let asked = self.ask_to_leave(Instant::now());
        if asked > 0 && self.told.may_tell() {
            tracing::warn!(closed = asked, "all connections are taken; those that wait longest are closed");
        }
        asked > 0
    }

    fn ask_to_leave(&self, now: Instant) -> usize {
        let recently = self.at(now.checked_sub(ARRIVING).unwrap_or(self.began));
        let seats = self.seats.lock();
        let mut waiting: Vec<_> = seats
            .taken
            .values()
            .filter_map(|seat| {
                let since = seat.waits_since.load(Relaxed);
                let rank = match (seat.has_asked.load(Relaxed), since < recently) {
                    (false, true) => 0,
                    (true, _) => 1,
                    (false, false) => 2,
                };
                (since > 0 && !seat.is_asked_to_leave.load(Relaxed)).then_some((rank, since, seat))
            })
            .collect();
        let leaving = waiting.len().div_ceil(SHARE);
        if leaving == 0 {
            return 0;
        }
        let order = |seat: &(u8, u64, &Arc<Shared>)| (seat.0, seat.1);
        waiting.select_nth_unstable_by_key(leaving - 1, order);
        for (.., seat) in &waiting[..leaving] {
            seat.is_asked_to_leave.store(true, Relaxed);
            seat.waker.wake();
        }
        leaving
    }

    /// A moment in microseconds since the crowd began, plus one.
    fn at(&self, moment: Instant) -> u64 {
        let micros = moment.saturating_duration_since(self.began).as_micros();
        u64::try_from(micros).map_or(u64::MAX, |micros| micros.saturating_add(1))
    }
}

impl Seat {
    /// From now on it waits for a request, or for the rest of one's head.
    pub(super) fn waits(&self, since: Instant) {
        self.shared.waits_since.store(self.crowd.at(since), Relaxed);
    }

    /// It has a request, and is left alone until it waits again.
    pub(super) fn is_busy(&self) {
        self.shared.waits_since.store(0, Relaxed);
        self.shared.has_asked.store(true, Relaxed);
    }

    /// Until it is asked to leave, and has nothing under way. To be waited for after whatever reads its requests has had its turn,
    /// so that one which has just come is served.
    pub(super) async fn asked_to_leave(&self) {
        poll_fn(|cx| {
            self.shared.waker.register(cx.waker());
            let leaves = self.shared.is_asked_to_leave.load(Relaxed);
            if leaves && self.shared.waits_since.load(Relaxed) > 0 {
                return Poll::Ready(());
            }
            if leaves {
                self.shared.is_asked_to_leave.store(false, Relaxed);
            }
            Poll::Pending
        })
        .await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.crowd.seats.lock().taken.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    /// Which of these are asked to leave when somebody comes.
    fn leaving(seats: &[Seat]) -> Vec<usize> {
        let leaves = |seat: &Seat| seat.asked_to_leave().now_or_never().is_some();
        seats.iter().enumerate().filter(|(_, seat)| leaves(seat)).map(|(at, _)| at).collect()
    }

    /// A crowd, and seats in it that wait for so many seconds of 100; a negative one has asked before.
    fn crowd(waited: &[i64]) -> (Arc<Crowd>, Vec<Seat>, Instant) {
        let crowd = Crowd::new();
        let now = crowd.began + Duration::from_secs(100);
        let seat = |seconds: &i64| {
            let seat = crowd.seat();
            if *seconds < 0 {
                seat.is_busy();
            }
            seat.waits(now - Duration::from_secs(seconds.unsigned_abs()));
            seat
        };
        let seats = waited.iter().map(seat).collect();
        (crowd, seats, now)
    }

    #[test]
    fn who_leaves_first() {
        // Asked before for the longest; silent for long, and for longer; just come; asked before.
        let (crowd, mut seats, now) = crowd(&[-50, 5, 10, 1, -20]);
        for next in [2, 1, 0, 4, 3] {
            assert_eq!(crowd.ask_to_leave(now), 1);
            assert_eq!(leaving(&seats), [next]);
            // The seat of one who is busy takes its place, so that the numbers stay.
            seats[next] = crowd.seat();
            seats[next].is_busy();
        }
        assert_eq!(crowd.ask_to_leave(now), 0);
    }

    #[test]
    fn a_share_of_those_who_wait_leaves_at_once() {
        let (crowd, seats, now) = crowd(&[9; 640]);
        assert_eq!(crowd.ask_to_leave(now), 10);
        assert_eq!(leaving(&seats).len(), 10);
        // Those who were asked are not asked again.
        assert_eq!(crowd.ask_to_leave(now), 10);
        assert_eq!(leaving(&seats).len(), 20);
    }

    #[test]
    fn whoever_has_a_request_by_then_stays() {
        let (crowd, seats, now) = crowd(&[9]);
        assert_eq!(crowd.ask_to_leave(now), 1);
        seats[0].is_busy();
        assert!(leaving(&seats).is_empty());
        seats[0].waits(now);
        assert!(leaving(&seats).is_empty());
        assert_eq!(crowd.ask_to_leave(now), 1);
        assert_eq!(leaving(&seats), [0]);
    }

    #[test]
    fn a_seat_that_is_dropped_is_forgotten() {
        let (crowd, seats, now) = crowd(&[9, 9]);
        drop(seats);
        assert!(crowd.seats.lock().taken.is_empty());
        assert_eq!(crowd.ask_to_leave(now), 0);
    }
}
