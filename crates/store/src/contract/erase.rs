//! Erasing a user from a chat: message by message, and then the markers.

use super::{START, UNSEND, draft, fresh, inbox, keyed, mark, query, react, revise, user};
use crate::{Appended, Retention, Store, StoreError};
use chinwag_model::{
    Change, Chat, Data, Direction, Draft, Event, ManualClock, MarkerKind, Markers, Message, Revise, Reviser,
    RevisionKind, Seq, Side,
};
use std::{sync::Arc, time::Duration};

use super::Backend;

/// The erasure of a user from one message.
pub fn erase(chat: &str, name: &str, seq: u64) -> Revise {
    let (chat, _) = Chat::parse(chat).expect("a chat");
    let of = chat.side_of(name).expect("a member");
    Revise { chat, seq: Seq(seq), by: Reviser::Admin, change: Change::Erase { of } }
}

/// Erases a user from a chat of a few messages; whether there were markers.
async fn erased(store: &dyn Store, chat: &str, name: &str) -> bool {
    for message in messages(store, chat).await {
        store.revise(erase(chat, name, message.seq.0)).await.expect("erased");
    }
    let (chat, _) = Chat::parse(chat).expect("a chat");
    let side = chat.side_of(name).expect("a member");
    store.forget(chat, side).await.expect("forgotten")
}

async fn messages(store: &dyn Store, chat: &str) -> Vec<Arc<Message>> {
    store.page(query(chat, 0, Direction::Forward, 100)).await.expect("a page").messages
}

/// Of a chat of `a` and `b`: the unread count of a user, and both users' markers.
async fn stands(store: &dyn Store, name: &str) -> (u64, [Markers; 2]) {
    let page = store.inbox(inbox(name, 0, 1, Some("a:b"))).await.expect("an inbox");
    (page.entries[0].unread, page.entries[0].markers)
}

/// Six messages of both, with keys, data, reactions and markers; the fifth was unsent.
async fn history(store: &dyn Store) {
    let data = Data::from_compact("{\"n\":1}").ok();
    store.append(Draft { data, ..keyed("a:b", "a", "one", "k1") }).await.expect("stored");
    for (name, text, key) in
        [("b", "two", "k2"), ("a", "three", "k3"), ("b", "four", "k4"), ("b", "five", "k5")]
    {
        store.append(keyed("a:b", name, text, key)).await.expect("stored");
    }
    store.append(draft("a:b", "b", "six")).await.expect("stored");
    for (name, seq) in [("a", 2), ("b", 2), ("b", 3)] {
        store.revise(revise("a:b", name, seq, react("👍", false))).await.expect("reacted");
    }
    store.revise(revise("a:b", "b", 5, UNSEND)).await.expect("unsent");
    store.mark(mark("a:b", "a", MarkerKind::Read, 6)).await.expect("marked");
    store.mark(mark("a:b", "b", MarkerKind::Read, 1)).await.expect("marked");
}

/// What the user said and did is gone; what the peer did is there, and counted.
pub async fn an_erased_user_is_in_no_message_and_the_peer_keeps_theirs(backend: &dyn Backend) {
    let (_, store) = fresh(backend);
    history(&*store).await;
    let since = store.catch_up(user("b"), None).await.expect("a place").upto;
    let before = messages(&*store, "a:b").await;
    let own = Revise { by: Reviser::User(Side::First), ..erase("a:b", "a", 1) };
    assert_eq!(store.revise(own).await, Err(StoreError::NotTheSender), "it is no user's to do");
    assert!(erased(&*store, "a:b", "a").await, "there were markers");

    let after = messages(&*store, "a:b").await;
    for seq in [1, 3] {
        let message = &after[seq - 1];
        let gone = (&*message.text, message.key.is_none(), message.data.is_none(), message.is_unsent());
        assert_eq!(gone, ("", true, true, true));
        let revision = message.revision.as_deref().expect("revised");
        assert_eq!((revision.reactions.len(), revision.first_digest, revision.edited_ts), (0, None, None));
        assert_eq!(
            (message.seq, message.ts, message.nth),
            (before[seq - 1].seq, before[seq - 1].ts, before[seq - 1].nth)
        );
    }
    let reactions: Vec<_> =
        after[1].revision.iter().flat_map(|revision| &revision.reactions).map(|one| one.by).collect();
    assert_eq!((&*after[1].text, reactions), ("two", vec![Side::Second]));
    assert_eq!(after[3..], before[3..], "the rest is the peer's alone");
    let (unread, markers) = stands(&*store, "b").await;
    assert_eq!((unread, markers[0], markers[1].read.seq), (0, Markers::START, Seq(1)));
    assert_eq!(stands(&*store, "a").await.0, 3, "of four of the peer's one was unsent");

    let told = store.catch_up(user("b"), Some(since)).await.expect("caught up").events.expect("not too much");
    let event = |at: usize, kind| Event::Revised { message: after[at].clone(), kind };
    let [one, two, three] =
        [(0, RevisionKind::Unsend), (1, RevisionKind::Reaction), (2, RevisionKind::Unsend)];
    assert_eq!(told, [event(one.0, one.1), event(two.0, two.1), event(three.0, three.1)]);

    assert!(!erased(&*store, "a:b", "a").await, "there is nothing left");
    assert_eq!(messages(&*store, "a:b").await, after, "and nothing was done");
}

