//! The part of the contract that is of users: marks, inboxes, what was missed, and the outlet.

use super::{Backend, START, draft, fresh};
use crate::{CatchUp, Outlet, Store, StoreError};
use chinwag_model::{
    Chat, Event, InboxPage, InboxQuery, Mark, Marked, Marker, MarkerKind,
    MarkerKind::Delivered,
    MarkerKind::Read,
    Message, Seq, Side, Ts, UserId,
    limits::{CATCH_UP_MAX_BYTES, CATCH_UP_MAX_EVENTS, TAIL_MAX_MESSAGES, TEXT_HARD_MAX_BYTES},
};
use parking_lot::Mutex;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::sync::mpsc;

/// How long a test waits for what must come.
const WATCHDOG: Duration = Duration::from_mins(1);

/// A mark of a user in a chat.
pub fn mark(chat: &str, user: &str, kind: MarkerKind, seq: u64) -> Mark {
    Mark::new(Chat::parse(chat).expect("a chat").0, user, kind, seq).expect("a mark")
}

/// A user.
pub fn user(name: &str) -> UserId {
    UserId::parse("user", name).expect("a user")
}

/// A query of an inbox.
pub fn inbox(name: &str, cursor: u64, limit: usize, chat: Option<&str>) -> InboxQuery {
    let chat = chat.map(|chat| Chat::parse(chat).expect("a chat").0);
    InboxQuery::new(user(name), cursor, limit, chat).expect("a query")
}

async fn send(store: &dyn Store, chat: &str, sender: &str) -> Arc<Message> {
    store.append(draft(chat, sender, "x")).await.expect("stored").message
}

async fn marked(store: &dyn Store, chat: &str, name: &str, kind: MarkerKind, seq: u64) -> Marker {
    let wanted = mark(chat, name, kind, seq);
    let Marked { chat, side, kind, marker } = store.mark(wanted.clone()).await.expect("marked");
    assert_eq!((chat, side, kind), (wanted.chat, wanted.side, wanted.kind));
    marker
}

async fn unread(store: &dyn Store, name: &str, chat: &str) -> u64 {
    let page = store.inbox(inbox(name, 0, 10, Some(chat))).await.expect("an inbox");
    page.entries[0].unread
}

async fn missed(store: &dyn Store, name: &str, since: Ts) -> Option<Vec<Event>> {
    store.catch_up(user(name), Some(since)).await.expect("caught up").events
}

/// Also where it is asked to go back, and of either user; read raises delivered, each with a time of its own.
pub async fn a_marker_moves_forward_only_and_not_past_the_last_message(backend: &dyn Backend) {
    let (_, store) = fresh(backend);
    let store = &*store;
    let at = |seq, ts| Marker { seq: Seq(seq), ts: Ts(START.0 + ts) };
    assert_eq!(marked(store, "a:b", "a", Read, 5).await, Marker::START, "a chat without a message");
    for _ in 0..3 {
        send(store, "a:b", "a").await;
    }
    assert_eq!(marked(store, "a:b", "b", Delivered, 2).await, at(2, 3));
    assert_eq!(marked(store, "b:a", "b", Delivered, 1).await, at(2, 3), "never back");
    assert_eq!(marked(store, "a:b", "b", Delivered, 2).await, at(2, 3), "a repeat");
    assert_eq!(marked(store, "a:b", "b", Read, 1).await, at(1, 4), "delivered stands further");
    assert_eq!(marked(store, "a:b", "b", Read, 99).await, at(3, 6), "both, delivered first, to the last");
    assert_eq!(marked(store, "a:b", "b", Delivered, 99).await, at(3, 5));
    assert_eq!(marked(store, "a:b", "a", Read, 3).await, at(3, 8), "the sender's own");
    assert_eq!(
        send(store, "a:b", "b").await.ts,
        Ts(START.0 + 9),
        "sending moves no marker, refused marks no time"
    );
    assert_eq!(marked(store, "a:b", "b", Read, 3).await, at(3, 6));
    send(store, "me:me", "me").await;
    assert_eq!(marked(store, "me:me", "me", Read, 1).await.seq, Seq(1));
}

