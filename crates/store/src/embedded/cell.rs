//! What is in memory of one chat while it is hot: its head, its newest messages, its recent keys.

pub(super) use super::reader::Loaded;
use super::{
    head::{Begin, Head, Standing},
    recent_keys::{KeyHash, KeyUse, Keys, expired},
    revisions::Gone,
};
use crate::retention::Limits;
use chinwag_model::{
    Direction, Draft, Marked, Marker, MarkerKind, Markers, Message, Page, PageQuery, Seq, Side, Ts,
    limits::{TAIL_MAX_BYTES, TAIL_MAX_MESSAGES},
};
use parking_lot::Mutex;
use std::{
    collections::{BTreeSet, VecDeque},
    convert::Infallible,
    sync::{Arc, OnceLock},
};
use tokio::sync::OwnedMutexGuard;

/// Bytes that a chat takes in memory besides its messages and keys, its place in the cache among them, as measured.
const CELL_BYTES: usize = 572;
/// Bytes that a message takes here besides its own.
const TAIL_MESSAGE_BYTES: usize = 32;
/// Bytes that keys take before the first.
const KEYS_BYTES: usize = 160;
/// Bytes that a key takes, about: an entry of a hash map that is three quarters full.
const KEY_BYTES: usize = 48;
/// Bytes that an unread message that is unsent takes besides, about.
const GONE_BYTES: usize = 24;
/// Below this many keys, old ones are not worth a look.
const PRUNE_MIN_KEYS: usize = 64;

/// One chat in memory. There is never a second one of the same chat: the cache keeps it while anyone holds it.
pub(super) struct ChatCell {
    state: Mutex<CellState>,
    /// Held while the keys are read from disk, so that they are read once.
    pub(super) loading_keys: tokio::sync::Mutex<()>,
    /// Held by the one revision that is on its way; made for the first.
    revising: OnceLock<Arc<tokio::sync::Mutex<()>>>,
}

struct CellState {
    /// The last message that has a seq, and where the markers came to stand.
    assigned: Head,
    /// The same, of what is on disk.
    durable: Head,
    /// The newest messages, the oldest first, up to `assigned`. Those that are not durable are always among them.
    tail: VecDeque<Arc<Message>>,
    tail_bytes: usize,
    /// The unread messages that are unsent, as of `assigned`.
    gone: Gone,
    /// Where the chat begins, or a place before that; never back.
    begin: Begin,
    /// Since when either user blocks the other, also where that is still on its way to the disk.
    blocked: [Option<Ts>; 2],
    /// `None` until the first send with a key.
    keys: Option<Keys>,
    /// Look for expired keys once there are this many.
    prune_at: usize,
    /// What the cache was last told.
    told_weight: usize,
}

/// What a key comes to in this chat.
pub(super) enum Known {
    /// It is new here.
    No,
    /// It stored this message, which is in memory.
    Here(Arc<Message>),
    /// It stored this message, which is on disk.
    OnDisk(Seq),
}

/// What a mark comes to, before it is put in order.
pub(super) enum Reach {
    /// The chat has no message.
    Nothing,
    /// The marker goes to this message, up to which stand so many of the peer's.
    To(Seq, u64),
    /// The same, where the message must be read to count.
    OnDisk(Seq),
}

/// What memory has of a page.
pub(super) enum InMemory {
    /// All of it.
    Page(Page),
    /// Not all: read it from disk, of the messages up to this one.
    OnDisk {
        /// The chat's head on disk.
        head: Head,
    },
}

impl ChatCell {
    pub(super) fn new(loaded: Loaded) -> Self {
        let head = loaded.head;
        let tail_bytes = loaded.tail.iter().map(|message| message.weight()).sum();
        let mut state = CellState {
            assigned: head,
            durable: head,
            tail: loaded.tail,
            tail_bytes,
            gone: loaded.gone,
            begin: loaded.begin,
            blocked: loaded.blocked,
            keys: loaded.keys,
            prune_at: PRUNE_MIN_KEYS,
            told_weight: 0,
        };
        state.trim();
        state.told_weight = state.weight();
        Self {
            state: Mutex::new(state),
            loading_keys: tokio::sync::Mutex::default(),
            revising: OnceLock::new(),
        }
    }

    /// What it takes in memory, in bytes, about.
    pub(super) fn weight(&self) -> usize {
        self.state.lock().weight()
    }

    /// Whether the recent keys are here.
    pub(super) fn has_keys(&self) -> bool {
        self.state.lock().keys.is_some()
    }

    /// Puts in the keys that were read from disk.
    pub(super) fn put_keys(&self, keys: Keys) {
        self.state.lock().keys.get_or_insert(keys);
    }

