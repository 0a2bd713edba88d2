//! The reference model: a store in plain memory, short enough to be seen to be right.
//!
//! It forgets everything when it goes; tests compare the durable stores with it.

mod erase;

use crate::{
    Appended, CatchUp, KeyStore, Outlet, Store, StoreError, StoreFuture, StoredKey,
    clock::ClockWatch,
    keys::{put, revoke},
    retention::{Limits, Reach, Retention},
    revise::{apply, reaches_the_peer},
    vitals::{Batch, Observer, Vitals},
};
use chinwag_model::{
    Block, Blocked, BlocksPage, BlocksQuery, Chat, Clock, Direction, Draft, Epoch, Event, Hold, InboxEntry,
    InboxPage, InboxQuery, KeyId, Mark, Marked, Marker, MarkerKind, Markers, Message, Page, PageQuery,
    Revise, Reviser, SendKey, Seq, Side, Ts, UserId,
    limits::{BLOCKS_MAX_USERS, CATCH_UP_MAX_BYTES, CATCH_UP_MAX_EVENTS, KEY_WINDOW},
};
use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    convert::Infallible,
    future::{Future, pending, ready},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

/// The reference model.
pub struct MemoryStore {
    watch: ClockWatch,
    epoch: Epoch,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    closed: bool,
    retention: Retention,
    /// How far expiry has come.
    reach: Reach,
    last_ts: u64,
    /// Every time that was given out.
    times: HashSet<u64>,
    chats: BTreeMap<Chat, History>,
    keys: HashMap<(Chat, Side, SendKey), Arc<Message>>,
    outlet: Option<Arc<dyn Outlet>>,
    observer: Option<Arc<dyn Observer>>,
    api_keys: Vec<StoredKey>,
    /// Who blocks whom.
    blocks: BTreeMap<(UserId, UserId), Hold>,
}

/// What one chat holds.
struct History {
    messages: Vec<Arc<Message>>,
    /// Messages below this have expired.
    first: Seq,
    /// It was removed up to this message.
    removed: Seq,
    /// When either user was last erased from it.
    erased: [Ts; 2],
    markers: [Markers; 2],
}

impl Default for History {
    fn default() -> Self {
        let (removed, erased, markers) = (Seq(0), [Ts(0); 2], [Markers::START; 2]);
        Self { messages: Vec::new(), first: Seq(1), removed, erased, markers }
    }
}

impl History {
    fn last(&self) -> Seq {
        Seq(self.messages.len() as u64)
    }

    /// Lets expire what is past the limits, for good.
    fn expire(&mut self, limits: Limits) {
        let old = self.messages.partition_point(|message| message.ts < limits.cut) as u64;
        self.first = self.first.max(Seq(old + 1)).max(limits.by_count(self.last()));
    }

    /// The messages that have not expired.
    fn kept(&self) -> &[Arc<Message>] {
        &self.messages[index(self.first)..]
    }

    /// Messages of the peer above the user's read marker.
    fn unread(&self, side: Side) -> u64 {
        let read = self.markers[side.index()].read.seq;
        let unread =
            |message: &&Arc<Message>| message.sender != side && message.seq > read && !message.is_unsent();
        self.kept().iter().filter(unread).count() as u64
    }

    fn entry(&self, chat: &Chat, side: Side) -> Option<InboxEntry> {
        Some(InboxEntry {
            chat: chat.clone(),
            side,
            last: self.kept().last()?.clone(),
            unread: self.unread(side),
            first_seq: self.first,
            markers: self.markers,
        })
    }

