//! The verbs of a user rather than of a chat: marks, the inbox, and what was missed.

use super::{
    EmbeddedStore, Inner,
    answer::horizon,
    begin::begin_of,
    blocks,
    cell::Reach,
    changes,
    head::{Begin, Head},
    messages,
    queue::{Item, Order, Outcome, RETRY_AFTER, Reply},
    reader,
    retained::Retained,
    revisions,
    tables::{Tables, View, engine},
    users::{Inbox, Shown},
};
use crate::{CatchUp, StoreError, retention::Limits};
use chinwag_model::{
    Block, Blocked, BlocksPage, BlocksQuery, Chat, Event, InboxEntry, InboxPage, InboxQuery, Mark, Marked,
    Marker, MarkerKind, Markers, Message, Seq, Ts, UserId,
    limits::{CATCH_UP_MAX_BYTES, CATCH_UP_MAX_EVENTS},
};
use std::sync::Arc;

impl EmbeddedStore {
    pub(super) async fn move_marker(&self, mark: Mark) -> Result<Marked, StoreError> {
        let inner = &self.inner;
        inner.check_open()?;
        inner.check_overlay()?;
        let permit = inner.queue.admit_mark()?;
        inner.look().await?;
        let cell = inner.cell(&mark.chat, false).await?;
        let Mark { side, kind, .. } = mark;
        let (seq, peers) = match cell.reach(side, kind, mark.seq) {
            Reach::Nothing => return Ok(Marked { chat: mark.chat, side, kind, marker: Marker::START }),
            Reach::To(seq, peers) => (seq, peers),
            Reach::OnDisk(seq) => {
                let chat = mark.chat.clone();
                let read = move |tables: &Tables| reader::sent_upto(&tables.view(), &chat, seq, side.other());
                (seq, inner.read(read).await?)
            }
        };
        let (reply, answer) = Reply::new(permit);
        inner.queue.push(Item { order: Order::Mark { mark: Mark { seq, ..mark }, peers }, cell, reply });
        match answer.await.unwrap_or_else(super::writer_has_ended)? {
            Outcome::Marked(marked) => Ok(marked),
            _ => unreachable!("a mark is answered as one"),
        }
    }

    pub(super) async fn put_block(&self, block: Block) -> Result<Blocked, StoreError> {
        let inner = &self.inner;
        inner.check_open()?;
        let permit = inner.queue.admit_mark()?;
        let user = block.user();
        // It goes with the order, and stays taken until the block shows, whatever becomes of this future.
        let turn = inner.blocks.turn(&user).await;
        let cell = inner.cell(&block.chat, false).await?;
        let full = block.on
            && cell.blocks_since(block.by).is_none()
            && inner.read(move |tables| blocks::is_full(tables, &user)).await?;
        let (reply, answer) = Reply::new(permit);
        inner.queue.push(Item { order: Order::Block { block, full, turn }, cell, reply });
        match answer.await.unwrap_or_else(super::writer_has_ended)? {
            Outcome::Blocked(stands) => Ok(stands),
            _ => unreachable!("a block is answered as one"),
        }
    }

    pub(super) async fn read_blocks(&self, query: BlocksQuery) -> Result<BlocksPage, StoreError> {
        self.inner.check_open()?;
        self.inner.read(move |tables| blocks::page(tables, &query)).await
    }

    pub(super) async fn read_silent(
        &self,
        user: UserId,
        peers: Vec<UserId>,
    ) -> Result<Vec<bool>, StoreError> {
        let inner = &self.inner;
        inner.check_open()?;
        if !inner.blocks.any() || peers.is_empty() {
            return Ok(vec![false; peers.len()]);
        }
        inner.read(move |tables| blocks::silent(tables, &user, &peers)).await
    }

