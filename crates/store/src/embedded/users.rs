//! The bounded cache of inboxes: who reads theirs has it in memory, in order, and kept up to date.
//!
//! An inbox enters the cache empty, takes every change from then on, and is filled meanwhile from disk. Since of two
//! heads of a chat the newer stays, it does not matter which of them comes first.

use super::head::{Begin, Head};
use crate::{
    retention::first_kept,
    vitals::{Asked, CacheVitals},
};
use chinwag_model::{Chat, InboxQuery, Seq, Side, Ts, UserId};
use parking_lot::Mutex;
use quick_cache::{DefaultHashBuilder, Lifecycle, OptionsBuilder, Weighter, sync::Cache};
use std::{
    collections::{BTreeSet, HashMap, hash_map},
    convert::Infallible,
    ops::Bound::{Excluded, Unbounded},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// Below this, one inbox could fill a part of the cache.
const CAPACITY_MIN_BYTES: u64 = 1 << 20;
/// What an inbox takes, about.
const INBOX_ESTIMATE_BYTES: u64 = 8_192;
/// What an inbox takes besides its chats: its place in the cache, and tables with room for the first; as measured.
const INBOX_BYTES: usize = 1_200;
/// What a chat takes in an inbox: its head in a hash map, its name, and its place in two orders; as measured.
const CHAT_BYTES: usize = 400;

/// When a chat's unread messages are to be counted: at the next look, whatever has expired.
const COUNT_ALWAYS: Ts = Ts(0);
/// The same, the first time.
const COUNT_ONCE: Ts = Ts(1);

/// Chats that are put into an inbox at once.
const FILL_CHATS: usize = 256;

/// The inboxes in memory.
pub(super) struct Users {
    cache: Cache<UserId, Entry, WeightOfEntry, DefaultHashBuilder, KeepUsed>,
    expiry: Expiry,
    hits: AtomicU64,
    misses: AtomicU64,
}

/// Whether messages expire, and the newest of each chat that are kept; 0: all.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Expiry {
    pub(super) any: bool,
    pub(super) keep: u64,
}

/// An inbox and what it counts for, which the cache subtracts once it goes.
#[derive(Clone)]
struct Entry {
    inbox: Arc<Inbox>,
    weight_bytes: u64,
}

#[derive(Clone)]
struct WeightOfEntry;

impl Weighter<UserId, Entry> for WeightOfEntry {
    fn weight(&self, _user: &UserId, entry: &Entry) -> u64 {
        entry.weight_bytes
    }
}

/// Keeps an inbox while anyone uses it: one that is being filled takes every change meanwhile.
#[derive(Clone)]
struct KeepUsed;

impl Lifecycle<UserId, Entry> for KeepUsed {
    type RequestState = ();

    fn is_pinned(&self, _user: &UserId, entry: &Entry) -> bool {
        Arc::strong_count(&entry.inbox) > 1
    }
}

/// One user's chats.
pub(super) struct Inbox {
    state: Mutex<State>,
    /// Held while it is filled, so that it is read once, however many ask.
    pub(super) filling: tokio::sync::Mutex<()>,
}

/// A chat in the order of a time; without one, before all of that time.
type Moment = (Ts, Option<Chat>);

/// A chat as its inbox has it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown {
    pub(super) head: Head,
    /// Where it begins, as far as that was asked for.
    pub(super) begin: Begin,
    /// Unread messages that have not expired, as of the last count; see [`Inbox::to_count`].
    pub(super) unread: u64,
    /// The count is right while nothing from this time on has expired. `None`: always.
    count_at: Option<Ts>,
}

#[derive(Default)]
struct State {
    expiry: Expiry,
    /// Whether all the user's chats are here.
    filled: bool,
    chats: HashMap<Chat, Shown>,
    /// By the time of the last message. Only imported ones may share one.
    by_last: BTreeSet<Moment>,
    /// By the time of the last change. Only imported ones may share one.
    by_changed: BTreeSet<Moment>,
    /// By the time at which their unread messages are to be counted anew.
    by_count: BTreeSet<Moment>,
    unread: u64,
    /// How many chats the cache was last told.
    told_chats: usize,
}