    /// What a key comes to, for a send that would happen at `now`. Expired keys are new; nothing expires while `held`. So are
    /// those of what had expired before the chat was removed, whose rows may still be there.
    pub(super) fn known(&self, hash: KeyHash, now: Ts, held: bool) -> Known {
        let state = self.state.lock();
        match state.keys.as_ref().and_then(|keys| keys.get(&hash)) {
            Some(key) if key.seq > state.assigned.standing.removed && (held || !expired(key.ts, now)) => {
                state.at(key.seq).map_or(Known::OnDisk(key.seq), |message| Known::Here(message.clone()))
            }
            _ => Known::No,
        }
    }

    /// Makes a draft the chat's next message. The writer alone calls this.
    ///
    /// Returns the weight that the cache must be told, where it changed much.
    pub(super) fn assign(
        &self,
        draft: Draft,
        ts: Ts,
        hash: Option<KeyHash>,
    ) -> (Arc<Message>, Option<usize>) {
        let mut state = self.state.lock();
        let seq = Seq(state.assigned.last.0 + 1);
        let message = Arc::new(Message {
            chat: draft.chat,
            seq,
            ts,
            sender: draft.sender,
            nth: state.assigned.sent_by(draft.sender) + 1,
            text: draft.text.into_boxed(),
            key: draft.key,
            data: draft.data,
            revision: None,
        });
        state.assigned.add(&message);
        state.tail_bytes += message.weight();
        state.tail.push_back(message.clone());
        if let (Some(hash), Some(keys)) = (hash, &mut state.keys) {
            keys.insert(hash, KeyUse { seq, ts });
        }
        state.trim();
        let weight = state.weight();
        // Telling the cache costs a lookup, so small steps are told together.
        let tell = weight > state.told_weight + state.told_weight / 8 || weight < state.told_weight / 2;
        if tell {
            state.told_weight = weight;
        }
        (message, tell.then_some(weight))
    }

    /// Forgets keys that have expired, now and then.
    pub(super) fn prune_keys(&self, now: Ts, held: bool) {
        let mut state = self.state.lock();
        let prune_at = state.prune_at;
        if let Some(keys) = state.keys.as_mut().filter(|keys| !held && keys.len() >= prune_at) {
            keys.retain(|_, key| !expired(key.ts, now));
            // Twice as many as are left, so that the cost stays a part of the sends'.
            let left = keys.len();
            state.prune_at = (2 * left).max(PRUNE_MIN_KEYS);
        }
    }

    /// How far a mark goes: at most to the last message, also where that is still on its way to the disk, which the mark
    /// reaches after it.
    pub(super) fn reach(&self, side: Side, kind: MarkerKind, seq: Seq) -> Reach {
        let state = self.state.lock();
        let seq = seq.min(state.assigned.last);
        if seq.0 == 0 || state.assigned.is_removed() {
            return Reach::Nothing;
        }
        // What is not counted is not asked for: a delivered marker, and one that stands there already and never moves back.
        if kind == MarkerKind::Delivered || state.assigned.standing.markers[side.index()].read.seq >= seq {
            return Reach::To(seq, 0);
        }
        state.at(seq).map_or(Reach::OnDisk(seq), |message| Reach::To(seq, message.sent_by(side.other())))
    }

    /// Where a user's markers stand, also where that is still on its way to the disk.
    pub(super) fn markers(&self, side: Side) -> Markers {
        self.state.lock().assigned.standing.markers[side.index()]
    }

    /// The chat's head, also where that is still on its way to the disk.
    pub(super) fn head(&self) -> Head {
        self.state.lock().assigned
    }

    /// Where both users' markers stand, also where that is still on its way to the disk.
    pub(super) fn standing(&self) -> Standing {
        self.state.lock().assigned.standing
    }

    /// Moves a marker. The writer alone calls this. Gives how many of either user's unread messages are unsent.
    pub(super) fn mark(&self, side: Side, kind: MarkerKind, marker: Marker, peers: u64) -> [u64; 2] {
        let mut state = self.state.lock();
        state.assigned.put(side, kind, marker, peers);
        if kind == MarkerKind::Read {
            let gone = &mut state.gone[side.index()];
            *gone = gone.split_off(&Seq(marker.seq.0 + 1));
        }
        state.count_gone()
    }

    /// Since when the user on a side blocks the other.
    pub(super) fn blocks_since(&self, by: Side) -> Option<Ts> {
        self.state.lock().blocked[by.index()]
    }

    /// Whether the peer blocks the user on a side.
    pub(super) fn is_blocked(&self, side: Side) -> bool {
        self.blocks_since(side.other()).is_some()
    }

    /// Whether either user blocks the other.
    pub(super) fn is_silent(&self) -> bool {
        self.state.lock().blocked.iter().any(Option::is_some)
    }

    /// Takes in that a user blocks the other, or does no longer. The writer alone calls this.
    pub(super) fn block(&self, by: Side, since: Option<Ts>) {
        self.state.lock().blocked[by.index()] = since;
    }