/// Nothing of an earlier send is known, so a repeat is another message.
pub async fn an_erased_key_is_new(backend: &dyn Backend) {
    let (_, store) = fresh(backend);
    history(&*store).await;
    let known = store.append(keyed("a:b", "a", "three", "k3")).await.expect("known");
    assert_eq!((known.replayed, known.message.seq), (true, Seq(3)));
    erased(&*store, "a:b", "a").await;
    let new = store.append(keyed("a:b", "a", "another", "k3")).await.expect("stored");
    assert_eq!((new.replayed, new.message.seq, new.message.nth), (false, Seq(7), 3));
    let known = store.append(keyed("a:b", "b", "four", "k4")).await.expect("known");
    assert_eq!((known.replayed, known.message.seq), (true, Seq(4)), "the peer's are known");
    let known = store.append(keyed("a:b", "b", "two", "k2")).await.expect("known");
    assert_eq!((known.replayed, known.message.seq), (true, Seq(2)), "also where the user had reacted");
    assert_eq!(stands(&*store, "b").await.0, 1);
    let known = store.append(keyed("a:b", "a", "another", "k3")).await.expect("known");
    assert_eq!((known.replayed, known.message.seq), (true, Seq(7)));
}

/// After the store was opened again.
pub async fn an_erasure_is_there_again(backend: &dyn Backend) {
    if !backend.is_durable() {
        return;
    }
    let (clock, store) = fresh(backend);
    history(&*store).await;
    erased(&*store, "a:b", "a").await;
    let (after, of_a, of_b) =
        (messages(&*store, "a:b").await, stands(&*store, "a").await, stands(&*store, "b").await);
    store.close().await.expect("closed");
    drop(store);
    let store = backend.open(clock);
    assert_eq!(messages(&*store, "a:b").await, after);
    assert_eq!((stands(&*store, "a").await, stands(&*store, "b").await), (of_a, of_b));
    let new = store.append(keyed("a:b", "a", "another", "k1")).await.expect("stored");
    assert!(!new.replayed);
    store.mark(mark("a:b", "a", MarkerKind::Read, 2)).await.expect("marked");
    assert_eq!(stands(&*store, "a").await.0, 2);
}

/// The numbers of a chat's messages, its unread ones, and where it begins, as a user's inbox lists it; `None` where it does not.
async fn listed(store: &dyn Store, name: &str, chat: &str) -> Option<(Vec<u64>, u64, u64)> {
    let seqs = messages(store, chat).await.iter().map(|message| message.seq.0).collect();
    let page = store.inbox(inbox(name, 0, 10, None)).await.expect("an inbox");
    assert_eq!(page.unread_total, page.entries.iter().map(|entry| entry.unread).sum::<u64>());
    let one = store.inbox(inbox(name, 0, 1, Some(chat))).await.expect("an inbox").entries;
    let mut entries = page.entries.into_iter();
    let entry = entries.find(|entry| entry.chat.side_of(name).is_some() && entry.chat.as_str() == chat);
    assert_eq!(one.first(), entry.as_ref(), "alone and among all");
    let entry = entry?;
    Some((seqs, entry.unread, entry.first_seq.0))
}