    /// What changed since a time: a message that is new as one, another that was revised as that.
    fn events(&self, chat: &Chat, since: Ts) -> impl Iterator<Item = Event> {
        let messages = self.kept().iter().filter_map(move |message| {
            if message.ts > since {
                return Some(Event::Message(message.clone()));
            }
            let kind = message.revised_since(since)?;
            Some(Event::Revised { message: message.clone(), kind })
        });
        let marked = chat.sides().iter().flat_map(move |&side| {
            [MarkerKind::Delivered, MarkerKind::Read].map(|kind| {
                let marker = self.markers[side.index()].get(kind);
                Marked { chat: chat.clone(), side, kind, marker }
            })
        });
        messages.chain(marked.filter(|marked| marked.marker != Marker::START).map(Event::Marker))
    }
}

impl State {
    /// Gives out the next time.
    fn take_ts(&mut self, watch: &ClockWatch) -> Ts {
        self.last_ts = watch.read().wall.0.max(self.last_ts + 1);
        self.times.insert(self.last_ts);
        Ts(self.last_ts)
    }

    fn tell(&self, event: Event) {
        if let Some(observer) = &self.observer {
            let messages = usize::from(matches!(event, Event::Message(_)));
            let changes = 1 - messages;
            observer.committed(Batch { messages, changes, bytes: event.weight(), took: Duration::ZERO });
        }
        if let Some(outlet) = &self.outlet {
            outlet.committed(vec![event]);
        }
    }

    /// The blocks of a chat's first and second user.
    fn holds(&self, chat: &Chat) -> [Option<&Hold>; 2] {
        [Side::First, Side::Second]
            .map(|side| self.blocks.get(&(chat.user_id(side), chat.user_id(side.other()))))
    }

    fn is_silent(&self, chat: &Chat) -> bool {
        self.holds(chat).iter().any(Option::is_some)
    }

    /// Whether the peer blocks the user on a side of a chat.
    fn is_blocked(&self, chat: &Chat, side: Side) -> bool {
        self.holds(chat)[side.other().index()].is_some()
    }

    fn check_open(&self) -> Result<(), StoreError> {
        if self.closed { Err(StoreError::Unavailable("closed".into())) } else { Ok(()) }
    }

    fn limits(&self) -> Limits {
        Limits { cut: self.reach.cut, keep: self.retention.keep() }
    }

    /// Brings expiry up to the present time, before anything is looked at.
    fn look(&mut self, watch: &ClockWatch) -> Result<(), StoreError> {
        self.check_open()?;
        let now = watch.read().wall;
        if self.retention.is_on() && !watch.is_held() {
            self.reach = self.reach.at(&self.retention, now).unwrap_or(self.reach);
        }
        self.expire();
        Ok(())
    }

    fn expire(&mut self) {
        let limits = self.limits();
        self.chats.values_mut().for_each(|history| history.expire(limits));
    }
}

/// Where a message stands among all of its chat.
fn index(seq: Seq) -> usize {
    usize::try_from(seq.0).expect("an index of a vector") - 1
}

