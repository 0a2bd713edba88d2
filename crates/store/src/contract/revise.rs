//! The contract of revisions: edits, messages taken back, reactions.

use super::{Backend, draft, fresh, inbox, keyed, mark, query, user};
use crate::{Store, StoreError};
use chinwag_model::{
    Change, Chat, Direction, Emoji, Event, Message, Revise, Reviser, RevisionKind, Seq, Text, Ts,
    limits::{REACTIONS_MAX, TAIL_MAX_MESSAGES},
};
use std::{sync::Arc, time::Duration};

/// How long after it was stored a message is edited or unsent in these tests.
pub const WINDOW: Duration = Duration::from_hours(1);

/// A request of a user about a message.
pub fn revise(chat: &str, name: &str, seq: u64, change: Change) -> Revise {
    Revise::new(Chat::parse(chat).expect("a chat").0, "user", name, seq, change).expect("a request")
}

/// A new text, within [`WINDOW`].
pub fn edit(text: &str) -> Change {
    Change::Edit { text: Text::parse(text, 100).expect("a text"), window: WINDOW }
}

/// Taking back, within [`WINDOW`].
pub const UNSEND: Change = Change::Unsend { window: WINDOW };

/// A reaction, put or taken away.
pub fn react(emoji: &str, remove: bool) -> Change {
    Change::React { emoji: Emoji::parse(emoji).expect("an emoji"), remove }
}

async fn revised(store: &dyn Store, chat: &str, name: &str, seq: u64, change: Change) -> Arc<Message> {
    store.revise(revise(chat, name, seq, change)).await.expect("revised")
}

async fn stands(store: &dyn Store, chat: &str, seq: u64) -> Arc<Message> {
    let page = store.page(query(chat, seq, Direction::Reverse, 1)).await.expect("a page");
    page.messages[0].clone()
}

async fn unread(store: &dyn Store, name: &str) -> u64 {
    store.inbox(inbox(name, 0, 10, None)).await.expect("an inbox").unread_total
}

/// Also of a message that memory no longer holds; each change has a time of its own, and `seq` counts messages only.
pub async fn a_message_is_edited_and_stays_in_its_place(backend: &dyn Backend) {
    let (clock, store) = fresh(backend);
    let n = TAIL_MAX_MESSAGES as u64 + 5;
    for _ in 0..n {
        store.append(draft("a:b", "a", "first")).await.expect("stored");
    }
    let mut last = Ts(0);
    for seq in [1, 1, n] {
        let before = stands(&*store, "a:b", seq).await;
        clock.advance(Duration::from_secs(1));
        let message = revised(&*store, "b:a", "a", seq, edit(&format!("at {}", last.0))).await;
        assert!(message.changed() > last.max(before.changed()));
        last = message.changed();
        let revision = message.revision.as_deref().expect("revised");
        assert_eq!((revision.edited_ts, revision.unsent), (Some(last), false));
        assert_eq!((message.seq, message.ts, message.nth), (before.seq, before.ts, before.nth));
        assert_eq!(stands(&*store, "a:b", seq).await, message);
        let same = Text::parse(&*message.text, 100).expect("a text");
        let again = revised(&*store, "a:b", "a", seq, Change::Edit { text: same, window: WINDOW }).await;
        assert_eq!(again, message, "the same text again changes nothing");
    }
    let next = store.append(draft("a:b", "b", "next")).await.expect("stored").message;
    assert_eq!(next.seq, Seq(n + 1));
    assert!(next.ts > last);
}

/// What says no, and that nothing was changed then.
pub async fn a_revision_that_is_not_allowed_changes_nothing(backend: &dyn Backend) {
    let (clock, store) = fresh(backend);
    let message = store.append(draft("a:b", "a", "hello")).await.expect("stored").message;
    store.append(draft("a:b", "b", "taken back")).await.expect("stored");
    let gone = revised(&*store, "a:b", "b", 2, UNSEND).await;
    let refused = async |name: &str, seq, change| {
        store.revise(revise("a:b", name, seq, change)).await.expect_err("not allowed")
    };
    for change in [edit("x"), UNSEND] {
        assert_eq!(refused("b", 1, change.clone()).await, StoreError::NotTheSender);
        assert_eq!(refused("a", 3, change).await, StoreError::NoSuchMessage);
    }
    let nowhere = store.revise(revise("no:body", "no", 1, UNSEND)).await;
    assert_eq!(nowhere, Err(StoreError::NoSuchMessage));
    assert_eq!(refused("b", 2, edit("x")).await, StoreError::Unsent);
    for (name, remove) in [("a", false), ("b", true)] {
        assert_eq!(refused(name, 2, react("👍", remove)).await, StoreError::Unsent);
    }
    clock.advance(WINDOW + Duration::from_secs(1));
    for change in [edit("x"), UNSEND] {
        assert_eq!(refused("a", 1, change).await, StoreError::TooLate);
    }
    assert_eq!(stands(&*store, "a:b", 1).await, message);
    assert_eq!(revised(&*store, "a:b", "b", 2, UNSEND).await, gone, "again, and late: as it stands");
    let chat = message.chat.clone();
    let admin = |seq, change| Revise { chat: chat.clone(), seq: Seq(seq), by: Reviser::Admin, change };
    let edited = store.revise(admin(1, edit("x"))).await;
    assert_eq!(edited, Err(StoreError::NotTheSender), "nobody puts words into another's mouth");
    assert!(store.revise(admin(1, UNSEND)).await.expect("unsent").is_unsent(), "at any time");
}