/// Nothing is there of it, for anyone, and nothing can be done to it.
async fn is_gone(store: &dyn Store, chat: &str, names: [&str; 2], last: u64) {
    for direction in [Direction::Forward, Direction::Reverse] {
        let page = store.page(query(chat, 0, direction, 100)).await.expect("a page");
        assert_eq!((page.messages, page.next), (Vec::new(), None), "{chat}");
    }
    for name in names {
        assert_eq!(listed(store, name, chat).await, None, "{chat} of {name}");
        let marked = store.mark(mark(chat, name, MarkerKind::Read, last)).await.expect("a mark");
        assert_eq!(marked.marker, chinwag_model::Marker::START);
        let gone = store.revise(revise(chat, name, last, react("👍", false))).await;
        assert_eq!(gone, Err(StoreError::NoSuchMessage));
        assert!(!erased(store, chat, name).await, "there is nothing left");
    }
}

/// With the second of its users a chat goes, and a note to self with its one; with its numbers it goes on.
pub async fn a_chat_goes_with_the_second_of_its_users(backend: &dyn Backend) {
    let (_, store) = fresh(backend);
    history(&*store).await;
    for (chat, name) in [("a:c", "a"), ("a:d", "a"), ("a:a", "a"), ("b:d", "d")] {
        store.append(draft(chat, name, "x")).await.expect("stored");
    }
    let since = store.catch_up(user("c"), None).await.expect("a place").upto;
    for chat in ["a:a", "a:b", "a:c", "a:d"] {
        erased(&*store, chat, "a").await;
    }
    is_gone(&*store, "a:a", ["a", "a"], 1).await;
    assert_eq!(listed(&*store, "b", "a:b").await, Some(((1..=6).collect(), 0, 1)), "the peer keeps it");
    assert!(!erased(&*store, "a:b", "a").await, "a second erasure of the same user is none of the peer");
    assert_eq!(listed(&*store, "b", "a:b").await, Some(((1..=6).collect(), 0, 1)));

    for chat in ["a:b", "b:d"] {
        erased(&*store, chat, "b").await;
    }
    is_gone(&*store, "a:b", ["a", "b"], 6).await;
    assert_eq!(listed(&*store, "c", "a:c").await, Some((vec![1], 0, 1)), "who only wrote nothing keeps it");
    assert_eq!(listed(&*store, "d", "b:d").await, Some((vec![1], 0, 1)));
    let missed = store.catch_up(user("b"), Some(since)).await.expect("caught up").events;
    assert_eq!(missed, Some(Vec::new()), "nobody is told of what is gone");

    for (n, name, nth) in [(7, "b", 5), (8, "a", 3)] {
        let new = store.append(keyed("a:b", name, "again", "k1")).await.expect("stored");
        assert_eq!((new.replayed, new.message.seq, new.message.nth), (false, Seq(n), nth), "numbers go on");
    }
    assert_eq!(listed(&*store, "a", "a:b").await, Some((vec![7, 8], 1, 7)));
    assert_eq!(listed(&*store, "b", "a:b").await, Some((vec![7, 8], 1, 7)));
    let told = store.catch_up(user("b"), Some(since)).await.expect("caught up").events.expect("not too much");
    assert_eq!(told, messages(&*store, "a:b").await.into_iter().map(Event::Message).collect::<Vec<_>>());
    store.mark(mark("a:b", "a", MarkerKind::Read, 8)).await.expect("marked");
    assert_eq!(listed(&*store, "a", "a:b").await, Some((vec![7, 8], 0, 7)));
    for name in ["a", "b"] {
        erased(&*store, "a:b", name).await;
    }
    is_gone(&*store, "a:b", ["a", "b"], 8).await;
    assert_eq!(store.append(draft("a:b", "a", "x")).await.expect("stored").message.seq, Seq(9));
}

/// Also that of a message which had expired before, and is in no erasure.
pub async fn a_key_goes_with_its_chat(backend: &dyn Backend) {
    let clock = Arc::new(ManualClock::at(START));
    let retention = Retention { max_age: None, max_messages: Some(1) };
    let mut store = backend.open_keeping(clock.clone(), retention);
    let first = || keyed("a:b", "a", "x", "k1");
    store.append(first()).await.expect("stored");
    store.append(draft("a:b", "b", "x")).await.expect("stored");
    assert!(store.append(first()).await.expect("known").replayed, "it has expired, and its key holds");
    erased(&*store, "a:b", "b").await;
    assert!(store.append(first()).await.expect("known").replayed);
    erased(&*store, "a:b", "a").await;
    is_gone(&*store, "a:b", ["a", "b"], 2).await;
    if backend.is_durable() {
        store.close().await.expect("closed");
        drop(store);
        store = backend.open_keeping(clock, retention);
    }
    let new = store.append(first()).await.expect("stored");
    assert_eq!((new.replayed, new.message.seq), (false, Seq(3)));
    assert_eq!(store.append(first()).await.expect("known"), Appended { replayed: true, ..new });
}

