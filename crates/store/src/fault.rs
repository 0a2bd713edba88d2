//! A store that fails, delays or loses the answer of its Nth call, around any other.

use crate::{
    Appended, CatchUp, Outlet, Store, StoreError, StoreFuture,
    vitals::{Observer, Vitals},
};
use chinwag_model::{
    Block, Blocked, BlocksPage, BlocksQuery, Chat, Draft, Epoch, InboxPage, InboxQuery, Mark, Marked,
    Message, Page, PageQuery, Revise, Side, Ts, UserId,
};
use parking_lot::Mutex;
use std::{
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};
use tokio::sync::watch;

/// What goes wrong with one call.
#[derive(Debug, Clone)]
pub enum Fault {
    /// The call does nothing and answers this.
    Fail(StoreError),
    /// The call waits until [`FaultyStore::release`], then goes on as if nothing had been.
    Delay,
    /// The call is done, and its answer is lost: the caller hears [`StoreError::OutcomeUnknown`].
    LoseAnswer,
}

/// A store with faults planned. Every write and read is counted, from 1.
pub struct FaultyStore {
    inner: Arc<dyn Store>,
    calls: AtomicU64,
    plan: Mutex<BTreeMap<u64, Fault>>,
    released: watch::Sender<bool>,
}

impl FaultyStore {
    /// A store without a fault as yet.
    pub fn new(inner: Arc<dyn Store>) -> Self {
        Self { inner, calls: AtomicU64::new(0), plan: Mutex::default(), released: watch::Sender::new(false) }
    }

    /// Plans a fault for the Nth call from the store's beginning.
    pub fn plan(&self, nth_call: u64, fault: Fault) {
        self.plan.lock().insert(nth_call, fault);
    }

    /// Lets all delayed calls go on, and those to come.
    pub fn release(&self) {
        self.released.send_replace(true);
    }

    /// How many calls there were.
    pub fn calls(&self) -> u64 {
        self.calls.load(Relaxed)
    }

    /// `call` begins the call: one that fails must not have begun.
    async fn meet<'a, T>(
        &'a self,
        call: impl FnOnce() -> StoreFuture<'a, T> + Send,
    ) -> Result<T, StoreError> {
        let nth = self.calls.fetch_add(1, Relaxed) + 1;
        let fault = self.plan.lock().remove(&nth);
        match fault {
            None => call().await,
            Some(Fault::Fail(error)) => Err(error),
            Some(Fault::Delay) => {
                let mut released = self.released.subscribe();
                while !*released.borrow_and_update() {
                    if released.changed().await.is_err() {
                        break;
                    }
                }
                call().await
            }
            Some(Fault::LoseAnswer) => {
                let answer = call().await;
                let what = if answer.is_ok() { "done" } else { "not done" };
                Err(StoreError::OutcomeUnknown(format!("the answer was lost; the call was {what}")))
            }
        }
    }
}

impl Store for FaultyStore {
    fn append(&self, draft: Draft) -> StoreFuture<'_, Appended> {
        Box::pin(self.meet(move || self.inner.append(draft)))
    }

    fn page(&self, query: PageQuery) -> StoreFuture<'_, Page> {
        Box::pin(self.meet(move || self.inner.page(query)))
    }

    fn revise(&self, revise: Revise) -> StoreFuture<'_, Arc<Message>> {
        Box::pin(self.meet(move || self.inner.revise(revise)))
    }

    fn forget(&self, chat: Chat, side: Side) -> StoreFuture<'_, bool> {
        Box::pin(self.meet(move || self.inner.forget(chat, side)))
    }

    fn mark(&self, mark: Mark) -> StoreFuture<'_, Marked> {
        Box::pin(self.meet(move || self.inner.mark(mark)))
    }

    fn block(&self, block: Block) -> StoreFuture<'_, Blocked> {
        Box::pin(self.meet(move || self.inner.block(block)))
    }

    fn blocks(&self, query: BlocksQuery) -> StoreFuture<'_, BlocksPage> {
        Box::pin(self.meet(move || self.inner.blocks(query)))
    }

    fn silent(&self, user: UserId, peers: Vec<UserId>) -> StoreFuture<'_, Vec<bool>> {
        Box::pin(self.meet(move || self.inner.silent(user, peers)))
    }

    fn inbox(&self, query: InboxQuery) -> StoreFuture<'_, InboxPage> {
        Box::pin(self.meet(move || self.inner.inbox(query)))
    }

    fn catch_up(&self, user: UserId, since: Option<Ts>) -> StoreFuture<'_, CatchUp> {
        Box::pin(self.meet(move || self.inner.catch_up(user, since)))
    }

    fn admits(&self, waited: bool) -> Result<(), StoreError> {
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
        self.inner.ready()
    }

    fn expiry_held(&self) -> bool {
        self.inner.expiry_held()
    }

    fn failed(&self) -> Pin<Box<dyn Future<Output = String> + Send + '_>> {
        self.inner.failed()
    }

    fn close(&self) -> StoreFuture<'_, ()> {
        self.inner.close()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::MemoryStore;
    use chinwag_model::{ManualClock, Text};

    fn draft(text: &str) -> Draft {
        let chat = Chat::parse("a:b").expect("valid").0;
        Draft {
            chat,
            sender: Side::First,
            text: Text::parse(text, 10).expect("valid"),
            key: None,
            data: None,
        }
    }

    #[tokio::test]
    async fn each_fault_meets_its_call_and_no_other() {
        let memory = Arc::new(MemoryStore::new(Arc::new(ManualClock::at(Ts(1)))));
        let store = FaultyStore::new(memory);
        store.plan(2, Fault::Fail(StoreError::Unavailable("planned".into())));
        store.plan(3, Fault::LoseAnswer);
        store.plan(4, Fault::Delay);
        assert_eq!(store.append(draft("1")).await.expect("stored").message.seq.0, 1);
        assert_eq!(store.append(draft("2")).await, Err(StoreError::Unavailable("planned".into())));
        assert!(matches!(store.append(draft("3")).await, Err(StoreError::OutcomeUnknown(_))));
        let mut delayed = store.append(draft("4"));
        let waits = futures_util::poll!(&mut delayed).is_pending();
        assert!(waits);
        assert_eq!(
            store.append(draft("5")).await.expect("stored").message.seq.0,
            3,
            "the lost answer's was stored"
        );
        store.release();
        assert_eq!(delayed.await.expect("stored").message.seq.0, 4);
        assert_eq!(store.calls(), 5);
    }
}