/// 64 tasks at once.
pub async fn marks_at_once_leave_the_furthest(backend: &dyn Backend) {
    let (_, store) = fresh(backend);
    for _ in 0..3 * TAIL_MAX_MESSAGES {
        send(&*store, "a:b", "a").await;
    }
    let tasks: Vec<_> = (1..=64)
        .map(|seq| {
            let store = store.clone();
            let kind = if seq % 2 == 0 { Read } else { Delivered };
            tokio::spawn(async move {
                assert!(marked(&*store, "a:b", "b", kind, seq).await.seq >= Seq(seq));
            })
        })
        .collect();
    for task in tasks {
        tokio::time::timeout(WATCHDOG, task).await.expect("marks end").expect("no panic");
    }
    let page = store.inbox(inbox("b", 0, 10, None)).await.expect("an inbox");
    let markers = page.entries[0].markers[Side::Second.index()];
    assert_eq!((markers.delivered.seq, markers.read.seq), (Seq(64), Seq(64)));
    assert_eq!(page.unread_total, 3 * TAIL_MAX_MESSAGES as u64 - 64);
}

/// Not one's own, and not in a note to self.
pub async fn unread_counts_the_peers_messages_above_the_marker(backend: &dyn Backend) {
    let (_, store) = fresh(backend);
    let store = &*store;
    for n in 0..60 {
        send(store, "a:b", if n % 3 == 0 { "b" } else { "a" }).await;
    }
    assert_eq!((unread(store, "a", "a:b").await, unread(store, "b", "a:b").await), (20, 40));
    marked(store, "a:b", "b", Delivered, 60).await;
    assert_eq!(unread(store, "b", "a:b").await, 40, "delivered is not read");
    for (seq, left) in [(1, 40), (2, 39), (30, 20), (29, 20), (60, 0)] {
        marked(store, "a:b", "b", Read, seq).await;
        assert_eq!(unread(store, "b", "a:b").await, left, "read up to {seq}");
    }
    send(store, "a:b", "b").await;
    assert_eq!((unread(store, "a", "a:b").await, unread(store, "b", "a:b").await), (21, 0));
    send(store, "a:b", "a").await;
    assert_eq!(unread(store, "b", "a:b").await, 1);
    send(store, "a:a", "a").await;
    assert_eq!(unread(store, "a", "a:a").await, 0);
    for _ in 0..20 {
        send(store, "a:c", "c").await;
    }
    marked(store, "a:c", "a", Read, 10).await;
    assert_eq!(unread(store, "a", "a:c").await, 10);
    let page = store.inbox(inbox("a", 0, 1, None)).await.expect("an inbox");
    assert_eq!((page.entries.len(), page.unread_total), (1, 21 + 10), "over all pages");
}

/// The latest first; a cursor excludes its own entry; one chat can be asked for; others' chats never appear.
pub async fn an_inbox_is_in_order_and_pages(backend: &dyn Backend) {
    let (_, store) = fresh(backend);
    let store = &*store;
    let nothing = store.inbox(inbox("a", 0, 10, None)).await.expect("an inbox");
    assert_eq!(nothing, InboxPage::default());
    let mut lasts = Vec::new();
    for n in 0..25 {
        send(store, &format!("a:p{n}"), "a").await;
        send(store, &format!("aa:p{n}"), "aa").await;
    }
    for n in (0..25).map(|n| n * 7 % 25) {
        lasts.push(send(store, &format!("p{n}:a"), &format!("p{n}")).await);
    }
    lasts.reverse();
    for limit in [1, 2, 7, 24, 25, 26, 1_000] {
        let (mut seen, mut cursor) = (Vec::new(), 0);
        loop {
            let page = store.inbox(inbox("a", cursor, limit, None)).await.expect("an inbox");
            assert!(page.entries.len() <= limit && page.unread_total == 25);
            seen.extend(page.entries.iter().map(|entry| entry.last.clone()));
            match page.next {
                Some(next) => cursor = next.0,
                None => break,
            }
        }
        assert_eq!(seen, lasts, "{limit} a page");
    }
    let default = store.inbox(inbox("a", 0, 0, None)).await.expect("an inbox");
    assert_eq!((default.entries.len(), default.next), (10, Some(lasts[9].ts)));
    let one = store.inbox(inbox("a", 0, 10, Some("a:p3"))).await.expect("an inbox");
    assert_eq!((one.entries.len(), one.entries[0].chat.as_str(), one.next), (1, "a:p3", None));
    assert_eq!((one.entries[0].side, one.entries[0].unread, one.unread_total), (Side::First, 1, 25));
    let before = store.inbox(inbox("a", one.entries[0].last.ts.0, 10, Some("a:p3"))).await.expect("an inbox");
    assert_eq!((before.entries, before.unread_total), (vec![], 25), "the cursor excludes");
    let none = store.inbox(inbox("a", 0, 10, Some("a:nobody"))).await.expect("an inbox");
    assert_eq!((none.entries, none.unread_total), (vec![], 25));
    let peer = store.inbox(inbox("p3", 0, 10, None)).await.expect("an inbox");
    assert_eq!(peer.entries.len(), 2);
}