/// Whoever did anything since is no erased user, until erased again.
pub async fn a_chat_stays_with_a_user_who_came_back(backend: &dyn Backend) {
    let (_, store) = fresh(backend);
    for (chat, name) in [("a:b", "b"), ("b:c", "b"), ("b:c", "c"), ("b:d", "b")] {
        store.append(draft(chat, name, "x")).await.expect("stored");
    }
    for chat in ["a:b", "b:c", "b:d"] {
        erased(&*store, chat, "b").await;
    }
    store.append(draft("a:b", "b", "back")).await.expect("stored");
    store.revise(revise("a:b", "b", 2, UNSEND)).await.expect("unsent");
    store.mark(mark("b:c", "b", MarkerKind::Read, 2)).await.expect("marked");
    // To one who is not there.
    store.append(draft("b:d", "d", "hello?")).await.expect("stored");
    for (chat, name) in [("a:b", "a"), ("b:c", "c"), ("b:d", "d")] {
        erased(&*store, chat, name).await;
    }
    assert_eq!(listed(&*store, "b", "a:b").await, Some((vec![1, 2], 0, 1)));
    assert_eq!(listed(&*store, "b", "b:c").await, Some((vec![1, 2], 0, 1)));
    is_gone(&*store, "b:d", ["b", "d"], 2).await;
    for chat in ["a:b", "b:c"] {
        erased(&*store, chat, "b").await;
        is_gone(&*store, chat, ["b", if chat == "a:b" { "a" } else { "c" }], 2).await;
    }
}

/// After the store was opened again, before the second erasure and after it.
pub async fn a_chat_that_went_stays_gone(backend: &dyn Backend) {
    if !backend.is_durable() {
        return;
    }
    let (clock, mut store) = fresh(backend);
    history(&*store).await;
    for name in ["a", "b"] {
        erased(&*store, "a:b", name).await;
        store.close().await.expect("closed");
        drop(store);
        store = backend.open(clock.clone());
    }
    is_gone(&*store, "a:b", ["a", "b"], 6).await;
    store.append(draft("a:b", "b", "x")).await.expect("stored");
    assert_eq!(listed(&*store, "a", "a:b").await, Some((vec![7], 1, 7)));
    store.close().await.expect("closed");
    drop(store);
    let store = backend.open(clock);
    assert_eq!(listed(&*store, "a", "a:b").await, Some((vec![7], 1, 7)));
    assert_eq!(listed(&*store, "b", "a:b").await, Some((vec![7], 0, 7)));
}

/// Where messages expire too: what an inbox knew of the chat before is not what it begins with, nor what is unread.
pub async fn an_erasure_agrees_with_expiry(backend: &dyn Backend) {
    let clock = Arc::new(ManualClock::at(START));
    let retention = Retention { max_age: Some(Duration::from_hours(24)), max_messages: None };
    let store = backend.open_keeping(clock.clone(), retention);
    for _ in 0..2 {
        store.append(draft("a:b", "a", "x")).await.expect("stored");
    }
    for name in ["b", "a"] {
        assert!(listed(&*store, "b", "a:b").await.is_some());
        erased(&*store, "a:b", name).await;
    }
    is_gone(&*store, "a:b", ["a", "b"], 2).await;
    store.append(draft("a:b", "b", "x")).await.expect("stored");
    assert_eq!(listed(&*store, "b", "a:b").await, Some((vec![3], 0, 3)));

    store.append(draft("a:d", "a", "x")).await.expect("stored");
    store.mark(mark("a:d", "d", MarkerKind::Read, 1)).await.expect("marked");
    clock.advance(Duration::from_hours(25));
    assert_eq!(listed(&*store, "d", "a:d").await, None, "its only message has expired");
    store.append(draft("a:d", "d", "x")).await.expect("stored");
    assert_eq!(listed(&*store, "d", "a:d").await, Some((vec![2], 0, 2)));
    erased(&*store, "a:d", "d").await;
    assert_eq!(
        listed(&*store, "d", "a:d").await,
        Some((vec![2], 0, 2)),
        "what has expired is not unread again"
    );
}
