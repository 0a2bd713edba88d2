//! A store that waits where a test says, fails for good, and panics.

use chinwag_model::{Draft, Epoch, InboxPage, InboxQuery, Mark, Marked, Page, PageQuery, Ts, UserId};
use chinwag_store::{
    Appended, CatchUp, Outlet, Store, StoreError, StoreFuture,
    vitals::{Observer, Vitals},
};
use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::sync::{Semaphore, watch};

/// What a test can wait for, and bring about.
pub(crate) struct Stage {
    inner: Arc<dyn Store>,
    /// One permit an append that has arrived.
    arrived: Semaphore,
    /// One permit an append that may go on.
    may_go_on: Semaphore,
    failed: watch::Sender<bool>,
    closed: watch::Sender<bool>,
    busy: AtomicBool,
    sheds: AtomicBool,
}

/// The text at which an append panics.
pub(crate) const PANIC: &str = "panic";

impl Stage {
    pub(crate) fn new(inner: Arc<dyn Store>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            arrived: Semaphore::new(0),
            may_go_on: Semaphore::new(0),
            failed: watch::Sender::new(false),
            closed: watch::Sender::new(false),
            busy: AtomicBool::new(false),
            sheds: AtomicBool::new(false),
        })
    }

    /// From now on there is no place for a write.
    pub(crate) fn fill(&self) {
        self.busy.store(true, Relaxed);
    }

    /// From now on there is a place for whoever waits as it was told, and for nobody else.
    pub(crate) fn shed(&self) {
        self.busy.store(false, Relaxed);
        self.sheds.store(true, Relaxed);
    }

    /// Waits until one more append has come in.
    pub(crate) async fn arrival(&self) {
        crate::wire::within("an append to arrive", self.arrived.acquire()).await.expect("open").forget();
    }

    /// Lets appends go on, this many.
    pub(crate) fn release(&self, appends: usize) {
        self.may_go_on.add_permits(appends);
    }

    /// The store fails for good; appends that wait have an unknown outcome.
    pub(crate) fn fail(&self) {
        self.failed.send_replace(true);
    }

    pub(crate) fn is_closed(&self) -> bool {
        *self.closed.borrow()
    }
}

impl Store for Stage {
    fn append(&self, draft: Draft) -> StoreFuture<'_, Appended> {
        assert_ne!(draft.text.as_str(), PANIC, "as the test asked");
        Box::pin(async move {
            self.arrived.add_permits(1);
            tokio::select! {
                permit = self.may_go_on.acquire() => permit.expect("open").forget(),
                reason = self.failed() => return Err(StoreError::OutcomeUnknown(reason)),
            }
            self.inner.append(draft).await
        })
    }

    fn page(&self, query: PageQuery) -> StoreFuture<'_, Page> {
        self.inner.page(query)
    }

    fn revise(&self, revise: chinwag_model::Revise) -> StoreFuture<'_, Arc<chinwag_model::Message>> {
        self.inner.revise(revise)
    }

    fn forget(&self, chat: chinwag_model::Chat, side: chinwag_model::Side) -> StoreFuture<'_, bool> {
        self.inner.forget(chat, side)
    }

    fn mark(&self, mark: Mark) -> StoreFuture<'_, Marked> {
        self.inner.mark(mark)
    }

    fn block(&self, block: chinwag_model::Block) -> StoreFuture<'_, chinwag_model::Blocked> {
        self.inner.block(block)
    }

    fn blocks(&self, query: chinwag_model::BlocksQuery) -> StoreFuture<'_, chinwag_model::BlocksPage> {
        self.inner.blocks(query)
    }

    fn silent(&self, user: UserId, peers: Vec<UserId>) -> StoreFuture<'_, Vec<bool>> {
        self.inner.silent(user, peers)
    }

    fn inbox(&self, query: InboxQuery) -> StoreFuture<'_, InboxPage> {
        self.inner.inbox(query)
    }

    fn catch_up(&self, user: UserId, since: Option<Ts>) -> StoreFuture<'_, CatchUp> {
        self.inner.catch_up(user, since)
    }

    fn admits(&self, waited: bool) -> Result<(), StoreError> {
        if self.busy.load(Relaxed) || (!waited && self.sheds.load(Relaxed)) {
            return Err(StoreError::Busy { retry_after: Duration::from_millis(2_100) });
        }
        self.inner.admits(waited)
    }

    fn publish_to(&self, outlet: Arc<dyn Outlet>) {
        self.inner.publish_to(outlet);
    }

    fn observe(&self, observer: Arc<dyn Observer>) {
        self.inner.observe(observer);
    }

    fn vitals(&self) -> Pin<Box<dyn Future<Output = Vitals> + Send + '_>> {
        self.inner.vitals()
    }

    fn epoch(&self) -> Epoch {
        self.inner.epoch()
    }

    fn ready(&self) -> Result<(), StoreError> {
        if *self.failed.borrow() { Err(StoreError::Unavailable("secret".into())) } else { self.inner.ready() }
    }

    fn failed(&self) -> Pin<Box<dyn Future<Output = String> + Send + '_>> {
        Box::pin(async {
            let mut failed = self.failed.subscribe();
            failed.wait_for(|failed| *failed).await.expect("the sender is ours");
            "the disk of /secret".into()
        })
    }

    fn close(&self) -> StoreFuture<'_, ()> {
        self.closed.send_replace(true);
        self.inner.close()
    }
}
