//! A store of which one thing is wrong, around any other.

use chinwag_model::{
    Block, Blocked, BlocksPage, BlocksQuery, Change, Chat, Direction, Draft, Epoch, Event, InboxPage,
    InboxQuery, Mark, Marked, Marker, MarkerKind, Message, Page, PageQuery, Place, Revise, Reviser, Revision,
    SendKey, Seq, Side, Ts, UserId,
};
use chinwag_store::{
    Appended, CatchUp, Outlet, Store, StoreError, StoreFuture,
    vitals::{Observer, Vitals},
};
use parking_lot::Mutex;
use std::{
    collections::{HashMap, HashSet},
    future::Future,
    pin::Pin,
    sync::Arc,
};

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plant {
    Nothing,
    DropsABatch,
    DoublesASeq,
    SwapsTwo,
    ForgetsAKey,
    MovesAMarkerBack,
    SkipsMessages,
    SkipsMarkers,
    SkipsRevisions,
    LosesEdits,
    LosesReactions,
    KeepsUnsentTexts,
    LetsAnyoneEdit,
    CountsUnsent,
    ForgetsAChat,
    TellsAStranger,
    ShowsAnInboxToAnyone,
    LetsThroughABlock,
    KeepsABlock,
    TellsTypingThroughABlock,
    ShowsMarkersThroughABlock,
}

/// The store.
pub(crate) struct Planted {
    inner: Arc<dyn Store>,
    plant: Plant,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Sends that stored something.
    stored: u64,
    /// What else was called, of the kind that the fault is about.
    calls: u64,
    dropped: HashSet<(Chat, Seq)>,
    keys: HashSet<(Chat, SendKey)>,
    /// Texts that should be gone.
    unsent: HashMap<(Chat, Seq), Box<str>>,
    users: Vec<UserId>,
    /// Where the markers stand, whoever may see it.
    markers: HashMap<(Chat, Side, MarkerKind), Marker>,
}

impl Planted {
    pub(crate) fn new(inner: Arc<dyn Store>, plant: Plant) -> Self {
        Self { inner, plant, state: Mutex::default() }
    }

    /// Whether this is one of the calls at which the fault strikes: each third.
    fn strikes(&self) -> bool {
        let calls = &mut self.state.lock().calls;
        *calls += 1;
        calls.is_multiple_of(3)
    }

    async fn append(&self, mut draft: Draft) -> Result<Appended, StoreError> {
        let key = draft.key.clone();
        if self.plant == Plant::ForgetsAKey
            && let Some(key) = &key
            && !self.state.lock().keys.insert((draft.chat.clone(), key.clone()))
        {
            draft.key = Some(SendKey::parse(&format!("again-{}", self.state.lock().stored)).expect("a key"));
        }
        let mut appended = match self.inner.append(draft.clone()).await {
            Err(StoreError::Blocked) if self.plant == Plant::LetsThroughABlock && self.strikes() => {
                let block = |on| Block { chat: draft.chat.clone(), by: draft.sender.other(), on };
                self.inner.block(block(false)).await?;
                let appended = self.inner.append(draft.clone()).await;
                self.inner.block(block(true)).await?;
                appended?
            }
            appended => appended?,
        };
        let mut state = self.state.lock();
        state.stored += u64::from(!appended.replayed);
        let message = Arc::make_mut(&mut appended.message);
        message.key = key;
        match self.plant {
            // A batch in the middle is acknowledged, and no page shows it.
            Plant::DropsABatch if !appended.replayed && (100..108).contains(&state.stored) => {
                state.dropped.insert((message.chat.clone(), message.seq));
            }
            Plant::DoublesASeq if state.stored.is_multiple_of(50) && message.seq > Seq(1) => {
                message.seq.0 -= 1;
            }
            _ => {}
        }
        Ok(appended)
    }