impl Users {
    /// A cache of about `capacity_bytes`.
    pub(super) fn new(capacity_bytes: u64, expiry: Expiry) -> Self {
        let capacity_bytes = capacity_bytes.max(CAPACITY_MIN_BYTES);
        let options = OptionsBuilder::new()
            .estimated_items_capacity(
                usize::try_from(capacity_bytes / INBOX_ESTIMATE_BYTES).unwrap_or(usize::MAX),
            )
            .weight_capacity(capacity_bytes)
            // A part holds its share of the bytes, and one inbox may take megabytes.
            .shards(1)
            .build()
            .expect("both capacities are given");
        let cache = Cache::with_options(options, WeightOfEntry, DefaultHashBuilder::default(), KeepUsed);
        Self { cache, expiry, hits: AtomicU64::new(0), misses: AtomicU64::new(0) }
    }

    /// A user's inbox, which takes every change from now on. It may have to be filled.
    pub(super) fn get(&self, user: &UserId) -> Arc<Inbox> {
        if let Some(entry) = self.cache.get(user) {
            self.hits.fetch_add(1, Relaxed);
            return entry.inbox;
        }
        self.misses.fetch_add(1, Relaxed);
        // A second owner from the start, so that the cache keeps it.
        let state = Mutex::new(State { expiry: self.expiry, ..State::default() });
        let inbox = Arc::new(Inbox { state, filling: tokio::sync::Mutex::default() });
        let make = || Ok::<_, Infallible>(Entry { inbox: inbox.clone(), weight_bytes: weight_bytes(0) });
        match self.cache.get_or_insert_with(user, make) {
            Ok(entry) => entry.inbox,
            Err(never) => match never {},
        }
    }

    /// How it does.
    pub(super) fn vitals(&self) -> CacheVitals {
        CacheVitals {
            name: "inboxes",
            bytes: self.cache.weight(),
            capacity_bytes: self.cache.capacity(),
            asked: Some(Asked { hits: self.hits.load(Relaxed), misses: self.misses.load(Relaxed) }),
        }
    }

    /// Brings the inboxes of a chat's users up to date, of those that are here.
    pub(super) fn put(&self, chat: &Chat, head: &Head) {
        for &side in chat.sides() {
            if let Some(entry) = self.cache.peek(chat.user(side))
                && entry.inbox.put(chat, side, head)
            {
                self.reweigh(&chat.user_id(side), &entry.inbox);
            }
        }
    }

    /// Says what an inbox weighs now. The caller holds it.
    pub(super) fn reweigh(&self, user: &UserId, inbox: &Arc<Inbox>) {
        let chats = {
            let mut state = inbox.state.lock();
            state.told_chats = state.chats.len();
            state.told_chats
        };
        self.cache.insert(user.clone(), Entry { inbox: inbox.clone(), weight_bytes: weight_bytes(chats) });
    }
}

impl Inbox {
    /// Whether all the user's chats are here.
    pub(super) fn is_filled(&self) -> bool {
        self.state.lock().filled
    }

    /// Puts in all the user's chats, a few at a time: the task that answers everyone may wait for this inbox.
    pub(super) async fn fill(&self, heads: Vec<(Chat, Side, Head)>) {
        for some in heads.chunks(FILL_CHATS) {
            {
                let mut state = self.state.lock();
                for (chat, side, head) in some {
                    state.put(chat, *side, head);
                }
            }
            tokio::task::yield_now().await;
        }
        self.state.lock().filled = true;
    }

    /// Brings a chat up to date; whether the cache must be told of the weight.
    fn put(&self, chat: &Chat, side: Side, head: &Head) -> bool {
        let mut state = self.state.lock();
        state.put(chat, side, head);
        state.chats.len() > state.told_chats + state.told_chats / 4 + 8
    }

    /// The chats whose unread messages are to be counted anew, now that those from before `cut` have expired.
    pub(super) fn to_count(&self, cut: Ts) -> Vec<(Chat, Head)> {
        let state = self.state.lock();
        let before = (cut.max(Ts(COUNT_ONCE.0 + 1)), None);
        let chats = state.by_count.range(..before).filter_map(|(_, chat)| chat.as_ref());
        chats.map(|chat| (chat.clone(), state.chats[chat].head)).collect()
    }

    /// Takes in where chats begin, and of each the messages that are unread there. What a chat with another head now comes to is
    /// counted the next time.
    pub(super) fn counted(&self, chats: Vec<(Chat, Head, Begin, u64)>) {
        let mut state = self.state.lock();
        let state = &mut *state;
        for (chat, head, begin, unread) in chats {
            let known = state.chats.get_mut(&chat).filter(|shown| !shown.head.is_removed());
            let Some(shown) = known else { continue };
            state.unread = state.unread - shown.unread + unread;
            (shown.begin, shown.unread) = (begin, unread);
            let count_at =
                if shown.head == head { (unread > 0).then_some(begin.ts) } else { Some(COUNT_ALWAYS) };
            shown.count_at(count_at, &chat, &mut state.by_count);
        }
    }

