//! One connection: the loop between its socket, its feed and its verbs.
//!
//! Requests are served one after the other, so that the sends of one connection keep their order; while one is served
//! nothing more is read, and a client that sends more waits in its own kernel. Events flow meanwhile.

use super::{
    End, Verbs,
    frame::Opcode,
    inbound::{Bounds, Inbound, Received},
    outbound::Outbound,
};
use crate::{
    deadline::poll_deadline,
    metrics::Ended,
    service::Feed,
    stream::{Passed, Stream},
};
use bytes::{Buf, Bytes};
use std::{
    io,
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep},
};

/// Bytes that are read at once. They lie on the stack.
const READ_BYTES: usize = 8 * 1024;
/// How long the client may take to answer a close frame, or to stop sending.
const CLOSE_MAX: Duration = Duration::from_secs(2);

/// The reply to a request, being made.
type Verb = Pin<Box<dyn Future<Output = Bytes> + Send>>;

/// What a connection is for.
pub(super) enum Talk {
    /// Events down, requests up.
    Feed { feed: Feed, verbs: Verbs, verb: Option<Verb> },
    /// Every message back.
    Echo,
}

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub(super) ping_interval: Duration,
    pub(super) message_timeout: Duration,
    pub(super) write_timeout: Duration,
}

/// How far a connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// It ends once the request under way is answered.
    Leaving(End),
    /// Its last frame, a close frame, is on its way or gone.
    Ending {
        until: Instant,
        awaits: Awaits,
    },
}

/// What an end waits for, once all is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaits {
    /// Nothing: the client has said that it ends.
    Nothing,
    /// The client's close frame.
    Close,
    /// The client's end, whatever it still sends: closing a socket with unread bytes could destroy our close frame.
    Quiet { told: bool },
}

pub(super) struct Link {
    stream: Stream,
    /// What was read and not yet looked at.
    unread: Bytes,
    inbound: Inbound,
    outbound: Outbound,
    talk: Talk,
    bounds: Bounds,
    times: Times,
    phase: Phase,
    /// When the client was last heard, or could not have been because nothing was read.
    heard: Instant,
    /// Whether it was asked since whether it is there.
    pinged: bool,
    /// Since when the client has taken nothing of what waits.
    blocked_since: Option<Instant>,
}

/// The connection is gone.
struct Gone;

impl From<io::Error> for Gone {
    fn from(error: io::Error) -> Self {
        tracing::debug!(%error, "a WebSocket broke");
        Self
    }
}

impl Talk {
    pub(super) fn feed(feed: Feed, verbs: Verbs) -> Self {
        Self::Feed { feed, verbs, verb: None }
    }

    /// Says, for those who count, why it ends.
    fn ended(&mut self, why: Ended) {
        if let Self::Feed { feed, .. } = self {
            feed.ended(why);
        }
    }

    fn is_busy(&self) -> bool {
        matches!(self, Self::Feed { verb: Some(_), .. })
    }
}

impl Link {
    pub(super) fn new(stream: Stream, unread: Bytes, talk: Talk, bounds: Bounds, times: Times) -> Self {
        Self {
            stream,
            // Empty, it could still keep the buffer that it was cut from.
            unread: if unread.is_empty() { Bytes::new() } else { unread },
            inbound: Inbound::default(),
            outbound: Outbound::default(),
            talk,
            bounds,
            times,
            phase: Phase::Open,
            heard: Instant::now(),
            pinged: false,
            blocked_since: None,
        }
    }

    /// Ends the connection once the request under way is answered.
    pub(super) fn leave(&mut self) {
        if self.phase == Phase::Open {
            self.phase = Phase::Leaving(End::RESTART);
        }
    }

    /// Ends the connection before it has begun.
    pub(super) fn refuse(&mut self, end: End) {
        self.end(end, Awaits::Close);
    }

