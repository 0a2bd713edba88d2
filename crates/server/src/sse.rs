//! The face of Server-Sent Events: a user's feed as the body of a reply that goes on.
//!
//! **Architecture invariant:** this room knows no route and no setting.

use crate::{
    deadline::poll_deadline,
    hub::{Close, Outgoing},
    metrics::Ended,
    request::{Request, on_behalf_of},
    service::Feed,
};
use bytes::Bytes;
use std::{
    hash::{BuildHasher, Hasher, RandomState},
    io::Write as _,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::{Instant, Sleep, sleep};

/// Events are gathered into one piece up to this.
const PIECE_MAX_BYTES: usize = 16 * 1024;
/// A client that was cut comes back after a time between these, in milliseconds, so that all who were do not come at once.
const RETRY_MS: std::ops::Range<u64> = 1_000..4_000;

/// A feed as a stream of bytes.
pub struct Events {
    /// `None` once its end was told.
    feed: Option<Feed>,
    /// Why there is no feed, until that is told.
    ended: Option<Close>,
    opened: bool,
    heartbeat: Duration,
    /// When the client was last sent anything.
    wrote: Instant,
    timer: Pin<Box<Sleep>>,
    /// The one that opened it.
    request: Option<Request>,
}

impl Events {
    pub(crate) fn new(feed: Feed, heartbeat: Duration) -> Self {
        Self {
            feed: Some(feed),
            ended: None,
            opened: false,
            heartbeat,
            wrote: Instant::now(),
            timer: Box::pin(sleep(heartbeat)),
            request: Request::current(),
        }
    }

    /// A feed that has ended before it began.
    pub(crate) fn ended(why: Close) -> Self {
        let timer = Box::pin(sleep(Duration::ZERO));
        let heartbeat = Duration::ZERO;
        let (wrote, request) = (Instant::now(), Request::current());
        Self { feed: None, ended: Some(why), opened: false, heartbeat, wrote, timer, request }
    }

    /// The next piece; `None` at the end.
    pub(crate) fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        on_behalf_of(self.request, || self.poll_next_piece(cx))
    }

    fn poll_next_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let mut piece = Vec::new();
        if !std::mem::replace(&mut self.opened, true) {
            write!(piece, "retry: {}\n\n", retry_ms()).expect("a vector takes every write");
        }
        while let Some(feed) = &mut self.feed
            && piece.len() < PIECE_MAX_BYTES
        {
            match feed.poll_next(cx) {
                Poll::Ready(Ok(event)) => write_event(&mut piece, &event),
                Poll::Ready(Err(why)) => {
                    feed.ended(Ended::Code(why.code()));
                    write_close(&mut piece, why);
                    self.feed = None;
                }
                Poll::Pending => break,
            }
        }
        if let Some(why) = self.ended.take() {
            write_close(&mut piece, why);
        }
        if piece.is_empty() {
            if self.feed.is_none() {
                return Poll::Ready(None);
            }
            ready!(poll_deadline(self.timer.as_mut(), self.wrote + self.heartbeat, cx));
            piece.extend_from_slice(b":\n\n");
        }
        self.wrote = Instant::now();
        Poll::Ready(Some(piece.into()))
    }
}

fn write_event(piece: &mut Vec<u8>, event: &Outgoing) {
    piece.reserve(event.json.len() + 96);
    for part in ["event: ", event.name, "\n"] {
        piece.extend_from_slice(part.as_bytes());
    }
    if let Some(id) = event.id {
        writeln!(piece, "id: {id}").expect("a vector takes every write");
    }
    for part in [b"data: ", &event.json[..], b"\n\n"] {
        piece.extend_from_slice(part);
    }
}

fn write_close(piece: &mut Vec<u8>, why: Close) {
    let code = why.code();
    write!(piece, "event: close\ndata: {{\"code\":{code}}}\n\n").expect("a vector takes every write");
}

fn retry_ms() -> u64 {
    let random = RandomState::new().build_hasher().finish();
    RETRY_MS.start + random % (RETRY_MS.end - RETRY_MS.start)
}
