//! What a connection is doing, and until when it may.

use super::{Options, crowd::Seat, hold::Hold};
use crate::http::Lifeline;
use parking_lot::Mutex;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// How long a connection stays after a reply that was given before its request had been read: so long the client may
/// still send, and find the reply, before it is cut off.
pub(super) const LINGER_MAX: Duration = Duration::from_secs(3);

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// It waits for a request.
    Idle,
    /// A part of a head has come.
    Head,
    /// The request is being read or served; the HTTP face and the store bound that.
    Serving,
    /// The reply is being written.
    Replying,
    /// The reply goes on for as long as the client likes.
    Streaming,
    /// A reply is being written that ends the connection before its request was read.
    Refusing,
    /// All is written; what still comes is thrown away.
    Lingering,
}

/// What a connection is doing and since when; shared by its socket, its service and its task.
#[derive(Debug)]
pub(super) struct Pulse {
    options: Arc<Options>,
    seat: Arc<Seat>,
    state: Mutex<State>,
    pub(super) lifeline: Lifeline,
    pub(super) hold: Hold,
}

/// A reply that is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ready {
    /// After the request was read.
    Whole,
    /// Before the request was read to its end.
    Early,
    /// It has no end of its own.
    Stream,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    since: Instant,
    /// Since when the client has taken nothing of what it was to get.
    blocked_since: Option<Instant>,
}

impl Pulse {
    pub(super) fn new(options: Arc<Options>, seat: Arc<Seat>) -> Self {
        let state = State { phase: Phase::Idle, since: Instant::now(), blocked_since: None };
        Self { options, seat, state: Mutex::new(state), lifeline: Lifeline::default(), hold: Hold::default() }
    }

    /// When the connection has had its time; `None` while it may take as long as it likes.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let state = self.state.lock();
        let phase = match state.phase {
            Phase::Idle => Some(state.since + self.options.idle_timeout),
            Phase::Head => Some(state.since + self.options.head_timeout),
            Phase::Serving | Phase::Replying | Phase::Streaming | Phase::Refusing => None,
            Phase::Lingering => Some(state.since + LINGER_MAX),
        };
        let blocked = state.blocked_since.map(|since| since + self.options.write_timeout);
        phase.into_iter().chain(blocked).min()
    }

    /// Whether the connection waits for a request.
    pub(super) fn is_idle(&self) -> bool {
        self.state.lock().phase == Phase::Idle
    }

    /// Bytes came in.
    pub(super) fn heard(&self) {
        let mut state = self.state.lock();
        if state.phase == Phase::Idle {
            state.enter(Phase::Head);
            self.seat.waits(state.since);
        }
    }

    /// A request's head is complete.
    pub(super) fn serving(&self) {
        self.seat.is_busy();
        self.state.lock().phase = Phase::Serving;
    }

    /// The reply is ready.
    pub(super) fn replying(&self, ready: Ready) {
        self.state.lock().phase = match ready {
            Ready::Whole => Phase::Replying,
            Ready::Early => Phase::Refusing,
            Ready::Stream => Phase::Streaming,
        };
    }

    /// All that was to be written is.
    pub(super) fn flushed(&self) {
        let mut state = self.state.lock();
        if state.phase == Phase::Replying {
            state.enter(Phase::Idle);
            self.seat.waits(state.since);
        }
    }

    /// The client took bytes, or not.
    pub(super) fn wrote(&self, blocked: bool) {
        let mut state = self.state.lock();
        match (blocked, state.blocked_since) {
            (true, None) => state.blocked_since = Some(Instant::now()),
            (false, Some(_)) => state.blocked_since = None,
            _ => {}
        }
    }

    /// The connection is to be closed. Whether the client may be sending still, so that closing at once could destroy
    /// the reply before it is read; then the connection lingers.
    pub(super) fn closing(&self) -> bool {
        let lingers = !matches!(self.state.lock().phase, Phase::Idle | Phase::Replying | Phase::Streaming);
        if lingers {
            self.linger();
        }
        lingers
    }

    /// All is written, and the client sends still.
    pub(super) fn linger(&self) {
        self.state.lock().enter(Phase::Lingering);
    }
}

impl State {
    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.since = Instant::now();
    }
}
