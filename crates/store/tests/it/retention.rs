//! What only the embedded store has of history that expires: its disk, its backups, its exports.

use crate::backends::Embedded;
use chinwag_model::{
    Chat, Direction::Forward, ManualClock, MarkerKind, Message, Seq, Side, Ts, limits::SWEEP_EVERY,
};
use chinwag_store::{
    Retention, Store, StoreError,
    contract::{Backend, START, UNSEND, draft, edit, inbox, mark, query, react, revise},
    embedded::{
        EmbeddedStore, Maintenance,
        archive::{Fate, Imported, Importer, Piece},
        backup::{Since, restore},
        check,
    },
};
use std::{path::Path, sync::Arc, time::Duration};

const DAY: Duration = Duration::from_hours(24);

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(START))
}

fn days(days: u32) -> Retention {
    Retention { max_age: Some(days * DAY), max_messages: None }
}

fn newest(messages: u64) -> Retention {
    Retention { max_age: None, max_messages: Some(messages) }
}

async fn send(store: &dyn Store, chat: &str, count: usize, text: &str) {
    let (sender, _) = chat.split_once(':').expect("two users");
    let sends = (0..count).map(|_| store.append(draft(chat, sender, text)));
    for sent in futures_util::future::join_all(sends).await {
        sent.expect("stored");
    }
}

async fn seqs(store: &dyn Store, chat: &str) -> Vec<u64> {
    let page = store.page(query(chat, 0, Forward, 1_000)).await.expect("a page");
    page.messages.iter().map(|message| message.seq.0).collect()
}

async fn close(store: Arc<EmbeddedStore>) {
    store.close().await.expect("closed");
}

fn checked(path: &Path) -> u64 {
    let report = check(path, &mut |_| {}).expect("checked");
    assert_eq!(report.problems, Vec::<String>::new());
    report.messages
}

fn bytes_of(dir: &Path) -> u64 {
    let entries = std::fs::read_dir(dir).expect("listed").map(|entry| entry.expect("an entry"));
    entries
        .map(|entry| {
            let about = entry.metadata().expect("known");
            if about.is_dir() { bytes_of(&entry.path()) } else { about.len() }
        })
        .sum()
}

/// Whoever is erased has read nothing any more; what had expired by then stays uncounted.
#[tokio::test]
async fn a_marker_that_is_forgotten_brings_no_expired_message_back_as_unread() {
    let backend = Embedded::new();
    let store = backend.store_keeping(clock(), newest(1));
    send(&*store, "a:b", 2, "text").await;
    store.mark(mark("a:b", "b", MarkerKind::Read, 2)).await.expect("marked");
    close(store).await;
    let store = backend.store_keeping(clock(), Retention::default());
    let (chat, _) = Chat::parse("a:b").expect("a chat");
    assert!(store.forget(chat, Side::Second).await.expect("forgotten"));
    let page = store.inbox(inbox("b", 0, 10, None)).await.expect("an inbox");
    assert_eq!((page.unread_total, page.entries[0].unread, page.entries[0].first_seq), (1, 1, Seq(2)));
    close(store).await;
}

