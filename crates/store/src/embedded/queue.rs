//! The bounded queue between the tasks that send and the thread that writes.

use super::{cell::ChatCell, pressure::Pressure, recent_keys::KeyHash};
use crate::{Appended, StoreError, vitals::QueueVitals};
use chinwag_model::{Block, Blocked, Change, Chat, Draft, Mark, Marked, Message, Revise, Seq, Side};
use parking_lot::{Condvar, Mutex};
use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use tokio::sync::{OwnedMutexGuard, oneshot};

/// While the committer is busy, the writer is woken for this many sends: to wake it for each would cost more than to
/// number it.
const WAKE_SENDS: usize = 64;

/// When a refused send may come back: time for several commits.
pub(super) const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A send or a mark on its way to the writer.
pub(super) struct Item {
    pub(super) order: Order,
    pub(super) cell: Arc<ChatCell>,
    pub(super) reply: Reply,
}

/// What the writer is asked for.
pub(super) enum Order {
    Send {
        draft: Draft,
        /// Of its key, where it has one; then the cell has its keys.
        hash: Option<KeyHash>,
    },
    Mark {
        /// Its seq is of a message that the chat has.
        mark: Mark,
        /// How many messages of the peer stand up to there, where the mark is read and goes beyond where it stood.
        peers: u64,
    },
    Revise(Revising),
    Forget(Forgetting),
    Block {
        block: Block,
        /// Whether the user blocks as many as are allowed.
        full: bool,
        /// So that no other block of the user is on its way meanwhile.
        turn: OwnedMutexGuard<()>,
    },
}

/// A message is to be revised.
pub(super) struct Revising {
    pub(super) revise: Revise,
    /// The message as it stands.
    pub(super) stands: Arc<Message>,
    /// Of the message's key, where that goes.
    pub(super) forget: Option<KeyHash>,
    /// So that nobody else revises one of the chat meanwhile.
    pub(super) turn: OwnedMutexGuard<()>,
}

/// A user's markers in a chat are to go.
pub(super) struct Forgetting {
    pub(super) chat: Chat,
    pub(super) side: Side,
    /// The peer's messages that are unsent: all of them are above a marker that is no more.
    pub(super) gone: BTreeSet<Seq>,
    /// The chat's last message, where it goes with all before it unless more happens meanwhile.
    pub(super) removable: Option<Seq>,
    /// So that none becomes so meanwhile.
    pub(super) turn: OwnedMutexGuard<()>,
}

/// What the writer answers.
pub(super) enum Outcome {
    Done(Appended),
    Marked(Marked),
    Revised(Arc<Message>),
    /// Whether there was anything to forget.
    Forgotten(bool),
    Blocked(Blocked),
    /// The key stored this message once, and it is no longer in memory: compare them yourself.
    Compare(Seq, Draft),
}

/// Where a send waits for its answer; its place in the queue is free before it has it.
pub(super) struct Reply {
    sender: oneshot::Sender<Result<Outcome, StoreError>>,
    permit: Permit,
}

impl Reply {
    pub(super) fn new(permit: Permit) -> (Self, oneshot::Receiver<Result<Outcome, StoreError>>) {
        let (sender, receiver) = oneshot::channel();
        (Self { sender, permit }, receiver)
    }

    /// Since when its place is taken.
    pub(super) fn since(&self) -> Instant {
        self.permit.since
    }

    /// Answers. Whoever went away meanwhile does not hear it.
    pub(super) fn give(self, answer: Result<Outcome, StoreError>) {
        let Self { sender, permit } = self;
        drop(permit);
        drop(sender.send(answer));
    }
}

/// The queue: what waits, and what is on its way in all.
pub(super) struct Queue {
    state: Mutex<State>,
    wake: Condvar,
    held: Arc<Held>,
    /// How much may be on its way.
    pub(super) pressure: Pressure,
    max_bytes: usize,
}

#[derive(Default)]
struct State {
    items: Vec<Item>,
    /// The writer sleeps and must be woken.
    asleep: bool,
    /// The committer waits for a batch.
    committer_free: bool,
    closed: bool,
}

/// What is on its way, from admission to answer.
#[derive(Default)]
struct Held {
    messages: AtomicUsize,
    bytes: AtomicUsize,
}

/// A place in the queue.
pub(super) struct Permit {
    held: Arc<Held>,
    bytes: usize,
    since: Instant,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.held.messages.fetch_sub(1, Relaxed);
        self.held.bytes.fetch_sub(self.bytes, Relaxed);
    }
}

/// Why the writer was woken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wake {
    pub(super) committer_free: bool,
    pub(super) closed: bool,
}

impl Queue {
    pub(super) fn new(max_messages: usize, max_bytes: usize) -> Self {
        let state = State { committer_free: true, ..State::default() };
        Self {
            state: Mutex::new(state),
            wake: Condvar::new(),
            held: Arc::default(),
            pressure: Pressure::new(max_messages),
            max_bytes,
        }
    }

