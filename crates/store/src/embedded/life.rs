//! How the store begins and ends: what it is made of, its threads, and the order in which they stop.

use super::{
    EmbeddedStore, Inner, OpenError, Options, READS_MAX,
    answer::Answers,
    blocks::Blocks,
    cells::Cells,
    committer::{Committer, Committing},
    failure::Failure,
    follower::{self, Follower},
    keys::KeyFile,
    layout::Layout,
    migrate,
    overlay::Overlay,
    queue::Queue,
    retained::Retained,
    sequencer::{Gathered, Sequencer},
    space::Reserve,
    sweep::{End, Sweep},
    tables::Tables,
    timeline::Timeline,
    trim::Trim,
    upkeep::Upkeep,
    users::{Expiry, Users},
    wipe::{self, Wiper, Wiping},
};
use crate::{StoreError, clock::ClockWatch};
use chinwag_model::{Clock, Ts};
use parking_lot::Mutex;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
        mpsc::{Receiver, sync_channel},
    },
    thread::JoinHandle,
};
use tokio::sync::Semaphore;

/// What runs beside the callers, until the end.
#[derive(Default)]
pub(super) struct Threads {
    writers: Vec<JoinHandle<()>>,
    answers: Option<tokio::task::JoinHandle<()>>,
    follower: Option<JoinHandle<()>>,
    sweeper: Option<JoinHandle<()>>,
    /// Ends when the thread that wipes does.
    wiper: Option<Receiver<()>>,
}

impl EmbeddedStore {
    /// Opens the store in a data directory, or creates both. A store of an older format is brought to the present one.
    ///
    /// # Errors
    /// [`OpenError`]; nothing was changed then, but for a directory that was made, or a part of the way from an older
    /// format, which goes on when it is opened again.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn open(data: &Path, options: &Options, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let (layout, tables) = Layout::open(
            data,
            |db| Tables::open(db, options),
            |tables, format| migrate::all(data, tables, format),
        )?;
        let broken = |why: String| OpenError::Damaged { path: layout.db(), why };
        let last = tables.last_ts().map_err(broken)?;
        let (overlay, derived) =
            follower::replay(&tables, last).map_err(|error| broken(error.to_string()))?;
        let retained =
            Retained::open(&tables, options.retention, last).map_err(|error| broken(error.to_string()))?;
        let expiry = Expiry { any: retained.is_any(), keep: retained.limits().keep };
        let due = Upkeep::TakenBack.read(&tables).map_err(broken)?;
        let wiping = Arc::new(Wiping::new(due, Upkeep::Expired.read(&tables).map_err(broken)?));
        let noted = Upkeep::Clock.read(&tables).map_err(broken)?;
        let watch = ClockWatch::since(clock, noted, options.retention.longest());
        let seed = getrandom::u64().map_err(|error| broken(format!("no randomness: {error}")))?;
        let blocks = Blocks::of(&tables).map_err(|error| broken(error.to_string()))?;
        let inner = Arc::new(Inner {
            blocks: Arc::new(blocks),
            queue: Arc::new(Queue::new(options.queue_max_messages, options.queue_max_bytes)),
            cells: Arc::new(Cells::new(options.chat_cache_bytes)),
            users: Arc::new(Users::new(options.inbox_cache_bytes, expiry)),
            overlay: Arc::new(overlay),
            outlet: Arc::new(OnceLock::new()),
            horizon: Arc::new(AtomicU64::new(last.0)),
            reads: Arc::new(Semaphore::new(READS_MAX)),
            observer: Arc::default(),
            looking: Arc::default(),
            tables,
            reserve: Arc::new(Reserve::new(layout.root().to_owned(), options.disk_reserve_bytes)),
            failure: Failure::none(),
            watch: Arc::new(watch),
            retained: Arc::new(retained),
            closed: AtomicBool::new(false),
            seed,
            wiping,
            keys: KeyFile::of(layout.root()),
            layout,
        });
        let sweep = Arc::new(inner.sweep());
        let threads = inner.start(options, last, derived, noted, sweep.clone())?;
        Ok(Self { inner, sweep, threads: Mutex::new(threads) })
    }

    pub(super) async fn close_and_wait(&self) -> Result<(), StoreError> {
        self.inner.closed.store(true, Relaxed);
        self.inner.queue.close();
        self.sweep.end.tell();
        self.inner.failure.check()?;
        let threads = std::mem::take(&mut *self.threads.lock());
        tokio::select! {
            ended = threads.end(&self.inner.overlay, &self.inner.wiping) => ended?,
            // A disk that hangs must not hold the end of the process.
            reason = self.inner.failure.wait() => return Err(StoreError::Unavailable(reason)),
        }
        self.inner.failure.check()
    }
}

