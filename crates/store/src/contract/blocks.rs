//! The contract of blocks: what they refuse, what they keep silent, and from when on.

use super::{Backend, Hears, UNSEND, draft, edit, fresh, inbox, keyed, mark, query, react, revise, user};
use crate::{Store, StoreError};
use chinwag_model::{
    Block, BlocksPage, BlocksQuery, Chat, Direction, Event, MarkerKind::Delivered, MarkerKind::Read, Seq, Ts,
};
use std::sync::Arc;
use tokio::sync::mpsc;

/// A request of a user about another.
pub fn block(user: &str, peer: &str, on: bool) -> Block {
    Block::new(user, peer, on).expect("two users")
}

/// A query of whom a user blocks.
pub fn blocks(name: &str, after: Option<&str>, limit: usize) -> BlocksQuery {
    BlocksQuery::new(user(name), after.map(user), limit)
}

async fn since(store: &dyn Store, name: &str, peer: &str, on: bool) -> Option<Ts> {
    let stands = store.block(block(name, peer, on)).await.expect("done");
    assert_eq!((stands.user(), stands.peer()), (name, peer));
    stands.since
}

async fn silent(store: &dyn Store, name: &str, peers: &[&str]) -> Vec<bool> {
    store.silent(user(name), peers.iter().map(|peer| user(peer)).collect()).await.expect("read")
}

async fn last(store: &dyn Store, chat: &str) -> u64 {
    let page = store.page(query(chat, 0, Direction::Reverse, 1)).await.expect("a page");
    page.messages.first().map_or(0, |message| message.seq.0)
}

/// Of either spelling, in one direction, asked twice, and until it ends.
pub async fn a_block_refuses_what_would_reach_the_blocker(backend: &dyn Backend) {
    let (_, store) = fresh(backend);
    let store = &*store;
    for sender in ["a", "b"] {
        store.append(keyed("a:b", sender, "before", sender)).await.expect("stored");
    }
    store.revise(revise("a:b", "a", 2, react("👍", false))).await.expect("reacted");
    let began = since(store, "b", "a", true).await;
    assert!(began.is_some());
    assert_eq!(since(store, "b", "a", true).await, began, "asked again it keeps its time");
    for chat in ["a:b", "b:a"] {
        assert_eq!(store.append(draft(chat, "a", "x")).await, Err(StoreError::Blocked));
        assert_eq!(store.append(keyed(chat, "a", "x", "new")).await, Err(StoreError::Blocked));
    }
    let again = store.append(keyed("a:b", "a", "before", "a")).await.expect("known");
    assert_eq!((again.message.seq, again.replayed), (Seq(1), true));
    for change in [edit("after"), react("🎉", false)] {
        let revised = store.revise(revise("a:b", "a", 1, change)).await;
        assert_eq!(revised, Err(StoreError::Blocked));
    }
    store.revise(revise("a:b", "a", 2, react("👍", true))).await.expect("what is taken back is not kept");
    store.revise(revise("a:b", "a", 1, UNSEND)).await.expect("unsent");
    // The blocker goes on, and so does everyone else.
    assert_eq!(store.append(draft("a:b", "b", "x")).await.expect("stored").message.seq, Seq(3));
    store.revise(revise("a:b", "b", 3, edit("y"))).await.expect("edited");
    for (chat, sender) in [("a:c", "a"), ("b:c", "c"), ("a:a", "a")] {
        store.append(draft(chat, sender, "x")).await.expect("stored");
    }
    assert_eq!(last(store, "a:b").await, 3);
    assert_eq!(since(store, "b", "a", false).await, None);
    assert_eq!(since(store, "b", "a", false).await, None);
    assert_eq!(store.append(draft("a:b", "a", "x")).await.expect("stored").message.seq, Seq(4));
    assert_eq!(store.append(keyed("a:b", "a", "x", "new")).await.expect("stored").message.seq, Seq(5));
}

/// Whoever sends all the time stores nothing once the block was answered, also of what was on its way then.
pub async fn a_block_is_in_one_order_with_sends(backend: &dyn Backend) {
    let (_, store) = fresh(backend);
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut stored = 0;
                loop {
                    match store.append(draft("a:b", "a", "x")).await {
                        Ok(appended) => stored = stored.max(appended.message.seq.0),
                        Err(StoreError::Blocked) => return stored,
                        Err(error) => panic!("{error}"),
                    }
                }
            })
        })
        .collect();
    while last(&*store, "a:b").await < 20 {
        tokio::task::yield_now().await;
    }
    since(&*store, "b", "a", true).await;
    let at_the_answer = last(&*store, "a:b").await;
    let mut stored = 0;
    for task in tasks {
        stored = stored.max(task.await.expect("no panic"));
    }
    assert_eq!((stored, last(&*store, "a:b").await), (at_the_answer, at_the_answer));
}