    /// Waits for the turn to revise a message of this chat. Whoever has it sees what the one before did.
    pub(super) async fn turn_to_revise(&self) -> OwnedMutexGuard<()> {
        self.revising.get_or_init(Arc::default).clone().lock_owned().await
    }

    /// Whether the chat may have a message that can be revised: one that is on disk, and that has not expired by its number.
    pub(super) fn has(&self, seq: Seq, limits: Limits) -> bool {
        let state = self.state.lock();
        let first = state.begin.first.max(limits.by_count(state.durable.last));
        (first..=state.durable.last).contains(&seq)
    }

    /// Takes in where the chat begins, as it was read.
    pub(super) fn begins(&self, begin: Begin) {
        let mut state = self.state.lock();
        if begin.first > state.begin.first || (begin.first == state.begin.first && state.begin.ts == Ts(0)) {
            state.begin = begin;
        }
    }

    /// Where the chat begins, if memory can tell.
    pub(super) fn first(&self, limits: Limits) -> Option<Seq> {
        self.state.lock().first(limits)
    }

    /// Waits for the turn to revise, on a thread that may block.
    pub(super) fn blocking_turn_to_revise(&self) -> OwnedMutexGuard<()> {
        self.revising.get_or_init(Arc::default).clone().blocking_lock_owned()
    }

    /// Takes in that a message will be revised; reads show it once it is on disk. The writer alone calls this. Gives how
    /// many of either user's unread messages are unsent then. `forget` is of its key, where that goes.
    pub(super) fn revise(&self, message: &Message, forget: Option<KeyHash>) -> [u64; 2] {
        let mut state = self.state.lock();
        if let (Some(keys), Some(forget)) = (&mut state.keys, forget)
            && keys.get(&forget).is_some_and(|used| used.seq == message.seq)
        {
            keys.remove(&forget);
        }
        let reader = message.sender.other().index();
        let unread = message.seq > state.assigned.standing.markers[reader].read.seq;
        if message.is_unsent() && unread && !message.chat.is_note_to_self() {
            state.gone[reader].insert(message.seq);
        }
        let gone = state.count_gone();
        state.assigned.revise(message.changed(), gone);
        gone
    }

    /// Takes in that a user's markers will be forgotten; `gone` are the peer's messages that are unsent. With them the chat is
    /// removed where it ends with `removable` and nobody has a marker. The writer alone calls this. Gives how many of either
    /// user's unread messages are unsent then, and up to which the chat is removed.
    pub(super) fn forget(
        &self,
        side: Side,
        gone: BTreeSet<Seq>,
        removable: Option<Seq>,
        ts: Ts,
    ) -> ([u64; 2], Seq) {
        let mut state = self.state.lock();
        state.assigned.forget(side, ts);
        state.gone[side.index()] = gone;
        let Head { last, standing, .. } = &mut state.assigned;
        if removable == Some(*last) && standing.markers == [Markers::START; 2] {
            standing.removed = *last;
        }
        (state.count_gone(), state.assigned.standing.removed)
    }

    /// Says that a user's markers are forgotten on disk; gives the chat's head on disk.
    pub(super) fn markers_are_forgotten(&self, side: Side, ts: Ts, gone: [u64; 2], removed: Seq) -> Head {
        let mut state = self.state.lock();
        state.durable.forget(side, ts);
        state.durable.standing.peers_gone = gone;
        state.durable.standing.removed = removed;
        if removed >= state.begin.first {
            let first_sent = state.durable.first_sent;
            state.begin = Begin { first: Seq(removed.0 + 1), ts: Ts(0), first_sent };
        }
        state.durable
    }

    /// Says that a message is on disk as it was revised; gives the chat's head on disk.
    pub(super) fn revision_is_durable(&self, message: &Arc<Message>, gone: [u64; 2]) -> Head {
        let mut state = self.state.lock();
        let state = &mut *state;
        let oldest = state.tail.front().map_or(u64::MAX, |oldest| oldest.seq.0);
        let at = message.seq.0.checked_sub(oldest).and_then(|at| usize::try_from(at).ok());
        if let Some(known) = at.and_then(|at| state.tail.get_mut(at)) {
            state.tail_bytes = state.tail_bytes - known.weight() + message.weight();
            *known = message.clone();
        }
        state.durable.revise(message.changed(), gone);
        state.trim();
        state.durable
    }

    /// Says that a message is on disk, and all before it; gives the chat's head on disk.
    pub(super) fn message_is_durable(&self, message: &Message) -> Head {
        let mut state = self.state.lock();
        state.durable.add(message);
        state.trim();
        state.durable
    }

