//! The part of the contract that is of history that expires.

use super::{Backend, START, UNSEND, draft, edit, inbox, keyed, mark, page, query, react, revise, seq, user};
use crate::{Appended, Retention, Store, StoreError};
use chinwag_model::{
    Direction::{Forward, Reverse},
    Event, InboxPage, ManualClock, MarkerKind, Revise, Reviser, Ts,
    limits::{RETAIN_STEP, TAIL_MAX_MESSAGES},
};
use std::{sync::Arc, time::Duration};

const DAY: Duration = Duration::from_hours(24);

/// Two days are kept.
const TWO_DAYS: Retention = Retention { max_age: Some(Duration::from_hours(48)), max_messages: None };

fn newest(messages: u64) -> Retention {
    Retention { max_age: None, max_messages: Some(messages) }
}

fn keeping(backend: &dyn Backend, retention: Retention) -> (Arc<ManualClock>, Arc<dyn Store>) {
    let clock = Arc::new(ManualClock::at(START));
    (clock.clone(), backend.open_keeping(clock, retention))
}

async fn listed(store: &dyn Store, name: &str) -> (Vec<(String, u64, u64, u64)>, u64) {
    let InboxPage { entries, unread_total, .. } =
        store.inbox(inbox(name, 0, 50, None)).await.expect("an inbox");
    let entry = |entry: chinwag_model::InboxEntry| {
        (entry.chat.to_string(), entry.first_seq.0, entry.last.seq.0, entry.unread)
    };
    (entries.into_iter().map(entry).collect(), unread_total)
}

/// Every place, limit and direction at every moment of a chat that is kept to fewer messages than memory has, and to more.
pub async fn only_the_newest_messages_are_kept(backend: &dyn Backend) {
    for keep in [1, 3, TAIL_MAX_MESSAGES as u64 + 5] {
        let (_, store) = keeping(backend, newest(keep));
        let chat = format!("a:b{keep}");
        for last in 1..=2 * TAIL_MAX_MESSAGES as u64 + 9 {
            assert_eq!(seq(&*store, draft(&chat, "a", "x")).await, last, "numbers go on");
            let first = (last + 1).saturating_sub(keep).max(1);
            for from in [0, 1, first.saturating_sub(2), first - 1, first, first + 1, last - 1, last, last + 1]
            {
                for limit in [1, 10, 50] {
                    let all: Vec<u64> = (first.max(from + 1)..=last).take(limit).collect();
                    let next = all.last().copied().filter(|&seen| seen < last);
                    let found = page(&*store, &chat, from, Forward, limit).await;
                    assert_eq!(found, (all, next), "{keep} of {last}, forward from {from}, {limit}");
                    let begin = if from == 0 { last } else { from.min(last) };
                    let all: Vec<u64> = (first..=begin).rev().take(limit).collect();
                    let next = all.last().filter(|&&seen| seen > first).map(|&seen| seen - 1);
                    let found = page(&*store, &chat, from, Reverse, limit).await;
                    assert_eq!(found, (all, next), "{keep} of {last}, reverse from {from}, {limit}");
                }
            }
        }
        store.close().await.expect("closed");
    }
}