/// Text, data and reactions are gone from every reply; the message keeps its place, and counts as unread no more.
pub async fn what_is_unsent_is_gone_and_not_unread(backend: &dyn Backend) {
    let (_, store) = fresh(backend);
    for name in ["a", "b", "a", "a"] {
        store.append(draft("a:b", name, "secret")).await.expect("stored");
    }
    revised(&*store, "a:b", "b", 4, react("👍", false)).await;
    assert_eq!((unread(&*store, "a").await, unread(&*store, "b").await), (1, 3));
    let gone = revised(&*store, "a:b", "a", 4, UNSEND).await;
    let revision = gone.revision.as_deref().expect("revised");
    assert_eq!((&*gone.text, &gone.data, revision.reactions.len(), revision.unsent), ("", &None, 0, true));
    assert_eq!((unread(&*store, "a").await, unread(&*store, "b").await), (1, 2));
    let page = store.inbox(inbox("b", 0, 10, None)).await.expect("an inbox");
    assert_eq!((page.entries[0].last.clone(), page.entries[0].unread), (gone, 2));
    store.mark(mark("a:b", "b", chinwag_model::MarkerKind::Read, 1)).await.expect("marked");
    assert_eq!(unread(&*store, "b").await, 1, "the third; the fourth is unsent");
    revised(&*store, "a:b", "a", 1, UNSEND).await;
    assert_eq!(unread(&*store, "b").await, 1, "what was read does not count again");
    store.mark(mark("a:b", "b", chinwag_model::MarkerKind::Read, 4)).await.expect("marked");
    assert_eq!(unread(&*store, "b").await, 0);
    store.append(draft("a:b", "a", "after")).await.expect("stored");
    assert_eq!(unread(&*store, "b").await, 1);
    store.append(draft("me:me", "me", "note")).await.expect("stored");
    revised(&*store, "me:me", "me", 1, UNSEND).await;
    assert_eq!(unread(&*store, "me").await, 0);
}

/// Each user's own, each once, in the order in which they came.
pub async fn reactions_come_and_go(backend: &dyn Backend) {
    let (clock, store) = fresh(backend);
    store.append(draft("a:b", "a", "hello")).await.expect("stored");
    clock.advance(WINDOW * 2);
    let of = |message: &Message| {
        let reactions = message.revision.iter().flat_map(|revision| &revision.reactions);
        reactions.map(|one| format!("{}{}", message.chat.user(one.by), one.emoji)).collect::<Vec<_>>()
    };
    revised(&*store, "a:b", "b", 1, react("👍", false)).await;
    let both = revised(&*store, "a:b", "a", 1, react("👍", false)).await;
    assert_eq!(of(&both), ["b👍", "a👍"]);
    assert_eq!(revised(&*store, "a:b", "a", 1, react("👍", false)).await, both);
    assert_eq!(revised(&*store, "a:b", "b", 1, react("🎉", true)).await, both);
    assert_eq!(of(&*revised(&*store, "a:b", "b", 1, react("👍", true)).await), ["a👍"]);
    for n in 1..REACTIONS_MAX {
        revised(&*store, "a:b", "a", 1, react(&n.to_string(), false)).await;
    }
    let one_more = store.revise(revise("a:b", "a", 1, react("too many", false))).await;
    assert_eq!(one_more, Err(StoreError::TooManyReactions));
    assert_eq!(of(&*revised(&*store, "a:b", "b", 1, react("mine", false)).await).len(), REACTIONS_MAX + 1);
}

