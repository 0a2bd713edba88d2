//! A server that the system gives little memory (a control group without swap): under big texts, many connections and many
//! feeds it refuses and lives.
//!
//! `CHINWAG_TEST_MEMORY_MIB` says how little (192 unless set).

use crate::{
    child::{Server, check_store, serve},
    http::Connection,
    random::{Random, full},
    watchdog::until,
};
use serde_json::json;
use std::{
    collections::BTreeMap,
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

/// Sends of the largest text: 64 MiB of them.
const SENDS: u64 = 4_000;
const SENDERS: u64 = 24;
/// Connections that stay open and ask for nothing.
const IDLE: usize = 400;
/// Feeds that are followed.
const FEEDS: usize = 100;
const CHATS: [&str; 8] = ["a:b", "c:d", "e:f", "g:h", "i:j", "k:l", "m:n", "o:p"];

/// A control group of the test's own.
struct Group {
    path: PathBuf,
    unified: bool,
}

impl Group {
    /// One with so much memory; `None` where that can't be had.
    fn new(mib: u64) -> Option<Self> {
        let name = format!("chinwag-test-{}", std::process::id());
        let all = fs::read_to_string("/sys/fs/cgroup/cgroup.controllers").unwrap_or_default();
        let unified = all.split_whitespace().any(|controller| controller == "memory");
        let root = Path::new(if unified { "/sys/fs/cgroup" } else { "/sys/fs/cgroup/memory" });
        let group = Self { path: root.join(name), unified };
        match group.make(root, mib) {
            Ok(()) => Some(group),
            Err(error) => {
                let why = format!("a control group needs root and the memory controller: {error}");
                assert!(!full(), "{why}");
                println!("skipped: {why}");
                None
            }
        }
    }

    fn make(&self, root: &Path, mib: u64) -> io::Result<()> {
        fs::create_dir(&self.path)?;
        let bytes = (mib << 20).to_string();
        if self.unified {
            // It may be so already, or be the business of another.
            drop(fs::write(root.join("cgroup.subtree_control"), "+memory"));
            fs::write(self.path.join("memory.max"), bytes)?;
            drop(fs::write(self.path.join("memory.swap.max"), "0"));
        } else {
            fs::write(self.path.join("memory.limit_in_bytes"), &bytes)?;
            // Not there where the system counts no swap, which then has none to speak of.
            drop(fs::write(self.path.join("memory.memsw.limit_in_bytes"), &bytes));
        }
        Ok(())
    }

    /// The same command, within the group from before its first instruction.
    fn within(&self, command: &Command) -> Command {
        let mut within = Command::new("sh");
        within.args(["-c", "echo $$ > \"$0/cgroup.procs\" && exec \"$@\""]).arg(&self.path);
        within.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            if let Some(value) = value {
                within.env(name, value);
            }
        }
        within
    }

    fn figure(&self, file: &str, name: &str) -> u64 {
        let text = fs::read_to_string(self.path.join(file)).expect("a file of the group");
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        value.unwrap_or_else(|| panic!("no {name:?} in {file}: {text}"))
    }

    /// Memory that can't be had back by forgetting what is on disk.
    fn anonymous_bytes(&self) -> u64 {
        self.figure("memory.stat", if self.unified { "anon " } else { "rss " })
    }

    /// How often the system killed for want of memory.
    fn kills(&self) -> u64 {
        self.figure(if self.unified { "memory.events" } else { "memory.oom_control" }, "oom_kill ")
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // It stays while anything is in it; then the test has failed already.
        drop(fs::remove_dir(&self.path));
    }
}

/// What the senders share.
struct Shared {
    address: SocketAddr,
    left: AtomicU64,
    refused: AtomicU64,
    stop: AtomicBool,
    /// Which number stands at which place.
    stored: Mutex<BTreeMap<(&'static str, u64), u64>>,
}

fn text(number: u64) -> String {
    format!("{number:08}{}", "🥝".repeat(4_094))
}

impl Shared {
    fn send_all(&self, mut random: Random) -> io::Result<()> {
        let mut connection = Connection::open(self.address)?;
        while let Ok(left) = self.left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)) {
            let (chat, number) = (*random.one_of(&CHATS), left);
            let answer = connection.send(chat, &chat[..1], &text(number), None)?;
            match answer.status {
                200 => {
                    let seq = answer.body["seq"].as_u64().expect("a place");
                    self.stored.lock().unwrap_or_else(PoisonError::into_inner).insert((chat, seq), number);
                }
                // Who is refused before the body was read is cut.
                503 => {
                    self.refused.fetch_add(1, Relaxed);
                    connection = Connection::open(self.address)?;
                }
                _ => panic!("a send was answered {answer:?}"),
            }
        }
        Ok(())
    }

    /// Pages of a MiB, as long as it is sent.
    fn read_on(&self, mut random: Random) -> io::Result<()> {
        let mut connection = Connection::open(self.address)?;
        while !self.stop.load(Relaxed) {
            let pull = json!({"chat": random.one_of(&CHATS), "limit": 1000, "cursor": random.below(1_000)});
            let answer = connection.post("/api/pull", &pull)?;
            assert!(matches!(answer.status, 200 | 503), "a pull was answered {answer:?}");
        }
        Ok(())
    }
}

fn limit_mib() -> u64 {
    std::env::var("CHINWAG_TEST_MEMORY_MIB").map_or(192, |mib| mib.parse().expect("a number"))
}

