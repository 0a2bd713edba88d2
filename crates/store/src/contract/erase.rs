//! Erasing a user from a chat: message by message, and then the markers.

use super::{UNSEND, draft, fresh, inbox, keyed, mark, query, react, revise, user};
use crate::{Store, StoreError};
use chinwag_model::{
    Change, Chat, Data, Direction, Draft, Event, MarkerKind, Markers, Message, Revise, Reviser, RevisionKind,
    Seq, Side,
};
use std::sync::Arc;

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
