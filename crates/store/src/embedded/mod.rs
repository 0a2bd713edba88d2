//! The durable store of one machine, on fjall.
//!
//! A send goes `append → queue → sequencer → committer` and back; a pull is answered from the chat's `cell` while the
//! chat is hot, else from disk on a bounded set of blocking threads. Reading order: [`record`] and [`changes`] (what is
//! stored), `head` (what a chat comes to), `layout`, `journal` and `migrate` (how it is opened), `cell` and `cells`, `users`
//! (what is in memory), `queue`, `sequencer`, `committer`, `answer` (how it is written), `overlay` and `follower` (how
//! inboxes are written, later), `reader` and `feed` (how it is read), [`check()`] (how it is verified).

mod answer;
mod cell;
mod cells;
pub mod changes;
mod check;
mod codec;
mod committer;
mod failure;
mod feed;
mod follower;
mod head;
mod journal;
mod layout;
mod migrate;
mod options;
mod overlay;
mod queue;
mod reader;
pub mod record;
mod sequencer;
mod space;
mod tables;
mod timeline;
mod trim;
mod users;

pub use check::{CheckProgress, CheckReport, check};
pub use codec::Wrong;
pub use layout::OpenError;
pub use options::Options;

use crate::{Appended, CatchUp, Outlet, Store, StoreError, StoreFuture};
use answer::Answers;
use cell::{ChatCell, InMemory, KeyHash, is_repeat};
use cells::Cells;
use chinwag_model::{
    Chat, Clock, Draft, Epoch, InboxPage, InboxQuery, Mark, Marked, Page, PageQuery, Ts, UserId,
};
use committer::{Committer, Committing};
use failure::Failure;
use follower::Follower;
use layout::Layout;
use overlay::Overlay;
use parking_lot::Mutex;
use queue::{Item, Order, Outcome, Queue, Reply};
use reader::KeyHorizon;
use sequencer::{Gathered, Sequencer};
use space::Reserve;
use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
        mpsc::sync_channel,
    },
    thread::JoinHandle,
};
use tables::Tables;
use timeline::Timeline;
use tokio::sync::Semaphore;
use trim::Trim;
use users::Users;

/// Reads from disk that may go on at once; more wait their turn.
const READS_MAX: usize = 32;

/// The durable store of one machine.
///
/// It is opened and used within a tokio runtime, whose blocking threads it reads on. Dropped without
/// [`close`](Store::close) it still writes what it accepted; a store that has failed is better left to the end of the
/// process, since closing the engine may try to write again.
pub struct EmbeddedStore {
    inner: Arc<Inner>,
    threads: Mutex<Threads>,
}

/// What runs beside the callers, until the end.
#[derive(Default)]
struct Threads {
    writers: Vec<JoinHandle<()>>,
    answers: Option<tokio::task::JoinHandle<()>>,
    follower: Option<JoinHandle<()>>,
}

struct Inner {
    queue: Arc<Queue>,
    cells: Arc<Cells>,
    users: Arc<Users>,
    overlay: Arc<Overlay>,
    outlet: Arc<OnceLock<Arc<dyn Outlet>>>,
    /// The time up to which every read shows everything.
    horizon: Arc<AtomicU64>,
    reads: Arc<Semaphore>,
    tables: Tables,
    reserve: Arc<Reserve>,
    failure: Failure,
    clock: Arc<dyn Clock>,
    /// Set once the clock is in doubt: then nothing expires.
    held: Arc<AtomicBool>,
    closed: AtomicBool,
    /// Of the hashes of keys in memory.
    seed: u64,
    layout: Layout,
}

