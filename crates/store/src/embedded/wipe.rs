//! When texts that were taken back, or have expired, are wiped from the disk, and the thread that sees to it.
//!
//! Two rows of [`upkeep`](super::upkeep) say since when something waits to be wiped. Each is written with the first change that takes
//! a text away, or the first removal of rows, and again once a [`scrub`](super::scrub) is done; so a store that was killed goes on.

use super::{
    answer::horizon,
    failure::Failure,
    scrub::{Scrub, Step},
    space::Reserve,
    tables::Tables,
    upkeep::Upkeep,
};
use crate::clock::ClockWatch;
use chinwag_model::{Reading, Ts, limits::CLOCK_NOTED_EVERY};
use parking_lot::{Condvar, Mutex};
use std::{
    sync::{
        Arc,
        atomic::AtomicU64,
        mpsc::{Receiver, SyncSender},
    },
    time::Duration,
};
use tokio::sync::watch;

/// How often the clock is looked at, and a scrub that waits is asked again.
const EVERY: Duration = Duration::from_secs(1);
/// How long after an error of the engine it is tried again.
const AFTER_ERROR: Duration = Duration::from_mins(1);

/// What waits to be wiped; shared by who takes texts away and who wipes them.
pub(super) struct Wiping {
    state: Mutex<State>,
    wake: Condvar,
    /// Told of each time up to which the disk was wiped.
    wiped: watch::Sender<Ts>,
}

#[derive(Default)]
struct State {
    /// The oldest change that took a text away and is still on disk, as the row says.
    due: Option<Ts>,
    /// The latest.
    latest: Ts,
    /// The first after the beginning of the scrub that is going on.
    next: Option<Ts>,
    /// When the oldest rows that had expired were removed and are still in files, as the row says.
    expired: Option<Ts>,
    /// The first after the beginning of the scrub that is going on.
    next_expired: Option<Ts>,
    /// When rows are being removed that have expired.
    removing: Option<Ts>,
    scrubbing: bool,
    /// The next scrub is not to wait for its time.
    asked: bool,
    ended: bool,
}

impl Wiping {
    /// As the rows say.
    pub(super) fn new(due: Option<Ts>, expired: Option<Ts>) -> Self {
        let state = State { due, expired, latest: due.unwrap_or(Ts(0)), ..State::default() };
        Self { state: Mutex::new(state), wake: Condvar::new(), wiped: watch::Sender::new(Ts(0)) }
    }

    /// Takes in that a change at this time takes a text away. Where it gives true, the row must be written with the change.
    pub(super) fn note(&self, ts: Ts) -> bool {
        let mut state = self.state.lock();
        state.latest = ts;
        if state.scrubbing && state.next.is_none() {
            state.next = Some(ts);
        }
        let first = state.due.is_none();
        state.due.get_or_insert(ts);
        first
    }

    /// Takes in that rows which have expired are about to be removed. Where it gives true, the row must be written with that.
    pub(super) fn removes(&self, now: Ts) -> bool {
        let mut state = self.state.lock();
        state.removing = Some(now);
        if state.scrubbing {
            state.next_expired.get_or_insert(now);
        }
        let first = state.expired.is_none();
        state.expired.get_or_insert(now);
        first
    }

    /// They are removed.
    pub(super) fn removed(&self) {
        self.state.lock().removing = None;
    }

    /// Asks for a scrub now, where much is to be freed.
    pub(super) fn ask(&self) {
        self.state.lock().asked = true;
    }

    /// Tells of each time up to which the disk was wiped; at first of 0.
    pub(super) fn wiped(&self) -> watch::Receiver<Ts> {
        self.wiped.subscribe()
    }

    /// Lets the thread end.
    pub(super) fn end(&self) {
        self.state.lock().ended = true;
        self.wake.notify_one();
    }

    fn has_ended(&self) -> bool {
        self.state.lock().ended
    }

    /// Waits; whether it is the end.
    fn wait(&self, longest: Duration) -> bool {
        let mut state = self.state.lock();
        self.wake.wait_while_for(&mut state, |state| !state.ended, longest);
        state.ended
    }

    /// Begins a scrub of all up to a time, if something waits that was taken back before `from`, or removed before
    /// `expired_from`; since when either has waited.
    fn begin(&self, upto: Ts, from: Ts, expired_from: Ts) -> Option<Waiting> {
        let mut state = self.state.lock();
        let due = state.due.filter(|&due| due <= from && due <= upto);
        let expired = state.expired.filter(|&expired| expired <= expired_from);
        if !std::mem::take(&mut state.asked) && due.is_none() && expired.is_none() {
            return None;
        }
        state.scrubbing = true;
        // One on its way to the disk may be missed by the scrub, and so waits for the next.
        state.next = Some(state.latest).filter(|&latest| latest > upto);
        state.next_expired = state.removing;
        Some(Waiting { due, expired })
    }

    /// Ends a scrub: writes the rows of what still waits.
    fn done(&self, tables: &Tables, upto: Ts) -> fjall::Result<()> {
        let next_of = |state: &State| (state.next, state.next_expired);
        loop {
            let next = next_of(&self.state.lock());
            Upkeep::TakenBack.write(tables, next.0)?;
            Upkeep::Expired.write(tables, next.1)?;
            let mut state = self.state.lock();
            // What came meanwhile wrote no row, since one was there.
            if next_of(&state) == next {
                (state.due, state.expired) = next;
                (state.next, state.next_expired) = (None, None);
                state.scrubbing = false;
                drop(state);
                self.wiped.send_replace(upto);
                return Ok(());
            }
        }
    }
}