    pub(super) async fn read_inbox(&self, query: InboxQuery) -> Result<InboxPage, StoreError> {
        let inner = &self.inner;
        inner.check_open()?;
        inner.look().await?;
        let inbox = inner.inbox(&query.user).await?;
        inner.count_unread(&query.user, &inbox).await?;
        let limits = inner.retained.limits();
        let (chats, unread) = inbox.page(&query, limits.cut);
        let entries: Vec<_> =
            chats.into_iter().map(|(chat, shown)| inner.listed(chat, shown, limits)).collect();
        if entries.iter().all(Listed::is_whole) && !inner.blocks.any() {
            return fill(&query, unread, entries);
        }
        let (retained, user) = (inner.retained.clone(), query.user.clone());
        let read = move |tables: &Tables| {
            let view = tables.view();
            let entries = entries.into_iter().map(|listed| listed.read(tables, &view, &retained, &user));
            entries.collect::<Result<Vec<_>, _>>()
        };
        let entries = inner.read(read).await?;
        for Listed { chat, begin, .. } in &entries {
            if let Some(begin) = begin {
                inbox.begins(chat, *begin);
            }
        }
        fill(&query, unread, entries)
    }

    pub(super) async fn read_missed(&self, user: UserId, since: Option<Ts>) -> Result<CatchUp, StoreError> {
        let inner = &self.inner;
        inner.check_open()?;
        // Before all else: what is later is left to the outlet.
        let upto = horizon(&inner.horizon);
        inner.look().await?;
        let since = since.unwrap_or(upto);
        if since >= upto {
            return Ok(CatchUp { upto, events: (since == upto).then(Vec::new) });
        }
        if !inner.read(move |tables| changed_at(tables, since)).await? {
            return Ok(CatchUp { upto, events: None });
        }
        let inbox = inner.inbox(&user).await?;
        let limits = inner.retained.limits();
        let chats = inbox.changed_since(since, CATCH_UP_MAX_EVENTS + 1);
        let mut missed = Missed { since, upto, events: Vec::new(), bytes: 0 };
        let mut cold = Vec::new();
        // Every chat that changed since has an event of its own, but for those that changed after `upto` again.
        if chats.len() > CATCH_UP_MAX_EVENTS {
            return Ok(CatchUp { upto, events: None });
        }
        for (chat, head) in chats {
            missed.add_markers(&chat, &head);
            let mut unread = Unread { chat, head, new: false, revised: head.standing.revised > since };
            if head.last_ts > since {
                if !missed.fits() {
                    return Ok(CatchUp { upto, events: None });
                }
                match inner.cells.hot(&unread.chat).and_then(|cell| cell.since(head.last, since, limits)) {
                    Some(messages) => messages.into_iter().for_each(|message| missed.add(message)),
                    None => unread.new = true,
                }
            }
            if unread.new || unread.revised {
                cold.push(unread);
            }
        }
        if !cold.is_empty() && missed.fits() {
            let retained = inner.retained.clone();
            missed = inner.read(move |tables| missed.read(&tables.view(), &retained, cold)).await?;
        }
        if inner.blocks.any() && missed.fits() {
            missed = inner.read(move |tables| missed.without_held(tables, &user)).await?;
        }
        Ok(CatchUp { upto, events: missed.into_events() })
    }
}

impl Inner {
    /// # Errors
    /// [`StoreError::Busy`] while the inbox rows are too far behind.
    pub(super) fn check_overlay(&self) -> Result<(), StoreError> {
        if self.overlay.is_full() { Err(StoreError::Busy { retry_after: RETRY_AFTER }) } else { Ok(()) }
    }

    /// Counts the unread messages of those of a user's chats of which some may have expired.
    async fn count_unread(&self, user: &UserId, inbox: &Inbox) -> Result<(), StoreError> {
        if !self.retained.is_any() {
            return Ok(());
        }
        let chats = inbox.to_count(self.retained.limits().cut);
        if chats.is_empty() {
            return Ok(());
        }
        let (retained, user) = (self.retained.clone(), user.clone());
        let count = move |tables: &Tables| {
            let view = tables.view();
            let counted = chats.into_iter().map(|(chat, head)| {
                let begin = begin_of(&view, &retained, &chat, &head)?;
                let side = chat.side_of(user.as_str()).expect("an inbox holds its user's chats");
                let unread = revisions::unread(&view, &chat, side, &head, &begin)?;
                Ok((chat, head, begin, unread))
            });
            counted.collect::<Result<Vec<_>, StoreError>>()
        };
        inbox.counted(self.read(count).await?);
        Ok(())
    }

