//! A chat of two erased users, as it leaves the disk of the embedded store, its backups and its exports.

use crate::backends::Embedded;
use chinwag_model::{Chat, Direction, ManualClock, Seq};
use chinwag_store::{
    Store, StoreError,
    contract::{START, draft, erase, inbox, keyed, query},
    embedded::{
        CheckReport, EmbeddedStore, Maintenance, Options,
        archive::Piece,
        backup::{Since, head_of, restore},
        check,
    },
};
use futures_util::future::BoxFuture;
use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

/// More than the sweep frees in one step.
const MESSAGES: u64 = 700;

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(START))
}

async fn seqs(store: &dyn Store, chat: &str) -> Vec<u64> {
    let page = store.page(query(chat, 0, Direction::Forward, 1_000)).await.expect("a page");
    page.messages.iter().map(|message| message.seq.0).collect()
}

async fn erased(store: &dyn Store, chat: &str, name: &str) {
    for seq in seqs(store, chat).await {
        store.revise(erase(chat, name, seq)).await.expect("erased");
    }
    let (chat, _) = Chat::parse(chat).expect("a chat");
    let side = chat.side_of(name).expect("a member");
    store.forget(chat, side).await.expect("forgotten");
}

/// A long chat of `a` and `b`, of whom `a` is erased, and a short one of `b`.
async fn history(store: &dyn Store) {
    for n in 0..MESSAGES {
        let (name, key) = (if n % 3 == 0 { "a" } else { "b" }, format!("k{n}"));
        store.append(keyed("a:b", name, "x", &key)).await.expect("stored");
    }
    for text in ["one", "two", "three"] {
        store.append(draft("b:c", "c", text)).await.expect("stored");
    }
    store.append(draft("a:a", "a", "a note")).await.expect("stored");
    for chat in ["a:a", "a:b"] {
        erased(store, chat, "a").await;
    }
}

async fn listed(store: &dyn Store, name: &str) -> Vec<String> {
    let page = store.inbox(inbox(name, 0, 10, None)).await.expect("an inbox");
    page.entries.iter().map(|entry| entry.chat.to_string()).collect()
}

async fn checked(store: Arc<EmbeddedStore>, data: &Path) -> CheckReport {
    store.close().await.expect("closed");
    drop(Arc::into_inner(store).expect("nobody else has it"));
    let report = check(data, &mut |_| {}).expect("checked");
    assert_eq!(report.problems, Vec::<String>::new());
    report
}

fn backup(of: &Maintenance, since: Since, into: &Path) -> Since {
    let mut file = fs::File::create(into).expect("made");
    of.backup(since, None, &mut file, &mut |_| {}).expect("a backup");
    Since::Backup(head_of(fs::File::open(into).expect("there")).expect("a head").newest)
}