/// By their age, to within a step, in every reply and for every verb.
pub async fn old_messages_expire_and_are_gone_for_everyone(backend: &dyn Backend) {
    let (clock, store) = keeping(backend, TWO_DAYS);
    let store = &*store;
    let mut place = Ts(0);
    for n in 1..=10 {
        place = store
            .append(draft("a:b", if n % 2 == 0 { "b" } else { "a" }, "x"))
            .await
            .expect("stored")
            .message
            .ts;
        clock.advance(DAY / 2);
    }
    // The newest is half a day old, the oldest five days; one that is just two days old stays to the end of the step.
    assert_eq!(page(store, "a:b", 0, Forward, 3).await, (vec![7, 8, 9], Some(9)));
    clock.advance(RETAIN_STEP);
    assert_eq!(page(store, "a:b", 0, Forward, 3).await, (vec![8, 9, 10], None));
    assert_eq!(page(store, "a:b", 3, Forward, 1).await, (vec![8], Some(8)), "a place below begins there");
    assert_eq!(page(store, "a:b", 0, Reverse, 3).await, (vec![10, 9, 8], None));
    assert_eq!(page(store, "a:b", 8, Reverse, 3).await, (vec![8], None));
    assert_eq!(page(store, "a:b", 7, Reverse, 3).await, (vec![], None));
    assert_eq!(listed(store, "a").await, (vec![("a:b".into(), 8, 10, 2)], 2));
    for change in [edit("y"), UNSEND, react("👍", false)] {
        let gone = store.revise(revise("a:b", "a", 7, change.clone())).await;
        assert_eq!(gone, Err(StoreError::NoSuchMessage), "{change:?}");
    }
    assert!(store.revise(revise("a:b", "b", 8, react("👍", false))).await.is_ok());
    let missed = store.catch_up(user("a"), Some(START)).await.expect("caught up").events.expect("told");
    let told: Vec<u64> = missed
        .iter()
        .filter_map(|event| match event {
            Event::Message(message) => Some(message.seq.0),
            _ => None,
        })
        .collect();
    assert_eq!(told, [8, 9, 10]);
    assert!(store.catch_up(user("a"), Some(place)).await.expect("caught up").events.is_some());
    assert_eq!(seq(store, draft("a:b", "a", "x")).await, 11);
}

/// It leaves the inbox, keeps its numbers and its markers, and comes back with the next message.
pub async fn a_chat_whose_messages_have_all_expired_goes_on(backend: &dyn Backend) {
    let (clock, store) = keeping(backend, TWO_DAYS);
    let store = &*store;
    for _ in 0..40 {
        seq(store, draft("a:b", "a", "x")).await;
    }
    store.mark(mark("a:b", "b", MarkerKind::Read, 30)).await.expect("marked");
    seq(store, draft("b:c", "c", "x")).await;
    clock.advance(DAY);
    seq(store, draft("b:c", "c", "x")).await;
    assert_eq!(listed(store, "b").await, (vec![("b:c".into(), 1, 2, 2), ("a:b".into(), 1, 40, 10)], 12));
    clock.advance(DAY + RETAIN_STEP);
    assert_eq!(listed(store, "b").await, (vec![("b:c".into(), 2, 2, 1)], 1));
    assert_eq!(listed(store, "a").await, (vec![], 0));
    let alone = store.inbox(inbox("b", 0, 1, Some("a:b"))).await.expect("an inbox");
    assert_eq!((alone.entries, alone.unread_total, alone.next), (vec![], 1, None));
    for direction in [Forward, Reverse] {
        for from in [0, 39, 40, 41] {
            assert_eq!(page(store, "a:b", from, direction, 10).await, (vec![], None));
        }
    }
    let moved = store.mark(mark("a:b", "b", MarkerKind::Read, 99)).await.expect("marked").marker.seq.0;
    assert_eq!(moved, 40, "clamped as ever");
    assert_eq!(seq(store, draft("a:b", "a", "x")).await, 41);
    assert_eq!(page(store, "a:b", 0, Reverse, 10).await, (vec![41], None));
    assert_eq!(listed(store, "b").await, (vec![("a:b".into(), 41, 41, 1), ("b:c".into(), 2, 2, 1)], 2));
}

