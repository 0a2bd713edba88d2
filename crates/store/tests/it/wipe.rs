//! A text that was taken back is to be found in no file of the data directory, once its time is over.

use crate::backends::Embedded;
use chinwag_model::{Direction, ManualClock, Revise, Reviser, Ts, limits::WIPE_EXPIRED_AFTER};
use chinwag_store::{
    Retention, Store,
    contract::{START, UNSEND, draft, edit, query, revise},
    embedded::{EmbeddedStore, Options, backup::Since, check},
};
use std::{
    fs,
    io::{self, BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, mpsc},
    time::Duration,
};

const WATCHDOG: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);

/// The files under a directory that hold these bytes.
fn grep(dir: &Path, needle: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(grep(&path, needle));
        } else if let Ok(bytes) = fs::read(&path)
            && String::from_utf8_lossy(&bytes).contains(needle)
        {
            found.push(path);
        }
    }
    found
}

fn assert_gone(dir: &Path, needles: &[&str]) {
    for needle in needles {
        assert_eq!(grep(dir, needle), Vec::<PathBuf>::new(), "{needle}");
    }
}

async fn wiped(store: &EmbeddedStore, ts: Ts) {
    let mut wiped = store.wiped();
    let wait = wiped.wait_for(|&upto| upto >= ts);
    tokio::time::timeout(WATCHDOG, wait).await.expect("the disk is wiped").expect("the store lives");
}