/// Also an inbox that nobody has read before, and that many ask for at once while others write to its user.
pub async fn an_inbox_shows_what_was_acknowledged(backend: &dyn Backend) {
    let (_, store) = fresh(backend);
    let tasks: Vec<_> = (0..16)
        .map(|task| {
            let store = store.clone();
            tokio::spawn(async move {
                for round in 0..30 {
                    let (name, peer) = (format!("u{round}"), format!("t{task}"));
                    let chat = format!("{name}:{peer}");
                    for sent in 1..=3 {
                        send(&*store, &chat, &peer).await;
                        assert_eq!(unread(&*store, &name, &chat).await, sent, "{chat}");
                    }
                    marked(&*store, &chat, &name, Read, 2).await;
                    assert_eq!(unread(&*store, &name, &chat).await, 1, "{chat}");
                }
            })
        })
        .collect();
    for task in tasks {
        tokio::time::timeout(WATCHDOG, task).await.expect("writers end").expect("no panic");
    }
    for round in 0..30 {
        let page = store.inbox(inbox(&format!("u{round}"), 0, 1_000, None)).await.expect("an inbox");
        assert_eq!((page.entries.len(), page.unread_total), (16, 16));
    }
}

/// Each message, and each marker as it stands.
pub async fn a_catch_up_tells_each_thing_once_in_order(backend: &dyn Backend) {
    let (clock, store) = fresh(backend);
    let store = &*store;
    let nothing = store.catch_up(user("a"), None).await.expect("caught up");
    assert_eq!(nothing.events, Some(vec![]));
    let mut sent = Vec::new();
    for n in 0..2 * TAIL_MAX_MESSAGES {
        sent.push(Event::Message(send(store, "a:b", "a").await));
        sent.push(Event::Message(send(store, "c:a", if n % 2 == 0 { "a" } else { "c" }).await));
        send(store, "b:c", "b").await;
    }
    let CatchUp { upto, events } = store.catch_up(user("a"), None).await.expect("caught up");
    assert_eq!(events, Some(vec![]));
    assert_eq!(missed(store, "a", Ts(0)).await.as_ref(), Some(&sent), "from the beginning");
    for at in [0, 1, 2, sent.len() / 2, sent.len() - 3, sent.len() - 1] {
        let since = sent[at].ts().expect("a time");
        assert_eq!(missed(store, "a", since).await.as_deref(), Some(&sent[at + 1..]), "after {at}");
    }
    for seq in [1, 2, 3] {
        marked(store, "a:b", "b", Read, seq).await;
    }
    let delivered = marked(store, "a:c", "a", Delivered, 9).await;
    marked(store, "a:c", "a", Delivered, 4).await;
    clock.advance(Duration::from_secs(1));
    let last = Event::Message(send(store, "a:b", "b").await);
    let chat = |name| Chat::parse(name).expect("a chat").0;
    let event = |chat, side, kind, marker| Event::Marker(Marked { chat, side, kind, marker });
    let of_b = Marker { seq: Seq(3), ts: Ts(upto.0 + 5) };
    let expected = vec![
        event(chat("a:b"), Side::Second, Delivered, of_b),
        event(chat("a:b"), Side::Second, Read, Marker { ts: Ts(upto.0 + 6), ..of_b }),
        event(chat("a:c"), Side::First, Delivered, delivered),
        last.clone(),
    ];
    assert_eq!(
        missed(store, "a", upto).await,
        Some(expected.clone()),
        "a marker that moved thrice comes once"
    );
    let of_c = missed(store, "c", upto).await.expect("not too much");
    assert_eq!(of_c, expected[2..3], "nothing of other chats");
    assert_eq!(missed(store, "nobody", Ts(0)).await, Some(vec![]));
    let now = store.catch_up(user("a"), None).await.expect("caught up").upto;
    assert_eq!(Some(now), last.ts());
    assert_eq!(missed(store, "a", now).await, Some(vec![]));
    assert_eq!(missed(store, "a", Ts(now.0 + 1)).await, None, "ahead of the store");
    assert_eq!(missed(store, "a", Ts(now.0 - 1)).await, None, "nothing happened then");
}