    async fn page(&self, query: PageQuery) -> Result<Page, StoreError> {
        let mut page = self.inner.page(query).await?;
        let state = self.state.lock();
        match self.plant {
            Plant::DropsABatch => {
                page.messages.retain(|message| !state.dropped.contains(&(message.chat.clone(), message.seq)));
            }
            Plant::SwapsTwo => {
                let at = |page: &Page, seq| page.messages.iter().position(|message| message.seq == Seq(seq));
                if let (Some(one), Some(two)) = (at(&page, 5), at(&page, 6)) {
                    page.messages.swap(one, two);
                    Arc::make_mut(&mut page.messages[one]).seq = if one < two { Seq(5) } else { Seq(6) };
                    Arc::make_mut(&mut page.messages[two]).seq = if one < two { Seq(6) } else { Seq(5) };
                }
            }
            Plant::KeepsUnsentTexts => {
                for message in &mut page.messages {
                    if let Some(text) = state.unsent.get(&(message.chat.clone(), message.seq)) {
                        Arc::make_mut(message).text = text.clone();
                    }
                }
            }
            _ => {}
        }
        Ok(page)
    }

    /// A message as it stands.
    async fn stands(&self, chat: &Chat, seq: Seq) -> Result<Option<Arc<Message>>, StoreError> {
        let query = PageQuery {
            chat: chat.clone(),
            from: Place::before(seq),
            direction: Direction::Forward,
            limit: 1,
        };
        Ok(self.inner.page(query).await?.messages.pop().filter(|message| message.seq == seq))
    }

    async fn revise(&self, mut revise: Revise) -> Result<Arc<Message>, StoreError> {
        let Some(before) = self.stands(&revise.chat, revise.seq).await? else {
            return self.inner.revise(revise).await;
        };
        let own = revise.by == Reviser::User(before.sender);
        match (self.plant, &revise.change) {
            (Plant::LetsAnyoneEdit, Change::Edit { .. }) => revise.by = Reviser::User(before.sender),
            (Plant::LosesEdits, Change::Edit { text, .. })
                if own && !before.is_unsent() && self.strikes() =>
            {
                // It is answered as if it had been done.
                let edited_ts = Some(Ts(before.changed().0 + 1));
                let revision = Revision {
                    ts: before.changed(),
                    edited_ts,
                    unsent: false,
                    reactions: Vec::new(),
                    first_digest: None,
                };
                let text = text.as_str().into();
                return Ok(Arc::new(Message {
                    text,
                    revision: Some(Box::new(revision)),
                    ..(*before).clone()
                }));
            }
            (Plant::LosesReactions, Change::React { .. }) if !before.is_unsent() && self.strikes() => {
                return Ok(before);
            }
            (Plant::KeepsUnsentTexts | Plant::CountsUnsent, Change::Unsend { .. }) => {
                let at = (revise.chat.clone(), revise.seq);
                let after = self.inner.revise(revise).await?;
                if !before.is_unsent() {
                    self.state.lock().unsent.insert(at, before.text.clone());
                }
                return Ok(after);
            }
            _ => {}
        }
        self.inner.revise(revise).await
    }

    async fn mark(&self, mark: Mark) -> Result<Marked, StoreError> {
        let mut marked = self.inner.mark(mark).await?;
        let which = (marked.chat.clone(), marked.side, marked.kind);
        self.state.lock().markers.insert(which, marked.marker);
        if self.plant == Plant::MovesAMarkerBack && marked.marker.seq > Seq(10) && self.strikes() {
            marked.marker.seq = Seq(1);
        }
        Ok(marked)
    }

    async fn inbox(&self, mut query: InboxQuery) -> Result<InboxPage, StoreError> {
        if self.plant == Plant::ShowsAnInboxToAnyone && query.chat.is_none() {
            query.user = self.another(query.user);
        }
        let mut page = self.inner.inbox(query).await?;
        match self.plant {
            Plant::CountsUnsent => {
                let state = self.state.lock();
                for entry in &mut page.entries {
                    let read = entry.markers[entry.side.index()].read.seq;
                    let is_counted = |(chat, seq): &&(Chat, Seq)| *chat == entry.chat && *seq > read;
                    let more = state.unsent.keys().filter(is_counted).count() as u64;
                    entry.unread += more;
                    page.unread_total += more;
                }
            }
            Plant::ShowsMarkersThroughABlock => {
                let state = self.state.lock();
                for entry in &mut page.entries {
                    let peer = entry.side.other();
                    for kind in [MarkerKind::Delivered, MarkerKind::Read] {
                        if let Some(marker) = state.markers.get(&(entry.chat.clone(), peer, kind)) {
                            *entry.markers[peer.index()].get_mut(kind) = *marker;
                        }
                    }
                }
            }
            Plant::ForgetsAChat if page.entries.len() > 1 && self.strikes() => {
                page.unread_total -= page.entries.remove(0).unread;
            }
            _ => {}
        }
        Ok(page)
    }