#[test]
fn with_little_memory_it_refuses_and_lives() {
    let Some(group) = Group::new(limit_mib()) else { return };
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("data");
    let mut command = serve(&data);
    for (setting, value) in [
        ("CHAT_CACHE_MIB", "8"),
        ("INBOX_CACHE_MIB", "4"),
        ("BLOCK_CACHE_MIB", "8"),
        ("QUEUE_MAX_MIB", "4"),
        ("BODIES_MAX_MIB", "8"),
        ("MEMTABLE_MIB", "4"),
    ] {
        command.env(format!("CHINWAG_{setting}"), value);
    }
    let server = Server::spawn(group.within(&command));
    server.await_ready();
    let start = group.anonymous_bytes();

    let shared = Arc::new(Shared {
        address: server.address(),
        left: AtomicU64::new(SENDS),
        refused: AtomicU64::new(0),
        stop: AtomicBool::new(false),
        stored: Mutex::default(),
    });
    begin_bodies(&server);
    let idle: Vec<_> = (0..IDLE).map(|_| server.connect()).collect();
    let feeds: Vec<_> = (0..FEEDS).map(|number| follow(&server, number, &shared)).collect();
    let mut random = Random::new(12);
    let start_all = |count, random: &mut Random, run: fn(&Shared, Random) -> io::Result<()>| {
        let start = |random| {
            let shared = shared.clone();
            thread::spawn(move || run(&shared, random))
        };
        (0..count).map(|_| start(Random::new(random.next()))).collect::<Vec<_>>()
    };
    let senders = start_all(SENDERS, &mut random, Shared::send_all);
    let readers = start_all(8, &mut random, Shared::read_on);
    let mut peak = group.anonymous_bytes();
    until_all_sent(&server, &shared, || {
        peak = group.anonymous_bytes().max(peak);
        assert_eq!(
            group.kills(),
            0,
            "the system killed it, at {} MiB or more\n{}",
            peak >> 20,
            server.printed()
        );
    });
    for sender in senders {
        let sent = sender.join().expect("a sender's promises held");
        assert!(sent.is_ok(), "{sent:?}: it killed {} times\n{}", group.kills(), server.printed());
    }
    shared.stop.store(true, Relaxed);
    for reader in readers {
        // One that was refused has ended by itself.
        drop(reader.join().expect("a reader's promises held"));
    }

    assert_eq!(group.kills(), 0, "the system killed it\n{}", server.printed());
    let stored = shared.stored.lock().unwrap_or_else(PoisonError::into_inner).clone();
    assert_stands(&server, &stored);
    drop(idle);
    let refused = shared.refused.load(Relaxed);
    println!(
        "{} MiB: {} MiB of anonymous memory at the start, {} MiB at the most; {} sends stored, {refused} refused, none lost",
        limit_mib(),
        start >> 20,
        peak >> 20,
        stored.len()
    );
    server.stop();
    for feed in feeds {
        feed.join().expect("a feed's promises held");
    }
    check_store(&data);
}

/// A feed that takes what it is told.
fn follow(server: &Server, number: usize, shared: &Arc<Shared>) -> thread::JoinHandle<()> {
    // A dozen of them hear of all that is sent; the others wait.
    let user = CHATS.get(number % 24).map_or_else(|| format!("idle-{number}"), |chat| chat[2..].to_owned());
    let mut stream = server.connect().stream(&format!("/api/events?user={user}")).expect("a stream");
    assert!(stream.any(|line| line.is_ok_and(|line| line.contains("ready"))), "the feed of {user} opens");
    let shared = shared.clone();
    thread::spawn(move || {
        let goes_on = |line: io::Result<String>| line.is_ok() && !shared.stop.load(Relaxed);
        while stream.next().is_some_and(goes_on) {
            std::hint::spin_loop();
        }
    })
}

/// More bodies than there is room for, each of them begun and not ended: one too many is refused.
fn begin_bodies(server: &Server) {
    let begin = format!("{{\"text\": \"{}", "x".repeat(100_000));
    let mut unfinished = Vec::new();
    let refused = until(
        "a body too many to be refused",
        || server.printed(),
        || {
            let mut connection = server.connect();
            connection.begin_to_post("/api/send", 131_000, &begin).expect("it is read");
            // One that is taken in waits for its end.
            let answer = connection.answer_within(Duration::from_millis(50));
            unfinished.push(connection);
            answer.ok()
        },
    );
    assert_eq!((refused.status, refused.code()), (503, "overloaded"), "{refused:?}");
}

fn until_all_sent(server: &Server, shared: &Shared, mut look: impl FnMut()) {
    let mut left = SENDS;
    while left > 0 {
        // As long as it goes on, however slowly.
        let before = left;
        left = until(
            "the next sends to be answered",
            || server.printed(),
            || {
                look();
                let left = shared.left.load(Relaxed);
                (left < before).then_some(left)
            },
        );
    }
}

/// All that was acknowledged stands where it was said to.
fn assert_stands(server: &Server, stored: &BTreeMap<(&str, u64), u64>) {
    let mut connection = server.connect();
    for chat in CHATS {
        let mut cursor = Some(0);
        let mut at = 0;
        while let Some(from) = cursor {
            let pull = json!({"chat": chat, "limit": 1000, "cursor": from});
            let page = connection.post("/api/pull", &pull).expect("a page").body;
            for message in page["messages"].as_array().expect("messages") {
                at += 1;
                if let Some(number) = stored.get(&(chat, at)) {
                    assert_eq!(message["text"].as_str(), Some(text(*number).as_str()), "{chat} {at}");
                }
            }
            cursor = page["next_cursor"].as_u64();
        }
        let last = stored.range((chat, 0)..=(chat, u64::MAX)).next_back().map_or(0, |((_, seq), _)| *seq);
        assert!(at >= last, "{chat} ends at {at}, and {last} was acknowledged");
    }
}
