//! The durable store of one machine, on fjall.
//!
//! A send goes `append → queue → sequencer → committer` and back; a pull is answered from the chat's `cell` while the
//! chat is hot, else from disk on a bounded set of blocking threads. Reading order: [`record`] and [`changes`] (what is
//! stored), `head` (what a chat comes to), `life`, `layout`, `journal` and `migrate` (how it is opened), `cell` and `cells`, `users`
//! (what is in memory), `queue`, `sequencer`, `committer`, `answer` (how it is written), `overlay` and `follower` (how
//! inboxes are written, later), `upkeep`, `wipe` and `scrub` (how what was taken back leaves the disk), `reader` and `feed` (how it is read),
//! `floors`, `retained` and `sweep` (how history expires), [`check()`] (how it is verified), `vitals` (how it does).

mod answer;
pub mod archive;
pub mod backup;
mod begin;
mod blocks;
mod cell;
mod cells;
pub mod changes;
mod check;
mod codec;
mod committer;
mod erase;
mod failure;
mod feed;
mod floors;
mod follower;
mod head;
mod journal;
mod keys;
mod layout;
mod life;
mod maintenance;
mod messages;
mod migrate;
mod options;
mod overlay;
mod pressure;
mod queue;
mod reader;
mod rebuild;
mod recent_keys;
pub mod record;
mod retained;
mod revisions;
mod scrub;
mod sequencer;
mod space;
mod sweep;
mod tables;
mod timeline;
mod trim;
mod upkeep;
mod users;
mod vitals;
mod wipe;

pub use check::{CheckProgress, CheckReport, check};
pub use codec::Wrong;
pub use layout::OpenError;
pub use maintenance::Maintenance;
pub use options::Options;
pub use sweep::Swept;

use crate::{
    Appended, CatchUp, Outlet, Store, StoreError, StoreFuture,
    clock::ClockWatch,
    revise::is_repeat,
    vitals::{Observer, Vitals},
};
use blocks::Blocks;
use cell::{ChatCell, InMemory};
use cells::Cells;
use chinwag_model::{
    Block, Blocked, BlocksPage, BlocksQuery, Change, Chat, Draft, Epoch, InboxPage, InboxQuery, Mark, Marked,
    Message, Page, PageQuery, Revise, Side, Ts, UserId,
};
use failure::Failure;
use layout::Layout;
use life::Threads;
use overlay::Overlay;
use parking_lot::Mutex;
use queue::{Item, Order, Outcome, Queue, Reply, Revising};
use reader::KeyHorizon;
use recent_keys::KeyHash;
use retained::Retained;
use space::Reserve;
use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
};
use sweep::Sweep;
use tables::Tables;
use tokio::sync::Semaphore;
use users::Users;
use wipe::Wiping;

/// Reads from disk that may go on at once; more wait their turn.
const READS_MAX: usize = 32;

/// The durable store of one machine.
///
/// It is opened and used within a tokio runtime, whose blocking threads it reads on. Dropped without
/// [`close`](Store::close) it still writes what it accepted; a store that has failed is better left to the end of the
/// process, since closing the engine may try to write again.
pub struct EmbeddedStore {
    inner: Arc<Inner>,
    sweep: Arc<Sweep>,
    threads: Mutex<Threads>,
}

struct Inner {
    queue: Arc<Queue>,
    cells: Arc<Cells>,
    users: Arc<Users>,
    blocks: Arc<Blocks>,
    overlay: Arc<Overlay>,
    outlet: Arc<OnceLock<Arc<dyn Outlet>>>,
    /// The time up to which every read shows everything.
    horizon: Arc<AtomicU64>,
    reads: Arc<Semaphore>,
    observer: Arc<OnceLock<Arc<dyn Observer>>>,
    /// Held by whoever asks the disk how it does.
    looking: Arc<tokio::sync::Mutex<()>>,
    tables: Tables,
    reserve: Arc<Reserve>,
    failure: Failure,
    watch: Arc<ClockWatch>,
    retained: Arc<Retained>,
    closed: AtomicBool,
    /// Of the hashes of keys in memory.
    seed: u64,
    wiping: Arc<Wiping>,
    layout: Layout,
    keys: keys::KeyFile,
}