/// Whatever of it was read, was unsent, and has expired, in whichever order.
pub async fn unread_counts_what_has_not_expired(backend: &dyn Backend) {
    let (clock, store) = keeping(backend, Retention { max_messages: Some(12), ..TWO_DAYS });
    let store = &*store;
    let unread = async |name: &str| listed(store, name).await.1;
    for n in 1..=12 {
        seq(store, draft("a:b", if n % 3 == 0 { "b" } else { "a" }, "x")).await;
    }
    assert_eq!((unread("a").await, unread("b").await), (4, 8));
    for at in [1, 4, 11] {
        store.revise(revise("a:b", "a", at, UNSEND)).await.expect("unsent");
    }
    assert_eq!(unread("b").await, 5);
    seq(store, draft("a:b", "a", "x")).await;
    assert_eq!(unread("b").await, 6, "the first, which was unsent, has expired");
    seq(store, draft("a:b", "a", "x")).await;
    assert_eq!(unread("b").await, 6, "the second has expired");
    assert_eq!(unread("a").await, 4);
    store.mark(mark("a:b", "b", MarkerKind::Read, 2)).await.expect("marked");
    assert_eq!(unread("b").await, 6, "a mark below the beginning");
    store.mark(mark("a:b", "b", MarkerKind::Read, 5)).await.expect("marked");
    assert_eq!(unread("b").await, 5);
    clock.advance(DAY);
    for _ in 0..3 {
        seq(store, draft("a:b", "b", "x")).await;
    }
    // 6 to 17: a 7 8 10 11(unsent) 13 14, b 6 9 12 15 16 17.
    assert_eq!((unread("a").await, unread("b").await), (6, 5));
    clock.advance(DAY + RETAIN_STEP);
    assert_eq!((unread("a").await, unread("b").await), (3, 0));
    assert_eq!(listed(store, "a").await.0, [("a:b".into(), 15, 17, 3)]);
    let by_admin = Revise { by: Reviser::Admin, ..revise("a:b", "b", 16, UNSEND) };
    store.revise(by_admin).await.expect("unsent");
    assert_eq!(unread("a").await, 2);
    clock.advance(2 * DAY);
    assert_eq!((unread("a").await, unread("b").await), (0, 0));
}

/// A send is stored once, also where its message is hidden by the time of the repeat.
pub async fn a_key_of_an_expired_message_is_known(backend: &dyn Backend) {
    let (clock, store) = keeping(backend, newest(2));
    let first = store.append(keyed("a:b", "a", "x", "k")).await.expect("stored").message;
    for _ in 0..2 * TAIL_MAX_MESSAGES {
        seq(&*store, draft("a:b", "b", "x")).await;
    }
    clock.advance(Duration::from_hours(23));
    assert_eq!(page(&*store, "a:b", 0, Forward, 9).await, (vec![64, 65], None));
    let again = store.append(keyed("a:b", "a", "x", "k")).await.expect("replayed");
    assert_eq!(again, Appended { message: first, replayed: true });
    assert_eq!(store.append(keyed("a:b", "a", "y", "k")).await, Err(StoreError::KeyReused));
    clock.advance(Duration::from_hours(2));
    assert_eq!(seq(&*store, keyed("a:b", "a", "y", "k")).await, 66);
}

/// Nothing that a wrong clock says is old is lost; not before someone says that it is right.
pub async fn a_jump_of_the_clock_lets_nothing_expire(backend: &dyn Backend) {
    let (clock, store) = keeping(backend, TWO_DAYS);
    seq(&*store, draft("a:b", "a", "x")).await;
    let us = |by: Duration| u64::try_from(by.as_micros()).expect("fits");
    clock.step_to(Ts(START.0 + us(100 * DAY)));
    for _ in 0..2 {
        assert_eq!(page(&*store, "a:b", 0, Forward, 9).await.0, [1]);
        assert_eq!(listed(&*store, "b").await, (vec![("a:b".into(), 1, 1, 1)], 1));
        clock.advance(DAY);
    }
}

