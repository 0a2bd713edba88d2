//! What only the embedded store has: its directory, its bounds, its disk.

use crate::backends::Embedded;
use chinwag_model::{Direction, ManualClock, SystemClock, Ts};
use chinwag_store::{
    Store, StoreError,
    contract::{Backend, START, draft, keyed, query},
    embedded::{EmbeddedStore, OpenError, Options, check},
};
use std::{sync::Arc, time::Duration};

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(START))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_store_in_one_directory_is_refused() {
    let backend = Embedded::new();
    let store = backend.store(clock());
    let second = EmbeddedStore::open(backend.path(), &Options::default(), clock());
    assert!(matches!(second, Err(OpenError::Locked(_))));
    assert!(matches!(check(backend.path(), &mut |_| {}), Err(OpenError::Locked(_))));
    let epoch = store.epoch();
    store.close().await.expect("closed");
    drop(store);
    assert_eq!(backend.store(clock()).epoch(), epoch);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_refuses_at_once_and_loses_nothing() {
    let backend = Embedded::with(|options| options.queue_max_messages = 16);
    let store = backend.open(clock());
    let sends: Vec<_> = (0..2_000)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.append(draft("a:b", "a", "x")).await })
        })
        .collect();
    let (mut stored, mut busy) = (0, 0);
    for send in sends {
        match send.await.expect("ended") {
            Ok(_) => stored += 1,
            Err(StoreError::Busy { .. }) => busy += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert!(stored >= 16 && stored + busy == 2_000, "{stored} stored, {busy} busy");
    let last = store.page(query("a:b", 0, Direction::Reverse, 1)).await.expect("a page");
    assert_eq!(last.messages[0].seq.0, stored);
    assert_eq!(store.append(draft("a:b", "a", "y")).await.expect("room again").message.seq.0, stored + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn below_the_reserve_nothing_is_stored_and_repeats_are_still_answered() {
    let backend = Embedded::new();
    let store = backend.open(clock());
    let first = store.append(keyed("a:b", "a", "x", "k")).await.expect("stored");
    store.close().await.expect("closed");
    drop(store);
    // More than any disk has.
    let options = Options { disk_reserve_bytes: u64::MAX, ..Options::default() };
    let store = EmbeddedStore::open(backend.path(), &options, clock()).expect("opened");
    assert!(matches!(store.ready(), Err(StoreError::Full { reserve_bytes: u64::MAX, .. })));
    assert!(matches!(store.append(draft("a:b", "a", "y")).await, Err(StoreError::Full { .. })));
    let again = store.append(keyed("a:b", "a", "x", "k")).await.expect("replayed");
    assert!(again.replayed && again.message == first.message);
    let page = store.page(query("a:b", 0, Direction::Forward, 10)).await.expect("a page");
    assert_eq!(page.messages, [first.message]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_counts_what_is_there() {
    let backend = Embedded::new();
    let store = backend.open(clock());
    for chat in ["a:b", "a:c", "b:c"] {
        for n in 0..50 {
            store.append(draft(chat, &chat[..1], &format!("{n}"))).await.expect("stored");
        }
    }
    store.close().await.expect("closed");
    drop(store);
    let mut last = None;
    let report = check(backend.path(), &mut |progress| last = Some(progress)).expect("checked");
    assert_eq!((report.chats, report.messages, report.changes), (3, 150, 150));
    assert_eq!((report.first_ts, report.last_ts), (Some(START), Some(Ts(START.0 + 149))));
    assert_eq!(report.problems, Vec::<String>::new());
    let last = last.expect("told");
    assert!(last.done >= 151 && last.done == last.total_estimate, "{last:?}");
    let nothing = tempfile::tempdir().expect("a directory");
    assert!(matches!(check(nothing.path(), &mut |_| {}), Err(OpenError::NotAStore { .. })));
    assert_eq!(std::fs::read_dir(nothing.path()).expect("listed").count(), 0, "a check makes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_change_log_is_trimmed_after_a_week_but_for_its_last_row() {
    let backend = Embedded::new();
    let clock = clock();
    let store = backend.open(clock.clone());
    for n in 0..10 {
        store.append(draft("a:b", "a", &format!("{n}"))).await.expect("stored");
    }
    // With the end the inbox rows are written; until then no row goes that they are to be derived from.
    store.close().await.expect("closed");
    drop(store);
    let store = backend.open(clock.clone());
    clock.advance(Duration::from_hours(24 * 8));
    // The committer looks for old rows after a commit, and trims before it takes the next one.
    for n in 10..14 {
        store.append(draft("a:b", "a", &format!("{n}"))).await.expect("stored");
    }
    store.close().await.expect("closed");
    drop(store);
    let report = check(backend.path(), &mut |_| {}).expect("checked");
    assert_eq!((report.messages, report.problems.len()), (14, 0), "{:?}", report.problems);
    // Where it looked before the next row was there, it left the last of the old ones.
    assert!((4..=5).contains(&report.changes), "{}", report.changes);
    let store = backend.open(clock);
    assert_eq!(store.append(draft("a:b", "a", "on")).await.expect("stored").message.seq.0, 15);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_store_has_written_what_it_accepted() {
    let backend = Embedded::new();
    let store = backend.store(Arc::new(ManualClock::at(START)));
    let sends: Vec<_> = (0..500).map(|_| store.append(draft("a:b", "a", "x"))).collect();
    let stored = futures_util::future::join_all(sends).await.into_iter().flatten().count();
    drop(store);
    let report = check(backend.path(), &mut |_| {}).expect("checked");
    assert_eq!((report.messages, report.problems), (stored as u64, Vec::new()));
}

/// With the machine's own clock, and far more chats than the cache holds.
#[tokio::test(flavor = "multi_thread")]
async fn chats_that_go_cold_and_come_back_keep_their_numbers_and_keys() {
    let backend = Embedded::without_cache();
    let options = Options { chat_cache_bytes: 0, disk_reserve_bytes: 0, ..Options::default() };
    let store =
        EmbeddedStore::open(backend.path(), &options, Arc::new(SystemClock::default())).expect("opened");
    let store = Arc::new(store);
    let tasks: Vec<_> = (0..16)
        .map(|task| {
            let store = store.clone();
            tokio::spawn(async move {
                for round in 1..=4 {
                    for chat in 0..250 {
                        let chat = format!("user{task}:chat{chat}");
                        let (user, key) = (format!("user{task}"), format!("{round}"));
                        let sent = store.append(keyed(&chat, &user, &key, &key)).await.expect("stored");
                        assert_eq!((sent.message.seq.0, sent.replayed), (round, false), "{chat}");
                        let again = store.append(keyed(&chat, &user, "1", "1")).await.expect("replayed");
                        assert_eq!((again.message.seq.0, again.replayed), (1, true), "{chat}");
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("no panic");
    }
    store.close().await.expect("closed");
    drop(store);
    let report = check(backend.path(), &mut |_| {}).expect("checked");
    assert_eq!((report.chats, report.messages, report.problems), (4_000, 16_000, Vec::new()));
}
