//! A connection's socket, which tells the [`Pulse`] what passes, and closes without destroying what was sent.

use super::pulse::Pulse;
use crate::stream::{Passed, Stream};
use std::{
    future::Future as _,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep_until},
};

/// Most bytes that are read and thrown away so that a client which still sends can read its reply.
const LINGER_MAX_BYTES: usize = 32 * 1024 * 1024;

pub(super) struct Socket {
    stream: Stream,
    pulse: Arc<Pulse>,
    closing: Option<Closing>,
    /// While the connection is left unread.
    unread: Option<Pin<Box<Sleep>>>,
}

/// The write side is shut down.
#[derive(Clone, Copy)]
struct Closing {
    /// Whether to wait for more of what the client sends, and the client's own end.
    lingers: bool,
    /// How many bytes were thrown away.
    discarded_bytes: usize,
}

impl Socket {
    pub(super) fn new(stream: Stream, pulse: Arc<Pulse>) -> Self {
        Self { stream, pulse, closing: None, unread: None }
    }

    /// The connection below, of a client that has switched to another protocol.
    pub(super) fn into_stream(self) -> Stream {
        self.stream
    }

    /// Ready unless the connection is left unread; whether it was until now.
    fn poll_hold(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let Some(until) = self.pulse.hold.until() else { return Poll::Ready(false) };
        ready!(self.unread.get_or_insert_with(|| Box::pin(sleep_until(until))).as_mut().poll(cx));
        self.unread = None;
        self.pulse.hold.end();
        Poll::Ready(true)
    }

    /// Tells what became of what was written.
    fn note<T>(&mut self, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        let Passed { took, full } = self.stream.passed();
        if took {
            self.pulse.wrote(false);
        }
        if full {
            self.pulse.wrote(true);
        }
        written
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let resumes = ready!(self.poll_hold(cx));
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if resumes {
            // What is there already came before its time.
            self.pulse.lifeline.set_hasty(read.is_ready());
        }
        ready!(read)?;
        if buf.filled().len() > before {
            self.pulse.heard();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.note(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.note(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// The HTTP library flushes whenever it has looked for anything to do, even where nothing was written.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        ready!(self.note(flushed))?;
        self.pulse.flushed();
        if self.pulse.lifeline.is_held() && self.stream.poll_ended(cx) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Poll::Ready(Ok(()))
    }

    /// Tells the client that no more comes. Where it may be sending still, what it sends is read for a while and thrown
    /// away: closing a socket with unread bytes makes the kernel reset the connection, and the reply is lost with it.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut closing = if let Some(closing) = self.closing {
            closing
        } else {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
            Closing { lingers: self.pulse.closing(), discarded_bytes: 0 }
        };
        let mut space = [0; 16 * 1024];
        while closing.discarded_bytes < LINGER_MAX_BYTES {
            self.closing = Some(closing);
            let mut buf = ReadBuf::new(&mut space);
            match Pin::new(&mut self.stream).poll_read(cx, &mut buf)? {
                Poll::Pending if closing.lingers => return Poll::Pending,
                Poll::Ready(()) if !buf.filled().is_empty() => {}
                // The client has ended too, or nothing of it is unread.
                Poll::Pending | Poll::Ready(()) => break,
            }
            if !closing.lingers {
                // Requests in a row, of which the last ones came too late.
                self.pulse.linger();
                closing.lingers = true;
            }
            closing.discarded_bytes += buf.filled().len();
        }
        Poll::Ready(Ok(()))
    }
}
