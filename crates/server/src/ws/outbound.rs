//! What goes to a client: frames that wait, written together. Holds nothing while nothing waits.

use super::{
    End,
    frame::{Opcode, write_head},
};
use crate::stream::Stream;
use bytes::{Buf, Bytes};
use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::io::AsyncWrite;

/// Frames that may wait before nothing more is taken from the feed or the client.
const WAITING_MAX_FRAMES: usize = 32;
/// Bytes that may wait, likewise; one frame alone may be longer.
const WAITING_MAX_BYTES: usize = 64 * 1024;
/// Slices in one write: two a frame.
const SLICES: usize = 2 * WAITING_MAX_FRAMES;

/// A connection's sending side.
#[derive(Default)]
pub(super) struct Outbound {
    waiting: VecDeque<Frame>,
    /// Bytes of the payloads that wait.
    bytes: usize,
}

struct Frame {
    head: [u8; 10],
    /// The part of the head that is not yet written.
    head_from: u8,
    head_to: u8,
    payload: Bytes,
}

impl Outbound {
    pub(super) fn push(&mut self, opcode: Opcode, payload: Bytes) {
        let (head, head_to) = write_head(opcode, payload.len());
        self.bytes += payload.len();
        self.waiting.push_back(Frame { head, head_from: 0, head_to, payload });
    }

    pub(super) fn push_close(&mut self, end: End) {
        self.push(Opcode::Close, end.payload());
    }

    /// Whether more may be put in.
    pub(super) fn has_room(&self) -> bool {
        self.waiting.len() < WAITING_MAX_FRAMES && self.bytes < WAITING_MAX_BYTES
    }

    /// Whether more events may be put in: so many that replies and pongs have room beside them.
    pub(super) fn has_room_for_events(&self) -> bool {
        self.waiting.len() < WAITING_MAX_FRAMES / 2 && self.bytes < WAITING_MAX_BYTES / 2
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Writes what waits. How many bytes the socket took at once; 0 where all was written before.
    ///
    /// # Errors
    /// The connection is broken.
    pub(super) fn poll_write(
        &mut self,
        stream: &mut Stream,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if self.waiting.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let mut slices = [IoSlice::new(&[]); SLICES];
        let mut used = 0;
        for frame in self.waiting.iter().take(SLICES / 2) {
            for part in
                [&frame.head[usize::from(frame.head_from)..usize::from(frame.head_to)], &frame.payload]
            {
                if !part.is_empty() {
                    slices[used] = IoSlice::new(part);
                    used += 1;
                }
            }
        }
        let written = ready!(Pin::new(stream).poll_write_vectored(cx, &slices[..used]))?;
        if written == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.advance(written);
        Poll::Ready(Ok(written))
    }

    fn advance(&mut self, mut written: usize) {
        while let Some(frame) = self.waiting.front_mut() {
            let head = usize::from(frame.head_to - frame.head_from);
            if written < head {
                frame.head_from += u8::try_from(written).expect("less than a head");
                return;
            }
            written -= head;
            frame.head_from = frame.head_to;
            let payload = written.min(frame.payload.len());
            frame.payload.advance(payload);
            self.bytes -= payload;
            written -= payload;
            if !frame.payload.is_empty() {
                return;
            }
            self.waiting.pop_front();
        }
        // An idle connection keeps no memory for those to come.
        self.waiting = VecDeque::new();
    }
}
