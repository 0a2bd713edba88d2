//! Inboxes, marks and catch-ups of the embedded store: what a kill leaves, and its bounds.

use crate::backends::Embedded;
use chinwag_model::{Direction, Event, InboxPage, ManualClock, MarkerKind, Ts};
use chinwag_store::{
    CatchUp, Outlet, Store, StoreError,
    contract::{Backend, START, draft, inbox, mark, query, user},
    embedded::{EmbeddedStore, Options, check},
};
use futures_util::FutureExt;
use std::{
    fs,
    path::Path,
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(START))
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("made");
    for entry in fs::read_dir(from).expect("listed") {
        let (entry, to) = (entry.expect("listed"), to.to_owned());
        let to = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).expect("copied");
        }
    }
}

async fn shown(store: &dyn Store) -> Vec<(InboxPage, CatchUp)> {
    let mut shown = Vec::new();
    for name in ["a", "b0", "b1", "b2", "b3", "b4", "b5", "b6"] {
        let page = store.inbox(inbox(name, 0, 1_000, None)).await.expect("an inbox");
        shown.push((page, store.catch_up(user(name), Some(Ts(0))).await.expect("caught up")));
    }
    shown
}

async fn change(store: &dyn Store, round: u64) {
    // Each round reaches other chats, so that some rows on disk are behind, some missing, and some right.
    for n in 0..=round {
        let chat = format!("a:b{n}");
        for sender in ["a", &chat[2..], "a"] {
            store.append(draft(&chat, sender, "x")).await.expect("stored");
        }
        store.mark(mark(&chat, "a", MarkerKind::Read, 2 + round)).await.expect("marked");
        store.mark(mark(&chat, &chat[2..], MarkerKind::Delivered, 1)).await.expect("marked");
    }
}

/// The directory as a kill leaves it, at several points: what the inbox rows lack is found in the change log.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_kill_inboxes_are_as_they_were() {
    let backend = Embedded::new();
    for round in 0..7 {
        let store = backend.open(clock());
        change(&*store, round).await;
        let before = shown(&*store).await;
        let image = tempfile::tempdir().expect("a directory");
        copy(backend.path(), image.path());
        if round % 2 == 0 {
            // As it was left.
            let report = check(image.path(), &mut |_| {}).expect("checked");
            assert_eq!(report.problems, Vec::<String>::new(), "round {round}");
        }
        let options = Options { disk_reserve_bytes: 0, ..Options::default() };
        let after = EmbeddedStore::open(image.path(), &options, clock()).expect("opened");
        assert_eq!(shown(&after).await, before, "round {round}");
        after.close().await.expect("closed");
        drop(after);
        let report = check(image.path(), &mut |_| {}).expect("checked");
        assert_eq!(report.problems, Vec::<String>::new(), "round {round}");
        store.close().await.expect("closed");
    }
}

/// Dropped within a runtime of one thread, whose task that answers can't run meanwhile.
#[tokio::test]
async fn a_dropped_store_shows_all_when_it_is_opened_again() {
    let backend = Embedded::new();
    let store = backend.open(clock());
    change(&*store, 6).await;
    let before = shown(&*store).await;
    drop(store);
    let store = backend.open(clock());
    assert_eq!(shown(&*store).await, before);
    drop(store);
    assert_eq!(check(backend.path(), &mut |_| {}).expect("checked").problems, Vec::<String>::new());
}