/// 32 MiB of texts, of which a thirty-second part is kept.
#[tokio::test(flavor = "multi_thread")]
async fn the_directory_shrinks() {
    let backend = Embedded::new();
    let clock = clock();
    let store = backend.store_keeping(clock.clone(), days(2));
    let text = "x".repeat(4_096);
    for chat in 0..128 {
        send(&*store, &format!("a:{chat}"), 64, &text).await;
    }
    let full = bytes_of(backend.path());
    assert!(full > 32 << 20, "{full}");
    clock.advance(3 * DAY);
    for chat in 0..4 {
        send(&*store, &format!("a:{chat}"), 64, &text).await;
    }
    assert_eq!(store.inbox(inbox("a", 0, 1_000, None)).await.expect("an inbox").entries.len(), 4);
    let swept = store.sweep().await.expect("swept");
    assert_eq!((swept.chats, swept.messages, swept.rewritten), (128, 128 * 64, true));
    let mut wiped = store.wiped();
    let wait = wiped.wait_for(|&upto| upto > START);
    tokio::time::timeout(Duration::from_mins(1), wait)
        .await
        .expect("the files are written anew")
        .expect("it lives");
    let left = bytes_of(backend.path());
    // A journal has its size whatever it holds, and tables that were merged wait a moment to be removed.
    assert!(left < (64 << 20) + (16 << 20), "{left} of {full}");
    assert_eq!(store.sweep().await.expect("swept").messages, 0, "nothing is found twice");
    assert_eq!(seqs(&*store, "a:3").await, (65..=128).collect::<Vec<_>>());
    assert_eq!(seqs(&*store, "a:4").await, [] as [u64; 0]);
    close(store).await;
    assert_eq!(checked(backend.path()), 4 * 64);
    let store = backend.store_keeping(clock, days(2));
    assert_eq!(store.append(draft("a:4", "a", "on")).await.expect("stored").message.seq, Seq(65));
}

/// By itself, on the clock, in a chat that nobody asks for.
#[tokio::test(flavor = "multi_thread")]
async fn it_sweeps_by_itself() {
    let backend = Embedded::new();
    let clock = clock();
    let store = backend.store_keeping(clock.clone(), days(1));
    send(&*store, "a:b", 10, "x").await;
    clock.advance(2 * DAY);
    let maintenance = store.maintenance();
    let gone = async {
        while maintenance.check(&mut |_| {}).messages > 0 {
            clock.advance(SWEEP_EVERY);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), gone).await.expect("the thread that sweeps comes");
    drop(maintenance);
    close(store).await;
    assert_eq!(checked(backend.path()), 0);
}

/// What is younger than a day stays, since its key is known; then it goes, and with it what was revised of it.
#[tokio::test(flavor = "multi_thread")]
async fn rows_stay_while_their_keys_are_known() {
    let backend = Embedded::new();
    let clock = clock();
    let store = backend.store_keeping(clock.clone(), newest(5));
    send(&*store, "a:b", 40, "x").await;
    for (seq, change) in [(36, edit("y")), (37, UNSEND), (38, react("👍", false))] {
        store.revise(revise("a:b", "a", seq, change)).await.expect("revised");
    }
    store.mark(mark("a:b", "b", MarkerKind::Read, 3)).await.expect("marked");
    send(&*store, "a:b", 4, "x").await;
    let swept = store.sweep().await.expect("swept");
    assert_eq!((swept.chats, swept.messages), (1, 0));
    assert_eq!(store.maintenance().check(&mut |_| {}).messages, 44);
    clock.advance(2 * DAY);
    let swept = store.sweep().await.expect("swept");
    assert_eq!((swept.chats, swept.messages), (1, 39));
    let report = store.maintenance().check(&mut |_| {});
    assert_eq!((report.messages, report.problems), (5, vec![]));
    let entry = store.inbox(inbox("b", 0, 1, None)).await.expect("an inbox").entries.remove(0);
    assert_eq!((entry.first_seq, entry.unread), (Seq(40), 5));
    close(store).await;
    assert_eq!(checked(backend.path()), 5);
}