    /// Ready once the connection has ended.
    pub(super) fn poll(&mut self, mut timer: Pin<&mut Sleep>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            match self.step(cx) {
                Ok(true) => continue,
                Ok(false) => {}
                Err(Gone) => return Poll::Ready(()),
            }
            let Some(deadline) = self.deadline() else { return Poll::Pending };
            ready!(poll_deadline(timer.as_mut(), deadline, cx));
            if let Err(Gone) = self.had_its_time() {
                return Poll::Ready(());
            }
        }
    }

    /// One round; whether anything was done. Where nothing was, the task is woken once something can be.
    fn step(&mut self, cx: &mut Context<'_>) -> Result<bool, Gone> {
        let wrote = self.write(cx)?;
        match self.phase {
            Phase::Open => {
                let answered = self.answer(cx);
                let told = self.tell(cx);
                let read = self.phase == Phase::Open && self.may_read() && self.receive(cx)?;
                Ok(wrote | answered | told | read)
            }
            Phase::Leaving(end) => {
                let answered = self.answer(cx);
                if !self.talk.is_busy() {
                    self.end(end, Awaits::Close);
                    return Ok(true);
                }
                Ok(wrote | answered)
            }
            Phase::Ending { until, awaits } => {
                let done = self.outbound.is_empty() && self.ending(until, awaits, cx)?;
                Ok(wrote | done)
            }
        }
    }

    fn may_read(&self) -> bool {
        !self.talk.is_busy() && self.outbound.has_room()
    }

    fn write(&mut self, cx: &mut Context<'_>) -> Result<bool, Gone> {
        let written = self.outbound.poll_write(&mut self.stream, cx)?;
        if self.outbound.is_empty() {
            // What TLS has taken may not have left.
            let _flushed = Pin::new(&mut self.stream).poll_flush(cx)?;
        }
        let Passed { took, full } = self.stream.passed();
        if (took || !full) && self.blocked_since.take().is_some() {
            // What the client sent meanwhile may not have been read.
            self.heard = Instant::now();
        }
        if full {
            self.blocked_since.get_or_insert_with(Instant::now);
        }
        Ok(matches!(written, Poll::Ready(bytes) if bytes > 0))
    }

    /// Goes on with the request under way.
    fn answer(&mut self, cx: &mut Context<'_>) -> bool {
        let Talk::Feed { verb, .. } = &mut self.talk else { return false };
        let Some(Poll::Ready(reply)) = verb.as_mut().map(|verb| verb.as_mut().poll(cx)) else { return false };
        *verb = None;
        self.outbound.push(Opcode::Text, reply);
        // What the client sent meanwhile was not read.
        self.heard = Instant::now();
        true
    }

    /// Takes events from the feed.
    fn tell(&mut self, cx: &mut Context<'_>) -> bool {
        let Talk::Feed { feed, .. } = &mut self.talk else { return false };
        let mut any = false;
        while self.outbound.has_room_for_events() {
            match feed.poll_next(cx) {
                Poll::Ready(Ok(event)) => self.outbound.push(Opcode::Text, event.json.clone()),
                Poll::Ready(Err(why)) => {
                    self.phase = Phase::Leaving(End::of(why));
                    return true;
                }
                Poll::Pending => return any,
            }
            any = true;
        }
        any
    }

    /// Takes what the client sent, up to the next whole message.
    fn receive(&mut self, cx: &mut Context<'_>) -> Result<bool, Gone> {
        let received = match self.poll_receive(cx)? {
            Poll::Pending => return Ok(false),
            Poll::Ready(Ok(received)) => received,
            Poll::Ready(Err(end)) => {
                self.end(end, Awaits::Quiet { told: false });
                return Ok(true);
            }
        };
        match (received, &mut self.talk) {
            (Received::Ping(payload), _) => self.outbound.push(Opcode::Pong, payload),
            (Received::Pong, _) => {}
            (Received::Close(code), _) => {
                self.talk.ended(Ended::Client);
                let payload = code.map(|code| Bytes::copy_from_slice(&code.to_be_bytes()));
                self.outbound.push(Opcode::Close, payload.unwrap_or_default());
                self.phase = Phase::Ending { until: Instant::now() + CLOSE_MAX, awaits: Awaits::Nothing };
            }
            (Received::Text(message), Talk::Feed { verbs, verb, .. }) => {
                *verb = Some(Box::pin(verbs.clone().answer(message)));
            }
            (Received::Binary(_), Talk::Feed { .. }) => self.end(End::BINARY, Awaits::Quiet { told: false }),
            (Received::Text(message), Talk::Echo) => self.outbound.push(Opcode::Text, message.bytes.into()),
            (Received::Binary(message), Talk::Echo) => {
                self.outbound.push(Opcode::Binary, message.bytes.into());
            }
        }
        Ok(true)
    }

    /// The next message or control frame, or why there can be none.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<Result<Received, End>, Gone>> {
        loop {
            let taken = if self.unread.is_empty() {
                let mut space = [MaybeUninit::uninit(); READ_BYTES];
                let mut buf = ReadBuf::uninit(&mut space);
                ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buf)).map_err(Gone::from)?;
                let read = buf.filled();
                if read.is_empty() {
                    return Poll::Ready(Err(Gone));
                }
                self.heard = Instant::now();
                self.pinged = false;
                self.inbound.take(read, &self.bounds).map(|(bytes, received)| {
                    self.unread = Bytes::copy_from_slice(&read[bytes..]);
                    received
                })
            } else {
                self.inbound.take(&self.unread, &self.bounds).map(|(bytes, received)| {
                    self.unread.advance(bytes);
                    if self.unread.is_empty() {
                        self.unread = Bytes::new();
                    }
                    received
                })
            };
            match taken {
                Ok(Some(received)) => return Poll::Ready(Ok(Ok(received))),
                Ok(None) => {}
                Err(end) => return Poll::Ready(Ok(Err(end))),
            }
        }
    }

    fn end(&mut self, end: End, awaits: Awaits) {
        tracing::debug!(?end, "ending a WebSocket");
        self.talk.ended(Ended::Code(end.code()));
        self.outbound.push_close(end);
        self.phase = Phase::Ending { until: Instant::now() + CLOSE_MAX, awaits };
    }

    /// All is written, the close frame too; whether anything else was done.
    fn ending(&mut self, until: Instant, awaits: Awaits, cx: &mut Context<'_>) -> Result<bool, Gone> {
        match awaits {
            Awaits::Nothing => {
                // A failure means that the client is gone, which is as well.
                if Pin::new(&mut self.stream).poll_shutdown(cx).is_pending() { Ok(false) } else { Err(Gone) }
            }
            Awaits::Close => match self.poll_receive(cx)? {
                Poll::Pending => Ok(false),
                Poll::Ready(Ok(Received::Close(_))) => {
                    self.phase = Phase::Ending { until, awaits: Awaits::Nothing };
                    Ok(true)
                }
                // It was sent before the client knew.
                Poll::Ready(Ok(_)) => Ok(true),
                Poll::Ready(Err(_)) => Err(Gone),
            },
            Awaits::Quiet { told: false } => match Pin::new(&mut self.stream).poll_shutdown(cx)? {
                Poll::Pending => Ok(false),
                Poll::Ready(()) => {
                    self.phase = Phase::Ending { until, awaits: Awaits::Quiet { told: true } };
                    Ok(true)
                }
            },
            Awaits::Quiet { told: true } => {
                let mut space = [MaybeUninit::uninit(); READ_BYTES];
                let mut buf = ReadBuf::uninit(&mut space);
                match Pin::new(&mut self.stream).poll_read(cx, &mut buf)? {
                    Poll::Pending => Ok(false),
                    Poll::Ready(()) if buf.filled().is_empty() => Err(Gone),
                    Poll::Ready(()) => Ok(true),
                }
            }
        }
    }

    /// Until when nothing has to be done.
    fn deadline(&self) -> Option<Instant> {
        let blocked = self.blocked_since.map(|since| since + self.times.write_timeout);
        let other = match self.phase {
            Phase::Open if self.may_read() => {
                let message = self.inbound.under_way_since().map(|since| since + self.times.message_timeout);
                let silence = self.heard + self.times.ping_interval * if self.pinged { 2 } else { 1 };
                Some(message.map_or(silence, |message| message.min(silence)))
            }
            Phase::Open | Phase::Leaving(_) => None,
            Phase::Ending { until, .. } => Some(until),
        };
        blocked.into_iter().chain(other).min()
    }

    /// The deadline has passed: does what it asks for.
    fn had_its_time(&mut self) -> Result<(), Gone> {
        let now = Instant::now();
        let over = |since: Option<Instant>, limit| since.is_some_and(|since| since + limit <= now);
        if over(self.blocked_since, self.times.write_timeout) {
            tracing::debug!("a WebSocket takes nothing");
            return Err(Gone);
        }
        match self.phase {
            Phase::Ending { until, .. } if until <= now => Err(Gone),
            Phase::Open if over(self.inbound.under_way_since(), self.times.message_timeout) => {
                self.end(End::SLOW, Awaits::Quiet { told: false });
                Ok(())
            }
            Phase::Open if self.heard + self.times.ping_interval * 2 <= now => {
                tracing::debug!("a WebSocket is silent");
                Err(Gone)
            }
            Phase::Open if !self.pinged && self.heard + self.times.ping_interval <= now => {
                self.pinged = true;
                self.outbound.push(Opcode::Ping, Bytes::new());
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