    /// A chat as a page of an inbox lists it, as far as memory can tell.
    fn listed(&self, chat: Chat, shown: Shown, limits: Limits) -> Listed {
        let cell = self.cells.hot(&chat);
        let last = cell.as_ref().and_then(|cell| cell.message(shown.head.last));
        let begin = shown.begin;
        let first = limits.by_count(shown.head.last).max(Seq(shown.head.standing.removed.0 + 1));
        let stands = begin.ts >= limits.cut && begin.first >= first;
        let first = if !self.retained.is_any() {
            Some(Seq(1))
        } else if stands && begin.ts > Ts(0) {
            Some(begin.first)
        } else {
            cell.and_then(|cell| cell.first(limits))
        };
        Listed { chat, shown, last, first, begin: None, markers: shown.head.standing.markers }
    }

    /// A user's inbox, with all that is acknowledged.
    async fn inbox(&self, user: &UserId) -> Result<Arc<Inbox>, StoreError> {
        let inbox = self.users.get(user);
        if !inbox.is_filled() {
            let _filling = inbox.filling.lock().await;
            if !inbox.is_filled() {
                // First from memory, then from disk: what leaves the one meanwhile is in the other.
                let late = self.overlay.of_user(user.as_str());
                let of = user.clone();
                let rows = self.read(move |tables| reader::inbox(tables, &of)).await?;
                let late = late.into_iter().filter_map(|(chat, head)| {
                    let side = chat.side_of(user.as_str())?;
                    Some((chat, side, head))
                });
                inbox.fill(rows.into_iter().chain(late).collect()).await;
                self.users.reweigh(user, &inbox);
            }
        }
        Ok(inbox)
    }
}

/// Whether something changed at just that time, as far as the change log reaches back. Every place that was given out is
/// the time of a change, or the beginning; a copy of the store that was put back has other times from there on.
fn changed_at(tables: &Tables, ts: Ts) -> Result<bool, StoreError> {
    let mut rows = tables.changes.range(ts.0.to_be_bytes()..);
    let Some(row) = rows.next() else { return Ok(true) };
    let (key, value) = row.into_inner().map_err(|error| engine(&error))?;
    let changes = changes::decode(&key, &value)
        .map_err(|wrong| StoreError::Damaged(format!("the change log: {wrong}")))?;
    if changes.iter().any(|change| change.ts == ts) {
        return Ok(true);
    }
    // Before the log's first change, which is later: it was let go of, or it is the beginning.
    let first = tables.changes.first_key_value().and_then(|row| row.key().ok());
    Ok(first.is_none_or(|first| *first == *key) && changes.first().is_none_or(|first| first.ts > ts))
}

/// A chat of a page of an inbox.
struct Listed {
    chat: Chat,
    shown: Shown,
    /// Its last message; still `None` once it was read where it has expired meanwhile.
    last: Option<Arc<Message>>,
    /// Its first.
    first: Option<Seq>,
    /// Where it begins, as it was read.
    begin: Option<Begin>,
    /// As the user may see them.
    markers: [Markers; 2],
}

impl Listed {
    fn is_whole(&self) -> bool {
        self.last.is_some() && self.first.is_some()
    }

    /// Reads what memory does not have.
    fn read(
        mut self,
        tables: &Tables,
        view: &View,
        retained: &Retained,
        user: &UserId,
    ) -> Result<Self, StoreError> {
        if let Some(side) = self.chat.side_of(user.as_str()) {
            self.markers = blocks::show(tables, &self.chat, side, self.markers)?;
        }
        let head = &self.shown.head;
        if self.last.is_none() {
            self.last = reader::message_if_kept(view, &self.chat, head.last)?.map(Arc::new);
        }
        if self.first.is_none() {
            let begin = begin_of(view, retained, &self.chat, head)?;
            (self.first, self.begin) = (Some(begin.first), Some(begin));
        }
        Ok(self)
    }
}