/// In both directions; what moved before stays, and what moved meanwhile is seen once the block has ended.
pub async fn a_block_keeps_markers_where_they_stood(backend: &dyn Backend) {
    let (_, store) = fresh(backend);
    let (outlet, mut heard) = mpsc::unbounded_channel();
    store.publish_to(Arc::new(Hears(outlet)));
    let store = &*store;
    for _ in 0..3 {
        store.append(draft("a:b", "a", "x")).await.expect("stored");
        store.append(draft("a:b", "b", "x")).await.expect("stored");
    }
    store.mark(mark("a:b", "a", Read, 2)).await.expect("marked");
    store.mark(mark("a:b", "b", Delivered, 1)).await.expect("marked");
    let place = store.catch_up(user("a"), None).await.expect("a place").upto;
    since(store, "b", "a", true).await;
    for (name, seq) in [("a", 6), ("b", 4)] {
        store.mark(mark("a:b", name, Read, seq)).await.expect("marked");
    }
    let mut kinds = Vec::new();
    while let Ok(event) = heard.try_recv() {
        kinds.push(match event {
            Event::Message(_) => "message",
            Event::Marker(_) => "marker",
            Event::OwnMarker(_) => "own",
            Event::Block { silent: true, .. } => "silent",
            Event::Block { .. } => "heard again",
            _ => panic!("{event:?}"),
        });
    }
    // Read raises delivered.
    assert_eq!(kinds[6..], ["marker", "marker", "marker", "silent", "own", "own", "own", "own"]);
    let seen = async |name: &str| {
        let entry = store.inbox(inbox(name, 0, 1, Some("a:b"))).await.expect("an inbox").entries.remove(0);
        entry.markers.map(|markers| (markers.delivered.seq.0, markers.read.seq.0))
    };
    let told = async |name: &str| {
        let events = store.catch_up(user(name), Some(place)).await.expect("caught up").events.expect("few");
        events
            .iter()
            .filter(|event| matches!(event, Event::Marker(marked) if marked.user_name() != name))
            .count()
    };
    assert_eq!((seen("a").await, seen("b").await), ([(6, 6), (1, 0)], [(2, 2), (4, 4)]));
    assert_eq!((told("a").await, told("b").await), (0, 0));
    assert_eq!(store.inbox(inbox("a", 0, 1, None)).await.expect("an inbox").unread_total, 0);
    // As long as either blocks the other.
    since(store, "a", "b", true).await;
    since(store, "b", "a", false).await;
    assert_eq!((seen("a").await, silent(store, "b", &["a"]).await), ([(6, 6), (4, 4)], vec![true]));
    store.mark(mark("a:b", "b", Read, 5)).await.expect("marked");
    assert_eq!(seen("a").await, [(6, 6), (4, 4)]);
    since(store, "a", "b", false).await;
    assert_eq!((seen("a").await, told("a").await), ([(6, 6), (5, 5)], 2));
}

/// In the order of names, page by page, and of that user alone.
pub async fn blocks_are_listed(backend: &dyn Backend) {
    let (clock, store) = fresh(backend);
    let empty = store.blocks(blocks("a", None, 10)).await;
    assert_eq!(empty, Ok(BlocksPage::default()));
    assert_eq!(silent(&*store, "a", &["b", "a"]).await, [false, false]);
    let mut times = Vec::new();
    for peer in ["d", "b", "c", "bb"] {
        clock.advance(std::time::Duration::from_secs(1));
        times.push(since(&*store, "a", peer, true).await.expect("on"));
    }
    since(&*store, "aa", "b", true).await;
    since(&*store, "b", "a", true).await;
    let page = async |after, limit| {
        let page = store.blocks(blocks("a", after, limit)).await.expect("a page");
        let names: Vec<_> = page.entries.iter().map(|(peer, _)| peer.to_string()).collect();
        (names.join(" "), page.next.map(|next| next.to_string()))
    };
    assert_eq!(page(None, 2).await, ("b bb".into(), Some("bb".into())));
    assert_eq!(page(Some("bb"), 2).await, ("c d".into(), None));
    assert_eq!(page(Some("zzz"), 2).await, (String::new(), None));
    let all = store.blocks(blocks("a", None, 10)).await.expect("a page").entries;
    assert_eq!((all[0].1, all[3].1), (times[1], times[0]));
    assert_eq!(silent(&*store, "a", &["a", "b", "aa", "d"]).await, [false, true, false, true]);
    assert_eq!(silent(&*store, "d", &["a", "b"]).await, [true, false]);
    since(&*store, "a", "b", false).await;
    assert_eq!(page(None, 10).await, ("bb c d".into(), None));
    assert_eq!(silent(&*store, "a", &["b"]).await, [true], "the other blocks still");
    store.close().await.expect("closed");
    assert!(matches!(store.block(block("a", "b", true)).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(store.blocks(blocks("a", None, 1)).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(store.silent(user("a"), Vec::new()).await, Err(StoreError::Unavailable(_))));
}

/// After the store was opened again, of a chat with messages and of one without.
pub async fn blocks_are_there_again(backend: &dyn Backend) {
    if !backend.is_durable() {
        return;
    }
    let (clock, store) = fresh(backend);
    store.append(draft("a:b", "a", "x")).await.expect("stored");
    let began = since(&*store, "b", "a", true).await;
    since(&*store, "c", "a", true).await;
    since(&*store, "d", "a", true).await;
    since(&*store, "d", "a", false).await;
    store.close().await.expect("closed");
    drop(store);
    let store = backend.open(clock);
    for chat in ["a:b", "a:c"] {
        assert_eq!(store.append(draft(chat, "a", "x")).await, Err(StoreError::Blocked), "{chat}");
        let (chat, _) = Chat::parse(chat).expect("a chat");
        let peer = chat.user_id(chat.side_of("a").expect("a member").other());
        assert_eq!(silent(&*store, "a", &[peer.as_str()]).await, [true]);
    }
    store.append(draft("a:d", "a", "x")).await.expect("stored");
    assert_eq!(since(&*store, "b", "a", true).await, began);
}
