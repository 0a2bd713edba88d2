//! What every store must do, as tests that each backend runs: see [`contract_tests!`](crate::contract_tests).

mod blocks;
mod erase;
mod feed;
mod keys;
mod retention;
mod revise;
mod vitals;

pub use blocks::*;
pub use erase::*;
pub use feed::*;
pub use keys::*;
pub use retention::*;
pub use revise::*;
pub use vitals::*;

use crate::{Appended, Retention, Store, StoreError};
use chinwag_model::{
    Chat, Data, Direction, Draft, ManualClock, Page, PageQuery, Place, SendKey, Text, Ts,
    limits::{KEY_WINDOW, PAGE_MAX_BYTES, TAIL_MAX_MESSAGES, TEXT_HARD_MAX_BYTES},
};
use std::{collections::HashSet, sync::Arc, time::Duration};

/// A backend under test.
pub trait Backend {
    /// Opens the store; again after [`Store::close`], on the same data.
    fn open(&self, clock: Arc<ManualClock>) -> Arc<dyn Store> {
        self.open_keeping(clock, Retention::default())
    }

    /// The same, with a rule of how long history is kept.
    fn open_keeping(&self, clock: Arc<ManualClock>, retention: Retention) -> Arc<dyn Store>;

    /// Whether a store that is opened again has what it had.
    fn is_durable(&self) -> bool;
}

/// Where a test's clock starts: 2023-06-10, in microseconds.
pub const START: Ts = Ts(1_686_404_158_123_456);

/// Makes a test of each case of the contract, for the backend that the expression makes.
#[macro_export]
macro_rules! contract_tests {
    ($backend:expr) => {
        $crate::contract_tests!(@each $backend,
            messages_of_a_chat_are_numbered_without_gaps
            chats_are_apart_and_have_two_spellings
            pages_are_right_for_every_place_limit_and_direction
            a_page_ends_at_its_bytes
            a_repeated_key_stores_nothing
            a_key_is_of_one_sender_in_one_chat
            a_key_holds_for_a_day
            a_key_of_an_old_message_is_known
            one_key_at_once_stores_once
            time_rises_when_the_clock_steps_back
            sends_and_pages_at_once
            a_closed_store_takes_nothing
            what_was_stored_is_there_again
            a_marker_moves_forward_only_and_not_past_the_last_message
            marks_at_once_leave_the_furthest
            unread_counts_the_peers_messages_above_the_marker
            an_inbox_is_in_order_and_pages
            an_inbox_shows_what_was_acknowledged
            a_catch_up_tells_each_thing_once_in_order
            a_catch_up_that_is_too_much_is_refused
            the_outlet_hears_everything_in_order_after_it_is_read
            a_catch_up_and_the_outlet_have_no_seam
            a_closed_store_has_no_inbox
            inboxes_and_markers_are_there_again
            a_message_is_edited_and_stays_in_its_place
            a_revision_that_is_not_allowed_changes_nothing
            what_is_unsent_is_gone_and_not_unread
            reactions_come_and_go
            a_key_is_known_after_a_revision
            a_catch_up_tells_of_revisions
            revisions_at_once_are_all_kept
            revisions_are_there_again
            only_the_newest_messages_are_kept
            old_messages_expire_and_are_gone_for_everyone
            a_chat_whose_messages_have_all_expired_goes_on
            unread_counts_what_has_not_expired
            a_key_of_an_expired_message_is_known
            a_jump_of_the_clock_lets_nothing_expire
            what_has_expired_never_comes_back
            pages_while_the_beginning_moves
            a_block_refuses_what_would_reach_the_blocker
            a_block_is_in_one_order_with_sends
            a_block_keeps_markers_where_they_stood
            blocks_are_listed
            blocks_are_there_again
            an_observer_hears_of_each_batch
            vitals_say_how_a_store_does
            an_erased_user_is_in_no_message_and_the_peer_keeps_theirs
            an_erased_key_is_new
            an_erasure_is_there_again
            a_chat_goes_with_the_second_of_its_users
            a_key_goes_with_its_chat
            a_chat_stays_with_a_user_who_came_back
            a_chat_that_went_stays_gone
            an_erasure_agrees_with_expiry
        );
    };
    (@each $backend:expr, $($case:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                $crate::contract::$case(&$backend).await;
            }
        )*
    };
}