/// The chats that an export names.
fn exported(from: &Maintenance) -> Vec<String> {
    let mut chats = Vec::new();
    let take = &mut |piece| {
        chats.push(match piece {
            Piece::Message(message) => message.chat.to_string(),
            Piece::Markers(chat, _) | Piece::Block(chat, ..) => chat.to_string(),
        });
        Ok::<_, StoreError>(())
    };
    from.export(None, take).expect("exported");
    chats.dedup();
    chats
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rows_of_a_chat_that_went_leave_the_disk() {
    let backend = Embedded::new();
    let store = backend.store(clock());
    history(&*store).await;
    let swept = store.sweep().await.expect("swept");
    assert_eq!((swept.messages, swept.chats), (1, 1), "of a note to self, and not of the peer's chat");
    erased(&*store, "a:b", "b").await;
    assert_eq!(exported(&store.maintenance()), ["b:c"], "an export names it no more");
    let report = checked(store, backend.path()).await;
    assert_eq!((report.chats, report.messages), (2, MESSAGES + 3), "the rows are there still");

    let store = backend.store(clock());
    assert_eq!(seqs(&*store, "a:b").await, Vec::<u64>::new(), "and nobody sees them");
    let swept = store.sweep().await.expect("swept");
    assert_eq!((swept.messages, swept.rewritten), (MESSAGES, true), "at once, since no key is in them");
    assert_eq!(store.sweep().await.expect("swept").messages, 0, "nothing is found twice");
    assert_eq!(exported(&store.maintenance()), ["b:c"]);
    let report = checked(store, backend.path()).await;
    assert_eq!((report.chats, report.messages), (1, 3), "they are gone");

    let store = backend.store(clock());
    assert_eq!((listed(&*store, "a").await, listed(&*store, "b").await), (vec![], vec!["b:c".into()]));
    let next = store.append(draft("a:b", "b", "again")).await.expect("stored").message;
    assert_eq!((next.seq, next.nth), (Seq(MESSAGES + 1), MESSAGES * 2 / 3 + 1), "its numbers go on");
    assert_eq!(store.inbox(inbox("a", 0, 10, None)).await.expect("an inbox").unread_total, 1);
    let note = store.append(draft("a:a", "a", "again")).await.expect("stored").message;
    assert_eq!((note.seq, note.nth), (Seq(2), 2));
    assert_eq!(listed(&*store, "a").await, ["a:a", "a:b"]);
    assert_eq!(store.sweep().await.expect("swept").messages, 0, "what is new stays");
    let report = checked(store, backend.path()).await;
    assert_eq!((report.chats, report.messages), (3, 5));
}

#[tokio::test(flavor = "multi_thread")]
async fn backups_hold_that_a_chat_went() {
    let (backend, scratch) = (Embedded::new(), tempfile::tempdir().expect("a directory"));
    let store = backend.store(clock());
    history(&*store).await;
    let files = ["before", "went", "swept"].map(|name| scratch.path().join(name));
    let whole = scratch.path().join("whole");
    let maintenance = store.maintenance();
    let since = backup(&maintenance, Since::Beginning, &files[0]);
    erased(&*store, "a:b", "b").await;
    let since = backup(&maintenance, since, &files[1]);
    assert_eq!(store.sweep().await.expect("swept").messages, MESSAGES + 1);
    store.append(draft("b:c", "c", "four")).await.expect("stored");
    backup(&maintenance, since, &files[2]);
    backup(&maintenance, Since::Beginning, &whole);
    drop(maintenance);
    checked(store, backend.path()).await;

    let all = (1..=MESSAGES).collect::<Vec<_>>();
    for (chain, stands, rows) in [
        (files[..1].to_vec(), all, 1),
        (files[..2].to_vec(), vec![], MESSAGES + 1),
        (files.to_vec(), vec![], 0),
        (vec![whole], vec![], 0),
    ] {
        let (of, data) = (format!("{chain:?}"), scratch.path().join("restored"));
        let report = restore(&chain, &data, &mut |_, _| {}).expect("restored");
        assert_eq!(report.check.problems, Vec::<String>::new(), "{of}");
        let options = Options { disk_reserve_bytes: 0, ..Options::default() };
        let store = Arc::new(EmbeddedStore::open(&data, &options, clock()).expect("opened"));
        assert_eq!(seqs(&*store, "a:b").await, stands, "{of}");
        let names: Vec<_> = if stands.is_empty() { vec![] } else { vec!["a:b".to_owned()] };
        assert_eq!(listed(&*store, "a").await, names, "{of}");
        assert_eq!(store.sweep().await.expect("swept").messages, rows, "{of}");
        // What was begun before the backup is ended after it.
        erased(&*store, "a:b", "b").await;
        assert_eq!(seqs(&*store, "a:b").await, Vec::<u64>::new(), "{of}");
        let next = store.append(draft("a:b", "a", "again")).await.expect("stored").message.seq;
        assert_eq!(next, Seq(MESSAGES + 1), "{of}");
        checked(store, &data).await;
        fs::remove_dir_all(&data).expect("removed");
    }
}

/// Sends go on while both users are erased again and again and the sweep frees what went: no number is given twice, and none is lost.
#[tokio::test(flavor = "multi_thread")]
async fn sends_erasures_and_sweeps_at_once() {
    const SENDS: u64 = 300;
    let backend = Embedded::without_cache();
    let store = backend.store(clock());
    let done = Arc::new(AtomicBool::new(false));
    let until_done = |what: fn(Arc<EmbeddedStore>) -> BoxFuture<'static, u64>| {
        let (store, done) = (store.clone(), done.clone());
        tokio::spawn(async move {
            let mut freed = 0;
            while !done.load(Relaxed) {
                freed += what(store.clone()).await;
            }
            freed
        })
    };
    let eraser = until_done(|store| {
        Box::pin(async move {
            erased(&*store, "a:b", "a").await;
            erased(&*store, "a:b", "b").await;
            0
        })
    });
    let sweeper = until_done(|store| Box::pin(async move { store.sweep().await.expect("swept").messages }));
    for n in 1..=SENDS {
        let name = if n % 2 == 0 { "a" } else { "b" };
        let seq = store.append(draft("a:b", name, "x")).await.expect("stored").message.seq;
        assert_eq!(seq, Seq(n));
    }
    done.store(true, Relaxed);
    let wait = async { eraser.await.expect("no panic") + sweeper.await.expect("no panic") };
    let freed = tokio::time::timeout(Duration::from_mins(1), wait).await.expect("both end");
    for name in ["a", "b", "a"] {
        erased(&*store, "a:b", name).await;
    }
    assert_eq!(listed(&*store, "a").await, Vec::<String>::new());
    assert_eq!(freed + store.sweep().await.expect("swept").messages, SENDS, "each went once");
    assert_eq!(checked(store, backend.path()).await.messages, 0);
}