impl EmbeddedStore {
    /// Trusts the clock as it stands now, after a jump forward that held all expiry.
    pub fn confirm_clock(&self) -> bool {
        self.inner.watch.confirm()
    }

    /// Frees the disk of all messages that have expired, now rather than within the hour.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Damaged`].
    pub async fn sweep(&self) -> Result<Swept, StoreError> {
        self.inner.check_open()?;
        let sweep = self.sweep.clone();
        let pass = tokio::task::spawn_blocking(move || sweep.pass()).await;
        pass.unwrap_or_else(|error| Err(StoreError::Unavailable(format!("the sweep did not end: {error}"))))
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
                let read = move |tables: &Tables| reader::message_if_kept(&tables.view(), &chat, seq);
                // Its row went this very moment, so the key is forgotten: a repeat of this send stores.
                let busy = StoreError::Busy { retry_after: queue::RETRY_AFTER };
                let message = inner.read(read).await?.ok_or(busy)?;
                if is_repeat(&message, &draft) {
                    Ok(Appended { message: Arc::new(message), replayed: true })
                } else {
                    Err(StoreError::KeyReused)
                }
            }
            Outcome::Marked(_) | Outcome::Revised(_) | Outcome::Blocked(_) | Outcome::Forgotten(_) => {
                unreachable!("a send is answered as one")
            }
        }
    }

    /// Tells of each time up to which texts that were taken back are gone from the disk; at first of 0.
    pub fn wiped(&self) -> tokio::sync::watch::Receiver<Ts> {
        self.inner.wiping.wiped()
    }

    async fn revise_message(&self, revise: Revise) -> Result<Arc<Message>, StoreError> {
        let inner = &self.inner;
        inner.check_open()?;
        inner.check_overlay()?;
        let permit = inner.queue.admit_revise(&revise)?;
        inner.look().await?;
        let cell = inner.cell(&revise.chat, false).await?;
        // It goes with the order, and stays taken until the revision shows, whatever becomes of this future.
        let turn = cell.turn_to_revise().await;
        let (chat, seq) = (revise.chat.clone(), revise.seq);
        // Asked with the turn: no row goes of a chat whose turn is taken.
        let limits = inner.retained.limits();
        if !cell.has(seq, limits) {
            return Err(StoreError::NoSuchMessage);
        }
        let stands = match cell.message(seq) {
            Some(message) => message,
            None => Arc::new(inner.read(move |tables| messages::message(tables, &chat, seq)).await?),
        };
        if stands.ts < limits.cut {
            return Err(StoreError::NoSuchMessage);
        }
        let (reply, answer) = Reply::new(permit);
        let forget = if let (Change::Erase { of }, Some(key)) = (&revise.change, &stands.key)
            && *of == stands.sender
        {
            Some(KeyHash::of(inner.seed, stands.sender, key))
        } else {
            None
        };
        inner.queue.push(Item {
            order: Order::Revise(Revising { revise, stands, forget, turn }),
            cell,
            reply,
        });
        match answer.await.unwrap_or_else(writer_has_ended)? {
            Outcome::Revised(message) => Ok(message),
            _ => unreachable!("a revision is answered as one"),
        }
    }

    async fn read_page(&self, query: PageQuery) -> Result<Page, StoreError> {
        let inner = &self.inner;
        inner.check_open()?;
        inner.look().await?;
        let cell = inner.cell(&query.chat, false).await?;
        match cell.page(&query, inner.retained.limits()) {
            InMemory::Page(page) => Ok(page),
            InMemory::OnDisk { head } => {
                let retained = inner.retained.clone();
                let read = move |tables: &Tables| reader::page(tables, &retained, &query, &head);
                let (page, begin) = inner.read(read).await?;
                cell.begins(begin);
                Ok(page)
            }
        }
    }
}