impl EmbeddedStore {
    /// Opens the store in a data directory, or creates both.
    ///
    /// # Errors
    /// [`OpenError`]; nothing was changed then, but for a directory that was made.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn open(data: &Path, options: &Options, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let (layout, tables) =
            Layout::open(data, |db| Tables::open(db, options), |tables| migrate(data, tables))?;
        let broken = |why: String| OpenError::Damaged { path: layout.db(), why };
        let last = tables.last_ts().map_err(broken)?;
        let (overlay, derived) =
            follower::replay(&tables, last).map_err(|error| broken(error.to_string()))?;
        let (overlay, derived) = (Arc::new(overlay), Arc::new(AtomicU64::new(derived.0)));
        let seed = getrandom::u64().map_err(|error| broken(format!("no randomness: {error}")))?;
        let failure = Failure::none();
        let held = Arc::new(AtomicBool::new(false));
        let queue = Arc::new(Queue::new(options.queue_max_messages, options.queue_max_bytes));
        let cells = Arc::new(Cells::new(options.chat_cache_bytes));
        let reserve = Arc::new(Reserve::new(layout.root().to_owned(), options.disk_reserve_bytes));
        let committing = Arc::new(Committing::default());
        // Room for one, so that handing over a batch never waits: the sequencer hands over when the committer is free.
        let (to_committer, batches) = sync_channel(1);
        let sequencer = Sequencer {
            queue: queue.clone(),
            cells: cells.clone(),
            tables: tables.clone(),
            timeline: Timeline::new(clock.clone(), last, held.clone()),
            reserve: reserve.clone(),
            failure: failure.clone(),
            committing: committing.clone(),
            commit_max: options.commit_max,
            to_committer,
            gathered: Gathered::default(),
        };
        let users = Arc::new(Users::new(options.inbox_cache_bytes));
        let outlet = Arc::new(OnceLock::new());
        let horizon = Arc::new(AtomicU64::new(last.0));
        let (to_answer, durable) = tokio::sync::mpsc::unbounded_channel();
        let answers = Answers {
            durable,
            overlay: overlay.clone(),
            users: users.clone(),
            horizon: horizon.clone(),
            outlet: outlet.clone(),
        };
        let answers = tokio::spawn(answers.run());
        let follower = Follower {
            overlay: overlay.clone(),
            tables: tables.clone(),
            failure: failure.clone(),
            derived: derived.clone(),
        };
        let committer = Committer {
            batches,
            queue: queue.clone(),
            tables: tables.clone(),
            committing,
            failure: failure.clone(),
            trim: Trim::new(clock.clone(), held.clone(), derived),
            committed: to_answer,
        };
        let inner = Arc::new(Inner {
            queue,
            cells,
            users,
            overlay,
            outlet,
            horizon,
            reads: Arc::new(Semaphore::new(READS_MAX)),
            tables,
            reserve,
            failure,
            clock,
            held,
            closed: AtomicBool::new(false),
            seed,
            layout,
        });
        let threads = Threads {
            writers: vec![
                inner.spawn("chinwag-sequence", move || sequencer.run())?,
                inner.spawn("chinwag-commit", move || committer.run())?,
            ],
            answers: Some(answers),
            follower: Some(inner.spawn("chinwag-follow", move || follower.run())?),
        };
        Ok(Self { inner, threads: Mutex::new(threads) })
    }

    async fn append_draft(&self, draft: Draft) -> Result<Appended, StoreError> {
        let inner = &self.inner;
        inner.check_open()?;
        inner.check_overlay()?;
        let permit = inner.queue.admit(&draft)?;
        let hash = draft.key.as_ref().map(|key| KeyHash::of(inner.seed, draft.sender, key));
        let cell = inner.cell(&draft.chat, hash.is_some()).await?;
        if hash.is_some() && !cell.has_keys() {
            inner.load_keys(&draft.chat, &cell).await?;
        }
        let (reply, answer) = Reply::new(permit);
        inner.queue.push(Item { order: Order::Send { draft, hash }, cell: cell.clone(), reply });
        match answer.await.unwrap_or_else(writer_has_ended)? {
            Outcome::Done(appended) => Ok(appended),
            Outcome::Compare(seq, draft) => {
                let chat = draft.chat.clone();
                let message = inner.read(move |tables| reader::message(tables, &chat, seq)).await?;
                if is_repeat(&message, &draft) {
                    Ok(Appended { message: Arc::new(message), replayed: true })
                } else {
                    Err(StoreError::KeyReused)
                }
            }
            Outcome::Marked(_) => unreachable!("a send is not answered as a mark"),
        }
    }

    async fn read_page(&self, query: PageQuery) -> Result<Page, StoreError> {
        let inner = &self.inner;
        inner.check_open()?;
        let cell = inner.cell(&query.chat, false).await?;
        match cell.page(&query) {
            InMemory::Page(page) => Ok(page),
            InMemory::OnDisk { last } => inner.read(move |tables| reader::page(tables, &query, last)).await,
        }
    }

    async fn close_and_wait(&self) -> Result<(), StoreError> {
        self.inner.closed.store(true, Relaxed);
        self.inner.queue.close();
        self.inner.failure.check()?;
        let threads = std::mem::take(&mut *self.threads.lock());
        tokio::select! {
            ended = self.end(threads) => ended?,
            // A disk that hangs must not hold the end of the process.
            reason = self.inner.failure.wait() => return Err(StoreError::Unavailable(reason)),
        }
        self.inner.failure.check()
    }

    /// Waits for the writers, then for the last answers, then for the inbox rows of what they told.
    async fn end(&self, threads: Threads) -> Result<(), StoreError> {
        let join = async |threads: Vec<JoinHandle<()>>| {
            let join = move || threads.into_iter().for_each(|thread| drop(thread.join()));
            let joined = tokio::task::spawn_blocking(join).await;
            joined.map_err(|error| StoreError::Unavailable(error.to_string()))
        };
        join(threads.writers).await?;
        if let Some(answers) = threads.answers {
            answers.await.map_err(|error| StoreError::Unavailable(error.to_string()))?;
        }
        self.inner.overlay.end();
        join(threads.follower.into_iter().collect()).await
    }
}