/// By what was first sent, whatever became of it.
pub async fn a_key_is_known_after_a_revision(backend: &dyn Backend) {
    let (_, store) = fresh(backend);
    store.append(keyed("a:b", "a", "first", "k")).await.expect("stored");
    for change in [react("👍", false), edit("second"), edit("third"), UNSEND] {
        let message = revised(&*store, "a:b", "a", 1, change).await;
        let again = store.append(keyed("a:b", "a", "first", "k")).await.expect("replayed");
        assert_eq!((again.message, again.replayed), (message, true));
        for other in ["third", "else"] {
            assert_eq!(store.append(keyed("a:b", "a", other, "k")).await, Err(StoreError::KeyReused));
        }
    }
}

/// Each message that is new or was revised, once, as it stands; an old one by what was last done to it.
pub async fn a_catch_up_tells_of_revisions(backend: &dyn Backend) {
    let (_, store) = fresh(backend);
    for n in 0..TAIL_MAX_MESSAGES + 5 {
        store.append(draft("a:b", "a", &n.to_string())).await.expect("stored");
    }
    let since = store.catch_up(user("b"), None).await.expect("a place").upto;
    revised(&*store, "a:b", "a", 1, edit("once")).await;
    let first = revised(&*store, "a:b", "b", 1, react("👍", false)).await;
    let second = revised(&*store, "a:b", "a", 2, UNSEND).await;
    store.append(draft("a:b", "b", "new")).await.expect("stored");
    let place = store.catch_up(user("b"), None).await.expect("a place").upto;
    let seq = TAIL_MAX_MESSAGES as u64 + 6;
    let new = revised(&*store, "a:b", "b", seq, edit("newer")).await;
    let third = revised(&*store, "a:b", "a", 3, react("🎉", false)).await;
    let event = |message: &Arc<Message>, kind| Event::Revised { message: message.clone(), kind };
    let caught = store.catch_up(user("a"), Some(since)).await.expect("caught up");
    let expected = vec![
        event(&first, RevisionKind::Edit),
        event(&second, RevisionKind::Unsend),
        Event::Message(new.clone()),
        event(&third, RevisionKind::Reaction),
    ];
    assert_eq!(caught.events, Some(expected));
    let caught = store.catch_up(user("b"), Some(place)).await.expect("caught up");
    let expected = vec![event(&new, RevisionKind::Edit), event(&third, RevisionKind::Reaction)];
    assert_eq!(caught.events, Some(expected));
}

/// All at once: none is lost.
pub async fn revisions_at_once_are_all_kept(backend: &dyn Backend) {
    let (_, store) = fresh(backend);
    store.append(draft("a:b", "a", "hello")).await.expect("stored");
    let each = (0..REACTIONS_MAX).flat_map(|n| ["a", "b"].map(|name| (name, n)));
    let tasks: Vec<_> = each
        .map(|(name, n)| {
            let store = store.clone();
            tokio::spawn(async move { revised(&*store, "a:b", name, 1, react(&n.to_string(), false)).await })
        })
        .collect();
    for task in tasks {
        task.await.expect("revised");
    }
    let message = stands(&*store, "a:b", 1).await;
    assert_eq!(message.revision.as_deref().expect("revised").reactions.len(), 2 * REACTIONS_MAX);
}

/// After the store was opened again.
pub async fn revisions_are_there_again(backend: &dyn Backend) {
    if !backend.is_durable() {
        return;
    }
    let (clock, store) = fresh(backend);
    for _ in 0..3 {
        store.append(draft("a:b", "a", "hello")).await.expect("stored");
    }
    let since = store.catch_up(user("b"), None).await.expect("a place").upto;
    let edited = revised(&*store, "a:b", "a", 1, edit("better")).await;
    revised(&*store, "a:b", "a", 2, UNSEND).await;
    let upto = revised(&*store, "a:b", "b", 3, react("👍", false)).await.changed();
    store.close().await.expect("closed");
    drop(store);
    let store = backend.open(clock);
    assert_eq!(stands(&*store, "a:b", 1).await, edited);
    assert_eq!(unread(&*store, "b").await, 2);
    let caught = store.catch_up(user("b"), Some(since)).await.expect("caught up");
    assert_eq!((caught.upto, caught.events.map(|events| events.len())), (upto, Some(3)));
    store.mark(mark("a:b", "b", chinwag_model::MarkerKind::Read, 2)).await.expect("marked");
    assert_eq!(unread(&*store, "b").await, 1);
    assert!(store.append(draft("a:b", "b", "later")).await.expect("stored").message.ts > upto);
}
