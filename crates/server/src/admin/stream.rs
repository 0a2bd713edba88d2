//! An answer that a thread of its own writes, as long as it may take; the end of the process does not wait for it.

use super::{Answer, text};
use bytes::Bytes;
use futures_util::Stream;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::{Response, StatusCode, body::Frame};
use std::{
    io::{self, Write},
    pin::Pin,
    task::{Context, Poll},
};
use tokio::sync::{
    mpsc::{Receiver, Sender, channel},
    oneshot,
};

/// Bytes of a piece.
const PIECE_BYTES: usize = 64 << 10;
/// Pieces that may wait for whoever reads them.
const PIECES_MAX: usize = 4;

/// Why there is no answer, or no more of it.
pub(super) struct Failed {
    pub(super) status: StatusCode,
    pub(super) why: String,
}

/// Answers with what `write` writes, once the first piece is there, or it is known why there is none. What fails later
/// ends the answer before its end.
pub(super) async fn stream(
    what: &'static str,
    write: impl FnOnce(&mut dyn Write) -> Result<(), Failed> + Send + 'static,
) -> Answer {
    let (sender, receiver) = channel(PIECES_MAX);
    let (begun, begins) = oneshot::channel();
    let writing = std::thread::Builder::new().name(format!("chinwag-{what}")).spawn(move || {
        let mut out = Pipe { sender: sender.clone(), piece: Vec::new(), begun: Some(begun) };
        let flush =
            |error: io::Error| Failed { status: StatusCode::INTERNAL_SERVER_ERROR, why: error.to_string() };
        let Err(failed) = write(&mut out).and_then(|()| out.flush().map_err(flush)) else { return };
        if let Some(begun) = out.begun.take() {
            return drop(begun.send(Err(failed)));
        }
        tracing::warn!(what, "not finished: {}", failed.why);
        // Whoever reads it may be gone.
        let _ = sender.blocking_send(Err(io::Error::other(failed.why)));
    });
    if let Err(error) = writing {
        return text(StatusCode::SERVICE_UNAVAILABLE, format!("the system gives no thread: {error}"));
    }
    match begins.await {
        Ok(Ok(())) => Response::new(StreamBody::new(Pieces(receiver)).boxed()),
        Ok(Err(failed)) => text(failed.status, failed.why),
        Err(_) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("no {what} could be made")),
    }
}

/// From the thread that writes to the task that sends. It waits where the reader does.
struct Pipe {
    sender: Sender<io::Result<Bytes>>,
    piece: Vec<u8>,
    /// Told with the first piece.
    begun: Option<oneshot::Sender<Result<(), Failed>>>,
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

struct Pieces(Receiver<io::Result<Bytes>>);

impl Stream for Pieces {
    type Item = io::Result<Frame<Bytes>>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(context).map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}