/// What a send or a mark hears that the writer dropped.
fn writer_has_ended<T, E>(_: E) -> Result<T, StoreError> {
    Err(StoreError::OutcomeUnknown("the writer has ended".into()))
}

/// Brings a store of format 1 to format 2.
fn migrate(data: &Path, tables: &Tables) -> Result<(), OpenError> {
    let damaged = |why| OpenError::Damaged { path: data.to_owned(), why };
    migrate::all(tables).map_err(damaged)
}

impl Inner {
    /// Runs one of the store's threads; a defect that ends it fails the store.
    fn spawn(
        self: &Arc<Self>,
        name: &str,
        run: impl FnOnce() + Send + 'static,
    ) -> Result<JoinHandle<()>, OpenError> {
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

    fn check_open(&self) -> Result<(), StoreError> {
        if self.closed.load(Relaxed) {
            return Err(StoreError::Unavailable("the store is closed".into()));
        }
        self.failure.check()
    }

    async fn cell(&self, chat: &Chat, want_keys: bool) -> Result<Arc<ChatCell>, StoreError> {
        let load = async {
            let (seed, horizon, chat) = (self.seed, self.horizon(), chat.clone());
            self.read(move |tables| reader::load(tables, seed, &chat, horizon, want_keys))
                .await
                .map(ChatCell::new)
        };
        self.cells.get(chat, load).await
    }

    /// Reads a hot chat's keys, once. No send with a key is on its way meanwhile: each waits here first.
    async fn load_keys(&self, chat: &Chat, cell: &Arc<ChatCell>) -> Result<(), StoreError> {
        let _reading = cell.loading_keys.lock().await;
        if !cell.has_keys() {
            let (seed, horizon, of) = (self.seed, self.horizon(), chat.clone());
            let keys = self.read(move |tables| reader::load_keys(tables, seed, &of, horizon)).await?;
            cell.put_keys(keys);
            self.cells.reweigh(chat, cell, cell.weight());
        }
        Ok(())
    }

    fn horizon(&self) -> KeyHorizon {
        KeyHorizon { now: self.clock.read().wall, held: self.held.load(Relaxed) }
    }

    /// Reads from disk on a blocking thread.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Tables) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let turn = self.reads.clone().acquire_owned().await;
        let turn = turn.map_err(|_| StoreError::Unavailable("the store is closed".into()))?;
        let tables = self.tables.clone();
        let read = tokio::task::spawn_blocking(move || {
            let result = read(&tables);
            drop(turn);
            result
        });
        read.await.unwrap_or_else(|error| Err(StoreError::Damaged(format!("a read did not end: {error}"))))
    }
}

impl Store for EmbeddedStore {
    fn append(&self, draft: Draft) -> StoreFuture<'_, Appended> {
        Box::pin(self.append_draft(draft))
    }

    fn page(&self, query: PageQuery) -> StoreFuture<'_, Page> {
        Box::pin(self.read_page(query))
    }

    fn mark(&self, mark: Mark) -> StoreFuture<'_, Marked> {
        Box::pin(self.move_marker(mark))
    }

    fn inbox(&self, query: InboxQuery) -> StoreFuture<'_, InboxPage> {
        Box::pin(self.read_inbox(query))
    }

    fn catch_up(&self, user: UserId, since: Option<Ts>) -> StoreFuture<'_, CatchUp> {
        Box::pin(self.read_missed(user, since))
    }

    fn publish_to(&self, outlet: Arc<dyn Outlet>) {
        if self.inner.outlet.set(outlet).is_err() {
            tracing::error!("the store has an outlet already, and keeps it");
        }
    }

    fn epoch(&self) -> Epoch {
        self.inner.layout.epoch()
    }

    fn ready(&self) -> Result<(), StoreError> {
        self.inner.check_open()?;
        self.inner.reserve.check()
    }

    fn failed(&self) -> Pin<Box<dyn Future<Output = String> + Send + '_>> {
        Box::pin(self.inner.failure.wait())
    }

    fn close(&self) -> StoreFuture<'_, ()> {
        Box::pin(self.close_and_wait())
    }
}

impl Drop for EmbeddedStore {
    fn drop(&mut self) {
        self.inner.queue.close();
        let threads = std::mem::take(&mut *self.threads.lock());
        if self.inner.failure.is_set() {
            return self.inner.overlay.end();
        }
        threads.writers.into_iter().for_each(|thread| drop(thread.join()));
        // The task that answers may be waiting for this very thread. What it still has to tell is in the change log.
        self.inner.overlay.end();
        threads.follower.into_iter().for_each(|thread| drop(thread.join()));
    }
}