async fn texts(store: &dyn Store, chat: &str) -> Vec<String> {
    let page = store.page(query(chat, 0, Direction::Forward, 100)).await.expect("a page");
    page.messages.iter().map(|message| message.text.to_string()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_unsent_or_edited_away_leaves_the_disk_in_time() {
    let backend = Embedded::new();
    let clock = Arc::new(ManualClock::at(START));
    let store = backend.store(clock.clone());
    for text in ["taken back", "edited away", "it stays", "taken back later"] {
        store.append(draft("a:b", "a", &format!("{text}, quetzal"))).await.expect("stored");
    }
    store.revise(revise("a:b", "a", 1, UNSEND)).await.expect("unsent");
    let last = store.revise(revise("a:b", "a", 2, edit("as it should be"))).await.expect("edited").changed();
    let wiped_then = *store.wiped().borrow();
    for text in ["taken back, quetzal", "edited away, quetzal"] {
        assert!(!grep(backend.path(), text).is_empty(), "before its time it is there: {text}");
    }
    clock.advance(DAY);
    wiped(&store, last).await;
    assert!(wiped_then < last);
    assert_gone(backend.path(), &["taken back, quetzal", "edited away, quetzal"]);
    assert!(!grep(backend.path(), "it stays, quetzal").is_empty(), "what stands is there");

    // This one lies in the engine's last level by now.
    let admin = Revise { by: Reviser::Admin, ..revise("a:b", "a", 4, UNSEND) };
    let last = store.revise(admin).await.expect("unsent").changed();
    assert!(!grep(backend.path(), "taken back later").is_empty(), "before its time it is there");
    clock.advance(DAY);
    wiped(&store, last).await;
    assert_gone(backend.path(), &["taken back later, quetzal"]);
    assert_eq!(texts(&*store, "a:b").await, ["", "as it should be", "it stays, quetzal", ""]);
    store.close().await.expect("closed");
    drop(store);
    assert_eq!(check(backend.path(), &mut |_| {}).expect("checked").problems, Vec::<String>::new());
}

/// Where too little has expired for the files to be written anew for their room.
#[tokio::test(flavor = "multi_thread")]
async fn what_has_expired_leaves_the_disk_in_time_although_it_is_little() {
    let backend = Embedded::new();
    let clock = Arc::new(ManualClock::at(START));
    let kept = Retention { max_age: Some(90 * DAY), max_messages: None };
    let mut store = backend.store_keeping(clock.clone(), kept);
    // What stays in the first round goes in the second, in which ten times as much stays.
    for (round, times) in [(0, 1), (1, 10)] {
        let gone = format!("gone {round}, quetzal");
        store.append(draft("a:b", "a", &gone)).await.expect("stored");
        clock.advance(45 * DAY);
        for _ in 0..times {
            let sends = (0..40).map(|_| store.append(draft("a:b", "a", "it stays, quetzal")));
            for sent in futures_util::future::join_all(sends).await {
                sent.expect("stored");
            }
        }
        let last = store.append(draft("a:b", "a", "it stays, quetzal")).await.expect("stored").message.ts;
        clock.advance(46 * DAY);
        let swept = store.sweep().await.expect("swept");
        assert_eq!((swept.messages > 0, swept.rewritten), (true, false), "{swept:?}");
        assert!(!grep(backend.path(), &gone).is_empty(), "its row went, and its bytes are in a file");
        // That it waits is known over a start.
        store.close().await.expect("closed");
        drop(store);
        store = backend.store_keeping(clock.clone(), kept);
        assert_eq!(WIPE_EXPIRED_AFTER, 30 * DAY);
        clock.advance(14 * DAY);
        assert!(!grep(backend.path(), &gone).is_empty(), "half of the time is not over");
        clock.advance(DAY);
        wiped(&store, last).await;
        assert_gone(backend.path(), &[&gone]);
        assert!(!grep(backend.path(), "it stays, quetzal").is_empty(), "what stands is there");
    }
    store.close().await.expect("closed");
    drop(store);
    assert_eq!(check(backend.path(), &mut |_| {}).expect("checked").problems, Vec::<String>::new());
}

/// A backup that stands still, and what lets it go on.
struct HeldBackup {
    go_on: mpsc::Sender<()>,
    thread: std::thread::JoinHandle<Vec<u8>>,
}

impl HeldBackup {
    fn begin(store: &EmbeddedStore) -> Self {
        struct Held {
            began: Option<mpsc::Sender<()>>,
            go_on: mpsc::Receiver<()>,
            bytes: Vec<u8>,
        }
        impl Write for Held {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                if let Some(began) = self.began.take() {
                    began.send(()).expect("the test waits for it");
                    self.go_on.recv().expect("the test lets it go on");
                }
                self.bytes.write(bytes)
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (began, has_begun) = mpsc::channel();
        let (go_on, may_go_on) = mpsc::channel();
        let maintenance = store.maintenance();
        let thread = std::thread::spawn(move || {
            let mut out = Held { began: Some(began), go_on: may_go_on, bytes: Vec::new() };
            maintenance.backup(Since::Beginning, None, &mut out, &mut |_| {}).expect("taken");
            out.bytes
        });
        has_begun.recv_timeout(WATCHDOG).expect("the backup looks at its moment");
        Self { go_on, thread }
    }

    fn end(self) -> Vec<u8> {
        self.go_on.send(()).expect("it waits");
        self.thread.join().expect("it ends")
    }
}

/// A message is unsent while a backup sees it, and its time is over: the wiping has begun, and can't end.
async fn begin_wiping(store: &EmbeddedStore, clock: &ManualClock, data: &Path) -> (HeldBackup, Ts) {
    store.append(draft("a:b", "a", "quetzal")).await.expect("stored");
    store.append(draft("a:b", "b", "it stays")).await.expect("stored");
    // The first wiping brings the text out of the journal into a table's file, which the backup then holds on to.
    store.append(draft("a:c", "a", "another")).await.expect("stored");
    let first = store.revise(revise("a:c", "a", 1, UNSEND)).await.expect("unsent").changed();
    clock.advance(DAY);
    wiped(store, first).await;
    let backup = HeldBackup::begin(store);
    let admin = Revise { by: Reviser::Admin, ..revise("a:b", "a", 1, UNSEND) };
    let last = store.revise(admin).await.expect("unsent").changed();
    clock.advance(DAY);
    let journal =
        fs::read_dir(data.join("db")).expect("the engine's").map(|entry| entry.expect("an entry").path());
    let journal = journal.filter(|path| path.extension().is_some_and(|ext| ext == "jnl")).max().expect("one");
    let start = std::time::Instant::now();
    while journal.exists() {
        assert!(start.elapsed() < WATCHDOG, "the journal does not go");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    (backup, last)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_goes_on_sees_the_text_and_then_it_goes() {
    let backend = Embedded::new();
    let clock = Arc::new(ManualClock::at(START));
    let store = backend.store(clock.clone());
    let (backup, last) = begin_wiping(&store, &clock, backend.path()).await;
    assert!(!grep(backend.path(), "quetzal").is_empty());
    assert!(*store.wiped().borrow() < last, "it can't be done");
    let bytes = backup.end();
    assert!(bytes.windows(7).any(|window| window == b"quetzal"), "the backup's moment was before");
    wiped(&store, last).await;
    assert_gone(backend.path(), &["quetzal"]);
    assert_eq!(texts(&*store, "a:b").await, ["", "it stays"]);
}

const CHILD: &str = "CHINWAG_TEST_WIPE_CHILD";

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_was_killed_in_the_middle_wipes_when_it_lives_again() {
    let clock = Arc::new(ManualClock::at(START));
    let options = Options { disk_reserve_bytes: 0, ..Options::default() };
    if let Some(data) = std::env::var_os(CHILD) {
        let data = PathBuf::from(data);
        let store = EmbeddedStore::open(&data, &options, clock.clone()).expect("opened");
        let (_held, last) = begin_wiping(&store, &clock, &data).await;
        println!("\nmiddle {}", last.0);
        return std::future::pending().await;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let name = "wipe::a_store_that_was_killed_in_the_middle_wipes_when_it_lives_again";
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", name, "--nocapture"])
        .env(CHILD, dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let middle = lines.map_while(Result::ok).find_map(|line| line.strip_prefix("middle ")?.parse().ok());
    child.kill().expect("killed");
    child.wait().expect("it ended");
    let last = Ts(middle.expect("it came so far"));
    assert!(!grep(dir.path(), "quetzal").is_empty(), "it was killed before the end");

    clock.advance(4 * DAY);
    let store = EmbeddedStore::open(dir.path(), &options, clock).expect("opened");
    wiped(&store, last).await;
    assert_gone(dir.path(), &["quetzal"]);
    assert_eq!(texts(&store, "a:b").await, ["", "it stays"]);
}
