//! The durable store of one machine, on fjall.
//!
//! A send goes `append → queue → sequencer → committer` and back; a pull is answered from the chat's `cell` while the
//! chat is hot, else from disk on a bounded set of blocking threads. Reading order: [`record`] and [`changes`] (what is
//! stored), `layout` and `journal` (how it is opened), `cell` and `cells` (what is in memory), `queue`, `sequencer`,
//! `committer` (how it is written), `reader` (how it is read), [`check()`] (how it is verified).

mod cell;
mod cells;
pub mod changes;
mod check;
mod codec;
mod committer;
mod failure;
mod journal;
mod layout;
mod options;
mod queue;
mod reader;
pub mod record;
mod sequencer;
mod space;
mod tables;
mod timeline;
mod trim;

pub use check::{CheckProgress, CheckReport, check};
pub use codec::Wrong;
pub use layout::OpenError;
pub use options::Options;

use crate::{Appended, CatchUp, Outlet, Store, StoreError, StoreFuture};
use cell::{ChatCell, InMemory, KeyHash, is_repeat};
use cells::Cells;
use chinwag_model::{
    Chat, Clock, Draft, Epoch, InboxPage, InboxQuery, Mark, Marked, Page, PageQuery, Ts, UserId,
};
use committer::{Committer, Committing};
use failure::Failure;
use layout::Layout;
use parking_lot::Mutex;
use queue::{Item, Outcome, Queue, Reply};
use reader::KeyHorizon;
use sequencer::{Gathered, Sequencer};
use space::Reserve;
use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc::sync_channel,
    },
    thread::JoinHandle,
};
use tables::Tables;
use timeline::Timeline;
use tokio::sync::Semaphore;
use trim::Trim;

/// Reads from disk that may go on at once; more wait their turn.
const READS_MAX: usize = 32;

/// The durable store of one machine.
///
/// It is opened and used within a tokio runtime, whose blocking threads it reads on. Dropped without
/// [`close`](Store::close) it still writes what it accepted; a store that has failed is better left to the end of the
/// process, since closing the engine may try to write again.
pub struct EmbeddedStore {
    inner: Arc<Inner>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

struct Inner {
    queue: Arc<Queue>,
    cells: Arc<Cells>,
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
        let (layout, tables) = Layout::open(data, |db| Tables::open(db, options))?;
        let broken = |why: String| OpenError::Damaged { path: layout.db(), why };
        let last = tables.last_ts().map_err(broken)?;
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
        let (to_answer, answers) = tokio::sync::mpsc::unbounded_channel();
        tokio::spawn(committer::answer(answers));
        let committer = Committer {
            batches,
            queue: queue.clone(),
            tables: tables.clone(),
            committing,
            failure: failure.clone(),
            trim: Trim::new(clock.clone(), held.clone()),
            committed: to_answer,
        };
        let inner = Arc::new(Inner {
            queue,
            cells,
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
        let threads = vec![
            inner.spawn("chinwag-sequence", move || sequencer.run())?,
            inner.spawn("chinwag-commit", move || committer.run())?,
        ];
        Ok(Self { inner, threads: Mutex::new(threads) })
    }

    /// Which life of the store this is; a new or a restored store has another.
    pub fn epoch(&self) -> &str {
        self.inner.layout.epoch()
    }

    async fn append_draft(&self, draft: Draft) -> Result<Appended, StoreError> {
        let inner = &self.inner;
        inner.check_open()?;
        let permit = inner.queue.admit(&draft)?;
        let hash = draft.key.as_ref().map(|key| KeyHash::of(inner.seed, draft.sender, key));
        let cell = inner.cell(&draft.chat, hash.is_some()).await?;
        if hash.is_some() && !cell.has_keys() {
            inner.load_keys(&draft.chat, &cell).await?;
        }
        let (reply, answer) = Reply::new(permit);
        inner.queue.push(Item { draft, hash, cell: cell.clone(), reply });
        let lost = |_| Err(StoreError::OutcomeUnknown("the writer has ended".into()));
        match answer.await.unwrap_or_else(lost)? {
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
        let ended =
            tokio::task::spawn_blocking(move || threads.into_iter().for_each(|thread| drop(thread.join())));
        tokio::select! {
            ended = ended => ended.map_err(|error| StoreError::Unavailable(error.to_string()))?,
            // A disk that hangs must not hold the end of the process.
            reason = self.inner.failure.wait() => return Err(StoreError::Unavailable(reason)),
        }
        self.inner.failure.check()
    }
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

    fn mark(&self, _mark: Mark) -> StoreFuture<'_, Marked> {
        Box::pin(std::future::ready(Err(StoreError::Unavailable("not built".into()))))
    }

    fn inbox(&self, _query: InboxQuery) -> StoreFuture<'_, InboxPage> {
        Box::pin(std::future::ready(Err(StoreError::Unavailable("not built".into()))))
    }

    fn catch_up(&self, _user: UserId, _since: Option<Ts>) -> StoreFuture<'_, CatchUp> {
        Box::pin(std::future::ready(Err(StoreError::Unavailable("not built".into()))))
    }

    fn publish_to(&self, _outlet: Arc<dyn Outlet>) {}

    fn epoch(&self) -> Epoch {
        Epoch(u64::from_str_radix(EmbeddedStore::epoch(self), 16).unwrap_or_default())
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
        if !self.inner.failure.is_set() {
            for thread in std::mem::take(&mut *self.threads.lock()) {
                drop(thread.join());
            }
        }
    }
}
