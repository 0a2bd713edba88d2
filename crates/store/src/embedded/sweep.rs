//! The thread that frees the disk of messages that have expired or were removed. They are hidden already, whether or not it has come to them.
//!
//! A pass goes over all chats in the order of their names, in small steps with a pause after each, so that it takes about half of a
//! disk that has nothing else to do. Each step is whole by itself: it writes where the chats begin, and with it the end of their
//! rows. A pass that was cut short begins again, and finds nothing where it has been.

use super::{
    begin::begin_of,
    cells::Cells,
    failure::Failure,
    floors::{self, Floor},
    head::{Begin, Head, Standing},
    messages, reader, record,
    retained::Retained,
    revisions,
    tables::{Tables, View, engine},
    upkeep::Upkeep,
    wipe::Wiping,
};
use crate::{StoreError, clock::ClockWatch};
use bytes::BytesMut;
use chinwag_model::{Chat, Message, Seq, Ts, limits::SWEEP_EVERY};
use fjall::OwnedWriteBatch;
use parking_lot::{Condvar, Mutex};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// When the first pass begins after the start.
const FIRST_AFTER: Duration = Duration::from_mins(1);
/// How often the clock is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Rows of one step: some milliseconds of work.
const STEP_ROWS: usize = 512;
/// Chats of one step that are only looked at.
const STEP_CHATS: usize = 256;
/// Longest pause after a step.
const PAUSE_MAX: Duration = Duration::from_millis(100);
/// One part in so many of all rows must have gone before the engine's files are written anew without them.
const REWRITE_PART: u64 = 8;

/// What a pass came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    /// Chats whose beginning was written.
    pub chats: u64,
    /// Rows of messages that went.
    pub messages: u64,
    /// Whether so much went that the engine's files are written anew without it, from now on and beside all else.
    pub rewritten: bool,
}

/// What a pass needs. One goes on at a time.
pub(super) struct Sweep {
    pub(super) tables: Tables,
    pub(super) watch: Arc<ClockWatch>,
    pub(super) retained: Arc<Retained>,
    pub(super) cells: Arc<Cells>,
    pub(super) wiping: Arc<Wiping>,
    pub(super) failure: Failure,
    pub(super) state: Mutex<State>,
    pub(super) end: End,
}

/// What is known from pass to pass.
#[derive(Default)]
pub(super) struct State {
    /// Rows that went since the files were last written anew.
    gone: u64,
}

/// Where the end is told.
#[derive(Default)]
pub(super) struct End {
    ended: Mutex<bool>,
    wake: Condvar,
}

impl End {
    /// Ends the thread, and a pass that goes on.
    pub(super) fn tell(&self) {
        *self.ended.lock() = true;
        self.wake.notify_all();
    }

    /// Waits so long, or until the end; whether it is the end.
    fn wait(&self, longest: Duration) -> bool {
        let mut ended = self.ended.lock();
        self.wake.wait_while_for(&mut ended, |ended| !*ended, longest);
        *ended
    }
}

/// What is to be done to a chat.
struct Plan {
    chat: Chat,
    floor: Floor,
    /// The messages whose rows go; without what they say.
    rows: Vec<Message>,
    /// Whether more rows of the chat are to go.
    more: bool,
}

impl Sweep {
    /// Runs until the store ends or has failed.
    pub(super) fn run(&self) {
        let mut due = self.watch.read().steady + FIRST_AFTER;
        while !self.end.wait(LOOK_EVERY) && !self.failure.is_set() {
            let now = self.watch.read().steady;
            if now < due {
                continue;
            }
            due = now + SWEEP_EVERY;
            match self.pass() {
                Ok(Swept { messages: 0, .. }) => {}
                Ok(swept) => tracing::info!(
                    messages = swept.messages,
                    chats = swept.chats,
                    rewritten = swept.rewritten,
                    "messages that have expired were removed from the disk"
                ),
                Err(error) => {
                    return self.failure.set(&format!("expired messages could not be removed: {error}"));
                }
            }
        }
    }

    /// Goes over all chats once; it does nothing while the clock is in doubt, or where nothing ever expired.
    pub(super) fn pass(&self) -> Result<Swept, StoreError> {
        let mut state = self.state.lock();
        let mut swept = Swept::default();
        let now = self.watch.read().wall;
        if self.watch.is_held() || !self.retained.is_any() {
            return Ok(swept);
        }
        self.retained.advance(&self.tables, now).map_err(|error| engine(&error))?;
        let rules = self.retained.rules();
        let mut from = Some(Vec::new());
        while let Some(key) = from {
            let start = Instant::now();
            from = self.step(key, &mut swept)?;
            if self.end.wait(start.elapsed().min(PAUSE_MAX)) || self.failure.is_set() {
                return Ok(swept);
            }
        }
        self.retained.forget(&self.tables, &rules).map_err(|error| engine(&error))?;
        state.gone += swept.messages;
        if state.gone > 0 && state.gone >= self.tables.messages.approximate_len() as u64 / REWRITE_PART {
            self.wiping.ask();
            (state.gone, swept.rewritten) = (0, true);
        }
        Ok(swept)
    }

