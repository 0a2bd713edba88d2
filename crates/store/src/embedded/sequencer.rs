//! The one writer: gives each send its `seq` and `ts`, in the order in which they came, and gathers them in a batch.
//!
//! It never touches the disk itself; while the committer syncs one batch, it makes the next. It also keeps watch over
//! the committer, which a failed disk may hold for ever.

use super::{
    cell::{Known, is_repeat},
    changes::{self, Change, Kind},
    committer::{Batch, Committing, Done},
    failure::Failure,
    queue::{Item, Outcome, Queue},
    record::{self, RowPlace},
    space::Reserve,
    tables::Tables,
    timeline::Timeline,
};
use crate::{Appended, StoreError, embedded::cells::Cells};
use bytes::BytesMut;
use std::{
    sync::{Arc, mpsc::SyncSender},
    time::Duration,
};

/// How often the committer is looked after.
const WATCH_EVERY: Duration = Duration::from_secs(1);

/// The state of the writer's thread.
pub(super) struct Sequencer {
    pub(super) queue: Arc<Queue>,
    pub(super) cells: Arc<Cells>,
    pub(super) tables: Tables,
    pub(super) timeline: Timeline,
    pub(super) reserve: Arc<Reserve>,
    pub(super) failure: Failure,
    pub(super) committing: Arc<Committing>,
    pub(super) commit_max: Duration,
    pub(super) to_committer: SyncSender<Batch>,
    pub(super) gathered: Gathered,
}

/// The batch that is being made.
#[derive(Default)]
pub(super) struct Gathered {
    /// Every row's key and value, one after the other.
    bytes: BytesMut,
    messages: Vec<RowPlace>,
    changes: Vec<Change>,
    done: Vec<Done>,
}

impl Sequencer {
    /// Runs until the queue is closed and all that it held is committed, or until the store has failed.
    pub(super) fn run(mut self) {
        let mut items = Vec::new();
        loop {
            let wake = self.queue.wait(&mut items, !self.gathered.done.is_empty(), WATCH_EVERY);
            if self.failure.is_set() || self.committer_hangs() {
                return self.give_up(items);
            }
            if !items.is_empty() {
                let room = self.reserve.check();
                self.timeline.read_clock();
                for item in items.drain(..) {
                    self.sequence(item, &room);
                }
            }
            if wake.committer_free && !self.gathered.done.is_empty() {
                self.queue.committer_is_busy();
                let batch = std::mem::take(&mut self.gathered).seal(&self.tables);
                if self.to_committer.send(batch).is_err() {
                    self.failure.set("the thread that commits has ended");
                }
            } else if wake.closed && wake.committer_free {
                return;
            }
        }
    }

    fn sequence(&mut self, item: Item, room: &Result<(), StoreError>) {
        let Item { draft, hash, cell, reply } = item;
        if let Some(hash) = hash {
            match cell.known(hash, self.timeline.peek(), self.timeline.is_held()) {
                Known::No => {}
                Known::OnDisk(seq) => return reply.give(Ok(Outcome::Compare(seq, draft))),
                Known::Here(message) if is_repeat(&message, &draft) => {
                    // Perhaps its first send is still on its way to the disk. Batches are committed in order, so once
                    // this one is, that one was.
                    let cell = None;
                    return self.gathered.done.push(Done { message, cell, replayed: true, reply });
                }
                Known::Here(_) => return reply.give(Err(StoreError::KeyReused)),
            }
        }
        if let Err(full) = room {
            return reply.give(Err(full.clone()));
        }
        let ts = self.timeline.take();
        let (message, weight) = cell.assign(draft, ts, hash);
        if let Some(weight) = weight {
            self.cells.reweigh(&message.chat, &cell, weight);
            cell.prune_keys(ts, self.timeline.is_held());
        }
        self.gathered.add(&message);
        self.gathered.done.push(Done { message, cell: Some(cell), replayed: false, reply });
    }

    fn committer_hangs(&self) -> bool {
        let Some(since) = self.committing.since() else { return false };
        if since < self.commit_max {
            return false;
        }
        self.failure.set(&format!("a commit has not returned in {} s", since.as_secs()));
        for done in self.committing.take() {
            done.fail(StoreError::OutcomeUnknown("the disk does not answer".into()));
        }
        true
    }

