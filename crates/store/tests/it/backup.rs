//! Backups: taken while the store goes on, chained, damaged, restored.

use crate::backends::Embedded;
use chinwag_model::{Chat, Direction, ManualClock, MarkerKind, Message, Side, Ts};
use chinwag_store::{
    Store, StoreError,
    contract::{START, block, blocks, draft, edit, erase, inbox, keyed, mark, query, react, revise},
    embedded::{
        EmbeddedStore, Maintenance, OpenError, Options,
        backup::{BackupError, BackupReport, RestoreError, Since, check_backup, head_of, restore},
        check,
    },
};
use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(START))
}

fn take(from: &Maintenance, since: Since, into: &Path) -> Result<BackupReport, BackupError> {
    let mut file = fs::File::create(into).expect("made");
    from.backup(since, None, &mut file, &mut |_| {})
}

fn put_back(backups: &[PathBuf], data: &Path) -> Result<(), RestoreError> {
    restore(backups, data, &mut |_, _| {}).map(drop)
}

fn open(data: &Path) -> EmbeddedStore {
    let options = Options { disk_reserve_bytes: 0, ..Options::default() };
    EmbeddedStore::open(data, &options, clock()).expect("opened")
}

async fn all(store: &EmbeddedStore, chat: &str) -> Vec<Arc<Message>> {
    store.page(query(chat, 0, Direction::Forward, 1_000)).await.expect("a page").messages
}

