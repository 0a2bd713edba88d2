//! `chinwag chat` on a terminal of its own.

use crate::process::{Running, Server, run, run_with};
use rustix::{
    fd::OwnedFd,
    fs::{Mode, OFlags, open},
    io::dup,
    process::{Pid, Signal, kill_process},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{LocalModes, tcgetattr},
};
use std::{
    fs::File,
    io::{Read as _, Write as _},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

/// The longest that a test waits for anything.
const PATIENCE: Duration = Duration::from_mins(1);

/// A process on a terminal.
struct Terminal {
    child: Child,
    keyboard: File,
    shown: Receiver<Vec<u8>>,
    /// All that was shown.
    all: String,
    /// Where what was waited for last ends in it.
    seen: usize,
    /// Held, so that the terminal outlives its process and its mode can be looked at.
    inside: OwnedFd,
}

impl Terminal {
    fn start(mut command: Command) -> Self {
        let outside = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&outside).and_then(|()| unlockpt(&outside)).expect("it is ours");
        let name = ptsname(&outside, Vec::new()).expect("it has a name");
        let inside = open(&*name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).expect("it opens");
        let end = || Stdio::from(dup(&inside).expect("a descriptor"));
        command.env("TERM", "xterm").stdin(end()).stdout(end()).stderr(end());
        let child = command.spawn().expect("the executable starts");
        let keyboard = File::from(outside);
        let mut screen = keyboard.try_clone().expect("a descriptor");
        let (sender, shown) = channel();
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = screen.read(&mut bytes) {
                let _ = sender.send(bytes[..count].to_vec());
            }
        });
        Self { child, keyboard, shown, all: String::new(), seen: 0, inside }
    }

    fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("it takes keys");
    }

    /// Waits until that is shown, after all that was waited for before.
    fn wait(&mut self, words: &str) {
        let begin = Instant::now();
        loop {
            if let Some(at) = self.all[self.seen..].find(words) {
                self.seen += at + words.len();
                return;
            }
            self.step(begin, words);
        }
    }

    /// Waits until that is shown, be it already.
    fn shows(&mut self, words: &str) {
        let begin = Instant::now();
        while !self.all.contains(words) {
            self.step(begin, words);
        }
    }

    fn step(&mut self, begin: Instant, words: &str) {
        let bytes = self.shown.recv_timeout(PATIENCE.saturating_sub(begin.elapsed()));
        let bytes = bytes.unwrap_or_else(|_| panic!("waited {PATIENCE:?} for {words:?} in {:?}", self.all));
        self.all.push_str(&String::from_utf8_lossy(&bytes));
    }

    /// Whether lines are edited by the system, as they are before and after.
    fn is_plain(&self) -> bool {
        let modes = tcgetattr(&self.inside).expect("a terminal").local_modes;
        modes.contains(LocalModes::ICANON | LocalModes::ECHO)
    }

    fn pid(&self) -> Pid {
        i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process id")
    }

    /// What Ctrl-C does where no editor takes it; the terminal is not the process's own, so it can't send the signal.
    fn interrupt(&self) {
        kill_process(self.pid(), Signal::INT).expect("our own child takes a signal");
    }

    fn end(&mut self) -> ExitStatus {
        let (sender, ended) = channel();
        let pid = self.pid();
        // The watchdog ends with the test; a process that hangs is killed, which the test sees.
        let watchdog = thread::spawn(move || {
            if ended.recv_timeout(PATIENCE).is_err() {
                let _ = kill_process(pid, Signal::KILL);
            }
        });
        let status = self.child.wait().expect("our own child");
        let _ = sender.send(());
        watchdog.join().expect("the watchdog does not fail");
        status
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn lines_are_edited_below_what_comes() {
    let server = Server::start();
    let mut feed = Running::start(server.client(["tail", "--as", "banana"]).stdin(Stdio::null()));
    feed.line("live after ");
    let mut chat = Terminal::start(server.client(["chat", "apple:banana", "--as", "apple"]));
    chat.wait("-- banana is there");
    chat.press("Hallo");
    feed.out_line("apple is writing");
    chat.press("\u{7f}\u{7f}\u{7f}\u{7f}ello\r");
    feed.out_line("apple: Hello");
    run_with(&mut server.client(["chat", "apple:banana", "--as", "banana"]), "Hi \u{1b}[2J\n").expect(0);
    // What is read is marked beside what is said, so that either may come first.
    chat.shows("-- banana has read this");
    chat.shows("banana: Hi \\u{1b}[2J");
    assert!(!chat.is_plain());
    // What was typed stays where it was typed, so that its message is not shown a second time.
    chat.press("\u{4}");
    assert_eq!(chat.end().code(), Some(0));
    assert!(chat.is_plain());
    assert!(!chat.all.contains("apple: Hello"), "{:?}", chat.all);
}

#[test]
fn a_line_waits_for_the_server_to_come_back() {
    let server = Server::start();
    let mut chat = Terminal::start(server.client(["chat", "apple:banana", "--as", "apple"]));
    chat.wait("-- banana is not there");
    let url = server.url.clone();
    let (ended, directory) = server.stop();
    ended.expect(0);
    chat.wait("-- not connected, trying again: ");
    chat.press("Hello\r");
    chat.wait("-- not sent yet, trying again: ");
    let server = Server::start_again(&url, directory);
    chat.wait("-- connected again");
    // It ends once the line is stored.
    chat.press("\u{4}");
    assert_eq!(chat.end().code(), Some(0));
    let pulled = run(&mut server.client(["pull", "apple:banana"])).expect(0);
    assert_eq!(pulled.out.matches("apple   Hello").count(), 1, "{pulled}");
}

#[test]
fn ctrl_c_leaves_a_line_unsent_and_says_so() {
    let server = Server::start();
    let mut chat = Terminal::start(server.client(["chat", "apple:banana", "--as", "apple"]));
    chat.wait("-- banana is not there");
    server.stop().0.expect(0);
    chat.press("Hello\r");
    chat.wait("-- not sent yet, trying again: ");
    // The first is the editor's, which ends the input; the second does not wait for what is not sent.
    chat.press("\u{3}");
    chat.wait("-- waiting until all is sent; Ctrl-C leaves without");
    chat.interrupt();
    chat.wait("not every line was sent");
    assert_eq!(chat.end().code(), Some(1));
}

#[test]
fn the_terminal_is_left_as_it_was_also_where_the_server_ends_it() {
    let server = Server::start_in(tempfile::tempdir().expect("a directory"), |command| {
        command.args(["--sessions-per-user-max", "1"]);
    });
    let mut chat = Terminal::start(server.client(["chat", "apple:banana", "--as", "apple"]));
    chat.wait("-- banana is not there");
    assert!(!chat.is_plain());
    let mut other = Running::start(server.client(["tail", "--as", "apple"]).stdin(Stdio::null()));
    other.line("live after ");
    chat.wait("(4409)");
    assert_eq!(chat.end().code(), Some(1));
    assert!(chat.is_plain());
}