/// A mark that moves nothing writes nothing, and is answered.
#[tokio::test(flavor = "multi_thread")]
async fn below_the_reserve_no_marker_moves_and_the_rest_is_answered() {
    let backend = Embedded::new();
    let store = backend.open(clock());
    change(&*store, 0).await;
    let stands = store.mark(mark("a:b0", "a", MarkerKind::Read, 2)).await.expect("marked");
    store.close().await.expect("closed");
    drop(store);
    // More than any disk has.
    let options = Options { disk_reserve_bytes: u64::MAX, ..Options::default() };
    let store = EmbeddedStore::open(backend.path(), &options, clock()).expect("opened");
    assert!(matches!(
        store.mark(mark("a:b0", "a", MarkerKind::Read, 3)).await,
        Err(StoreError::Full { reserve_bytes: u64::MAX, .. })
    ));
    assert_eq!(store.mark(mark("a:b0", "a", MarkerKind::Read, 1)).await, Ok(stands));
    let page = store.inbox(inbox("a", 0, 10, None)).await.expect("an inbox");
    assert_eq!((page.entries.len(), page.unread_total), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_refuses_marks_too() {
    let backend = Embedded::with(|options| options.queue_max_messages = 4);
    let store = backend.open(clock());
    for _ in 0..300 {
        store.append(draft("a:b", "a", "x")).await.expect("stored");
    }
    let marks: Vec<_> = (1..=300)
        .map(|seq| {
            let store = store.clone();
            tokio::spawn(async move { store.mark(mark("a:b", "b", MarkerKind::Read, seq)).await })
        })
        .collect();
    let (mut furthest, mut busy) = (0, 0);
    for marked in marks {
        match marked.await.expect("ended") {
            Ok(marked) => furthest = furthest.max(marked.marker.seq.0),
            Err(StoreError::Busy { .. }) => busy += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert!(furthest > 0 && busy > 0, "{furthest}, {busy} busy");
    let page = store.inbox(inbox("b", 0, 10, None)).await.expect("an inbox");
    assert_eq!(page.unread_total, 300 - furthest);
}

/// Reads, at the moment that it is told, what it is told of.
#[derive(Default)]
struct Reads {
    store: OnceLock<Weak<EmbeddedStore>>,
    told: AtomicUsize,
    /// When the last of it happened.
    upto: AtomicU64,
}

impl Outlet for Reads {
    fn committed(&self, events: Vec<Event>) {
        let store = self.store.get().and_then(Weak::upgrade).expect("the store is there");
        let now = store.catch_up(user("a"), None).now_or_never().expect("at once").expect("caught up");
        let last = events.last().and_then(Event::ts).expect("told of something");
        assert_eq!(now.upto, last);
        let since = Ts(self.upto.swap(last.0, Relaxed));
        let caught = tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(store.catch_up(user("a"), Some(since)))
        });
        let caught = caught.expect("caught up").events.expect("not too much");
        let missing = |event: &&Event| matches!(event, Event::Message(_)) && !caught.contains(event);
        assert_eq!(events.iter().find(missing), None);
        let page = store.inbox(inbox("a", 0, 10, None)).now_or_never().expect("at once").expect("an inbox");
        assert!(page.entries[0].last.ts <= last);
        for event in &events {
            if let Event::Message(message) = event {
                let query = query(message.chat.as_str(), message.seq.0, Direction::Reverse, 1);
                let page = store.page(query).now_or_never().expect("at once").expect("a page");
                assert_eq!(page.messages, std::slice::from_ref(message));
            }
        }
        self.told.fetch_add(events.len(), Relaxed);
    }
}

/// Every read shows what the outlet is told of, by then.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_outlet_is_told_of_is_shown_by_every_read() {
    let backend = Embedded::new();
    let store = backend.store(clock());
    let reads = Arc::<Reads>::default();
    store.publish_to(reads.clone());
    assert!(reads.store.set(Arc::downgrade(&store)).is_ok());
    // From here on the inbox is in memory.
    store.inbox(inbox("a", 0, 10, None)).await.expect("an inbox");
    let tasks: Vec<_> = (0..3)
        .map(|task| {
            let store = store.clone();
            tokio::spawn(async move {
                let chat = format!("a:b{task}");
                for _ in 0..50 {
                    let sent = store.append(draft(&chat, "a", "x")).await.expect("stored").message;
                    let seq = sent.seq.0;
                    store.mark(mark(&chat, &chat[2..], MarkerKind::Read, seq)).await.expect("marked");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("no panic");
    }
    // Each message, and two markers for it: had it not been so, the task that tells would have ended, and nobody been answered.
    assert_eq!(reads.told.load(Relaxed), 3 * 50 * 3);
}

struct Panics;

impl Outlet for Panics {
    fn committed(&self, _events: Vec<Event>) {
        panic!("as planned");
    }
}

/// What is on disk and can't be told has an unknown outcome, and nothing comes after it.
#[tokio::test(flavor = "multi_thread")]
async fn an_outlet_that_panics_fails_the_store() {
    let backend = Embedded::new();
    let store = backend.store(clock());
    store.publish_to(Arc::new(Panics));
    let sent = store.append(draft("a:b", "a", "x")).await;
    assert!(matches!(sent, Err(StoreError::OutcomeUnknown(_))), "{sent:?}");
    let reason = tokio::time::timeout(std::time::Duration::from_mins(1), store.failed());
    assert!(reason.await.expect("the store fails").contains("panicked"));
    assert!(matches!(store.ready(), Err(StoreError::Unavailable(_))));
}
