//! The reference model: a store in plain memory, short enough to be seen to be right.
//!
//! It forgets everything when it goes; tests compare the durable stores with it.

use crate::{Appended, Store, StoreError, StoreFuture};
use chinwag_model::{
    Chat, Clock, Direction, Draft, Message, Page, PageQuery, SendKey, Seq, Side, Ts, limits::KEY_WINDOW,
};
use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, HashMap},
    future::{Future, pending, ready},
    pin::Pin,
    sync::Arc,
};

/// The reference model.
pub struct MemoryStore {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    closed: bool,
    last_ts: Ts0,
    chats: BTreeMap<Chat, Vec<Arc<Message>>>,
    keys: HashMap<(Chat, Side, SendKey), Arc<Message>>,
}

/// Microseconds of the last message, 0 before the first.
type Ts0 = u64;

impl MemoryStore {
    /// An empty store.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, state: Mutex::default() }
    }

    fn append_now(&self, draft: Draft) -> Result<Appended, StoreError> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(StoreError::Unavailable("closed".into()));
        }
        let ts = Ts(self.clock.read().wall.0.max(state.last_ts + 1));
        let key = draft.key.clone().map(|key| (draft.chat.clone(), draft.sender, key));
        if let Some(first) = key.as_ref().and_then(|key| state.keys.get(key))
            && u128::from(ts.0 - first.ts.0) <= KEY_WINDOW.as_micros()
        {
            return if *first.text == *draft.text.as_str() && first.data == draft.data {
                Ok(Appended { message: first.clone(), replayed: true })
            } else {
                Err(StoreError::KeyReused)
            };
        }
        let messages = state.chats.entry(draft.chat.clone()).or_default();
        let message = Arc::new(Message {
            chat: draft.chat,
            seq: Seq(messages.len() as u64 + 1),
            ts,
            sender: draft.sender,
            text: draft.text.into_boxed(),
            key: draft.key,
            data: draft.data,
            revision: None,
        });
        messages.push(message.clone());
        state.last_ts = ts.0;
        if let Some(key) = key {
            state.keys.insert(key, message.clone());
        }
        Ok(Appended { message, replayed: false })
    }

    fn page_now(&self, query: &PageQuery) -> Result<Page, StoreError> {
        let state = self.state.lock();
        let messages = state.chats.get(&query.chat).map_or(&[][..], Vec::as_slice);
        let (first, last) = (Seq(1), Seq(messages.len() as u64));
        let Some(begin) = query.begin(first, last) else { return Ok(Page::default()) };
        let at = usize::try_from(begin.0).expect("an index of a vector") - 1;
        match query.direction {
            Direction::Forward => Page::fill(query, first, last, messages[at..].iter().cloned().map(Ok)),
            Direction::Reverse => {
                Page::fill(query, first, last, messages[..=at].iter().rev().cloned().map(Ok))
            }
        }
    }
}

impl Store for MemoryStore {
    fn append(&self, draft: Draft) -> StoreFuture<'_, Appended> {
        Box::pin(ready(self.append_now(draft)))
    }

    fn page(&self, query: PageQuery) -> StoreFuture<'_, Page> {
        Box::pin(ready(self.page_now(&query)))
    }

    fn ready(&self) -> Result<(), StoreError> {
        if self.state.lock().closed { Err(StoreError::Unavailable("closed".into())) } else { Ok(()) }
    }

    fn failed(&self) -> Pin<Box<dyn Future<Output = String> + Send + '_>> {
        Box::pin(pending())
    }

    fn close(&self) -> StoreFuture<'_, ()> {
        self.state.lock().closed = true;
        Box::pin(ready(Ok(())))
    }
}