/// A store of three chats with keys, data and markers.
async fn some_history(store: &EmbeddedStore) {
    for n in 0..40 {
        store.append(keyed("a:b", "a", &format!("{n}"), &format!("key{n}"))).await.expect("stored");
        store.append(draft("b:c", "c", &format!("{n}"))).await.expect("stored");
    }
    store.append(draft("me:me", "me", "a note")).await.expect("stored");
    store.mark(mark("a:b", "b", MarkerKind::Read, 7)).await.expect("marked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_store_is_the_same_in_another_life() {
    let (backend, dir) = (Embedded::new(), tempfile::tempdir().expect("a directory"));
    let store = backend.store(clock());
    some_history(&store).await;
    let (file, data) = (dir.path().join("full"), dir.path().join("data"));
    let report = take(&store.maintenance(), Since::Beginning, &file).expect("taken");
    assert_eq!(report.bytes, fs::metadata(&file).expect("there").len());
    let found = check_backup(fs::File::open(&file).expect("opened"), &mut |_| {}).expect("whole");
    assert_eq!((found.chats, found.messages, found.markers, found.changes), (3, 81, 1, 83));
    assert_eq!(found.head, report.head);
    // What is later is not in it.
    store.append(draft("a:b", "a", "later")).await.expect("stored");

    put_back(std::slice::from_ref(&file), &data).expect("restored");
    let restored = open(&data);
    assert_ne!(restored.epoch(), store.epoch());
    for chat in ["a:b", "b:c", "me:me"] {
        let mut expected = all(&store, chat).await;
        expected.retain(|message| message.ts <= report.head.newest.ts);
        assert_eq!(all(&restored, chat).await, expected, "{chat}");
    }
    for user in ["a", "b", "c", "me"] {
        let inbox = restored.inbox(chinwag_store::contract::inbox(user, 0, 10, None)).await.expect("read");
        let unread = store.inbox(chinwag_store::contract::inbox(user, 0, 10, None)).await.expect("read");
        let later = u64::from(user == "b");
        assert_eq!(inbox.unread_total + later, unread.unread_total, "{user}");
    }
    let again = restored.append(keyed("a:b", "a", "3", "key3")).await.expect("answered");
    assert!(again.replayed && again.message.seq.0 == 4, "a key is known after a restore");
    assert_eq!(restored.append(draft("a:b", "b", "on")).await.expect("stored").message.seq.0, 41);
    let in_use = put_back(std::slice::from_ref(&file), &data).expect_err("a store is there");
    assert!(in_use.to_string().contains("in use"), "{in_use}");
    restored.close().await.expect("closed");
    drop(restored);
    assert_eq!(check(&data, &mut |_| {}).expect("checked").problems, Vec::<String>::new());
    let taken = put_back(&[file], &data).expect_err("a store is there");
    assert!(taken.to_string().contains("there is a store here already"), "{taken}");
}

#[tokio::test(flavor = "multi_thread")]
async fn incremental_backups_go_on_from_each_other_only() {
    let (backend, dir) = (Embedded::new(), tempfile::tempdir().expect("a directory"));
    let store = backend.store(clock());
    some_history(&store).await;
    let keeper = store.maintenance();
    let path = |name: &str| dir.path().join(name);
    let of = |name: &str| {
        Since::Backup(head_of(fs::File::open(path(name)).expect("there")).expect("a head").newest)
    };
    take(&keeper, Since::Beginning, &path("full")).expect("taken");
    for n in 0..5 {
        store.append(keyed("a:b", "b", &format!("more {n}"), &format!("more{n}"))).await.expect("stored");
        store.mark(mark("a:b", "a", MarkerKind::Read, 40 + n)).await.expect("marked");
    }
    let first = take(&keeper, of("full"), &path("first")).expect("taken");
    // Five messages, one row of markers for all of its moves, and the rows of the log.
    let found = check_backup(fs::File::open(path("first")).expect("there"), &mut |_| {}).expect("whole");
    assert_eq!((found.messages, found.markers), (5, 1));
    store.append(draft("a:new", "new", "hello")).await.expect("stored");
    take(&keeper, of("first"), &path("second")).expect("taken");
    let at = take(&keeper, Since::Time(first.head.newest.ts), &path("by time")).expect("taken");
    assert_eq!(at.head.base, Some(first.head.newest));

    let chain = |names: &[&str]| names.iter().map(|name| path(name)).collect::<Vec<_>>();
    put_back(&chain(&["full", "first", "second"]), &path("data")).expect("restored");
    let restored = open(&path("data"));
    for chat in ["a:b", "b:c", "me:me", "a:new"] {
        assert_eq!(all(&restored, chat).await, all(&store, chat).await, "{chat}");
    }
    drop(restored);
    for (names, why) in [
        (&["first"][..], "name that one before it"),
        (&["full", "second"], "one between them is missing"),
        (&["full", "full"], "stands alone"),
        (&["full", "first", "second", "first"], "older than the one before it"),
    ] {
        let error = put_back(&chain(names), &path("no")).expect_err(why);
        assert!(error.to_string().contains(why), "{error}");
        assert!(!path("no").exists(), "{why}");
    }

    // A copy of the store that went on in its own way.
    let (left, right) = (Embedded::new(), Embedded::new());
    store.close().await.expect("closed");
    drop((store, keeper));
    for copy in [&left, &right] {
        copy_tree(backend.path(), copy.path());
    }
    let (left, right) = (left.store(clock()), right.store(clock()));
    left.append(draft("a:b", "a", "left")).await.expect("stored");
    right.append(draft("a:new", "a", "right")).await.expect("stored");
    take(&left.maintenance(), of("second"), &path("left")).expect("taken");
    let error = take(&right.maintenance(), of("left"), &path("x")).expect_err("another copy");
    assert!(error.to_string().contains("another"), "{error}");
    let ahead = Since::Time(Ts(1));
    let error = take(&right.maintenance(), ahead, &path("x")).expect_err("too old");
    assert!(error.to_string().contains("no longer reaches back that far"), "{error}");
    let error = take(&open(&path("data")).maintenance(), of("full"), &path("x")).expect_err("another life");
    assert!(error.to_string().contains("another store"), "{error}");
}

/// An incremental backup has all blocks, so that one which ended is not there again.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_has_the_blocks_of_its_time() {
    let (backend, dir) = (Embedded::new(), tempfile::tempdir().expect("a directory"));
    let store = backend.store(clock());
    let path = |name: &str| dir.path().join(name);
    store.append(draft("a:b", "a", "x")).await.expect("stored");
    for peer in ["b", "c"] {
        store.block(block("a", peer, true)).await.expect("blocked");
    }
    let full = take(&store.maintenance(), Since::Beginning, &path("full")).expect("taken");
    store.block(block("a", "b", false)).await.expect("ended");
    store.block(block("d", "a", true)).await.expect("blocked");
    take(&store.maintenance(), Since::Backup(full.head.newest), &path("more")).expect("taken");
    for (chain, of_a, of_d) in [(&["full"][..], "b c", ""), (&["full", "more"], "c", "a")] {
        let data = path(&format!("data{}", chain.len()));
        put_back(&chain.iter().map(|name| path(name)).collect::<Vec<_>>(), &data).expect("restored");
        let restored = open(&data);
        for (user, expected) in [("a", of_a), ("d", of_d)] {
            let page = restored.blocks(blocks(user, None, 10)).await.expect("read");
            let names: Vec<_> = page.entries.iter().map(|(peer, _)| peer.to_string()).collect();
            assert_eq!(names.join(" "), expected, "{user} after {chain:?}");
        }
        assert_eq!(restored.append(draft("a:c", "c", "x")).await, Err(StoreError::Blocked));
    }
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("made");
    for entry in fs::read_dir(from).expect("listed") {
        let entry = entry.expect("an entry");
        let into = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_tree(&entry.path(), &into);
        } else {
            drop(fs::copy(entry.path(), into));
        }
    }
}