    /// Takes in where a chat begins.
    pub(super) fn begins(&self, chat: &Chat, begin: Begin) {
        if let Some(shown) = self.state.lock().chats.get_mut(chat)
            && begin.first >= shown.begin.first
        {
            shown.begin = begin;
        }
    }

    /// What a page may show, the newest first, and one more to tell whether there is more; and the unread messages of
    /// all chats. A chat whose messages are all from before `cut` is not there, nor is one that was removed.
    pub(super) fn page(&self, query: &InboxQuery, cut: Ts) -> (Vec<(Chat, Shown)>, u64) {
        let state = self.state.lock();
        let is_there = |shown: &&Shown| {
            !shown.head.is_removed()
                && shown.head.last_ts >= cut
                && query.before.is_none_or(|before| shown.head.last_ts < before)
        };
        let heads = if let Some(chat) = &query.chat {
            let shown = state.chats.get(chat).filter(is_there);
            shown.map(|shown| (chat.clone(), *shown)).into_iter().collect()
        } else {
            let before = query.before.map_or(Unbounded, |before| Excluded((before, None)));
            let mut heads: Vec<(Chat, Shown)> = Vec::new();
            for (last_ts, chat) in state.by_last.range((Unbounded, before)).rev() {
                // A cursor is a time: those of one time are on one page.
                let full = heads.get(query.limit - 1).map(|(_, shown)| shown.head.last_ts);
                if *last_ts < cut
                    || full.is_some() && heads.last().map(|(_, shown)| shown.head.last_ts) != full
                {
                    break;
                }
                heads.extend(chat.iter().map(|chat| (chat.clone(), state.chats[chat])));
            }
            heads
        };
        (heads, state.unread)
    }

    /// The chats that changed since a time, at most `most` of them.
    pub(super) fn changed_since(&self, since: Ts, most: usize) -> Vec<(Chat, Head)> {
        let state = self.state.lock();
        let from = (Ts(since.0.saturating_add(1)), None);
        let chats = state.by_changed.range(from..).filter_map(|(_, chat)| chat.as_ref());
        chats.take(most).map(|chat| (chat.clone(), state.chats[chat].head)).collect()
    }
}

impl State {
    /// Puts in a head, unless a newer one is here.
    fn put(&mut self, chat: &Chat, side: Side, head: &Head) {
        let read_of = |head: &Head| head.standing.markers[side.index()].read.seq;
        let (mut was_read, mut went_back) = (None, false);
        // One that was removed is known, so that no older head puts it back, and stands in no order.
        let in_order = |ts| (!head.is_removed()).then(|| (ts, Some(chat.clone())));
        let shown = match self.chats.entry(chat.clone()) {
            hash_map::Entry::Occupied(known) if known.get().head.changed >= head.changed => return,
            hash_map::Entry::Occupied(known) => {
                let shown = known.into_mut();
                let before = shown.head;
                self.unread -= shown.unread;
                self.by_changed.remove(&(before.changed, Some(chat.clone())));
                if before.last_ts != head.last_ts || head.is_removed() {
                    self.by_last.remove(&(before.last_ts, Some(chat.clone())));
                    self.by_last.extend(in_order(head.last_ts));
                }
                went_back = read_of(head) < read_of(&before);
                was_read = (before.unread(side) == 0).then_some(before.last_ts);
                shown.head = *head;
                shown
            }
            hash_map::Entry::Vacant(place) => {
                self.by_last.extend(in_order(head.last_ts));
                place.insert(Shown { head: *head, begin: Begin::START, unread: 0, count_at: None })
            }
        };
        self.by_changed.extend(in_order(head.changed));
        let removed = head.standing.removed;
        let unread = if head.is_removed() { 0 } else { head.unread(side) };
        shown.unread = unread;
        self.unread += unread;
        if self.expiry.any || removed > Seq(0) {
            // What is unread may have expired in part: by its number, or by its age, which one look at the chat tells until when not.
            let first = shown.begin.first.max(first_kept(self.expiry.keep, head.last));
            let by_number = first.max(Seq(removed.0 + 1)) > Seq(read_of(head).0 + 1);
            let count_at = match shown.count_at {
                _ if unread == 0 => None,
                _ if by_number => Some(COUNT_ALWAYS),
                // An erased user's marker is at the start again, and what it had passed may have expired.
                _ if went_back => Some(COUNT_ONCE),
                Some(known) if known != COUNT_ALWAYS => Some(known),
                // What is unread came after that.
                _ => Some(was_read.unwrap_or(COUNT_ONCE)),
            };
            shown.count_at(count_at, chat, &mut self.by_count);
        }
    }
}