/// Sends, reactions, marks and pages in a few chats while they are swept, over weeks.
#[tokio::test(flavor = "multi_thread")]
async fn sweeps_and_all_else_at_once() {
    let backend = Embedded::new();
    let clock = clock();
    let store = backend.store_keeping(clock.clone(), Retention { max_messages: Some(30), ..days(3) });
    let tasks: Vec<_> = (0..6)
        .map(|task| {
            let (store, clock) = (store.clone(), clock.clone());
            tokio::spawn(async move {
                let chat = format!("a:b{}", task % 3);
                for n in 0..60 {
                    let last = store.append(draft(&chat, "a", "x")).await.expect("stored").message.seq.0;
                    for seq in [last, last.saturating_sub(29).max(1), last / 2 + 1, 1] {
                        let change = if (n + seq) % 5 == 0 { UNSEND } else { react("👍", n % 2 == 0) };
                        match store.revise(revise(&chat, "a", seq, change)).await {
                            Ok(_)
                            | Err(StoreError::NoSuchMessage | StoreError::Unsent | StoreError::TooLate) => {}
                            Err(error) => panic!("{error}"),
                        }
                    }
                    let reader = chat.split_once(':').expect("two").1.to_owned();
                    store.mark(mark(&chat, &reader, MarkerKind::Read, last / 2 + 1)).await.expect("marked");
                    store.page(query(&chat, 0, Forward, 40)).await.expect("a page");
                    store.inbox(inbox(&reader, 0, 10, None)).await.expect("an inbox");
                    store.inbox(inbox("a", 0, 10, None)).await.expect("an inbox");
                    clock.advance(Duration::from_mins(40));
                }
            })
        })
        .collect();
    let sweeper = tokio::spawn({
        let store = store.clone();
        async move {
            let mut messages = 0;
            loop {
                match store.sweep().await {
                    Ok(swept) => messages += swept.messages,
                    Err(_) => return messages,
                }
                if store.ready().is_err() {
                    return messages;
                }
            }
        }
    });
    for task in tasks {
        tokio::time::timeout(Duration::from_mins(2), task).await.expect("they end").expect("no panic");
    }
    store.close().await.expect("closed");
    let messages =
        tokio::time::timeout(Duration::from_mins(1), sweeper).await.expect("it ends").expect("no panic");
    assert!(messages > 0, "nothing was swept");
    drop(store);
    checked(backend.path());
}

fn backup(maintenance: &Maintenance, since: Since, to: &Path) {
    let mut file = std::fs::File::create(to).expect("made");
    maintenance.backup(since, None, &mut file, &mut |_| {}).expect("a backup");
}

/// A full backup from before the sweep and what changed since make the store that there was: nothing that had expired in it.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_what_changed_since_holds_what_went() {
    let (backend, scratch) = (Embedded::new(), tempfile::tempdir().expect("a directory"));
    let clock = clock();
    let store = backend.store_keeping(clock.clone(), Retention { max_messages: Some(30), ..days(2) });
    for chat in ["a:b", "a:c", "a:d"] {
        send(&*store, chat, 40, "x").await;
    }
    store.mark(mark("a:d", "d", MarkerKind::Read, 20)).await.expect("marked");
    store.revise(revise("a:d", "a", 35, UNSEND)).await.expect("unsent");
    let maintenance = store.maintenance();
    let (full, later, last) =
        (scratch.path().join("full"), scratch.path().join("later"), scratch.path().join("last"));
    backup(&maintenance, Since::Beginning, &full);
    let head = chinwag_store::embedded::backup::head_of(std::fs::File::open(&full).expect("there"));
    clock.advance(DAY + DAY / 2);
    send(&*store, "a:b", 10, "x").await;
    assert_eq!(store.sweep().await.expect("swept").messages, 3 * 40 - 30 - 30 - 30 + 10);
    backup(&maintenance, Since::Backup(head.expect("a head").newest), &later);
    let head = chinwag_store::embedded::backup::head_of(std::fs::File::open(&later).expect("there"));
    clock.advance(DAY);
    assert_eq!(seqs(&*store, "a:b").await, (41..=50).collect::<Vec<_>>());
    store.sweep().await.expect("swept");
    backup(&maintenance, Since::Backup(head.expect("a head").newest), &last);
    drop(maintenance);
    close(store).await;
    for (chain, chats) in [
        (vec![&full], [11..41_u64, 11..41, 11..41]),
        (vec![&full, &later], [21..51, 11..41, 11..41]),
        (vec![&full, &later, &last], [41..51, 0..0, 0..0]),
    ] {
        let target = scratch.path().join("restored");
        let chain: Vec<_> = chain.into_iter().cloned().collect();
        let report = restore(&chain, &target, &mut |_, _| {}).expect("restored");
        assert_eq!(report.check.problems, Vec::<String>::new());
        let options = chinwag_store::embedded::Options::default();
        let store = EmbeddedStore::open(&target, &options, clock.clone()).expect("opened");
        for (chat, kept) in ["a:b", "a:c", "a:d"].into_iter().zip(chats.clone()) {
            assert_eq!(
                seqs(&store, chat).await,
                kept.collect::<Vec<_>>(),
                "{chat} of {} backups",
                chain.len()
            );
        }
        let next = store.append(draft("a:d", "a", "on")).await.expect("stored").message.seq;
        assert_eq!(next, Seq(41), "numbers go on");
        let expected = if chain.len() == 3 { 1 } else { 20 };
        let unread = store.inbox(inbox("d", 0, 1, None)).await.expect("an inbox").unread_total;
        assert_eq!(unread, expected, "of {} backups", chain.len());
        store.close().await.expect("closed");
        drop(store);
        checked(&target);
        std::fs::remove_dir_all(&target).expect("removed");
    }
}