/// Since when that has waited which a scrub is for.
struct Waiting {
    due: Option<Ts>,
    expired: Option<Ts>,
}

/// Wipes at once, in a store that no server has open.
pub(super) fn wipe_now(tables: &Tables) -> Result<(), String> {
    let mut scrub = Scrub::begin(tables).map_err(|error| error.to_string())?;
    loop {
        match scrub.step(tables, &|| true, &|_| true).map_err(|error| error.to_string())? {
            Step::More => {}
            Step::Waits(_) => std::thread::sleep(Duration::from_millis(10)),
            Step::Done => {
                let done =
                    Upkeep::TakenBack.write(tables, None).and_then(|()| Upkeep::Expired.write(tables, None));
                return done.map_err(|error| error.to_string());
            }
        }
    }
}

/// The state of the thread.
pub(super) struct Wiper {
    pub(super) wiping: Arc<Wiping>,
    pub(super) tables: Tables,
    pub(super) watch: Arc<ClockWatch>,
    pub(super) horizon: Arc<AtomicU64>,
    pub(super) reserve: Arc<Reserve>,
    pub(super) failure: Failure,
    /// Within this, a text that was taken back is to be gone.
    pub(super) within: Duration,
    /// Within this, one that has expired is, once its row was removed.
    pub(super) expired_within: Duration,
    /// What the clock said when that was last noted; `None` before the first time.
    pub(super) noted: Option<Ts>,
    /// Dropped at the end, for who waits for it.
    pub(super) _ended: SyncSender<()>,
}

impl Wiper {
    /// Runs until the end, or until the store has failed.
    pub(super) fn run(mut self) {
        let mut wait = EVERY;
        while !self.wiping.wait(wait) && !self.failure.is_set() {
            self.note_clock(CLOCK_NOTED_EVERY);
            wait = EVERY;
            let upto = horizon(&self.horizon);
            // Half of the time is left for the work.
            let (from, expired_from) = (self.before(self.within / 2), self.before(self.expired_within / 2));
            let Some(waiting) = self.wiping.begin(upto, from, expired_from) else { continue };
            if let Err(error) = self.wipe(upto, &waiting) {
                tracing::warn!(%error, "texts that were taken back could not be wiped from the disk; trying again");
                wait = AFTER_ERROR;
            }
        }
        if !self.failure.is_set() {
            self.note_clock(Duration::ZERO);
        }
    }

    /// Notes what the clock says, for the next start to judge its own by, if it is trusted and has gone on by so much since the
    /// last time. What it said does not go back but by an operator's word.
    fn note_clock(&mut self, every: Duration) {
        let Reading { wall, .. } = self.watch.read();
        let confirmed = self.watch.take_confirmed();
        let every_us = u64::try_from(every.as_micros()).unwrap_or(u64::MAX);
        let due = self.noted.is_none_or(|noted| wall.0 > noted.0.saturating_add(every_us));
        if self.watch.is_held() || !(due || confirmed) {
            return;
        }
        match Upkeep::Clock.write(&self.tables, Some(wall)) {
            Ok(()) => self.noted = Some(wall),
            Err(error) => tracing::warn!(%error, "what the clock says could not be noted; trying again"),
        }
    }

    /// The time that was so long ago.
    fn before(&self, long: Duration) -> Ts {
        let long_us = u64::try_from(long.as_micros()).unwrap_or(u64::MAX);
        Ts(self.watch.read().wall.0.saturating_sub(long_us))
    }

    /// Whether something has waited for longer than it may.
    fn is_late(&self, waiting: &Waiting) -> bool {
        waiting.due.is_some_and(|due| due < self.before(self.within))
            || waiting.expired.is_some_and(|expired| expired < self.before(self.expired_within))
    }

    fn goes_on(&self) -> bool {
        !self.wiping.has_ended() && !self.failure.is_set()
    }

    fn wipe(&self, upto: Ts, waiting: &Waiting) -> fjall::Result<()> {
        let start = self.watch.read().steady;
        let mut scrub = Scrub::begin(&self.tables)?;
        let mut told = false;
        let goes_on = || self.goes_on();
        let has_room = |bytes| self.reserve.has_room(bytes);
        while goes_on() {
            match scrub.step(&self.tables, &goes_on, &has_room)? {
                Step::More => {}
                Step::Waits(why) => {
                    if !told && self.is_late(waiting) {
                        tracing::warn!(
                            why,
                            "texts that were taken back or have expired are on disk for longer than wipe_after_s and wipe_expired_after_days say"
                        );
                        told = true;
                    }
                    self.wiping.wait(EVERY);
                }
                Step::Done => {
                    self.wiping.done(&self.tables, upto)?;
                    let took = self.watch.read().steady.saturating_sub(start);
                    tracing::info!(
                        seconds = took.as_secs(),
                        "texts that were taken back are gone from the disk"
                    );
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

/// Waits for the thread, but not for a merge that is long: the engine takes up what was left of one.
pub(super) fn wait_for_end(ended: &Receiver<()>) {
    let waited = ended.recv_timeout(Duration::from_secs(5));
    debug_assert!(waited.is_err(), "it never sends; what is waited for is that it goes");
}