    async fn block(&self, block: Block) -> Result<Blocked, StoreError> {
        if self.plant == Plant::KeepsABlock && !block.on && self.strikes() {
            let Block { chat, by, .. } = block;
            return Ok(Blocked { chat, by, since: None });
        }
        self.inner.block(block).await
    }

    async fn silent(&self, user: UserId, peers: Vec<UserId>) -> Result<Vec<bool>, StoreError> {
        if self.plant == Plant::TellsTypingThroughABlock {
            return Ok(vec![false; peers.len()]);
        }
        self.inner.silent(user, peers).await
    }

    /// Another user, each third time, once there is one.
    fn another(&self, user: UserId) -> UserId {
        let strikes = self.strikes();
        let users = &mut self.state.lock().users;
        if !users.contains(&user) {
            users.push(user.clone());
        }
        let other = users.iter().find(|other| **other != user);
        other.filter(|_| strikes).cloned().unwrap_or(user)
    }

    async fn catch_up(&self, mut user: UserId, since: Option<Ts>) -> Result<CatchUp, StoreError> {
        if self.plant == Plant::TellsAStranger && since.is_some() {
            user = self.another(user);
        }
        let mut caught_up = self.inner.catch_up(user, since).await?;
        let is_skipped = |event: &Event| match self.plant {
            Plant::SkipsMessages => matches!(event, Event::Message(_)),
            Plant::SkipsMarkers => matches!(event, Event::Marker(_)),
            Plant::SkipsRevisions => matches!(event, Event::Revised { .. }),
            _ => false,
        };
        if let Some(events) = &mut caught_up.events {
            events.retain(|event| !is_skipped(event));
        }
        Ok(caught_up)
    }
}

impl Store for Planted {
    fn append(&self, draft: Draft) -> StoreFuture<'_, Appended> {
        Box::pin(self.append(draft))
    }

    fn page(&self, query: PageQuery) -> StoreFuture<'_, Page> {
        Box::pin(self.page(query))
    }

    fn revise(&self, revise: Revise) -> StoreFuture<'_, Arc<Message>> {
        Box::pin(self.revise(revise))
    }

    fn forget(&self, chat: Chat, side: Side) -> StoreFuture<'_, bool> {
        self.inner.forget(chat, side)
    }

    fn mark(&self, mark: Mark) -> StoreFuture<'_, Marked> {
        Box::pin(self.mark(mark))
    }

    fn inbox(&self, query: InboxQuery) -> StoreFuture<'_, InboxPage> {
        Box::pin(self.inbox(query))
    }

    fn catch_up(&self, user: UserId, since: Option<Ts>) -> StoreFuture<'_, CatchUp> {
        Box::pin(self.catch_up(user, since))
    }

    fn publish_to(&self, outlet: Arc<dyn Outlet>) {
        self.inner.publish_to(outlet);
    }

    fn block(&self, block: Block) -> StoreFuture<'_, Blocked> {
        Box::pin(self.block(block))
    }

    fn blocks(&self, query: BlocksQuery) -> StoreFuture<'_, BlocksPage> {
        self.inner.blocks(query)
    }

    fn silent(&self, user: UserId, peers: Vec<UserId>) -> StoreFuture<'_, Vec<bool>> {
        Box::pin(self.silent(user, peers))
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

    fn failed(&self) -> Pin<Box<dyn Future<Output = String> + Send + '_>> {
        self.inner.failed()
    }

    fn close(&self) -> StoreFuture<'_, ()> {
        self.inner.close()
    }
}