    /// Says that markers are on disk; gives the chat's head on disk.
    pub(super) fn markers_are_durable(&self, moved: &[Marked], peers: u64, gone: [u64; 2]) -> Head {
        let mut state = self.state.lock();
        for marked in moved {
            state.durable.put(marked.side, marked.kind, marked.marker, peers);
        }
        state.durable.standing.peers_gone = gone;
        state.durable
    }

    /// A message, if it is here.
    pub(super) fn message(&self, seq: Seq) -> Option<Arc<Message>> {
        self.state.lock().at(seq).cloned()
    }

    /// The messages up to one and later than a time that have not expired, the newest first, if they are all here.
    pub(super) fn since(&self, last: Seq, since: Ts, limits: Limits) -> Option<Vec<Arc<Message>>> {
        let state = self.state.lock();
        let first = state.begin.first.max(limits.by_count(last));
        let reaches =
            |oldest: &Arc<Message>| oldest.seq <= first || oldest.ts <= since || oldest.ts < limits.cut;
        state.tail.front().is_some_and(reaches).then(|| {
            let newest_first = state.tail.iter().rev().skip_while(|message| message.seq > last);
            let kept = |message: &&Arc<Message>| message.seq >= first && message.ts >= limits.cut;
            newest_first.take_while(|message| message.ts > since).take_while(kept).cloned().collect()
        })
    }

    /// The page, if memory has all of it.
    pub(super) fn page(&self, query: &PageQuery, limits: Limits) -> InMemory {
        let state = self.state.lock();
        let (known, last) = (state.first(limits), state.durable.last);
        // Where the chat begins later than that, the page is read from disk.
        let first = known.unwrap_or(state.begin.first);
        let Some(begin) = query.begin(first, last) else { return InMemory::Page(Page::default()) };
        let on_disk = InMemory::OnDisk { head: state.durable };
        let Some(oldest) = state.tail.front().map(|message| message.seq) else { return on_disk };
        let end = match query.direction {
            Direction::Forward => Seq(begin.0 + query.limit as u64 - 1).min(last),
            Direction::Reverse => Seq((begin.0 + 1).saturating_sub(query.limit as u64)).max(first),
        };
        // The oldest here has not expired where it is not known what has; whether anything stands before it is not known either.
        if begin.min(end) < oldest || (known.is_none() && begin.min(end) == oldest) {
            return on_disk;
        }
        let index = |seq: Seq| usize::try_from(seq.0 - oldest.0).expect("an index of the tail");
        let messages =
            state.tail.range(index(begin.min(end))..=index(begin.max(end))).cloned().map(Ok::<_, Infallible>);
        let page = match query.direction {
            Direction::Forward => Page::fill(query, first, last, messages),
            Direction::Reverse => Page::fill(query, first, last, messages.rev()),
        };
        page.map_or(on_disk, InMemory::Page)
    }
}

impl CellState {
    fn at(&self, seq: Seq) -> Option<&Arc<Message>> {
        let oldest = self.tail.front()?.seq;
        self.tail.get(usize::try_from(seq.0.checked_sub(oldest.0)?).ok()?)
    }

    /// Where the chat begins, if memory can tell.
    fn first(&self, limits: Limits) -> Option<Seq> {
        let first = self.begin.first.max(limits.by_count(self.durable.last));
        if limits.cut == Ts(0) || self.begin.ts >= limits.cut || first > self.durable.last {
            return Some(first);
        }
        let oldest = self.tail.front()?;
        if oldest.seq > first && oldest.ts >= limits.cut {
            return None;
        }
        let expired = self.tail.partition_point(|message| message.ts < limits.cut) as u64;
        Some(first.max(Seq(oldest.seq.0 + expired)))
    }

    /// Counts the unread messages that are unsent, and puts that into the head.
    fn count_gone(&mut self) -> [u64; 2] {
        self.assigned.standing.peers_gone = [self.gone[0].len() as u64, self.gone[1].len() as u64];
        self.assigned.standing.peers_gone
    }

    /// Lets go of the oldest messages past the bounds, of those that are on disk.
    fn trim(&mut self) {
        while self.tail.len() > TAIL_MAX_MESSAGES || self.tail_bytes > TAIL_MAX_BYTES {
            match self.tail.front() {
                Some(oldest) if oldest.seq <= self.durable.last => {
                    self.tail_bytes -= oldest.weight();
                    self.tail.pop_front();
                }
                _ => return,
            }
        }
    }

    fn weight(&self) -> usize {
        let of_keys = |keys: &Keys| if keys.is_empty() { 0 } else { KEYS_BYTES + keys.len() * KEY_BYTES };
        let keys = self.keys.as_ref().map_or(0, of_keys);
        let gone = (self.gone[0].len() + self.gone[1].len()) * GONE_BYTES;
        CELL_BYTES + gone + self.tail_bytes + self.tail.len() * TAIL_MESSAGE_BYTES + keys
    }
}