    /// Answers all that will not be written: none of it has reached the engine.
    fn give_up(self, items: Vec<Item>) {
        let late = self.queue.abandon();
        let replies = items.into_iter().chain(late).map(|item| item.reply);
        for reply in replies.chain(self.gathered.done.into_iter().map(|done| done.reply)) {
            reply.give(Err(StoreError::Unavailable("the store has failed".into())));
        }
    }
}

impl Gathered {
    fn add(&mut self, message: &chinwag_model::Message) {
        self.messages.push(record::encode(message, &mut self.bytes));
        let (ts, chat, seq) = (message.ts, message.chat.clone(), message.seq);
        self.changes.push(Change { ts, kind: Kind::Message, chat, seq });
    }

    /// Makes the engine's batch of it. The messages' rows share one buffer; the change log's has its own, since it stays
    /// in memory far longer than they do, and would keep them there.
    fn seal(self, tables: &Tables) -> Batch {
        let bytes = self.bytes.freeze();
        let mut rows = tables.batch(self.messages.len() + 1);
        for place in self.messages {
            rows.insert(&tables.messages, bytes.slice(place.key), bytes.slice(place.value));
        }
        let mut bytes = BytesMut::new();
        if let Some(place) = changes::encode(&self.changes, &mut bytes) {
            let bytes = bytes.freeze();
            rows.insert(&tables.changes, bytes.slice(place.key), bytes.slice(place.value));
        }
        Batch { rows, done: self.done }
    }
}

impl Done {
    /// Answers with an error.
    pub(super) fn fail(self, error: StoreError) {
        self.reply.give(Err(error));
    }

    /// Answers with the message, which is on disk.
    pub(super) fn succeed(self) {
        if let Some(cell) = self.cell {
            cell.mark_durable(self.message.seq);
        }
        self.reply.give(Ok(Outcome::Done(Appended { message: self.message, replayed: self.replayed })));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        contract::{START, draft},
        embedded::{Options, cell::ChatCell, cell::Loaded, queue::Reply},
    };
    use chinwag_model::ManualClock;
    use std::sync::{atomic::AtomicBool, mpsc::sync_channel};

    /// A disk that holds a commit for ever: who waits for it hears that the outcome is unknown, who waits behind it that
    /// nothing was stored, and the store has failed.
    #[test]
    fn a_commit_that_hangs_fails_the_store() {
        let dir = tempfile::tempdir().expect("a directory");
        let tables = Tables::open(&dir.path().join("db"), &Options::default()).expect("opened");
        let queue = Arc::new(Queue::new(10, 1_000));
        let committing = Arc::new(Committing::default());
        let failure = Failure::none();
        let (to_committer, _never_taken) = sync_channel(1);
        let cell = Arc::new(ChatCell::new(Loaded::default()));
        let wait = || Reply::new(queue.admit(&draft("a:b", "a", "x")).expect("room"));

        let (reply, mut at_the_disk) = wait();
        let (message, _) = cell.assign(draft("a:b", "a", "x"), START, None);
        committing.begin(vec![Done { message, cell: Some(cell.clone()), replayed: false, reply }]);
        queue.committer_is_busy();
        let (reply, mut behind) = wait();
        queue.push(Item { draft: draft("a:b", "a", "y"), hash: None, cell, reply });

        let clock = Arc::new(ManualClock::at(START));
        let sequencer = Sequencer {
            queue: queue.clone(),
            cells: Arc::new(Cells::new(0)),
            tables,
            timeline: Timeline::new(clock, START, Arc::new(AtomicBool::new(false))),
            reserve: Arc::new(Reserve::new(dir.path().to_owned(), 0)),
            failure: failure.clone(),
            committing,
            commit_max: Duration::ZERO,
            to_committer,
            gathered: Gathered::default(),
        };
        sequencer.run();

        assert!(failure.is_set());
        assert!(matches!(at_the_disk.try_recv(), Ok(Err(StoreError::OutcomeUnknown(_)))));
        assert!(matches!(behind.try_recv(), Ok(Err(StoreError::Unavailable(_)))));
    }
}