/// By events, and by bytes.
pub async fn a_catch_up_that_is_too_much_is_refused(backend: &dyn Backend) {
    let (_, store) = fresh(backend);
    let mut first = None;
    let n = CATCH_UP_MAX_EVENTS + 1;
    for chunk in (0..n).collect::<Vec<_>>().chunks(500) {
        let sends: Vec<_> = chunk
            .iter()
            .map(|n| {
                let (store, draft) = (store.clone(), draft(&format!("a:b{}", n % 7), "a", "x"));
                tokio::spawn(async move { store.append(draft).await })
            })
            .collect();
        for sent in sends {
            let ts = sent.await.expect("ended").expect("stored").message.ts;
            first = Some(first.map_or(ts, |first: Ts| first.min(ts)));
        }
    }
    let first = first.expect("sent");
    assert_eq!(missed(&*store, "a", Ts(0)).await, None);
    assert_eq!(missed(&*store, "a", first).await.map(|events| events.len()), Some(CATCH_UP_MAX_EVENTS));
    let text = "x".repeat(TEXT_HARD_MAX_BYTES);
    let since = store.catch_up(user("a"), None).await.expect("caught up").upto;
    let (mut count, mut bytes) = (0, 0);
    while bytes <= CATCH_UP_MAX_BYTES {
        assert_eq!(missed(&*store, "a", since).await.map(|events| events.len()), Some(count));
        bytes += store.append(draft("a:b", "b", &text)).await.expect("stored").message.weight();
        count += 1;
    }
    assert_eq!(missed(&*store, "a", since).await, None);
}

/// Passes what it hears on.
pub(super) struct Hears(pub(super) mpsc::UnboundedSender<Event>);

impl Outlet for Hears {
    fn committed(&self, events: Vec<Event>) {
        for event in events {
            drop(self.0.send(event));
        }
    }
}

/// Times rise, each event comes once, and its reply comes after it.
pub async fn the_outlet_hears_everything_in_order_after_it_is_read(backend: &dyn Backend) {
    let (_, store) = fresh(backend);
    let (outlet, mut heard) = mpsc::unbounded_channel();
    store.publish_to(Arc::new(Hears(outlet)));
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let store = store.clone();
            tokio::spawn(async move {
                let chat = format!("a:b{}", task % 3);
                for _ in 0..50 {
                    let sent = send(&*store, &chat, "a").await;
                    marked(&*store, &chat, "a", Read, sent.seq.0).await;
                }
            })
        })
        .collect();
    for task in tasks {
        tokio::time::timeout(WATCHDOG, task).await.expect("writers end").expect("no panic");
    }
    let mut last = Ts(0);
    let mut messages = 0;
    // All are here: each was told before its reply.
    while let Ok(event) = heard.try_recv() {
        let ts = event.ts().expect("a time");
        assert!(ts > last, "{ts:?} after {last:?}");
        last = ts;
        messages += usize::from(matches!(event, Event::Message(_)));
    }
    assert_eq!(messages, 8 * 50);
    assert_eq!(store.catch_up(user("a"), None).await.expect("caught up").upto, last);
    marked(&*store, "a:b0", "a", Read, 1).await;
    assert!(heard.try_recv().is_err(), "a marker that does not move is not told");
}

/// What one user holds of the feed: each message, and the furthest of each marker.
#[derive(Debug, Default, PartialEq)]
struct Held {
    messages: BTreeMap<(String, u64), Ts>,
    markers: BTreeMap<(String, Side, MarkerKind), Marker>,
}

impl Held {
    fn take(&mut self, event: &Event) {
        match event {
            Event::Message(message) => {
                let key = (message.chat.to_string(), message.seq.0);
                assert_eq!(self.messages.insert(key, message.ts), None, "{message:?} came twice");
            }
            Event::Marker(marked) => {
                let key = (marked.chat.to_string(), marked.side, marked.kind);
                let before = self.markers.insert(key, marked.marker);
                assert!(
                    before.is_none_or(|before| before.ts < marked.marker.ts),
                    "{marked:?} after {before:?}"
                );
            }
            _ => panic!("not of this test"),
        }
    }
}

/// Who listens now; each hears from the moment on that it is here.
#[derive(Default)]
struct Listeners(Mutex<Vec<mpsc::UnboundedSender<Event>>>);

impl Outlet for Listeners {
    fn committed(&self, events: Vec<Event>) {
        let listeners = self.0.lock();
        for event in &events {
            listeners.iter().for_each(|listener| drop(listener.send(event.clone())));
        }
    }
}

