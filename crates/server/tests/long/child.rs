//! The server in a process of its own. Whatever becomes of a test, its process ends with it.

use crate::{http::Connection, watchdog::PATIENCE, watchdog::until};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    io::{BufRead as _, BufReader, Read},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread,
    time::Instant,
};

/// A running server.
pub(crate) struct Server {
    child: Child,
    output: Arc<Output>,
    readers: Vec<thread::JoinHandle<()>>,
}

/// What the process has printed so far.
#[derive(Default)]
struct Output {
    lines: Mutex<Lines>,
    came: Condvar,
}

#[derive(Default)]
struct Lines {
    lines: Vec<String>,
    open: usize,
}

/// `chinwag serve` on a free port of loopback, to be given more flags and variables.
pub(crate) fn serve(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chinwag"));
    command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(data);
    // Small disks of the tests' own lie below the default; those that test the reserve set theirs.
    command.env("CHINWAG_DISK_RESERVE_MIB", "0");
    command
}

impl Server {
    /// Starts it and waits until it is ready.
    pub(crate) fn start(data: &Path) -> Self {
        let server = Self::spawn(serve(data));
        server.await_ready();
        server
    }

    /// Starts it and waits for nothing.
    pub(crate) fn spawn(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the server's executable starts");
        let output = Arc::new(Output::default());
        output.lines.lock().unwrap_or_else(PoisonError::into_inner).open = 2;
        let out = Box::new(child.stdout.take().expect("piped"));
        let err = Box::new(child.stderr.take().expect("piped"));
        let readers = vec![output.clone().collect(out), output.clone().collect(err)];
        Self { child, output, readers }
    }

    /// What it has printed.
    pub(crate) fn printed(&self) -> String {
        self.output.lines.lock().unwrap_or_else(PoisonError::into_inner).lines.join("\n")
    }

    /// The address that it listens on, once it has said so.
    pub(crate) fn address(&self) -> SocketAddr {
        let address = self.address_unless_it_ends();
        address.unwrap_or_else(|| panic!("the server ended without having listened:\n{}", self.printed()))
    }

    /// The address that it listens on, unless it ends without having listened.
    pub(crate) fn address_unless_it_ends(&self) -> Option<SocketAddr> {
        self.output.find("the server to listen or to end", address_in)
    }

    /// A new connection, unless it has ended.
    pub(crate) fn try_connect(&self) -> Option<Connection> {
        Connection::open(self.address_unless_it_ends()?).ok()
    }

    /// A new connection.
    pub(crate) fn connect(&self) -> Connection {
        Connection::open(self.address())
            .unwrap_or_else(|error| panic!("no connection: {error}\n{}", self.printed()))
    }

    /// Waits until it says that it is ready.
    pub(crate) fn await_ready(&self) {
        self.await_readyz("the server to be ready", 200);
    }

    /// Waits until `/readyz` answers so.
    pub(crate) fn await_readyz(&self, what: &str, status: u16) {
        let address = self.address();
        until(
            what,
            || self.printed(),
            || {
                let answer =
                    Connection::open(address).and_then(|mut connection| connection.get("/readyz")).ok()?;
                (answer.status == status).then_some(())
            },
        );
    }

    /// Waits until it has printed a line with that word in it.
    pub(crate) fn await_line(&self, what: &str, word: &str) {
        let found = self.output.find(what, |line| line.contains(word).then_some(()));
        assert!(found.is_some(), "it ended without it: {what}\n{}", self.printed());
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("our own child takes a signal");
    }

    /// The process.
    pub(crate) fn pid(&self) -> Pid {
        i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process id")
    }

    /// How many files it has open, sockets among them.
    pub(crate) fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).expect("our own child").count()
    }

    /// The number that the next file which it opens gets.
    pub(crate) fn first_free_descriptor(&self) -> usize {
        let open = |number: &usize| {
            std::fs::symlink_metadata(format!("/proc/{}/fd/{number}", self.child.id())).is_ok()
        };
        (0..1 << 20).find(|number| !open(number)).expect("there are fewer files than numbers")
    }

    /// The memory that it takes of the machine.
    pub(crate) fn resident_bytes(&self) -> u64 {
        let status = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(&status).expect("our own child");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
        kib.expect("a size in KiB") * 1024
    }

    /// Ends it in the midst of whatever it does, and waits until it is gone.
    pub(crate) fn kill(mut self) {
        self.signal(Signal::KILL);
        self.child.wait().expect("our own child");
    }

    /// Stops it as a supervisor does.
    pub(crate) fn stop(self) {
        self.signal(Signal::TERM);
        let (status, printed) = self.await_end("the server to stop");
        assert_eq!(status.code(), Some(0), "{printed}");
    }

    /// Waits until it has ended, and gives its last words.
    pub(crate) fn await_end(mut self, what: &str) -> (ExitStatus, String) {
        let begin = Instant::now();
        let mut lines = self.output.lines.lock().unwrap_or_else(PoisonError::into_inner);
        // Its pipes close when it ends: that is the event.
        while lines.open > 0 {
            let left = PATIENCE.saturating_sub(begin.elapsed());
            assert!(!left.is_zero(), "waited {PATIENCE:?} for {what}\n{}", lines.lines.join("\n"));
            lines = self.output.came.wait_timeout(lines, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(lines);
        (self.child.wait().expect("our own child"), self.printed())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
    }
}

impl Output {
    fn collect(self: Arc<Self>, pipe: Box<dyn Read + Send>) -> thread::JoinHandle<()> {
        thread::spawn(move || {
            for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).into_owned();
                self.lines.lock().unwrap_or_else(PoisonError::into_inner).lines.push(line);
                self.came.notify_all();
            }
            self.lines.lock().unwrap_or_else(PoisonError::into_inner).open -= 1;
            self.came.notify_all();
        })
    }

    /// Waits for a line of which `what` is to be read; `None` where it ended without one.
    fn find<T>(&self, what: &str, read: impl Fn(&str) -> Option<T>) -> Option<T> {
        let begin = Instant::now();
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let found = lines.lines.iter().find_map(|line| read(line));
            if found.is_some() || lines.open == 0 {
                return found;
            }
            let left = PATIENCE.saturating_sub(begin.elapsed());
            assert!(
                !left.is_zero(),
                "waited {PATIENCE:?} for {what}; it printed:\n{}",
                lines.lines.join("\n")
            );
            lines = self.came.wait_timeout(lines, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// The address that a line of its log says it listens on.
fn address_in(line: &str) -> Option<SocketAddr> {
    let (_, address) = line.split_once("listening on http://")?;
    address.split(|c: char| !c.is_ascii_digit() && c != '.' && c != ':').next()?.parse().ok()
}

/// Runs `chinwag` with these arguments to its end.
pub(crate) fn chinwag(arguments: &[&str], data: &Path) -> (ExitStatus, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chinwag"));
    command.args(arguments).arg("--data").arg(data);
    Server::spawn(command).await_end(&format!("chinwag {}", arguments.join(" ")))
}

/// Reads the whole store of a stopped server and demands that it is sound.
pub(crate) fn check_store(data: &Path) {
    let (status, printed) = chinwag(&["check"], data);
    assert!(status.success(), "chinwag check: {status}\n{printed}");
}