fn export(maintenance: &Maintenance) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let take = &mut |piece| {
        pieces.push(piece);
        Ok::<_, StoreError>(())
    };
    maintenance.export(None, take).expect("exported");
    pieces
}

fn import(into: &Path, pieces: &[Piece], clock: &ManualClock) -> Vec<Fate> {
    let mut importer = Importer::open(into, clock).expect("opened");
    let fates = pieces.iter().map(|piece| match piece.clone() {
        Piece::Message(Message { chat, seq, ts, sender, text, key, data, revision, .. }) => {
            importer.message(Imported { chat, seq, ts, sender, text, key, data, revision })
        }
        Piece::Markers(chat, markers) => importer.markers(&chat, markers),
        Piece::Block(..) => unreachable!("nobody blocks anyone here"),
    });
    let fates: Vec<_> = fates.collect::<Result<_, _>>().expect("imported");
    importer.finish().expect("finished");
    fates
}

/// An export begins where the chats do, and an import begins them there; twice is as good as once, also where they have expired.
#[tokio::test(flavor = "multi_thread")]
async fn an_export_and_its_import_keep_the_numbers() {
    let backend = Embedded::new();
    let clock = clock();
    let store = backend.store_keeping(clock.clone(), newest(7));
    send(&*store, "a:b", 20, "x").await;
    store.append(draft("a:b", "b", "y")).await.expect("stored");
    send(&*store, "me:me", 9, "x").await;
    store.mark(mark("a:b", "b", MarkerKind::Read, 4)).await.expect("marked");
    store.revise(revise("a:b", "a", 18, UNSEND)).await.expect("unsent");
    let before = export(&store.maintenance());
    clock.advance(2 * DAY);
    store.sweep().await.expect("swept");
    let pieces = export(&store.maintenance());
    assert_eq!(pieces, before, "nothing that is hidden, whether or not it was swept");
    let firsts: Vec<_> = pieces
        .iter()
        .filter_map(|piece| match piece {
            Piece::Message(message) => Some((message.chat.to_string(), message.seq.0)),
            Piece::Markers(..) | Piece::Block(..) => None,
        })
        .collect();
    assert_eq!((firsts.len(), &firsts[0], &firsts[7]), (14, &("a:b".into(), 15), &("me:me".into(), 3)));
    let entries = store.inbox(inbox("b", 0, 10, None)).await.expect("an inbox");
    close(store).await;

    let target = tempfile::tempdir().expect("a directory");
    assert!(import(target.path(), &pieces, &clock).iter().all(|fate| *fate == Fate::Added));
    assert!(import(target.path(), &pieces, &clock).iter().all(|fate| *fate == Fate::There));
    assert_eq!(checked(target.path()), 14);
    let options = chinwag_store::embedded::Options::default();
    let moved = EmbeddedStore::open(target.path(), &options, clock.clone()).expect("opened");
    let found = moved.inbox(inbox("b", 0, 10, None)).await.expect("an inbox");
    let of = |page: &chinwag_model::InboxPage| {
        page.entries.iter().map(|entry| (entry.first_seq, entry.last.seq, entry.unread)).collect::<Vec<_>>()
    };
    assert_eq!((of(&found), found.unread_total), (of(&entries), 5));
    assert_eq!(of(&entries), [(Seq(15), Seq(21), 5)]);
    assert_eq!(seqs(&moved, "me:me").await, (3..=9).collect::<Vec<_>>());
    assert_eq!(moved.append(draft("a:b", "b", "z")).await.expect("stored").message.seq, Seq(22));
    moved.close().await.expect("closed");
    drop(moved);
    assert_eq!(checked(target.path()), 15);

    // Into the store that they came from, once more of it has expired: nothing comes back.
    let store = backend.store_keeping(clock.clone(), newest(2));
    store.sweep().await.expect("swept");
    close(store).await;
    assert!(import(backend.path(), &pieces, &clock).iter().all(|fate| *fate == Fate::There));
    assert_eq!(checked(backend.path()), 4);
}