/// A draft of `sender` in `chat`, in the spelling `a:b` or `b:a`.
pub fn draft(chat: &str, sender: &str, text: &str) -> Draft {
    let (chat, _) = Chat::parse(chat).expect("a chat");
    let sender = chat.side_of(sender).expect("a member");
    Draft {
        chat,
        sender,
        text: Text::parse(text, TEXT_HARD_MAX_BYTES).expect("a text"),
        key: None,
        data: None,
    }
}

/// The same with a key.
pub fn keyed(chat: &str, sender: &str, text: &str, key: &str) -> Draft {
    Draft { key: Some(SendKey::parse(key).expect("a key")), ..draft(chat, sender, text) }
}

/// A query of a chat.
pub fn query(chat: &str, from: u64, direction: Direction, limit: usize) -> PageQuery {
    PageQuery::new(
        Chat::parse(chat).expect("a chat").0,
        Place::parse(from).expect("a place"),
        direction,
        limit,
    )
}

async fn seq(store: &dyn Store, draft: Draft) -> u64 {
    let Appended { message, replayed } = store.append(draft).await.expect("stored");
    assert!(!replayed);
    message.seq.0
}

async fn page(
    store: &dyn Store,
    chat: &str,
    from: u64,
    direction: Direction,
    limit: usize,
) -> (Vec<u64>, Option<u64>) {
    let Page { messages, next } = store.page(query(chat, from, direction, limit)).await.expect("a page");
    (messages.iter().map(|message| message.seq.0).collect(), next.map(Place::get))
}

fn fresh(backend: &dyn Backend) -> (Arc<ManualClock>, Arc<dyn Store>) {
    let clock = Arc::new(ManualClock::at(START));
    (clock.clone(), backend.open(clock))
}