/// Not with a clock that steps back, nor with a looser rule, nor after a restart.
pub async fn what_has_expired_never_comes_back(backend: &dyn Backend) {
    let (clock, mut store) = keeping(backend, Retention { max_messages: Some(5), ..TWO_DAYS });
    for n in 1..=9 {
        seq(&*store, draft("a:b", "a", "x")).await;
        if n == 6 {
            clock.advance(2 * DAY + RETAIN_STEP);
        }
    }
    assert_eq!(page(&*store, "a:b", 0, Forward, 9).await.0, [7, 8, 9]);
    clock.step_to(START);
    assert_eq!(page(&*store, "a:b", 0, Forward, 9).await.0, [7, 8, 9]);
    for n in 10..=20 {
        seq(&*store, draft("a:c", "a", "x")).await;
        assert_eq!(listed(&*store, "a").await.0.len(), 2, "{n}");
    }
    if !backend.is_durable() {
        return;
    }
    for retention in [newest(8), Retention::default(), newest(3), newest(100), TWO_DAYS, Retention::default()]
    {
        store.close().await.expect("closed");
        drop(store);
        store = backend.open_keeping(clock.clone(), retention);
        let first = if retention == newest(3) { 9 } else { page(&*store, "a:c", 0, Forward, 9).await.0[0] };
        let kept = page(&*store, "a:c", 0, Forward, 9).await.0;
        assert_eq!(kept, (first..=11).collect::<Vec<_>>(), "{retention:?}");
        assert!((7..=9).contains(&first), "{retention:?}");
        assert_eq!(page(&*store, "a:b", 0, Forward, 9).await.0, [7, 8, 9], "{retention:?}");
        assert_eq!(listed(&*store, "a").await.0[1], ("a:b".into(), 7, 9, 0), "{retention:?}");
    }
    assert_eq!(page(&*store, "a:c", 0, Forward, 9).await.0, [9, 10, 11], "the tightest there was");
    assert_eq!(seq(&*store, draft("a:c", "a", "x")).await, 12);
}

/// 16 tasks send into a chat that keeps 50 messages while 8 page through it, each both ways: a page never repeats, and skips only
/// what had expired.
pub async fn pages_while_the_beginning_moves(backend: &dyn Backend) {
    const KEEP: u64 = 50;
    let (_, store) = keeping(backend, newest(KEEP));
    let senders: Vec<_> = (0..16)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                for _ in 0..50 {
                    let sent = store.append(draft("a:b", "a", "x")).await.expect("stored").message;
                    let after = query("a:b", sent.seq.0 - 1, Forward, 1);
                    let found = store.page(after).await.expect("a page").messages;
                    // Unless so many were sent before this task came to look that it has expired.
                    let newest = page(&*store, "a:b", 0, Reverse, 1).await.0[0];
                    assert!(found == [sent.clone()] || newest >= sent.seq.0 + KEEP, "{sent:?} of {newest}");
                }
            })
        })
        .collect();
    let pagers: Vec<_> = (0..8_usize)
        .map(|pager| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut from = 0;
                while from < 16 * 50 {
                    let (seqs, _) = page(&*store, "a:b", from, Forward, 1 + 9 * pager).await;
                    assert!(seqs.windows(2).all(|two| two[0] + 1 == two[1]), "{seqs:?}");
                    if let (Some(first), Some(last)) = (seqs.first(), seqs.last()) {
                        assert!(*first > from, "{seqs:?} from {from}");
                        // What was skipped had expired: by now there are so many after it.
                        let newest = page(&*store, "a:b", 0, Reverse, 1).await.0[0];
                        assert!(
                            *first == from + 1 || newest + 1 >= first + KEEP,
                            "{first} after {from} of {newest}"
                        );
                        from = *last;
                    }
                    let (back, _) = page(&*store, "a:b", 0, Reverse, 100).await;
                    assert!(back.len() as u64 <= KEEP, "{}", back.len());
                    assert!(back.windows(2).all(|two| two[0] == two[1] + 1), "{back:?}");
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for task in senders.into_iter().chain(pagers) {
        let ended = tokio::time::timeout(Duration::from_mins(2), task).await;
        ended.expect("senders and pagers end").expect("no panic");
    }
    assert_eq!(page(&*store, "a:b", 0, Forward, 1_000).await.0, (751..=800).collect::<Vec<_>>());
}