/// Every cut and a changed bit in every place: told where it is, and nothing restored.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_backup_is_refused_and_leaves_nothing() {
    let (backend, dir) = (Embedded::new(), tempfile::tempdir().expect("a directory"));
    let store = backend.store(clock());
    for n in 0..5 {
        store.append(draft("a:b", "a", &format!("{n}"))).await.expect("stored");
    }
    let (file, data) = (dir.path().join("full"), dir.path().join("data"));
    take(&store.maintenance(), Since::Beginning, &file).expect("taken");
    let good = fs::read(&file).expect("read");
    let verdict = |bytes: &[u8]| check_backup(bytes, &mut |_| {});
    for len in 0..good.len() {
        match verdict(&good[..len]) {
            Err(BackupError::CutShort { at }) => assert_eq!(at, len as u64),
            Err(BackupError::NotABackup) => assert_eq!(len, 0),
            other => panic!("cut to {len} of {}: {other:?}", good.len()),
        }
    }
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        match verdict(&bad) {
            Err(BackupError::Damaged { at: told, .. } | BackupError::CutShort { at: told }) => {
                assert!(told <= good.len() as u64, "byte {at}, told {told}");
            }
            Err(BackupError::NotABackup) => assert!(at < 16),
            other => panic!("byte {at}: {other:?}"),
        }
    }
    assert!(matches!(verdict(&[&good[..], b"x"].concat()), Err(BackupError::Damaged { .. })));
    assert!(matches!(verdict(b"PK\x03\x04 something else"), Err(BackupError::NotABackup)));

    fs::write(&file, &good[..good.len() / 2]).expect("written");
    let error = put_back(&[file], &data).expect_err("cut short");
    assert!(error.to_string().contains("cut short"), "{error}");
    assert!(!data.exists());
}

#[test]
fn a_part_of_a_restore_is_not_opened_and_begins_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let part = "chinwag store\nformat 4\nepoch 0123456789abcdef\nstate restoring\n";
    fs::write(dir.path().join("FORMAT"), part).expect("written");
    fs::create_dir(dir.path().join("db")).expect("made");
    fs::write(dir.path().join("db/half"), "x").expect("written");
    assert!(matches!(check(dir.path(), &mut |_| {}), Err(OpenError::Unfinished(_))));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let opened = EmbeddedStore::open(dir.path(), &Options::default(), clock());
        assert!(matches!(opened, Err(OpenError::Unfinished(_))));
        let backend = Embedded::new();
        let store = backend.store(clock());
        store.append(draft("a:b", "a", "x")).await.expect("stored");
        let file = backend.path().join("full");
        take(&store.maintenance(), Since::Beginning, &file).expect("taken");
        put_back(&[file], dir.path()).expect("begun again");
        assert_eq!(all(&open(dir.path()), "a:b").await.len(), 1);
    });
    let full = tempfile::tempdir().expect("a directory");
    fs::write(full.path().join("precious"), "x").expect("written");
    let backup = full.path().join("precious");
    let error = put_back(&[backup], full.path()).expect_err("not a backup");
    assert!(error.to_string().contains("not a backup"), "{error}");
}