/// What a send or a mark hears that the writer dropped.
fn writer_has_ended<T, E>(_: E) -> Result<T, StoreError> {
    Err(StoreError::OutcomeUnknown("the writer has ended".into()))
}

impl Inner {
    fn check_open(&self) -> Result<(), StoreError> {
        if self.closed.load(Relaxed) {
            return Err(StoreError::Unavailable("the store is closed".into()));
        }
        self.failure.check()
    }

    async fn cell(&self, chat: &Chat, want_keys: bool) -> Result<Arc<ChatCell>, StoreError> {
        let load = async {
            let (seed, horizon, chat) = (self.seed, self.horizon(), chat.clone());
            let retained = self.retained.clone();
            self.read(move |tables| reader::load(tables, &retained, seed, &chat, horizon, want_keys))
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
        // While the clock is in doubt no key expires; one that is a day old whatever it says does, or all of a chat would be read.
        KeyHorizon(self.watch.at_least().max(self.retained.reach().reached))
    }

    /// Lets expire what has become too old, before anything is looked at.
    async fn look(&self) -> Result<(), StoreError> {
        if !self.retained.is_on() {
            return Ok(());
        }
        let now = self.watch.read().wall;
        if self.watch.is_held() || !self.retained.is_due(now) {
            return Ok(());
        }
        let (retained, failure) = (self.retained.clone(), self.failure.clone());
        let advance = move |tables: &Tables| {
            retained.advance(tables, now).map_err(|error| {
                failure.set(&format!("the time of expiry could not be written: {error}"));
                StoreError::Unavailable("the store has failed".into())
            })
        };
        self.read(advance).await
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

    fn revise(&self, revise: Revise) -> StoreFuture<'_, Arc<Message>> {
        Box::pin(self.revise_message(revise))
    }

    fn forget(&self, chat: Chat, side: Side) -> StoreFuture<'_, bool> {
        Box::pin(self.forget_markers(chat, side))
    }

    fn mark(&self, mark: Mark) -> StoreFuture<'_, Marked> {
        Box::pin(self.move_marker(mark))
    }

    fn block(&self, block: Block) -> StoreFuture<'_, Blocked> {
        Box::pin(self.put_block(block))
    }

    fn blocks(&self, query: BlocksQuery) -> StoreFuture<'_, BlocksPage> {
        Box::pin(self.read_blocks(query))
    }

    fn silent(&self, user: UserId, peers: Vec<UserId>) -> StoreFuture<'_, Vec<bool>> {
        Box::pin(self.read_silent(user, peers))
    }

    fn inbox(&self, query: InboxQuery) -> StoreFuture<'_, InboxPage> {
        Box::pin(self.read_inbox(query))
    }

    fn catch_up(&self, user: UserId, since: Option<Ts>) -> StoreFuture<'_, CatchUp> {
        Box::pin(self.read_missed(user, since))
    }

    fn admits(&self, waited: bool) -> Result<(), StoreError> {
        self.inner.queue.admits(waited)
    }

    fn publish_to(&self, outlet: Arc<dyn Outlet>) {
        if self.inner.outlet.set(outlet).is_err() {
            tracing::error!("the store has an outlet already, and keeps it");
        }
    }

    fn observe(&self, observer: Arc<dyn Observer>) {
        if self.inner.observer.set(observer).is_err() {
            tracing::error!("the store has an observer already, and keeps it");
        }
    }

    fn vitals(&self) -> Pin<Box<dyn Future<Output = Vitals> + Send + '_>> {
        Box::pin(self.take_vitals())
    }

    fn epoch(&self) -> Epoch {
        self.inner.layout.epoch()
    }

    fn ready(&self) -> Result<(), StoreError> {
        self.inner.check_open()?;
        self.inner.reserve.check()
    }

    fn expiry_held(&self) -> bool {
        self.inner.watch.is_held()
    }

    fn failed(&self) -> Pin<Box<dyn Future<Output = String> + Send + '_>> {
        Box::pin(self.inner.failure.wait())
    }

    fn close(&self) -> StoreFuture<'_, ()> {
        Box::pin(self.close_and_wait())
    }
}
