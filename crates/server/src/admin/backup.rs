//! `GET /backup?since=…&bytes_a_second=…`: a backup, as it is taken.

use super::{Answer, PIECES_MAX, pieces, text};
use bytes::Bytes;
use chinwag_model::Ts;
use chinwag_store::embedded::{
    Maintenance,
    backup::{BackupError, Since},
};
use hyper::StatusCode;
use std::io::{self, Write};
use tokio::sync::{
    mpsc::{Sender, channel},
    oneshot,
};

/// Bytes of a piece.
const PIECE_BYTES: usize = 64 << 10;

/// What is asked for.
struct Wanted {
    since: Since,
    bytes_a_second: Option<u64>,
}

impl Wanted {
    fn parse(query: &str) -> Result<Self, String> {
        let mut wanted = Self { since: Since::Beginning, bytes_a_second: None };
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            match name {
                "since" => {
                    wanted.since = match value.parse() {
                        Ok(ts) => Since::Time(Ts(ts)),
                        Err(_) => Since::Backup(value.parse().map_err(|why| format!("since: {why}"))?),
                    };
                }
                "bytes_a_second" => {
                    let number = value.parse().map_err(|_| "bytes_a_second is not a number".to_owned())?;
                    wanted.bytes_a_second = Some(number);
                }
                _ => return Err(format!("{name} is not known here")),
            }
        }
        Ok(wanted)
    }
}

/// Answers once the first bytes are there, or it is known why there are none.
pub(super) async fn answer(query: &str, store: &Maintenance) -> Answer {
    let wanted = match Wanted::parse(query) {
        Ok(wanted) => wanted,
        Err(why) => return text(StatusCode::BAD_REQUEST, why),
    };
    let (sender, receiver) = channel(PIECES_MAX);
    let (begun, begins) = oneshot::channel();
    let store = store.clone();
    // A thread of its own: it may take hours, and the end of the process does not wait for it.
    let taking = std::thread::Builder::new().name("chinwag-backup".into()).spawn(move || {
        let mut out = Pipe { sender: sender.clone(), piece: Vec::new(), begun: Some(begun) };
        let taken = store.backup(wanted.since, wanted.bytes_a_second, &mut out, &mut |_| {});
        match (taken, out.begun.take()) {
            (Ok(report), _) => tracing::info!(
                bytes = report.bytes,
                rows = report.rows,
                upto_us = report.head.newest.ts.0,
                "a backup was taken"
            ),
            (Err(error), Some(begun)) => drop(begun.send(Err(error))),
            (Err(error), None) => {
                tracing::warn!("a backup was not finished: {error}");
                // Whoever reads it may be gone.
                let _ = sender.blocking_send(Err(io::Error::other(error.to_string())));
            }
        }
    });
    if let Err(error) = taking {
        return text(StatusCode::SERVICE_UNAVAILABLE, format!("the system gives no thread: {error}"));
    }
    match begins.await {
        Ok(Ok(())) => pieces(receiver),
        Ok(Err(error @ BackupError::Refused(_))) => text(StatusCode::CONFLICT, error.to_string()),
        Ok(Err(error)) => text(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
        Err(_) => text(StatusCode::INTERNAL_SERVER_ERROR, "the backup could not be taken"),
    }
}

/// From the thread that takes the backup to the task that sends it. It waits where the reader does.
struct Pipe {
    sender: Sender<io::Result<Bytes>>,
    piece: Vec<u8>,
    /// Told with the first piece.
    begun: Option<oneshot::Sender<Result<(), BackupError>>>,
}

impl Pipe {
    fn send(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        if let Some(begun) = self.begun.take() {
            drop(begun.send(Ok(())));
        }
        let piece = std::mem::take(&mut self.piece);
        let gone = |_| io::Error::new(io::ErrorKind::BrokenPipe, "whoever reads it has gone");
        self.sender.blocking_send(Ok(piece.into())).map_err(gone)
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE_BYTES {
            self.send()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.send()
    }
}