/// Fills a page of an inbox.
fn fill(query: &InboxQuery, unread_total: u64, entries: Vec<Listed>) -> Result<InboxPage, StoreError> {
    let entries = entries.into_iter().filter_map(|Listed { chat, shown, last, first, markers, .. }| {
        let side = chat.side_of(query.user.as_str())?;
        let (unread, last) = (shown.unread, last?);
        Some(Ok(InboxEntry { chat, side, last, unread, first_seq: first?, markers }))
    });
    InboxPage::fill(query, unread_total, entries)
}

/// Whether a block keeps from a user how far the peer came.
fn is_held(tables: &Tables, marked: &Marked) -> Result<bool, StoreError> {
    let mut markers = [Markers::START; 2];
    *markers[marked.side.index()].get_mut(marked.kind) = marked.marker;
    Ok(blocks::show(tables, &marked.chat, marked.side.other(), markers)? != markers)
}

/// What of a chat is to be read from disk.
struct Unread {
    chat: Chat,
    head: Head,
    /// Its new messages.
    new: bool,
    /// Its older messages that were revised.
    revised: bool,
}

/// What was missed, as it is gathered.
struct Missed {
    since: Ts,
    upto: Ts,
    events: Vec<Event>,
    bytes: usize,
}

impl Missed {
    fn fits(&self) -> bool {
        self.events.len() <= CATCH_UP_MAX_EVENTS && self.bytes <= CATCH_UP_MAX_BYTES
    }

    fn add(&mut self, message: Arc<Message>) {
        if self.since < message.ts && message.ts <= self.upto {
            self.push(Event::Message(message));
        }
    }

    fn add_markers(&mut self, chat: &Chat, head: &Head) {
        for &side in chat.sides() {
            for kind in [MarkerKind::Delivered, MarkerKind::Read] {
                let marker = head.standing.markers[side.index()].get(kind);
                if self.since < marker.ts && marker.ts <= self.upto {
                    self.push(Event::Marker(Marked { chat: chat.clone(), side, kind, marker }));
                }
            }
        }
    }

    /// Without the markers that a block keeps from the user.
    fn without_held(mut self, tables: &Tables, user: &UserId) -> Result<Self, StoreError> {
        let mut shown = Vec::with_capacity(self.events.len());
        for event in std::mem::take(&mut self.events) {
            if let Event::Marker(marked) = &event
                && marked.user_name() != user.as_str()
                && is_held(tables, marked)?
            {
                continue;
            }
            shown.push(event);
        }
        self.events = shown;
        Ok(self)
    }

    fn push(&mut self, event: Event) {
        self.bytes += event.weight();
        self.events.push(event);
    }

    /// Reads the messages of chats that are not in memory, until it is too much.
    fn read(mut self, view: &View, retained: &Retained, chats: Vec<Unread>) -> Result<Self, StoreError> {
        for Unread { chat, head, new, revised } in chats {
            if !self.fits() {
                break;
            }
            let first = begin_of(view, retained, &chat, &head)?.first;
            for message in new.then(|| messages::backwards(view, &chat, head.last)).into_iter().flatten() {
                let message = message?;
                if message.ts <= self.since || message.seq < first || !self.fits() {
                    break;
                }
                self.add(Arc::new(message));
            }
            if revised {
                self.read_revised(view, &chat, first)?;
            }
        }
        Ok(self)
    }

    /// Reads the messages that the user may know, and that were revised since.
    fn read_revised(&mut self, view: &View, chat: &Chat, first: Seq) -> Result<(), StoreError> {
        for seq in revisions::since(view, chat, self.since, CATCH_UP_MAX_EVENTS + 1)? {
            if !self.fits() {
                break;
            }
            if seq < first {
                continue;
            }
            let message = Arc::new(messages::message_of(view, chat, seq)?);
            // A new one was told as such; one that was revised again after `upto` is left to the outlet.
            let told = message.ts > self.since || message.changed() > self.upto;
            if let Some(kind) = message.revised_since(self.since).filter(|_| !told) {
                self.push(Event::Revised { message, kind });
            }
        }
        Ok(())
    }

    fn into_events(mut self) -> Option<Vec<Event>> {
        self.events.sort_unstable_by_key(Event::ts);
        self.fits().then_some(self.events)
    }
}