/// Also where the text and the microsecond are the same.
pub async fn messages_of_a_chat_are_numbered_without_gaps(backend: &dyn Backend) {
    let (_, store) = fresh(backend);
    let mut last = Ts(0);
    for expected in 1..=100 {
        let stored = store.append(draft("apple:banana", "apple", "again")).await.expect("stored");
        assert_eq!(stored.message.seq.0, expected);
        assert!(stored.message.ts > last);
        last = stored.message.ts;
    }
    let data = Some(Data::from_compact(r#"{"a":[1]}"#).expect("small"));
    let full = Draft { data, ..keyed("apple:banana", "banana", "ÿ👍", "k") };
    let stored = store.append(full).await.expect("stored").message;
    let Page { messages, next } =
        store.page(query("apple:banana", 100, Direction::Forward, 10)).await.expect("a page");
    assert_eq!((messages, next), (vec![stored.clone()], None));
    assert_eq!((&*stored.text, stored.sender_name()), ("ÿ👍", "banana"));
}

/// One chat has one history, whoever is named first; a note to self is a chat like others.
pub async fn chats_are_apart_and_have_two_spellings(backend: &dyn Backend) {
    let (_, store) = fresh(backend);
    assert_eq!(seq(&*store, draft("a:b", "a", "1")).await, 1);
    assert_eq!(seq(&*store, draft("b:a", "b", "2")).await, 2);
    for other in ["a:c", "a:bb", "aa:b", "a:a", "a:b!"] {
        assert_eq!(page(&*store, other, 0, Direction::Forward, 10).await, (vec![], None), "{other}");
        let (user, _) = other.split_once(':').expect("two users");
        assert_eq!(seq(&*store, draft(other, user, "x")).await, 1, "{other}");
    }
    assert_eq!(page(&*store, "b:a", 0, Direction::Forward, 10).await, (vec![1, 2], None));
}

/// Every place, limit and direction of a chat that is longer than what memory keeps of it.
pub async fn pages_are_right_for_every_place_limit_and_direction(backend: &dyn Backend) {
    let (_, store) = fresh(backend);
    let n = TAIL_MAX_MESSAGES as u64 + 9;
    for expected in 1..=n {
        assert_eq!(seq(&*store, draft("a:b", "a", &expected.to_string())).await, expected);
    }
    for from in (0..=n + 2).chain([(1 << 53) - 1]) {
        for limit in [1, 2, 9, 10, 31, 32, 33, 40, 41, 42, 1_000] {
            let all: Vec<u64> = (from + 1..=n).take(limit).collect();
            let next = all.last().copied().filter(|&last| last < n);
            assert_eq!(
                page(&*store, "a:b", from, Direction::Forward, limit).await,
                (all, next),
                "{from} {limit}"
            );
            let begin = if from == 0 { n } else { from.min(n) };
            let all: Vec<u64> = (1..=begin).rev().take(limit).collect();
            let next = all.last().map(|&last| last - 1).filter(|&next| next > 0);
            assert_eq!(
                page(&*store, "a:b", from, Direction::Reverse, limit).await,
                (all, next),
                "{from} {limit}"
            );
        }
    }
    assert_eq!(page(&*store, "a:b", 0, Direction::Reverse, 0).await.0.len(), 10, "the default");
    assert_eq!(page(&*store, "no:body", 5, Direction::Reverse, 10).await, (vec![], None));
}

/// Long messages make short pages, and none is skipped.
pub async fn a_page_ends_at_its_bytes(backend: &dyn Backend) {
    let (_, store) = fresh(backend);
    let text = "x".repeat(TEXT_HARD_MAX_BYTES);
    let n = 3 * PAGE_MAX_BYTES / text.len();
    for _ in 0..n {
        seq(&*store, draft("a:b", "a", &text)).await;
    }
    for direction in [Direction::Forward, Direction::Reverse] {
        let (mut seen, mut from, mut pages) = (Vec::new(), 0, 0);
        loop {
            let (seqs, next) = page(&*store, "a:b", from, direction, 1_000).await;
            assert!(!seqs.is_empty() && seqs.len() * text.len() <= PAGE_MAX_BYTES);
            seen.extend(seqs);
            pages += 1;
            match next {
                Some(next) => from = next,
                None => break,
            }
        }
        if direction == Direction::Reverse {
            seen.reverse();
        }
        assert_eq!(seen, (1..=n as u64).collect::<Vec<_>>());
        assert!(pages >= 3, "{pages}");
    }
}

/// The reply of a repeat is the first send's message; another text or data is refused, and stores nothing.
pub async fn a_repeated_key_stores_nothing(backend: &dyn Backend) {
    let (clock, store) = fresh(backend);
    let with_data = |data: &str| Draft {
        data: Some(Data::from_compact(data).expect("small")),
        ..keyed("a:b", "a", "hello", "with-data")
    };
    let first = store.append(keyed("a:b", "a", "hello", "k1")).await.expect("stored");
    let second = store.append(with_data(r#"{"n":1}"#)).await.expect("stored");
    clock.advance(Duration::from_mins(1));
    for _ in 0..3 {
        let again = store.append(keyed("b:a", "a", "hello", "k1")).await.expect("replayed");
        assert_eq!(again, Appended { message: first.message.clone(), replayed: true });
        let again = store.append(with_data(r#"{"n":1}"#)).await.expect("replayed");
        assert_eq!(again, Appended { message: second.message.clone(), replayed: true });
        for other in [
            keyed("a:b", "a", "hello!", "k1"),
            with_data(r#"{"n":2}"#),
            keyed("a:b", "a", "hello", "with-data"),
        ] {
            assert_eq!(store.append(other).await, Err(StoreError::KeyReused));
        }
    }
    assert_eq!(page(&*store, "a:b", 0, Direction::Forward, 10).await, (vec![1, 2], None));
    assert_eq!(seq(&*store, draft("a:b", "a", "next")).await, 3, "a refused send takes no seq");
}

/// The same key of the other user, or in another chat, is another key.
pub async fn a_key_is_of_one_sender_in_one_chat(backend: &dyn Backend) {
    let (_, store) = fresh(backend);
    assert_eq!(seq(&*store, keyed("a:b", "a", "x", "k")).await, 1);
    assert_eq!(seq(&*store, keyed("a:b", "b", "y", "k")).await, 2);
    assert_eq!(seq(&*store, keyed("a:c", "a", "z", "k")).await, 1);
    assert_eq!(seq(&*store, keyed("a:a", "a", "z", "k")).await, 1);
    assert_eq!(seq(&*store, keyed("a:b", "a", "x", "K")).await, 3);
}

/// Exactly as long as promised.
pub async fn a_key_holds_for_a_day(backend: &dyn Backend) {
    let (clock, store) = fresh(backend);
    let first = store.append(keyed("a:b", "a", "x", "k")).await.expect("stored");
    clock.advance(KEY_WINDOW);
    let again = store.append(keyed("a:b", "a", "x", "k")).await.expect("replayed");
    assert_eq!(again, Appended { message: first.message, replayed: true });
    clock.advance(Duration::from_micros(1));
    assert_eq!(seq(&*store, keyed("a:b", "a", "another text", "k")).await, 2);
    let again = store.append(keyed("a:b", "a", "another text", "k")).await.expect("replayed");
    assert_eq!((again.message.seq.0, again.replayed), (2, true));
}

/// Also when its message is no longer among those that memory keeps.
pub async fn a_key_of_an_old_message_is_known(backend: &dyn Backend) {
    let (_, store) = fresh(backend);
    let first = store.append(keyed("a:b", "a", "x", "k")).await.expect("stored");
    for _ in 0..3 * TAIL_MAX_MESSAGES {
        seq(&*store, draft("a:b", "b", "much later")).await;
    }
    let again = store.append(keyed("a:b", "a", "x", "k")).await.expect("replayed");
    assert_eq!(again, Appended { message: first.message, replayed: true });
    assert_eq!(store.append(keyed("a:b", "a", "y", "k")).await, Err(StoreError::KeyReused));
}

/// A client that repeats before the first answer came gets the same answer.
pub async fn one_key_at_once_stores_once(backend: &dyn Backend) {
    let (_, store) = fresh(backend);
    let tasks: Vec<_> = (0..64)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move { store.append(keyed("a:b", "a", "x", &format!("k{}", n % 4))).await })
        })
        .collect();
    let mut stored = 0;
    let mut seqs = HashSet::new();
    for task in tasks {
        let appended = task.await.expect("ended").expect("stored or replayed");
        stored += usize::from(!appended.replayed);
        seqs.insert(appended.message.seq.0);
    }
    assert_eq!((stored, seqs), (4, HashSet::from([1, 2, 3, 4])));
    assert_eq!(page(&*store, "a:b", 0, Direction::Forward, 10).await, (vec![1, 2, 3, 4], None));
}

/// An hour back and forth again.
pub async fn time_rises_when_the_clock_steps_back(backend: &dyn Backend) {
    let (clock, store) = fresh(backend);
    let mut last = Ts(0);
    let hour_us = 3_600_000_000;
    for wall in [START.0, START.0 - hour_us, START.0 - hour_us + 1, 0, START.0, START.0 + 7] {
        clock.step_to(Ts(wall));
        for chat in ["a:b", "c:d"] {
            let ts = store.append(draft(chat, &chat[..1], "tick")).await.expect("stored").message.ts;
            assert!(ts > last, "{ts:?} after {last:?}");
            last = ts;
        }
    }
    assert_eq!(last, Ts(START.0 + 11));
}

/// 64 tasks send into one chat while 8 page through it, each both ways: no page repeats or skips.
pub async fn sends_and_pages_at_once(backend: &dyn Backend) {
    const SENDERS: u64 = 64;
    const EACH: u64 = 25;
    let (_, store) = fresh(backend);
    let senders: Vec<_> = (0..SENDERS)
        .map(|sender| {
            let store = store.clone();
            tokio::spawn(async move {
                for n in 0..EACH {
                    let sent =
                        store.append(draft("a:b", "a", &format!("{sender}/{n}"))).await.expect("stored");
                    // Whoever pages after an acknowledgement sees the message.
                    let at = query("a:b", sent.message.seq.0 - 1, Direction::Forward, 1);
                    assert_eq!(store.page(at).await.expect("a page").messages, [sent.message]);
                }
            })
        })
        .collect();
    let pagers: Vec<_> = (0..8_usize)
        .map(|pager| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut from = 0;
                while from < SENDERS * EACH {
                    let (seqs, _) = page(&*store, "a:b", from, Direction::Forward, 1 + 5 * pager).await;
                    assert!(seqs.iter().copied().eq((from + 1..).take(seqs.len())), "{seqs:?} from {from}");
                    from += seqs.len() as u64;
                    let (back, next) = page(&*store, "a:b", 0, Direction::Reverse, 7).await;
                    assert!(back.windows(2).all(|two| two[0] == two[1] + 1), "{back:?}");
                    if let Some(next) = next {
                        let (older, _) = page(&*store, "a:b", next, Direction::Reverse, 7).await;
                        assert_eq!(older[0] + 1, back[back.len() - 1]);
                    }
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for task in senders.into_iter().chain(pagers) {
        tokio::time::timeout(Duration::from_mins(2), task)
            .await
            .expect("senders and pagers end")
            .expect("no panic");
    }
    let mut texts = HashSet::new();
    let mut from = Place::START;
    loop {
        let Page { messages, next } =
            store.page(query("a:b", from.get(), Direction::Forward, 1_000)).await.expect("a page");
        texts.extend(messages.iter().map(|message| message.text.clone()));
        match next {
            Some(next) => from = next,
            None => break,
        }
    }
    assert_eq!(texts.len() as u64, SENDERS * EACH);
}

/// Nothing that comes after the end is stored or lost without a word.
pub async fn a_closed_store_takes_nothing(backend: &dyn Backend) {
    let (_, store) = fresh(backend);
    seq(&*store, draft("a:b", "a", "x")).await;
    assert_eq!(store.ready(), Ok(()));
    store.close().await.expect("closed");
    assert!(matches!(store.ready(), Err(StoreError::Unavailable(_))));
    assert!(matches!(store.append(draft("a:b", "a", "y")).await, Err(StoreError::Unavailable(_))));
}

/// Messages, keys, and the rise of time, also with a clock that is behind.
pub async fn what_was_stored_is_there_again(backend: &dyn Backend) {
    if !backend.is_durable() {
        return;
    }
    let (clock, mut store) = fresh(backend);
    let n = 2 * TAIL_MAX_MESSAGES as u64;
    let mut stored = Vec::new();
    for round in 0..4 {
        for at in 0..n {
            let key = format!("{round}/{at}");
            stored.push(store.append(keyed("a:b", "b", &key, &key)).await.expect("stored").message);
        }
        store.close().await.expect("closed");
        drop(store);
        clock.step_to(Ts(START.0 - round));
        store = backend.open(clock.clone());
        let all = store.page(query("a:b", 0, Direction::Forward, 1_000)).await.expect("a page");
        assert_eq!(all.messages, stored);
        let first = &stored[0];
        let again = store.append(keyed("a:b", "b", &first.text, "0/0")).await.expect("replayed");
        assert_eq!(again, Appended { message: first.clone(), replayed: true });
        assert_eq!(store.append(keyed("a:b", "b", "other", "0/1")).await, Err(StoreError::KeyReused));
        let next = store.append(draft("c:d", "c", "x")).await.expect("stored").message;
        assert!(next.ts > stored[stored.len() - 1].ts && next.seq.0 == round + 1);
    }
}
