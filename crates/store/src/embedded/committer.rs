//! The thread that waits for the disk: one batch, one sync, then the answers, in order.

use super::{
    answer::{Done, What},
    failure::Failure,
    queue::Queue,
    tables::Tables,
    trim::Trim,
};
use crate::{
    StoreError,
    vitals::{self, Observer},
};
use fjall::OwnedWriteBatch;
use parking_lot::Mutex;
use std::{
    sync::{
        Arc, OnceLock,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::{Duration, Instant},
};
use tokio::sync::mpsc::UnboundedSender;

/// How often an idle committer asks whether the engine still lives.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// A commit that takes longer is worth a line in the log.
const SLOW_COMMIT: Duration = Duration::from_secs(1);

/// A batch to commit, and who waits for it.
pub(super) struct Batch {
    pub(super) rows: OwnedWriteBatch,
    /// Bytes of their keys and values.
    pub(super) bytes: usize,
    pub(super) done: Vec<Done>,
}

/// The batch at the disk, where the watch can reach who waits for it.
#[derive(Default)]
pub(super) struct Committing(Mutex<Option<(Instant, Vec<Done>)>>);

impl Committing {
    /// The batch of those who wait goes to the disk.
    pub(super) fn begin(&self, done: Vec<Done>) {
        *self.0.lock() = Some((Instant::now(), done));
    }

    /// How long the commit has taken, if one is going on.
    pub(super) fn since(&self) -> Option<Duration> {
        self.0.lock().as_ref().map(|(start, _)| start.elapsed())
    }

    /// Takes those who wait. Whoever takes them answers them.
    pub(super) fn take(&self) -> Vec<Done> {
        self.0.lock().take().map(|(_, done)| done).unwrap_or_default()
    }
}

/// The state of the committer's thread.
pub(super) struct Committer {
    pub(super) batches: Receiver<Batch>,
    pub(super) queue: Arc<Queue>,
    pub(super) tables: Tables,
    pub(super) committing: Arc<Committing>,
    pub(super) failure: Failure,
    pub(super) trim: Trim,
    /// To the task that answers.
    pub(super) committed: UnboundedSender<Vec<Done>>,
    pub(super) observer: Arc<OnceLock<Arc<dyn Observer>>>,
}

impl Committer {
    /// Runs until the writer has ended or the store has failed.
    pub(super) fn run(mut self) {
        loop {
            match self.batches.recv_timeout(ASK_EVERY) {
                Ok(batch) => self.commit(batch),
                // The engine's own threads may have failed while nothing was written.
                Err(RecvTimeoutError::Timeout) => self.guarded("the engine", Tables::ask),
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if self.failure.is_set() {
                return;
            }
            if self.trim.is_due() {
                self.committing.begin(Vec::new());
                let trimmed = self.trim.run(&self.tables);
                self.committing.take();
                self.note("trimming the change log", trimmed);
            }
        }
        self.guarded("the last sync", Tables::sync);
    }

    fn commit(&self, batch: Batch) {
        self.committing.begin(batch.done);
        let start = Instant::now();
        let committed = Tables::commit(batch.rows);
        let took = start.elapsed();
        if took > SLOW_COMMIT {
            tracing::warn!(ms = took.as_millis(), "a commit was slow");
        }
        let done = self.committing.take();
        match committed {
            Ok(()) => {
                self.queue.pressure.committed(took);
                self.queue.committer_is_free();
                self.tell_observer(&done, batch.bytes, took);
                // Where the task is gone, so is the runtime, and everyone who waited.
                drop(self.committed.send(done));
            }
            Err(error) => {
                self.failure.set(&format!("a batch could not be committed: {error}"));
                for one in done {
                    one.fail(StoreError::OutcomeUnknown("the write failed after it began".into()));
                }
                self.queue.committer_is_free();
            }
        }
    }

    fn tell_observer(&self, done: &[Done], bytes: usize, took: Duration) {
        let Some(observer) = self.observer.get() else { return };
        let (mut messages, mut changes) = (0, 0);
        for one in done {
            match &one.what {
                What::Stored(..) => messages += 1,
                What::Marked { moved, .. } => changes += moved.len(),
                What::Revised { .. } | What::Forgotten { .. } | What::Blocked { .. } => changes += 1,
                What::Replayed(_) => {}
            }
        }
        // Without a row, it only waited for the batch before.
        if messages + changes > 0 {
            observer.committed(vitals::Batch { messages, changes, bytes, took });
        }
    }

    fn guarded(&self, what: &str, act: impl FnOnce(&Tables) -> fjall::Result<()>) {
        self.committing.begin(Vec::new());
        let done = act(&self.tables);
        self.committing.take();
        self.note(what, done);
    }

    fn note(&self, what: &str, done: fjall::Result<()>) {
        if let Err(error) = done {
            self.failure.set(&format!("{what}: {error}"));
        }
    }
}
