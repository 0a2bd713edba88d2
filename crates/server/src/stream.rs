//! A connection's bytes, plain or through TLS, and whether its client takes them.

use bytes::{Buf as _, BytesMut};
use chinwag_model::limits::AHEAD_MAX_BYTES;
use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::server::TlsStream;

/// Bytes that are read at once to see whether more comes.
const AHEAD_PIECE_BYTES: usize = 4 * 1024;

/// A connection's bytes.
pub(crate) enum Stream {
    Plain(Tcp),
    /// Boxed: what TLS keeps of a connection is many times the rest.
    Tls(Box<TlsStream<Tcp>>),
}

/// A connection as the system has it, which remembers what became of the bytes that were written.
///
/// It lies below TLS, which takes bytes that the client does not: only here is it known what has left.
#[derive(Debug)]
pub(crate) struct Tcp {
    stream: TcpStream,
    passed: Passed,
    /// What was read to see whether more comes, and is still to be taken.
    ahead: BytesMut,
}

/// What became of what was written since it was last asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Passed {
    /// The client took some of it.
    pub(crate) took: bool,
    /// At the last try no more of it was taken.
    pub(crate) full: bool,
}

impl Stream {
    pub(crate) fn plain(stream: TcpStream) -> Self {
        Self::Plain(Tcp::new(stream))
    }

    /// What became of what was written since this was last asked.
    pub(crate) fn passed(&mut self) -> Passed {
        let tcp = match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(tls) => tls.get_mut().0,
        };
        let passed = tcp.passed;
        tcp.passed.took = false;
        passed
    }

    /// Whether the client has ended its side, or has sent more than may lie there until it is taken, which hides its end.
    pub(crate) fn poll_ended(&mut self, cx: &mut Context<'_>) -> bool {
        match self {
            Self::Plain(tcp) => tcp.poll_ended(cx),
            Self::Tls(tls) => match Pin::new(&mut **tls).poll_fill_buf(cx) {
                Poll::Pending => false,
                Poll::Ready(Ok([]) | Err(_)) => true,
                // As long as that is not taken, TLS looks no further.
                Poll::Ready(Ok(_)) => tls.get_mut().0.poll_ended(cx),
            },
        }
    }
}

impl Tcp {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, passed: Passed::default(), ahead: BytesMut::new() }
    }

    /// Reads on until nothing more has come, so that what a client sent before its end does not hide it.
    fn poll_ended(&mut self, cx: &mut Context<'_>) -> bool {
        let mut space = [0; AHEAD_PIECE_BYTES];
        while self.ahead.len() < AHEAD_MAX_BYTES {
            let room = AHEAD_PIECE_BYTES.min(AHEAD_MAX_BYTES - self.ahead.len());
            let mut piece = ReadBuf::new(&mut space[..room]);
            match Pin::new(&mut self.stream).poll_read(cx, &mut piece) {
                Poll::Pending => return false,
                Poll::Ready(Ok(())) if !piece.filled().is_empty() => {
                    self.ahead.extend_from_slice(piece.filled());
                }
                Poll::Ready(_) => return true,
            }
        }
        true
    }

    fn note(&mut self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        self.passed = match written {
            Poll::Ready(Ok(bytes)) => Passed { took: self.passed.took || bytes > 0, full: false },
            Poll::Ready(Err(_)) => self.passed,
            Poll::Pending => Passed { full: true, ..self.passed },
        };
        written
    }
}

impl AsyncRead for Tcp {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ahead.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let taken = self.ahead.len().min(buf.remaining());
        buf.put_slice(&self.ahead[..taken]);
        self.ahead.advance(taken);
        if self.ahead.is_empty() {
            // Few connections ever have any; those give back the room for it.
            self.ahead = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tcp {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.note(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.note(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Self::Tls(tls) => Pin::new(&mut **tls).poll_read(cx, buf),
        }
    }
}

/// What is written through TLS has left only once it is flushed.
impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Plain(tcp) => Pin::new(tcp).poll_write(cx, bytes),
            Self::Tls(tls) => Pin::new(&mut **tls).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Plain(tcp) => Pin::new(tcp).poll_write_vectored(cx, slices),
            Self::Tls(tls) => Pin::new(&mut **tls).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(tcp) => tcp.is_write_vectored(),
            Self::Tls(tls) => tls.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Self::Tls(tls) => Pin::new(&mut **tls).poll_flush(cx),
        }
    }

    /// Through TLS the client is told in TLS too that this is the end, and not a cut.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Self::Tls(tls) => Pin::new(&mut **tls).poll_shutdown(cx),
        }
    }
}