impl Shown {
    /// Says when the unread messages are to be counted anew.
    fn count_at(&mut self, at: Option<Ts>, chat: &Chat, order: &mut BTreeSet<Moment>) {
        let before = std::mem::replace(&mut self.count_at, at);
        if before != at {
            before.map(|before| order.remove(&(before, Some(chat.clone()))));
            order.extend(at.map(|at| (at, Some(chat.clone()))));
        }
    }
}

fn weight_bytes(chats: usize) -> u64 {
    (INBOX_BYTES + chats * CHAT_BYTES) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{inbox, user};
    use chinwag_model::Message;

    fn chat(name: &str) -> Chat {
        Chat::parse(name).expect("valid").0
    }

    /// The head after message `seq` of the first user, at time `ts`.
    fn head(chat: &Chat, seq: u64, ts: u64) -> Head {
        let message = Message {
            chat: chat.clone(),
            seq: Seq(seq),
            ts: Ts(ts),
            sender: Side::First,
            nth: seq,
            text: "x".into(),
            key: None,
            data: None,
            revision: None,
        };
        Head::of(&message, crate::embedded::head::Standing::START)
    }

    #[tokio::test]
    async fn a_change_during_the_filling_is_not_lost() {
        let users = Users::new(0, Expiry::default());
        let inbox_of_b = users.get(&user("b"));
        assert!(!inbox_of_b.is_filled());
        let (ab, bc) = (chat("a:b"), chat("b:c"));
        users.put(&ab, &head(&ab, 7, 70));
        let stale =
            vec![(ab.clone(), Side::Second, head(&ab, 6, 60)), (bc.clone(), Side::First, head(&bc, 2, 65))];
        inbox_of_b.fill(stale).await;
        assert!(users.get(&user("b")).is_filled());
        let shown = |limit| {
            let (heads, unread) = inbox_of_b.page(&inbox("b", 0, limit, None), Ts(0));
            (
                heads.iter().map(|(chat, shown)| (chat.to_string(), shown.head.last.0)).collect::<Vec<_>>(),
                unread,
            )
        };
        assert_eq!(shown(10), (vec![("a:b".into(), 7), ("b:c".into(), 2)], 7));
        users.put(&bc, &head(&bc, 3, 80));
        assert_eq!(shown(10), (vec![("b:c".into(), 3), ("a:b".into(), 7)], 7));
        let since =
            |ts| inbox_of_b.changed_since(Ts(ts), 10).into_iter().map(|(chat, _)| chat).collect::<Vec<_>>();
        assert_eq!((since(69), since(70), since(80)), (vec![ab, bc.clone()], vec![bc], vec![]));
    }

    #[tokio::test]
    async fn a_used_inbox_outlives_any_crowd_and_the_cache_stays_small() {
        let users = Users::new(0, Expiry::default());
        let used: Vec<_> = (0..50).map(|n| users.get(&user(&format!("used{n}")))).collect();
        for n in 0..20_000 {
            let name = format!("u{n}");
            let inbox = users.get(&user(&name));
            let chat = chat(&format!("a:{name}"));
            inbox.fill(vec![(chat.clone(), Side::Second, head(&chat, 1, n))]).await;
            users.reweigh(&user(&name), &inbox);
            // Whoever is not here is not brought up to date.
            users.put(&chat, &head(&chat, 2, 100_000 + n));
        }
        for (n, inbox) in used.iter().enumerate() {
            assert!(Arc::ptr_eq(inbox, &users.get(&user(&format!("used{n}")))), "user {n}");
        }
        assert!(users.cache.weight() <= 2 * CAPACITY_MIN_BYTES, "{} bytes", users.cache.weight());
        assert!(users.cache.len() < 10_000, "{} inboxes", users.cache.len());
    }

    #[tokio::test]
    async fn an_inbox_that_grows_is_told_to_the_cache() {
        let users = Users::new(0, Expiry::default());
        let held = users.get(&user("a"));
        held.fill(Vec::new()).await;
        users.reweigh(&user("a"), &held);
        for n in 0..1_000 {
            let chat = chat(&format!("a:{n}"));
            users.put(&chat, &head(&chat, 1, n + 1));
        }
        assert!(users.cache.weight() >= weight_bytes(800), "{} bytes", users.cache.weight());
    }
}
