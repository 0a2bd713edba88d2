//! The audit log: who changed what with an API key or over the operator's socket, a line of JSON each, in a file of its own.
//!
//! A thread writes it, so that no request waits for its disk. Nothing is lost in silence: what can't be written there goes to the log as
//! an error, with all that it says. A file that was moved away or removed is made anew at the next line, so any rotation will do.
//!
//! **Architecture invariant:** no text of a message, no token and no key is ever written, only a key's id.

use crate::{
    code::problem_code,
    metrics::Metrics,
    request::Request,
    service::{Asked, Auditor, ServiceError},
};
use chinwag_model::{Clock, KeyId};
use serde_json::{Map, Value, json};
use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    time::Duration,
};

/// Lines that may wait for the thread that writes; one more goes to the log.
const LINES_MAX: usize = 8_192;
/// How long the end of the server waits for the last lines.
const END_MAX: Duration = Duration::from_secs(2);

/// What the thread is told.
enum Told {
    Line(String),
    /// Answer once everything before is written.
    Flush(SyncSender<()>),
}

/// The audit log. Clones share it; without a file it does nothing.
#[derive(Clone, Default)]
pub struct Audit(Option<Arc<Open>>);

struct Open {
    lines: SyncSender<Told>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
}

impl Audit {
    /// No audit log.
    pub fn none() -> Self {
        Self(None)
    }

    /// The audit log in a file, which is made where it is missing and goes on where it is not.
    ///
    /// # Errors
    /// The file can't be opened to write at its end, or the system gives no thread.
    pub fn open(path: &Path, clock: Arc<dyn Clock>, metrics: Arc<Metrics>) -> io::Result<Self> {
        let file = open(path)?;
        let (lines, told) = sync_channel(LINES_MAX);
        let writer = Writer { path: path.to_owned(), file, metrics: metrics.clone() };
        std::thread::Builder::new().name("chinwag-audit".into()).spawn(move || writer.run(&told))?;
        Ok(Self(Some(Arc::new(Open { lines, clock, metrics }))))
    }

    /// An operator changed something over the socket of the data directory: what was asked for, in which words, what came of it
    /// (`ok`, or a status), and the key that it made, if any.
    pub fn operator(&self, verb: &str, query: &str, outcome: &str, key: Option<&KeyId>) {
        let Some(open) = &self.0 else { return };
        let mut line = Map::new();
        line.insert("by".into(), "operator".into());
        line.insert("verb".into(), verb.into());
        if !query.is_empty() {
            line.insert("query".into(), query.into());
        }
        if let Some(key) = key {
            line.insert("key".into(), key.as_str().into());
        }
        line.insert("outcome".into(), outcome.into());
        open.write(line);
    }

    /// Waits until what was told is written, at most a few seconds.
    pub fn flush(&self) {
        let Some(open) = &self.0 else { return };
        let (done, flushed) = sync_channel(1);
        if open.lines.send(Told::Flush(done)).is_ok() && flushed.recv_timeout(END_MAX).is_err() {
            tracing::error!("the audit log did not take its last lines in time");
        }
    }
}

impl Open {
    fn write(&self, mut line: Map<String, Value>) {
        line.insert("ts".into(), self.clock.read().wall.0.into());
        if let Some(request) = Request::current() {
            line.insert("request_id".into(), request.id.to_string().into());
            line.insert("peer".into(), request.peer.to_string().into());
        }
        let line = Value::Object(line).to_string();
        if let Err(error) = self.lines.try_send(Told::Line(line)) {
            let (TrySendError::Full(Told::Line(line)) | TrySendError::Disconnected(Told::Line(line))) = error
            else {
                return;
            };
            not_written(&line, "too many lines wait for it", &self.metrics);
        }
    }
}

impl Auditor for Audit {
    fn ended(&self, asked: &Asked, outcome: Option<Result<(), &ServiceError>>) {
        let Some(open) = &self.0 else { return };
        let Asked { key, scope, verb, chat, user, seq } = asked;
        let outcome = match outcome {
            Some(Ok(())) => "ok",
            Some(Err(error)) => problem_code(error).as_str(),
            None => "outcome_unknown",
        };
        let mut line = Map::new();
        line.insert("by".into(), "key".into());
        line.insert("key".into(), key.as_str().into());
        line.insert("scope".into(), scope.as_str().into());
        line.insert("verb".into(), json!(verb));
        if let Some(chat) = chat {
            line.insert("chat".into(), chat.as_str().into());
        }
        if let Some(user) = user {
            line.insert("user".into(), user.as_str().into());
        }
        if let Some(seq) = seq {
            line.insert("seq".into(), seq.0.into());
        }
        line.insert("outcome".into(), outcome.into());
        open.write(line);
    }
}

struct Writer {
    path: PathBuf,
    file: File,
    metrics: Arc<Metrics>,
}

impl Writer {
    fn run(mut self, told: &Receiver<Told>) {
        while let Ok(told) = told.recv() {
            match told {
                Told::Line(line) => {
                    if let Err(error) = self.write(&line) {
                        not_written(&line, &error.to_string(), &self.metrics);
                    }
                }
                // Whoever waited may have gone.
                Told::Flush(done) => drop(done.send(())),
            }
        }
    }

    /// In one write, so that whoever reads meanwhile sees whole lines.
    fn write(&mut self, line: &str) -> io::Result<()> {
        if !self.is_in_place() {
            self.file = open(&self.path)?;
        }
        self.file.write_all(format!("{line}\n").as_bytes())
    }

    /// Whether the file that is open is still the one at its path.
    fn is_in_place(&self) -> bool {
        let id = |of: io::Result<std::fs::Metadata>| of.map(|of| (of.dev(), of.ino())).ok();
        let there = id(std::fs::metadata(&self.path));
        there.is_some() && there == id(self.file.metadata())
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

fn not_written(line: &str, why: &str, metrics: &Metrics) {
    metrics.audit_lost.count();
    tracing::error!(line, why, "a line of the audit log could not be written");
}