/// A start with another clock, and with another rule, again and again; by then all of it is on disk.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_swept_is_remembered_over_starts() {
    let backend = Embedded::without_cache();
    let clock = clock();
    for (round, retention) in
        [newest(10), Retention::default(), newest(20), days(1), newest(3)].into_iter().enumerate()
    {
        let store = backend.store_keeping(clock.clone(), retention);
        send(&*store, "a:b", 5, "x").await;
        let before = seqs(&*store, "a:b").await;
        store.sweep().await.expect("swept");
        assert_eq!(seqs(&*store, "a:b").await, before, "round {round}");
        close(store).await;
        checked(backend.path());
        clock.advance(DAY / 3);
        clock.step_to(Ts(START.0 - 1));
    }
    let store = backend.open(clock);
    assert_eq!(seqs(&*store, "a:b").await, [23, 24, 25]);
}

/// The variable that says to the test below that it is the process to be killed, and where its store is.
const KILLED: &str = "CHINWAG_TEST_SWEPT_STORE";

/// A process that sweeps is killed again and again, a little later each time, until a sweep has come to its end.
#[test]
fn a_sweep_that_is_killed_leaves_a_sound_store() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let retention = Retention { max_messages: Some(40), ..days(1) };
    let later = Arc::new(ManualClock::at(Ts(START.0 + 10 * 24 * 3_600_000_000)));
    let options = chinwag_store::embedded::Options {
        disk_reserve_bytes: 0,
        retention,
        ..chinwag_store::embedded::Options::default()
    };
    if let Some(dir) = std::env::var_os(KILLED) {
        return runtime.block_on(async {
            let store = EmbeddedStore::open(Path::new(&dir), &options, later).expect("opened");
            store.sweep().await.expect("swept");
            store.close().await.expect("closed");
        });
    }
    let backend = Embedded::new();
    runtime.block_on(async {
        let store = backend.store(clock());
        for chat in 0..40 {
            send(&*store, &format!("a:{chat}"), 200, "x").await;
            store.revise(revise(&format!("a:{chat}"), "a", 7, UNSEND)).await.expect("unsent");
        }
        store.append(draft("a:b", "a", "it goes on")).await.expect("stored");
        close(store).await;
    });
    let (mut killed, mut last) = (0, 8_001);
    for round in 1.. {
        let mut child = std::process::Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", "retention::a_sweep_that_is_killed_leaves_a_sound_store", "--nocapture"])
            .env(KILLED, backend.path())
            .stdout(std::process::Stdio::null())
            .spawn()
            .expect("started");
        std::thread::sleep(Duration::from_millis(40 * round));
        child.kill().expect("killed");
        let ended = child.wait().expect("ended");
        let left = checked(backend.path());
        assert!(left <= last, "{left} after {last}");
        killed += u32::from(!ended.success() && left < last && left > 0);
        last = left;
        if ended.success() {
            break;
        }
    }
    assert_eq!(last, 0, "all of it is ten days old");
    assert!(killed > 0, "no sweep was killed on its way");
    runtime.block_on(async {
        let store = backend.store_keeping(later, retention);
        assert_eq!(store.append(draft("a:7", "a", "on")).await.expect("stored").message.seq, Seq(201));
        close(store).await;
    });
    assert_eq!(checked(backend.path()), 1);
}
