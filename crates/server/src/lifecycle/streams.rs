//! The requests of one connection of HTTP/2, each a stream with a task of its own: how many there are, and that a client
//! which takes nothing of one reply loses that one.

use super::crowd::Seat;
use crate::{deadline::poll_deadline, http::Content};
use bytes::Bytes;
use chinwag_model::limits::STREAM_PIECE_MAX_BYTES;
use futures_util::task::AtomicWaker;
use hyper::{
    body::{Body, Frame, SizeHint},
    rt::Executor,
};
use parking_lot::Mutex;
use std::{
    cell::Cell,
    convert::Infallible,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, sleep_until},
};

tokio::task_local! {
    /// Of the stream whose task this is: since when a piece of its reply waits for the client.
    static WAITS: Cell<Option<Instant>>;
}

/// How many requests of a connection are under way.
#[derive(Debug)]
pub(super) struct Streams {
    state: Mutex<State>,
    /// It waits while there are none.
    seat: Arc<Seat>,
    /// Wakes the connection once there are none.
    waker: AtomicWaker,
}

#[derive(Debug)]
struct State {
    open: usize,
    /// Since when there are none, where there are none.
    idle_since: Instant,
}

/// A request under way, until it is dropped.
#[derive(Debug)]
pub(super) struct Open(Arc<Streams>);

impl Streams {
    pub(super) fn new(seat: Arc<Seat>) -> Arc<Self> {
        let state = State { open: 0, idle_since: Instant::now() };
        Arc::new(Self { state: Mutex::new(state), seat, waker: AtomicWaker::new() })
    }

    pub(super) fn open(self: &Arc<Self>) -> Open {
        let mut state = self.state.lock();
        state.open += 1;
        self.seat.is_busy();
        drop(state);
        Open(self.clone())
    }

    /// Since when none is under way; the task is woken once that changes.
    pub(super) fn idle_since(&self, cx: &Context<'_>) -> Option<Instant> {
        self.waker.register(cx.waker());
        let state = self.state.lock();
        (state.open == 0).then_some(state.idle_since)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.open -= 1;
        if state.open == 0 {
            state.idle_since = Instant::now();
            self.0.seat.waits(state.idle_since);
            drop(state);
            self.0.waker.wake();
        }
    }
}

/// Gives each stream a task, and ends one whose client takes nothing of its reply for so long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tasks {
    pub(super) write_timeout: Duration,
}

impl<F> Executor<F> for Tasks
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, stream: F) {
        tokio::spawn(WAITS.scope(Cell::new(None), watched(stream, self.write_timeout)));
    }
}

/// Dropping the stream resets it, and frees what waits for its client; the others of its connection go on.
async fn watched(stream: impl Future, write_timeout: Duration) {
    let mut stream = pin!(stream);
    let mut timer = None;
    poll_fn(|cx| {
        if stream.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let Some(since) = WAITS.with(Cell::get) else { return Poll::Pending };
        let deadline = since + write_timeout;
        let timer = timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        ready!(poll_deadline(timer.as_mut(), deadline, cx));
        tracing::debug!("a client takes nothing of a reply: its stream is reset");
        Poll::Ready(())
    })
    .await;
}

/// A reply in pieces, of which the next is made once the client has room for the last.
pub(super) struct Pieces {
    content: Content,
    /// What is left of what the content gave.
    rest: Bytes,
    _held: Option<OwnedSemaphorePermit>,
    _open: Open,
}

impl Pieces {
    /// `held`: what the reply counts against.
    pub(super) fn new(content: Content, held: Option<OwnedSemaphorePermit>, open: Open) -> Self {
        Self { content, rest: Bytes::new(), _held: held, _open: open }
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        // It is asked for more: what was given before has found room.
        WAITS.with(|waits| waits.set(None));
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.content).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(other) => return Poll::Ready(Some(Ok(other))),
                },
                None => return Poll::Ready(None),
            }
        }
        let length = self.rest.len().min(STREAM_PIECE_MAX_BYTES);
        WAITS.with(|waits| waits.set(Some(Instant::now())));
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(length)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.content.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.content.size_hint()
    }
}
