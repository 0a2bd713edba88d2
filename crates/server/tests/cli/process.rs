//! The executable in a process of its own, in a directory and an environment of its own. Whatever becomes of a test,
//! its process ends with it.

use rustix::process::{Pid, Signal, kill_process};
use std::{
    fmt,
    io::{BufRead as _, BufReader, Read, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread,
    time::{Duration, Instant},
};

/// The longest that a test waits for anything.
const PATIENCE: Duration = Duration::from_mins(1);

/// What a process said and how it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// `None` where a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    /// Holds it to an exit code, and shows all it said where it has another.
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    /// Holds it to having said that on standard error.
    pub(crate) fn says(self, words: &str) -> Self {
        assert!(self.err.contains(words), "{words:?} is not in:\n{self}");
        self
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit code {:?}\n--- stdout\n{}\n--- stderr\n{}", self.code, self.out, self.err)
    }
}

/// `chinwag` in `directory`, with nothing in its environment.
pub(crate) fn chinwag<const N: usize>(directory: &Path, args: [&str; N]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chinwag"));
    command.args(args).current_dir(directory).env_clear();
    command
}

/// Runs a command to its end, with that on its standard input.
pub(crate) fn run_with(command: &mut Command, input: &str) -> Ended {
    let mut running = Running::start(command.stdin(Stdio::piped()));
    let mut stdin = running.child.stdin.take().expect("piped");
    // What does not read its input may end before it is written.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    running.end()
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command) -> Ended {
    Running::start(command.stdin(Stdio::null())).end()
}

/// A process that runs.
pub(crate) struct Running {
    child: Child,
    events: Receiver<Event>,
    open: usize,
    out: String,
    err: String,
}

enum Event {
    Out(String),
    Err(String),
    Closed,
}

impl Running {
    /// Starts it. Its standard output is read too, unless the command has already somewhere else to write.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the executable starts");
        let (sender, events) = channel();
        read(child.stdout.take().expect("piped"), sender.clone(), Event::Out);
        read(child.stderr.take().expect("piped"), sender, Event::Err);
        Self { child, events, open: 2, out: String::new(), err: String::new() }
    }

    /// Takes the next thing that happens; `false` where nothing more will.
    fn step(&mut self, begin: Instant, what: &str) -> bool {
        if self.open == 0 {
            return false;
        }
        match self.events.recv_timeout(PATIENCE.saturating_sub(begin.elapsed())) {
            Ok(Event::Out(line)) => self.out += &line,
            Ok(Event::Err(line)) => self.err += &line,
            Ok(Event::Closed) => self.open -= 1,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                panic!("waited {PATIENCE:?} for {what}\n--- stdout\n{}\n--- stderr\n{}", self.out, self.err)
            }
        }
        true
    }

    /// Waits until standard error holds a line with that, and gives the line.
    pub(crate) fn line(&mut self, words: &str) -> String {
        let begin = Instant::now();
        loop {
            if let Some(line) = self.err.lines().find(|line| line.contains(words)) {
                return line.to_owned();
            }
            assert!(self.step(begin, words), "it ended without {words:?}:\n{}", self.err);
        }
    }

    /// Waits until standard output holds a line with that, and gives the line.
    pub(crate) fn out_line(&mut self, words: &str) -> String {
        let begin = Instant::now();
        loop {
            if let Some(line) = self.out.lines().find(|line| line.contains(words)) {
                return line.to_owned();
            }
            assert!(self.step(begin, words), "it ended without {words:?}:\n{}\n{}", self.out, self.err);
        }
    }

    /// Writes that to its standard input, which was piped.
    pub(crate) fn say(&mut self, words: &str) {
        self.say_bytes(words.as_bytes());
    }

    /// Writes these bytes to its standard input, which was piped.
    pub(crate) fn say_bytes(&mut self, bytes: &[u8]) {
        let stdin = self.child.stdin.as_mut().expect("piped, and not ended");
        stdin.write_all(bytes).and_then(|()| stdin.flush()).expect("it reads");
    }

    /// Ends its standard input.
    pub(crate) fn hush(&mut self) {
        drop(self.child.stdin.take());
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Ended {
        let begin = Instant::now();
        while self.step(begin, "the end of the process") {}
        let code = self.child.wait().expect("our own child").code();
        Ended { code, out: std::mem::take(&mut self.out), err: std::mem::take(&mut self.err) }
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process id");
        kill_process(pid, signal).expect("our own child takes a signal");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(pipe: impl Read + Send + 'static, events: Sender<Event>, event: fn(String) -> Event) {
    thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        while pipe.read_until(b'\n', &mut line).is_ok_and(|bytes| bytes > 0) {
            let _ = events.send(event(String::from_utf8_lossy(&line).into_owned()));
            line.clear();
        }
        let _ = events.send(Event::Closed);
    });
}

/// A server on a free port of loopback, in a directory of its own.
pub(crate) struct Server {
    pub(crate) running: Running,
    pub(crate) url: String,
    pub(crate) directory: tempfile::TempDir,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::start_in(tempfile::tempdir().expect("a directory"), |_| {})
    }

    pub(crate) fn start_in(directory: tempfile::TempDir, more: impl FnOnce(&mut Command)) -> Self {
        let mut command = chinwag(directory.path(), ["--listen", "127.0.0.1:0", "--disk-reserve-mib", "0"]);
        more(&mut command);
        let mut running = Running::start(command.stdin(Stdio::null()));
        let line = running.line("listening on ");
        let at = line.find("http").expect("the line names the address");
        let end = line[at..].find([' ', '"']).map_or(line.len(), |end| at + end);
        Self { running, url: line[at..end].to_owned(), directory }
    }

    /// A client command of this server.
    pub(crate) fn client<const N: usize>(&self, args: [&str; N]) -> Command {
        let mut command = chinwag(self.directory.path(), args);
        command.env("CHINWAG_SERVER", &self.url);
        command
    }

    /// Starts it again where it was, once it was stopped.
    pub(crate) fn start_again(url: &str, directory: tempfile::TempDir) -> Self {
        let address = url.strip_prefix("http://").expect("an address");
        let mut command = chinwag(directory.path(), ["--listen", address, "--disk-reserve-mib", "0"]);
        let mut running = Running::start(command.stdin(Stdio::null()));
        running.line("listening on ");
        Self { running, url: url.to_owned(), directory }
    }

    /// Stops it as a supervisor does.
    pub(crate) fn stop(self) -> (Ended, tempfile::TempDir) {
        self.running.signal(Signal::TERM);
        (self.running.end(), self.directory)
    }
}
