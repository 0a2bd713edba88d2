//! The task that makes known what is on disk: to the chats and inboxes in memory, to the outlet, to who waits.
//!
//! In this order for each batch, and the batches in theirs. So whoever is told by the outlet, and then reads what it
//! missed up to [`Answers::horizon`], misses nothing and gets nothing twice.

use super::{
    cell::ChatCell,
    failure::Failure,
    head::Head,
    overlay::Overlay,
    queue::{Outcome, Queue, Reply},
    users::Users,
};
use crate::{Appended, Outlet, StoreError};
use chinwag_model::{Blocked, Chat, Event, Marked, Message, RevisionKind, Seq, Side, Ts};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering::Release},
    },
    time::Instant,
};
use tokio::sync::{OwnedMutexGuard, mpsc::UnboundedReceiver};

/// A send or a mark that waits for its batch.
pub(super) struct Done {
    pub(super) what: What,
    pub(super) reply: Reply,
}

/// What was done.
pub(super) enum What {
    /// A message was stored.
    Stored(Arc<Message>, Arc<ChatCell>),
    /// It had been stored before.
    Replayed(Arc<Message>),
    /// A marker was moved, or stood there already.
    Marked {
        /// As it stands.
        stands: Marked,
        /// Those that moved for it.
        moved: Vec<Marked>,
        /// How many messages of the peer stand up to there.
        peers: u64,
        /// How many of either user's unread messages are unsent then.
        gone: [u64; 2],
        /// Whether either user blocked the other then: only its own user hears of it.
        silent: bool,
        cell: Arc<ChatCell>,
    },
    /// A user blocked another, or does so no longer.
    Blocked {
        stands: Blocked,
        /// Whether either of the two blocks the other now.
        silent: bool,
        /// Kept as long as the disk does not know what it knows.
        _cell: Arc<ChatCell>,
        /// Given up once reads show it.
        _turn: OwnedMutexGuard<()>,
    },
    /// A message was revised.
    Revised {
        /// As it stands.
        message: Arc<Message>,
        kind: RevisionKind,
        /// How many of either user's unread messages are unsent then.
        gone: [u64; 2],
        cell: Arc<ChatCell>,
        /// Given up once reads show it.
        _turn: OwnedMutexGuard<()>,
    },
    /// A user's markers were forgotten.
    Forgotten {
        chat: Chat,
        side: Side,
        ts: Ts,
        /// How many of either user's unread messages are unsent then.
        gone: [u64; 2],
        /// Whether there were any.
        had: bool,
        /// Up to which message the chat is removed.
        removed: Seq,
        cell: Arc<ChatCell>,
        /// Given up once reads show it.
        _turn: OwnedMutexGuard<()>,
    },
}

impl Done {
    /// Answers with an error.
    pub(super) fn fail(self, error: StoreError) {
        self.reply.give(Err(error));
    }

    /// Answers with what is on disk.
    fn succeed(self) {
        let done = |message, replayed| Outcome::Done(Appended { message, replayed });
        self.reply.give(Ok(match self.what {
            What::Stored(message, _) => done(message, false),
            What::Replayed(message) => done(message, true),
            What::Marked { stands, .. } => Outcome::Marked(stands),
            What::Revised { message, .. } => Outcome::Revised(message),
            What::Forgotten { had, .. } => Outcome::Forgotten(had),
            What::Blocked { stands, .. } => Outcome::Blocked(stands),
        }));
    }
}

/// The state of the task. It runs within the runtime: to wake each who waits from a thread outside it costs several
/// times as much. What waits here is bounded by the places in the queue that it still holds.
pub(super) struct Answers {
    pub(super) durable: UnboundedReceiver<Vec<Done>>,
    pub(super) queue: Arc<Queue>,
    pub(super) overlay: Arc<Overlay>,
    pub(super) users: Arc<Users>,
    /// The time up to which every read shows everything.
    pub(super) horizon: Arc<AtomicU64>,
    pub(super) outlet: Arc<OnceLock<Arc<dyn Outlet>>>,
    pub(super) failure: Failure,
}

impl Answers {
    /// Runs until the committer has ended. A defect here or in the outlet fails the store: from then on not every read
    /// would show everything.
    pub(super) async fn run(mut self) {
        while let Some(done) = self.durable.recv().await {
            if catch_unwind(AssertUnwindSafe(|| self.make_known(&done))).is_err() {
                return self.failure.set("the task that makes known what is on disk has panicked");
            }
            let now = Instant::now();
            let waits = done.iter().map(|one| now.saturating_duration_since(one.reply.since())).sum();
            self.queue.pressure.answered(done.len(), waits, now);
            done.into_iter().for_each(Done::succeed);
        }
    }

    fn make_known(&self, done: &[Done]) {
        let outlet = self.outlet.get();
        let mut events = Vec::new();
        let mut heads: Vec<(Chat, Head)> = Vec::new();
        for one in done {
            let (chat, head) = match &one.what {
                What::Stored(message, cell) => {
                    events.extend(outlet.map(|_| Event::Message(message.clone())));
                    (&message.chat, cell.message_is_durable(message))
                }
                What::Marked { stands, moved, peers, gone, silent, cell } if !moved.is_empty() => {
                    let event = if *silent { Event::OwnMarker } else { Event::Marker };
                    events.extend(outlet.iter().flat_map(|_| moved.iter().cloned().map(event)));
                    (&stands.chat, cell.markers_are_durable(moved, *peers, *gone))
                }
                What::Revised { message, kind, gone, cell, .. } => {
                    let event = || Event::Revised { message: message.clone(), kind: *kind };
                    events.extend(outlet.map(|_| event()));
                    (&message.chat, cell.revision_is_durable(message, *gone))
                }
                What::Forgotten { chat, side, ts, gone, removed, cell, .. } => {
                    (chat, cell.markers_are_forgotten(*side, *ts, *gone, *removed))
                }
                What::Blocked { stands, silent, .. } => {
                    let event = || Event::Block { stands: stands.clone(), silent: *silent };
                    events.extend(outlet.map(|_| event()));
                    continue;
                }
                What::Marked { .. } | What::Replayed(_) => continue,
            };
            // Of a run of changes in one chat the last head is enough.
            match heads.last_mut() {
                Some((last, known)) if last == chat => *known = head,
                _ => heads.push((chat.clone(), head)),
            }
        }
        if let Some(upto) = heads.last().map(|(_, head)| head.changed) {
            self.overlay.put(&heads, upto);
            for (chat, head) in &heads {
                self.users.put(chat, head);
            }
            self.horizon.store(upto.0, Release);
        }
        if let Some(outlet) = outlet.filter(|_| !events.is_empty()) {
            outlet.committed(events);
        }
    }
}

/// The time up to which every read shows everything.
pub(super) fn horizon(horizon: &AtomicU64) -> Ts {
    Ts(horizon.load(std::sync::atomic::Ordering::Acquire))
}