impl MemoryStore {
    /// An empty store.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { watch: ClockWatch::new(clock), epoch: Epoch(1), state: Mutex::default() }
    }

    /// The same in another life, as a store that was restored.
    #[must_use]
    pub fn in_epoch(self, epoch: Epoch) -> Self {
        Self { epoch, ..self }
    }

    /// From now on history is kept as `retention` says; what has expired until now stays so.
    pub fn retain(&self, retention: Retention) {
        let mut state = self.state.lock();
        state.expire();
        state.retention = retention;
    }

    /// Trusts the clock as it stands now, after a jump forward that held all expiry.
    pub fn confirm_clock(&self) -> bool {
        self.watch.confirm()
    }

    fn append_now(&self, draft: Draft) -> Result<Appended, StoreError> {
        let state = &mut *self.state.lock();
        state.check_open()?;
        let now = self.watch.read().wall.0.max(state.last_ts + 1);
        let key = draft.key.clone().map(|key| (draft.chat.clone(), draft.sender, key));
        if let Some(first) = key.as_ref().and_then(|key| state.keys.get(key))
            && (self.watch.is_held()
                || u128::from(now.max(state.reach.reached.0) - first.ts.0) <= KEY_WINDOW.as_micros())
        {
            return if *first.text == *draft.text.as_str() && first.data == draft.data {
                let message = state.chats[&draft.chat].messages[index(first.seq)].clone();
                Ok(Appended { message, replayed: true })
            } else {
                Err(StoreError::KeyReused)
            };
        }
        if state.is_blocked(&draft.chat, draft.sender) {
            return Err(StoreError::Blocked);
        }
        let ts = state.take_ts(&self.watch);
        let messages = &mut state.chats.entry(draft.chat.clone()).or_default().messages;
        let message = Arc::new(Message {
            nth: 1 + messages.iter().filter(|message| message.sender == draft.sender).count() as u64,
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
        if let Some(key) = key {
            state.keys.insert(key, message.clone());
        }
        state.tell(Event::Message(message.clone()));
        Ok(Appended { message, replayed: false })
    }

    fn revise_now(&self, revise: &Revise) -> Result<Arc<Message>, StoreError> {
        let state = &mut *self.state.lock();
        state.look(&self.watch)?;
        let there = |history: &&History| (history.first..=history.last()).contains(&revise.seq);
        let history = state.chats.get(&revise.chat).filter(there).ok_or(StoreError::NoSuchMessage)?;
        let at = index(revise.seq);
        let stands = &history.messages[at];
        if let Reviser::User(by) = revise.by
            && reaches_the_peer(&revise.change)
            && state.is_blocked(&revise.chat, by)
        {
            return Err(StoreError::Blocked);
        }
        let now = Ts(self.watch.read().wall.0.max(state.last_ts + 1));
        let Some(message) = apply(stands, revise, now)? else { return Ok(stands.clone()) };
        let key = stands.key.clone().filter(|_| message.key.is_none());
        if let Some(key) = key.map(|key| (revise.chat.clone(), stands.sender, key))
            && state.keys.get(&key).is_some_and(|used| used.seq == revise.seq)
        {
            state.keys.remove(&key);
        }
        let message = Arc::new(message);
        state.take_ts(&self.watch);
        state.chats.get_mut(&revise.chat).expect("it has a message").messages[at] = message.clone();
        let kind = revise.change.kind(&message);
        state.tell(Event::Revised { message: message.clone(), kind });
        Ok(message)
    }

    fn mark_now(&self, mark: Mark) -> Result<Marked, StoreError> {
        let Mark { chat, side, kind, seq } = mark;
        let state = &mut *self.state.lock();
        state.look(&self.watch)?;
        let history = state.chats.get(&chat);
        let last = history.filter(|it| it.removed < it.last()).map_or(Seq(0), History::last);
        let stands = history.map_or(Markers::START, |history| history.markers[side.index()]);
        for moved in stands.moved_by(kind, seq.min(last)) {
            let marker = Marker { seq: seq.min(last), ts: state.take_ts(&self.watch) };
            let history = state.chats.get_mut(&chat).expect("a marker moves over messages only");
            *history.markers[side.index()].get_mut(moved) = marker;
            let told = Marked { chat: chat.clone(), side, kind: moved, marker };
            let silent = state.is_silent(&chat);
            state.tell(if silent { Event::OwnMarker(told) } else { Event::Marker(told) });
        }
        let marker =
            state.chats.get(&chat).map_or(Marker::START, |history| history.markers[side.index()].get(kind));
        Ok(Marked { chat, side, kind, marker })
    }

    fn block_now(&self, block: Block) -> Result<Blocked, StoreError> {
        let state = &mut *self.state.lock();
        state.check_open()?;
        let Block { chat, by, on } = block;
        let key = (chat.user_id(by), chat.user_id(by.other()));
        let before = state.blocks.get(&key).map(|hold| hold.since);
        let of_user = state.blocks.keys().filter(|(user, _)| *user == key.0).count();
        if on && before.is_none() && of_user >= BLOCKS_MAX_USERS {
            return Err(StoreError::TooManyBlocks);
        }
        let now = Ts(self.watch.read().wall.0.max(state.last_ts + 1));
        let since = on.then(|| before.unwrap_or(now));
        let stands = Blocked { chat, by, since };
        if since == before {
            return Ok(stands);
        }
        let markers = state.chats.get(&stands.chat).map_or([Markers::START; 2], |history| history.markers);
        match since {
            Some(since) => drop(state.blocks.insert(key, Hold { since, markers })),
            None => drop(state.blocks.remove(&key)),
        }
        state.tell(Event::Block { stands: stands.clone(), silent: state.is_silent(&stands.chat) });
        Ok(stands)
    }

    fn blocks_now(&self, query: &BlocksQuery) -> Result<BlocksPage, StoreError> {
        let state = self.state.lock();
        state.check_open()?;
        let of_user = state.blocks.iter().filter(|((user, _), _)| *user == query.user);
        let after = of_user.filter(|((_, peer), _)| query.after.as_ref().is_none_or(|after| peer > after));
        BlocksPage::fill(query, after.map(|((_, peer), hold)| Ok((peer.clone(), hold.since))))
    }

    fn silent_now(&self, user: &UserId, peers: &[UserId]) -> Result<Vec<bool>, StoreError> {
        let state = self.state.lock();
        state.check_open()?;
        Ok(peers.iter().map(|peer| peer != user && state.is_silent(&Chat::of(user, peer).0)).collect())
    }

    fn inbox_now(&self, query: &InboxQuery) -> Result<InboxPage, StoreError> {
        let mut state = self.state.lock();
        state.look(&self.watch)?;
        let mut entries: Vec<_> = state
            .chats
            .iter()
            .filter_map(|(chat, history)| {
                let entry = history.entry(chat, chat.side_of(query.user.as_str())?)?;
                let markers = Hold::show(state.holds(chat), entry.side, entry.markers);
                Some(InboxEntry { markers, ..entry })
            })
            .collect();
        let unread_total = entries.iter().map(|entry| entry.unread).sum();
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.last.ts));
        entries.retain(|entry| {
            query.before.is_none_or(|before| entry.last.ts < before)
                && query.chat.as_ref().is_none_or(|chat| entry.chat == *chat)
        });
        Ok(InboxPage::fill(query, unread_total, entries.into_iter().map(Ok::<_, Infallible>))
            .unwrap_or_else(|never| match never {}))
    }

    fn catch_up_now(&self, user: &UserId, since: Option<Ts>) -> Result<CatchUp, StoreError> {
        let mut state = self.state.lock();
        state.look(&self.watch)?;
        let upto = Ts(state.last_ts);
        let since = since.unwrap_or(upto);
        let chats = state.chats.iter().filter(|(chat, _)| chat.side_of(user.as_str()).is_some());
        let mut events: Vec<_> = chats.flat_map(|(chat, history)| history.events(chat, since)).collect();
        events.retain(|event| event.ts() > Some(since));
        events.retain(|event| match event {
            Event::Marker(marked) => {
                let side = marked.chat.side_of(user.as_str()).expect("the user's chats");
                let stand = state.chats[&marked.chat].markers;
                let shown = Hold::show(state.holds(&marked.chat), side, stand);
                shown[marked.side.index()].get(marked.kind) == marked.marker
            }
            _ => true,
        });
        events.sort_by_key(Event::ts);
        let bytes: usize = events.iter().map(Event::weight).sum();
        let known = since == Ts(0) || state.times.contains(&since.0);
        let fits = known && events.len() <= CATCH_UP_MAX_EVENTS && bytes <= CATCH_UP_MAX_BYTES;
        Ok(CatchUp { upto, events: fits.then_some(events) })
    }

    fn page_now(&self, query: &PageQuery) -> Result<Page, StoreError> {
        let mut state = self.state.lock();
        state.look(&self.watch)?;
        let Some(history) = state.chats.get(&query.chat) else { return Ok(Page::default()) };
        let (first, last, messages) = (history.first, history.last(), &history.messages);
        let Some(begin) = query.begin(first, last) else { return Ok(Page::default()) };
        let at = index(begin);
        match query.direction {
            Direction::Forward => Page::fill(query, first, last, messages[at..].iter().cloned().map(Ok)),
            Direction::Reverse => {
                Page::fill(query, first, last, messages[index(first)..=at].iter().rev().cloned().map(Ok))
            }
        }
    }
}