impl Inner {
    /// Starts the threads of a store whose last time was `last`, whose inbox rows show everything up to `derived`, and which has noted
    /// what the clock said.
    fn start(
        self: &Arc<Self>,
        options: &Options,
        last: Ts,
        derived: Ts,
        noted: Option<Ts>,
        sweep: Arc<Sweep>,
    ) -> Result<Threads, OpenError> {
        let committing = Arc::new(Committing::default());
        let derived = Arc::new(AtomicU64::new(derived.0));
        // Room for one, so that handing over a batch never waits: the sequencer hands over when the committer is free.
        let (to_committer, batches) = sync_channel(1);
        let (to_answer, durable) = tokio::sync::mpsc::unbounded_channel();
        let sequencer = Sequencer {
            queue: self.queue.clone(),
            cells: self.cells.clone(),
            tables: self.tables.clone(),
            timeline: Timeline::new(self.watch.clone(), last),
            retained: self.retained.clone(),
            reserve: self.reserve.clone(),
            failure: self.failure.clone(),
            committing: committing.clone(),
            commit_max: options.commit_max,
            wiping: self.wiping.clone(),
            to_committer,
            gathered: Gathered::default(),
            blocks: self.blocks.clone(),
        };
        let committer = Committer {
            batches,
            queue: self.queue.clone(),
            tables: self.tables.clone(),
            committing,
            failure: self.failure.clone(),
            trim: Trim::new(self.watch.clone(), derived.clone()),
            committed: to_answer,
            observer: self.observer.clone(),
        };
        let answers = Answers {
            durable,
            queue: self.queue.clone(),
            overlay: self.overlay.clone(),
            users: self.users.clone(),
            horizon: self.horizon.clone(),
            outlet: self.outlet.clone(),
            failure: self.failure.clone(),
        };
        let follower = Follower {
            overlay: self.overlay.clone(),
            tables: self.tables.clone(),
            failure: self.failure.clone(),
            derived,
        };
        let sweeper = if self.retained.is_any() {
            Some(self.spawn("chinwag-sweep", move || sweep.run())?)
        } else {
            None
        };
        let (ended, wiper) = sync_channel(0);
        let wipe = Wiper {
            wiping: self.wiping.clone(),
            tables: self.tables.clone(),
            watch: self.watch.clone(),
            horizon: self.horizon.clone(),
            reserve: self.reserve.clone(),
            failure: self.failure.clone(),
            within: options.wipe_after,
            expired_within: options.wipe_expired_after,
            noted,
            _ended: ended,
        };
        self.spawn("chinwag-wipe", move || wipe.run())?;
        Ok(Threads {
            wiper: Some(wiper),
            writers: vec![
                self.spawn("chinwag-sequence", move || sequencer.run())?,
                self.spawn("chinwag-commit", move || committer.run())?,
            ],
            answers: Some(tokio::spawn(answers.run())),
            follower: Some(self.spawn("chinwag-follow", move || follower.run())?),
            sweeper,
        })
    }

    fn sweep(&self) -> Sweep {
        Sweep {
            tables: self.tables.clone(),
            watch: self.watch.clone(),
            retained: self.retained.clone(),
            cells: self.cells.clone(),
            wiping: self.wiping.clone(),
            failure: self.failure.clone(),
            state: Mutex::default(),
            end: End::default(),
        }
    }

    /// Runs one of the store's threads; a defect that ends it fails the store.
    fn spawn(&self, name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, OpenError> {
        let (failure, queue) = (self.failure.clone(), self.queue.clone());
        let guarded = move || {
            if catch_unwind(AssertUnwindSafe(run)).is_err() {
                failure.set("a thread of the store has panicked");
                for item in queue.abandon() {
                    item.reply.give(Err(StoreError::Unavailable("the store has failed".into())));
                }
            }
        };
        let spawned = std::thread::Builder::new().name(name.into()).spawn(guarded);
        spawned.map_err(|source| OpenError::Io { path: self.layout.root().to_owned(), source })
    }
}

impl Threads {
    /// Waits for the writers, whose queue is closed, then for the last answers, then for the inbox rows of what they told.
    async fn end(self, overlay: &Overlay, wiping: &Wiping) -> Result<(), StoreError> {
        let lost = |error: tokio::task::JoinError| StoreError::Unavailable(error.to_string());
        let join = async |threads: Vec<JoinHandle<()>>| {
            let join = move || threads.into_iter().for_each(|thread| drop(thread.join()));
            tokio::task::spawn_blocking(join).await
        };
        join(self.writers).await.map_err(lost)?;
        if let Some(answers) = self.answers {
            answers.await.map_err(lost)?;
        }
        overlay.end();
        wiping.end();
        join(self.follower.into_iter().chain(self.sweeper).collect()).await.map_err(lost)?;
        let wait = move || self.wiper.iter().for_each(wipe::wait_for_end);
        tokio::task::spawn_blocking(wait).await.map_err(lost)
    }
}

impl Drop for EmbeddedStore {
    fn drop(&mut self) {
        self.inner.queue.close();
        self.sweep.end.tell();
        self.inner.wiping.end();
        let threads = std::mem::take(&mut *self.threads.lock());
        if self.inner.failure.is_set() {
            return self.inner.overlay.end();
        }
        threads.writers.into_iter().for_each(|thread| drop(thread.join()));
        // The task that answers may be waiting for this very thread. What it still has to tell is in the change log.
        self.inner.overlay.end();
        threads.follower.into_iter().chain(threads.sweeper).for_each(|thread| drop(thread.join()));
        threads.wiper.iter().for_each(wipe::wait_for_end);
    }
}