    /// Looks at some chats from a key on; gives the key to go on from, `None` at the end.
    fn step(&self, mut key: Vec<u8>, swept: &mut Swept) -> Result<Option<Vec<u8>>, StoreError> {
        let mut view = self.tables.view();
        let mut turns = Vec::new();
        let mut plans = Vec::new();
        let mut room = STEP_ROWS;
        for _ in 0..STEP_CHATS {
            let Some(oldest) = oldest_from(&view, &key)? else {
                self.write(&plans, swept)?;
                return Ok(None);
            };
            let (chat, from) = (oldest.chat.clone(), oldest.seq);
            // Each chat is looked at once a step, since its turn is held to the end of it.
            key = after(&chat);
            let Some(mut plan) = self.plan(&view, oldest, room)? else { continue };
            if let Some(cell) = self.cells.hot(&chat) {
                turns.push(cell.blocking_turn_to_revise());
                // What was on its way until now is on disk, and what comes from now on finds the message expired.
                view = self.tables.view();
                let oldest = oldest_from(&view, &record::key(&chat, from))?.filter(|row| row.chat == chat);
                let again = oldest.map(|oldest| self.plan(&view, oldest, room)).transpose()?.flatten();
                let Some(again) = again else { continue };
                cell.begins(again.floor.begin);
                plan = again;
            }
            room -= plan.rows.len();
            let (more, freed) = (plan.more, plan.floor.freed);
            plans.push(plan);
            if more {
                key = record::key(&chat, freed);
            }
            if more || room == 0 {
                break;
            }
        }
        self.write(&plans, swept)?;
        Ok(Some(key))
    }

    /// What is to be done to the chat of which this is the oldest row; `None` for nothing.
    fn plan(&self, view: &View, oldest: Message, room: usize) -> Result<Option<Plan>, StoreError> {
        let (limits, chat) = (self.retained.limits(), oldest.chat.clone());
        let stands = floors::of(view, &chat)?;
        // Every message of a chat that was removed is unsent.
        let removed = if oldest.is_unsent() { reader::standing(view, &chat)?.removed } else { Seq(0) };
        let is_kept = oldest.ts >= limits.cut && oldest.seq > removed;
        if limits.keep == 0 && self.retained.rules().is_empty() && is_kept {
            let known = stands.is_none_or(|floor| floor.begin.first <= oldest.seq);
            if known {
                return Ok(None);
            }
        }
        let from = oldest.seq;
        let last = messages::backwards(view, &chat, Seq(u64::MAX)).next().transpose()?.unwrap_or(oldest);
        let head = Head::of(&last, Standing { removed, ..Standing::START });
        let begin = begin_of(view, &self.retained, &chat, &head)?;
        let keys_cut = self.retained.reach().keys_cut();
        let mut rows = Vec::new();
        let mut more = false;
        for row in view.messages_in(record::key(&chat, from)..record::key(&chat, begin.first.max(from))) {
            let message = messages::read(&chat, row)?;
            // What was removed holds no key.
            if message.ts >= keys_cut && message.seq > removed {
                break;
            }
            if rows.len() == room {
                more = true;
                break;
            }
            rows.push(Message { text: "".into(), data: None, ..message });
        }
        let known = stands.map_or(Begin::START, |floor| floor.begin);
        if rows.is_empty() && begin.first == known.first {
            return Ok(None);
        }
        let before_ts = match stands {
            Some(floor) if floor.begin.first == begin.first => floor.before_ts,
            _ => messages::message_of(view, &chat, Seq(begin.first.0 - 1))?.ts,
        };
        let freed = rows.last().map_or(stands.map_or(Seq(1), |floor| floor.freed), |row| Seq(row.seq.0 + 1));
        let floor = Floor { begin, freed, before_ts, written: Ts(0) };
        Ok(Some(Plan { chat, floor, rows, more }))
    }

    fn write(&self, plans: &[Plan], swept: &mut Swept) -> Result<(), StoreError> {
        if plans.is_empty() {
            return Ok(());
        }
        // Later than every time that was given out, so that a backup of what changed since any of them holds it.
        let last = self.tables.last_ts().map_err(StoreError::Damaged)?;
        let written = self.watch.read().wall.max(Ts(last.0 + 1));
        let rows = plans.iter().map(|plan| 1 + plan.rows.len()).sum();
        let mut batch = self.tables.batch(rows);
        for plan in plans {
            put(&self.tables, &plan.chat, &Floor { written, ..plan.floor }, &mut batch);
            for message in &plan.rows {
                batch.remove(&self.tables.messages, record::key(&plan.chat, message.seq));
                revisions::keys_of(message).for_each(|key| batch.remove(&self.tables.revised, key));
            }
            swept.messages += plan.rows.len() as u64;
        }
        swept.chats += plans.len() as u64;
        if plans.iter().all(|plan| plan.rows.is_empty()) {
            return Tables::commit(batch).map_err(|error| engine(&error));
        }
        let now = self.watch.read().wall;
        if self.wiping.removes(now) {
            let mut bytes = BytesMut::new();
            let place = Upkeep::Expired.encode(now, &mut bytes);
            batch.insert(&self.tables.upkeep, &bytes[place.key], &bytes[place.value]);
        }
        let done = Tables::commit(batch).map_err(|error| engine(&error));
        self.wiping.removed();
        done
    }
}

/// Puts a chat's row of where it begins into a batch.
pub(super) fn put(tables: &Tables, chat: &Chat, floor: &Floor, batch: &mut OwnedWriteBatch) {
    let mut bytes = BytesMut::new();
    let place = floors::encode(chat, floor, &mut bytes);
    batch.insert(&tables.floors, &bytes[place.key], &bytes[place.value]);
}

/// The first message whose key is not before this one.
fn oldest_from(view: &View, key: &[u8]) -> Result<Option<Message>, StoreError> {
    let Some(row) = view.messages_in(key.to_vec()..).next() else { return Ok(None) };
    let (key, value) = row.into_inner().map_err(|error| engine(&error))?;
    let wrong = |wrong| StoreError::Damaged(format!("message {}: {wrong}", key.escape_ascii()));
    record::decode(None, &key, &value).map(Some).map_err(wrong)
}

/// A key after those of a chat's messages, and before those of every later chat.
fn after(chat: &Chat) -> Vec<u8> {
    [chat.as_str().as_bytes(), &[1]].concat()
}
