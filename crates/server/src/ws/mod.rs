//! The WebSocket face: RFC 6455 on a connection that the HTTP face has answered with 101.
//!
//! Reading order: `end` (why one ends), `frame` (heads and masks), `inbound` (bytes to messages), `outbound` (frames to
//! bytes), `link` (the one loop), `verbs` (a message up, its reply down), `handshake`.
//!
//! The framing is the project's own because of what it holds. A connection that waits has no buffer at all; a message that
//! comes in parts counts against a bound over all connections, as a request's body does; an event that many hear is written
//! from the one buffer that all of them share. The libraries looked at keep their buffers for ever as large as the largest
//! message that passed (tungstenite), or begin with 8 KiB each way (tokio-websockets, fastwebsockets). It is held to the RFC
//! by a conformance suite that no one here wrote.
//!
//! **Architecture invariant:** this room knows no route and no setting. It maps errors where the HTTP face does.

mod end;
mod frame;
mod handshake;
mod inbound;
mod link;
mod outbound;
mod verbs;

pub(crate) use end::End;
pub(crate) use handshake::{accept_key, check_handshake};
pub(crate) use verbs::Verbs;

use crate::{
    request::{Request, on_behalf_of},
    service::Feed,
    stream::Stream,
};
use bytes::Bytes;
use inbound::Bounds;
use link::{Link, Talk, Times};
use std::{future::poll_fn, pin::pin, sync::Arc, time::Duration};
use tokio::{sync::Semaphore, time::sleep};

/// How a WebSocket is kept.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// One permit a byte of the messages that do not come in one piece, over all connections.
    pub(crate) message_bytes: Arc<Semaphore>,
    /// How long a message may take from its first byte to its last.
    pub(crate) message_timeout: Duration,
    /// How long nothing may be heard before the client is asked whether it is there; twice as long ends it.
    pub(crate) ping_interval: Duration,
}

/// What takes a connection over once it is answered with 101.
pub struct Session {
    talk: Talk,
    refused: Option<End>,
    options: Options,
    message_max_bytes: usize,
    /// The one that opened it.
    request: Option<Request>,
}

impl Session {
    /// A user's feed, and verbs.
    pub(crate) fn feed(feed: Feed, verbs: Verbs, message_max_bytes: usize, options: Options) -> Self {
        Self::of(Talk::feed(feed, verbs), None, options, message_max_bytes)
    }

    /// Gives every message back.
    pub(crate) fn echo(message_max_bytes: usize, options: Options) -> Self {
        Self::of(Talk::Echo, None, options, message_max_bytes)
    }

    /// Says why there is none, and ends.
    pub(crate) fn refused(end: End, options: Options) -> Self {
        Self::of(Talk::Echo, Some(end), options, 0)
    }

    fn of(talk: Talk, refused: Option<End>, options: Options, message_max_bytes: usize) -> Self {
        Self { talk, refused, options, message_max_bytes, request: Request::current() }
    }

    /// Serves the connection until it ends. `read_ahead` came after the handshake. Once `drained` is ready the client is
    /// told to come back later, and once `stopped` is, it is dropped.
    pub(crate) async fn serve(
        self,
        stream: Stream,
        read_ahead: Bytes,
        write_timeout: Duration,
        drained: impl Future<Output = ()>,
        stopped: impl Future<Output = ()>,
    ) {
        let Options { message_bytes, message_timeout, ping_interval } = self.options;
        let bounds = Bounds { message_max_bytes: self.message_max_bytes, bytes: message_bytes };
        let limits = Times { ping_interval, message_timeout, write_timeout };
        let mut link = Link::new(stream, read_ahead, self.talk, bounds, limits);
        if let Some(end) = self.refused {
            on_behalf_of(self.request, || link.refuse(end));
        }
        let (mut drained, mut stopped) = (pin!(drained), pin!(stopped));
        let mut timer = pin!(sleep(ping_interval));
        let mut draining = false;
        poll_fn(|cx| {
            if !draining && drained.as_mut().poll(cx).is_ready() {
                draining = true;
                link.leave();
            }
            if draining && stopped.as_mut().poll(cx).is_ready() {
                return std::task::Poll::Ready(());
            }
            on_behalf_of(self.request, || link.poll(timer.as_mut(), cx))
        })
        .await;
    }
}