/// Listens, catches up from the beginning, then goes on live until a message says `end`.
async fn follow(store: Arc<dyn Store>, listeners: Arc<Listeners>) -> Held {
    let (listener, mut live) = mpsc::unbounded_channel();
    listeners.0.lock().push(listener);
    let CatchUp { upto, events } = store.catch_up(user("a"), Some(Ts(0))).await.expect("caught up");
    let events = events.expect("not too much");
    assert!(events.is_sorted_by_key(Event::ts) && events.iter().all(|event| event.ts() <= Some(upto)));
    let mut held = Held::default();
    for event in &events {
        held.take(event);
    }
    let ended = |event: &Event| matches!(event, Event::Message(message) if &*message.text == "end");
    if events.last().is_some_and(ended) {
        return held;
    }
    while let Some(event) = live.recv().await {
        if event.ts() > Some(upto) {
            held.take(&event);
        }
        if ended(&event) {
            break;
        }
    }
    held
}

/// Whoever listens, then catches up, then goes on live, has everything once, whenever it begins.
pub async fn a_catch_up_and_the_outlet_have_no_seam(backend: &dyn Backend) {
    let (_, store) = fresh(backend);
    let listeners = Arc::<Listeners>::default();
    store.publish_to(listeners.clone());
    let writers: Vec<_> = (0..6)
        .map(|task| {
            let store = store.clone();
            tokio::spawn(async move {
                let chat = format!("a:b{}", task % 4);
                for n in 0..200 {
                    let sent = send(&*store, &chat, "a").await;
                    if n % 3 == task % 3 {
                        marked(&*store, &chat, "a", if n % 2 == 0 { Read } else { Delivered }, sent.seq.0)
                            .await;
                    }
                }
            })
        })
        .collect();
    let mut followers = Vec::new();
    while !writers.iter().all(tokio::task::JoinHandle::is_finished) {
        if followers.len() < 200 {
            followers.push(tokio::spawn(follow(store.clone(), listeners.clone())));
        }
        // At a moment that the writes of others choose.
        send(&*store, "x:y", "x").await;
    }
    for writer in writers {
        writer.await.expect("no panic");
    }
    followers.push(tokio::spawn(follow(store.clone(), listeners.clone())));
    store.append(draft("a:b0", "a", "end")).await.expect("stored");
    let mut all = Held::default();
    missed(&*store, "a", Ts(0)).await.expect("not too much").iter().for_each(|event| all.take(event));
    assert_eq!(all.messages.len(), 6 * 200 + 1);
    for follower in followers {
        let mut held = tokio::time::timeout(WATCHDOG, follower)
            .await
            .expect("a follower hears the end")
            .expect("no panic");
        // The outlet tells of other users' chats too.
        held.messages.retain(|(chat, _), _| chat.starts_with("a:"));
        assert_eq!(held, all);
    }
}

/// Nor anything else of a user.
pub async fn a_closed_store_has_no_inbox(backend: &dyn Backend) {
    let (_, store) = fresh(backend);
    send(&*store, "a:b", "a").await;
    store.close().await.expect("closed");
    let closed = |error| matches!(error, Some(StoreError::Unavailable(_)));
    assert!(closed(store.inbox(inbox("a", 0, 10, None)).await.err()));
    assert!(closed(store.catch_up(user("a"), None).await.err()));
    assert!(closed(store.mark(mark("a:b", "a", Read, 1)).await.err()));
}

/// With a clock that is behind, and the epoch.
pub async fn inboxes_and_markers_are_there_again(backend: &dyn Backend) {
    if !backend.is_durable() {
        return;
    }
    let (clock, mut store) = fresh(backend);
    let epoch = store.epoch();
    for round in 0..4_u64 {
        for chat in ["a:b", "a:c", "a:a", "b:c"] {
            for n in 0..20 {
                send(&*store, chat, if n % 2 == 0 { &chat[..1] } else { &chat[2..] }).await;
            }
        }
        marked(&*store, "a:b", "a", Read, 10 * (round + 1)).await;
        marked(&*store, "a:c", "c", Delivered, 10 * (round + 1)).await;
        let mut before = Vec::new();
        for name in ["a", "b", "c"] {
            before.push((
                store.inbox(inbox(name, 0, 10, None)).await.expect("an inbox"),
                store.catch_up(user(name), Some(START)).await.expect("caught up"),
            ));
        }
        store.close().await.expect("closed");
        drop(store);
        clock.step_to(Ts(START.0 - round));
        store = backend.open(clock.clone());
        assert_eq!(store.epoch(), epoch);
        for (name, before) in ["a", "b", "c"].into_iter().zip(before) {
            assert_eq!(store.inbox(inbox(name, 0, 10, None)).await.expect("an inbox"), before.0);
            assert_eq!(store.catch_up(user(name), Some(START)).await.expect("caught up"), before.1);
        }
    }
}