impl KeyStore for MemoryStore {
    fn keys(&self) -> StoreFuture<'_, Vec<StoredKey>> {
        Box::pin(ready(Ok(self.state.lock().api_keys.clone())))
    }

    fn add_key(&self, key: StoredKey) -> StoreFuture<'_, ()> {
        put(&mut self.state.lock().api_keys, key);
        Box::pin(ready(Ok(())))
    }

    fn revoke_key(&self, id: KeyId, at: Ts) -> StoreFuture<'_, bool> {
        Box::pin(ready(Ok(revoke(&mut self.state.lock().api_keys, &id, at))))
    }
}

impl Store for MemoryStore {
    fn append(&self, draft: Draft) -> StoreFuture<'_, Appended> {
        Box::pin(ready(self.append_now(draft)))
    }

    fn page(&self, query: PageQuery) -> StoreFuture<'_, Page> {
        Box::pin(ready(self.page_now(&query)))
    }

    fn revise(&self, revise: Revise) -> StoreFuture<'_, Arc<Message>> {
        Box::pin(ready(self.revise_now(&revise)))
    }

    fn forget(&self, chat: Chat, side: Side) -> StoreFuture<'_, bool> {
        Box::pin(ready(self.forget_now(&chat, side)))
    }

    fn mark(&self, mark: Mark) -> StoreFuture<'_, Marked> {
        Box::pin(ready(self.mark_now(mark)))
    }

    fn block(&self, block: Block) -> StoreFuture<'_, Blocked> {
        Box::pin(ready(self.block_now(block)))
    }

    fn blocks(&self, query: BlocksQuery) -> StoreFuture<'_, BlocksPage> {
        Box::pin(ready(self.blocks_now(&query)))
    }

    fn silent(&self, user: UserId, peers: Vec<UserId>) -> StoreFuture<'_, Vec<bool>> {
        Box::pin(ready(self.silent_now(&user, &peers)))
    }

    fn inbox(&self, query: InboxQuery) -> StoreFuture<'_, InboxPage> {
        Box::pin(ready(self.inbox_now(&query)))
    }

    fn catch_up(&self, user: UserId, since: Option<Ts>) -> StoreFuture<'_, CatchUp> {
        Box::pin(ready(self.catch_up_now(&user, since)))
    }

    fn publish_to(&self, outlet: Arc<dyn Outlet>) {
        self.state.lock().outlet = Some(outlet);
    }

    fn observe(&self, observer: Arc<dyn Observer>) {
        self.state.lock().observer = Some(observer);
    }

    fn vitals(&self) -> Pin<Box<dyn Future<Output = Vitals> + Send + '_>> {
        let last_change = Ts(self.state.lock().last_ts);
        let expiry_held = self.watch.is_held();
        Box::pin(ready(Vitals { last_change, expiry_held, ..Vitals::default() }))
    }

    fn epoch(&self) -> Epoch {
        self.epoch
    }

    fn ready(&self) -> Result<(), StoreError> {
        self.state.lock().check_open()
    }

    fn expiry_held(&self) -> bool {
        self.watch.is_held()
    }

    fn failed(&self) -> Pin<Box<dyn Future<Output = String> + Send + '_>> {
        Box::pin(pending())
    }

    fn close(&self) -> StoreFuture<'_, ()> {
        self.state.lock().closed = true;
        Box::pin(ready(Ok(())))
    }
}