/// Sends and marks go on while backups are taken: each holds exactly what had happened up to its time.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_under_load_is_a_moment_of_the_store() {
    let (backend, dir) = (Embedded::new(), tempfile::tempdir().expect("a directory"));
    let store = Arc::new(backend.store(clock()));
    let going = Arc::new(AtomicBool::new(true));
    let senders: Vec<_> = (0..4)
        .map(|task| {
            let (store, going) = (store.clone(), going.clone());
            tokio::spawn(async move {
                let mut marks = HashMap::new();
                for n in 0_u64.. {
                    let chat = format!("a:b{}", n % 50);
                    let sent = store.append(draft(&chat, "a", &format!("{task} {n}"))).await.expect("stored");
                    if n % 7 == 0 {
                        let user = &chat[2..];
                        let seq = sent.message.seq.0;
                        let marked =
                            store.mark(mark(&chat, user, MarkerKind::Read, seq)).await.expect("marked");
                        marks.insert((chat, marked.marker.ts), marked.marker.seq);
                    }
                    if !going.load(Relaxed) && n > 300 {
                        break;
                    }
                }
                marks
            })
        })
        .collect();
    let keeper = store.maintenance();
    let path = |name: &str| dir.path().join(name);
    let mut heads = Vec::new();
    for n in 0..6 {
        let since = heads.last().map_or(Since::Beginning, |head: &chinwag_store::embedded::backup::Head| {
            Since::Backup(head.newest)
        });
        let (keeper, into) = (keeper.clone(), path(&format!("{n}")));
        let taken = tokio::task::spawn_blocking(move || take(&keeper, since, &into)).await.expect("ended");
        match taken {
            Ok(report) => heads.push(report.head),
            Err(error) => assert!(heads.first().is_some_and(|head| head.newest.ts.0 == 0), "{error}"),
        }
    }
    going.store(false, Relaxed);
    let mut marks = HashMap::new();
    for sender in senders {
        marks.extend(sender.await.expect("no panic"));
    }
    let files: Vec<_> = (0..heads.len()).map(|n| path(&format!("{n}"))).collect();
    for (upto, head) in heads.iter().enumerate() {
        let data = path(&format!("data{upto}"));
        put_back(&files[..=upto], &data).expect("restored");
        let restored = open(&data);
        for n in 0..50 {
            let chat = format!("a:b{n}");
            let mut expected = all(&store, &chat).await;
            expected.retain(|message| message.ts <= head.newest.ts);
            assert_eq!(all(&restored, &chat).await, expected, "{chat} in backup {upto}");
            let of_chat = marks.iter().filter(|((of, ts), _)| *of == chat && *ts <= head.newest.ts);
            let expected = of_chat.max_by_key(|((_, ts), _)| *ts).map_or(0, |(_, seq)| seq.0);
            let user = &chat[2..];
            let inbox = chinwag_store::contract::inbox(user, 0, 1, None);
            let page = restored.inbox(inbox).await.expect("read");
            let read = page.entries.first().map_or(0, |entry| entry.markers[1].read.seq.0);
            assert_eq!(read, expected, "{user} in backup {upto}");
        }
    }
}

/// A user is erased between two backups: what is restored of both stands as the store did, and holds none of it.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_back_since_the_full_backup_is_in_no_file_that_is_restored() {
    let (backend, dir) = (Embedded::new(), tempfile::tempdir().expect("a directory"));
    let store = backend.store(clock());
    let path = |name: &str| dir.path().join(name);
    some_history(&store).await;
    store.append(keyed("a:b", "a", "a quetzal of old", "heron")).await.expect("stored");
    store.append(draft("a:b", "a", "a quetzal edited away")).await.expect("stored");
    store.revise(revise("a:b", "a", 2, react("🦜", false))).await.expect("reacted");
    store.mark(mark("a:b", "a", MarkerKind::Read, 12)).await.expect("marked");
    let full = take(&store.maintenance(), Since::Beginning, &path("full")).expect("taken");
    store.revise(revise("a:b", "a", 42, edit("better"))).await.expect("edited");
    for seq in 1..=42 {
        store.revise(erase("a:b", "a", seq)).await.expect("erased");
    }
    let (chat, _) = Chat::parse("a:b").expect("a chat");
    assert!(store.forget(chat, Side::First).await.expect("forgotten"));
    take(&store.maintenance(), Since::Backup(full.head.newest), &path("then")).expect("taken");
    let backups = [path("full"), path("then")];
    assert!(fs::read(&backups[0]).is_ok_and(|bytes| holds(&bytes, "quetzal")), "it was there then");
    assert!(fs::read(&backups[1]).is_ok_and(|bytes| !holds(&bytes, "quetzal") && !holds(&bytes, "heron")));

    put_back(&backups[..1], &path("old")).expect("restored");
    assert!(!files_with(&path("old"), "quetzal").is_empty(), "of the full one alone it comes back");
    put_back(&backups, &path("data")).expect("restored");
    for gone in ["quetzal", "heron", "🦜"] {
        assert_eq!(files_with(&path("data"), gone), Vec::<PathBuf>::new(), "{gone}");
    }
    let restored = open(&path("data"));
    assert_eq!(all(&restored, "a:b").await, all(&store, "a:b").await);
    for name in ["a", "b"] {
        let query = || inbox(name, 0, 10, None);
        assert_eq!(restored.inbox(query()).await, store.inbox(query()).await);
    }
}

fn holds(bytes: &[u8], needle: &str) -> bool {
    String::from_utf8_lossy(bytes).contains(needle)
}

/// The files under a directory that hold these bytes.
fn files_with(dir: &Path, needle: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files_with(&path, needle));
        } else if fs::read(&path).is_ok_and(|bytes| holds(&bytes, needle)) {
            found.push(path);
        }
    }
    found
}