    /// Whether there is a place, be it for one who did not wait as told.
    pub(super) fn admits(&self, waited: bool) -> Result<(), StoreError> {
        if self.held.messages.load(Relaxed) < self.pressure.allowed()
            && (waited || self.pressure.admits_hasty())
        {
            Ok(())
        } else {
            Err(self.busy())
        }
    }

    fn busy(&self) -> StoreError {
        self.pressure.refused();
        StoreError::Busy { retry_after: RETRY_AFTER }
    }

    /// Takes a place for a send, or refuses it at once.
    pub(super) fn admit(&self, draft: &Draft) -> Result<Permit, StoreError> {
        self.place(draft.text.as_str().len() + draft.data.as_ref().map_or(0, |data| data.as_str().len()))
    }

    /// Takes a place for a revision, or refuses it at once.
    pub(super) fn admit_revise(&self, revise: &Revise) -> Result<Permit, StoreError> {
        self.place(match &revise.change {
            Change::Edit { text, .. } => text.as_str().len(),
            Change::Unsend { .. } | Change::React { .. } | Change::Erase { .. } => 0,
        })
    }

    /// Takes a place for a mark, or refuses it at once.
    pub(super) fn admit_mark(&self) -> Result<Permit, StoreError> {
        self.place(0)
    }

    fn place(&self, bytes: usize) -> Result<Permit, StoreError> {
        let messages = self.held.messages.fetch_add(1, Relaxed);
        let held = self.held.bytes.fetch_add(bytes, Relaxed);
        let permit = Permit { held: self.held.clone(), bytes, since: Instant::now() };
        if messages >= self.pressure.allowed() || held + bytes > self.max_bytes {
            return Err(self.busy());
        }
        Ok(permit)
    }

    /// Hands a send to the writer.
    pub(super) fn push(&self, item: Item) {
        let mut state = self.state.lock();
        if state.closed {
            drop(state);
            item.reply.give(Err(StoreError::Unavailable("the store is closed".into())));
            return;
        }
        state.items.push(item);
        if state.committer_free || state.items.len() >= WAKE_SENDS {
            self.rouse(&mut state);
        }
    }

    /// Says that the committer waits for a batch.
    pub(super) fn committer_is_free(&self) {
        let mut state = self.state.lock();
        state.committer_free = true;
        self.rouse(&mut state);
    }

    /// Takes no more sends; those that wait are still written.
    pub(super) fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        self.rouse(&mut state);
    }

    /// Takes no more sends, and gives back those that wait.
    pub(super) fn abandon(&self) -> Vec<Item> {
        let mut state = self.state.lock();
        state.closed = true;
        std::mem::take(&mut state.items)
    }

    fn rouse(&self, state: &mut State) {
        if std::mem::take(&mut state.asleep) {
            self.wake.notify_one();
        }
    }

    /// Waits, at most `longest`, for sends, for the end, or, where the writer has a batch to give, for the committer.
    ///
    /// What waits is put into `items`, which is empty.
    pub(super) fn wait(&self, items: &mut Vec<Item>, has_batch: bool, longest: Duration) -> Wake {
        let mut state = self.state.lock();
        let done = state.closed && state.committer_free;
        if state.items.is_empty() && !(has_batch && state.committer_free) && !done {
            state.asleep = true;
            self.wake.wait_for(&mut state, longest);
            state.asleep = false;
        }
        std::mem::swap(&mut state.items, items);
        Wake { committer_free: state.committer_free, closed: state.closed }
    }

    /// What is on its way, and how much may be.
    pub(super) fn vitals(&self) -> QueueVitals {
        QueueVitals {
            messages: self.held.messages.load(Relaxed),
            bytes: self.held.bytes.load(Relaxed),
            max_messages: self.pressure.most(),
            max_bytes: self.max_bytes,
        }
    }

    /// Says that the committer was given a batch.
    pub(super) fn committer_is_busy(&self) {
        self.state.lock().committer_free = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chinwag_model::Text;

    fn draft(len: usize) -> Draft {
        let chat = Chat::parse("a:b").expect("valid").0;
        let text = Text::parse("x".repeat(len), len).expect("valid");
        Draft { chat, sender: Side::First, text, key: None, data: None }
    }

    #[test]
    fn it_holds_what_it_says_and_refuses_one_more() {
        let queue = Queue::new(3, 100);
        let permits: Vec<_> = (0..3).map(|_| queue.admit(&draft(10)).expect("room")).collect();
        assert!(matches!(queue.admit(&draft(1)), Err(StoreError::Busy { .. })), "a fourth message");
        drop(permits);
        let first = queue.admit(&draft(60)).expect("room again");
        assert!(matches!(queue.admit(&draft(41)), Err(StoreError::Busy { .. })), "a byte too many");
        let second = queue.admit(&draft(40)).expect("exactly full");
        drop((first, second));
        assert_eq!((queue.held.messages.load(Relaxed), queue.held.bytes.load(Relaxed)), (0, 0));
    }
}
