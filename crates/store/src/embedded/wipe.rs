//! When texts that were taken back are wiped from the disk, and the thread that sees to it.
//!
//! The table `upkeep` has one row for it, which says since when something waits to be wiped. It is written with the first
//! change that takes a text away, and again once a [`scrub`](super::scrub) is done; so a store that was killed goes on.
//!
//! ```text
//! key    "due"
//! value  version u8 = 1, ts u64 of the oldest change that waits; 0 where none does, checksum
//! ```

use super::{
    answer::horizon,
    codec::{Reader, Wrong, checked, put_checksum},
    failure::Failure,
    record::RowPlace,
    scrub::{Scrub, Step},
    space::Reserve,
    tables::Tables,
};
use crate::clock::ClockWatch;
use bytes::{BufMut, BytesMut};
use chinwag_model::Ts;
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

const KEY: &[u8] = b"due";
const VERSION: u8 = 1;
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
    scrubbing: bool,
    /// The next scrub is not to wait for its time.
    asked: bool,
    ended: bool,
}

impl Wiping {
    /// As the row says.
    pub(super) fn new(due: Option<Ts>) -> Self {
        let state = State { due, latest: due.unwrap_or(Ts(0)), ..State::default() };
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

    /// Begins a scrub of all up to a time, if something before `from` waits.
    fn begin(&self, upto: Ts, from: Ts) -> Option<Ts> {
        let mut state = self.state.lock();
        let asked = std::mem::take(&mut state.asked).then_some(upto);
        let due = state.due.filter(|&due| due <= from && due <= upto).or(asked)?;
        state.scrubbing = true;
        // One on its way to the disk may be missed by the scrub, and so waits for the next.
        state.next = Some(state.latest).filter(|&latest| latest > upto);
        Some(due)
    }

    /// Ends a scrub: writes the row of what still waits.
    fn done(&self, tables: &Tables, upto: Ts) -> fjall::Result<()> {
        loop {
            let next = self.state.lock().next;
            put(tables, next)?;
            let mut state = self.state.lock();
            // One that came meanwhile wrote no row, since one was there.
            if state.next == next {
                state.due = next;
                state.next = None;
                state.scrubbing = false;
                drop(state);
                self.wiped.send_replace(upto);
                return Ok(());
            }
        }
    }
}

/// Appends the row.
pub(super) fn encode(due: Ts, into: &mut BytesMut) -> RowPlace {
    let start = into.len();
    into.put_slice(KEY);
    let value_start = into.len();
    into.put_u8(VERSION);
    into.put_u64(due.0);
    put_checksum(into, start..value_start, value_start);
    RowPlace { key: start..value_start, value: value_start..into.len() }
}

/// Reads the row.
pub(super) fn due(tables: &Tables) -> Result<Option<Ts>, String> {
    let Some(value) = tables.upkeep.get(KEY).map_err(|error| error.to_string())? else { return Ok(None) };
    let decode = || -> Result<Ts, Wrong> {
        let mut row = Reader(checked(KEY, &value)?);
        if row.u8()? != VERSION {
            return Err("the row is of an unknown version");
        }
        row.u64().map(Ts)
    };
    let due = decode().map_err(|wrong| format!("what is to be wiped: {wrong}"))?;
    Ok(Some(due).filter(|due| due.0 > 0))
}

/// Writes the row.
pub(super) fn put(tables: &Tables, due: Option<Ts>) -> fjall::Result<()> {
    let mut bytes = BytesMut::new();
    let place = encode(due.unwrap_or(Ts(0)), &mut bytes);
    let bytes = bytes.freeze();
    let mut batch = tables.batch(1);
    batch.insert(&tables.upkeep, bytes.slice(place.key), bytes.slice(place.value));
    Tables::commit(batch)
}

/// Wipes at once, in a store that no server has open.
pub(super) fn wipe_now(tables: &Tables) -> Result<(), String> {
    let mut scrub = Scrub::begin(tables).map_err(|error| error.to_string())?;
    loop {
        match scrub.step(tables, &|| true, &|_| true).map_err(|error| error.to_string())? {
            Step::More => {}
            Step::Waits(_) => std::thread::sleep(Duration::from_millis(10)),
            Step::Done => return put(tables, None).map_err(|error| error.to_string()),
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
    /// Within this, a text is to be gone.
    pub(super) within: Duration,
    /// Dropped at the end, for who waits for it.
    pub(super) _ended: SyncSender<()>,
}

impl Wiper {
    /// Runs until the end, or until the store has failed.
    pub(super) fn run(self) {
        let mut wait = EVERY;
        while !self.wiping.wait(wait) && !self.failure.is_set() {
            wait = EVERY;
            let upto = horizon(&self.horizon);
            // Half of the time is left for the work.
            let from = self.before(self.within / 2);
            let Some(due) = self.wiping.begin(upto, from) else { continue };
            if let Err(error) = self.wipe(upto, due) {
                tracing::warn!(%error, "texts that were taken back could not be wiped from the disk; trying again");
                wait = AFTER_ERROR;
            }
        }
    }

    /// The time that was so long ago.
    fn before(&self, long: Duration) -> Ts {
        let long_us = u64::try_from(long.as_micros()).unwrap_or(u64::MAX);
        Ts(self.watch.read().wall.0.saturating_sub(long_us))
    }

    fn goes_on(&self) -> bool {
        !self.wiping.has_ended() && !self.failure.is_set()
    }

    fn wipe(&self, upto: Ts, due: Ts) -> fjall::Result<()> {
        let start = self.watch.read().steady;
        let mut scrub = Scrub::begin(&self.tables)?;
        let mut told = false;
        let goes_on = || self.goes_on();
        let has_room = |bytes| self.reserve.has_room(bytes);
        while goes_on() {
            match scrub.step(&self.tables, &goes_on, &has_room)? {
                Step::More => {}
                Step::Waits(why) => {
                    if !told && due < self.before(self.within) {
                        tracing::warn!(
                            why,
                            "texts that were taken back are on disk for longer than wipe_after_s says"
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
