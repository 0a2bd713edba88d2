//! One connection, from its first byte to its end.

use super::{
    Options,
    crowd::Seat,
    pulse::{Pulse, Ready},
    shutdown::{Stop, reached},
    socket::Socket,
};
use crate::{
    deadline::poll_deadline,
    http::{App, Reply, Session},
    stream::Stream,
};
use bytes::Bytes;
use chinwag_peer::Peer;
use futures_util::FutureExt;
use hyper::{
    Request, body::Incoming, header::CONNECTION, server::conn::http1, service::service_fn, upgrade::OnUpgrade,
};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    task::{Poll, ready},
    time::Duration,
};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

/// Most bytes that a connection holds unread, and so the longest head of a request.
pub(super) const READ_MAX_BYTES: usize = 64 * 1024;

/// A connection that has left HTTP behind.
pub(super) struct Takeover {
    session: Box<Session>,
    stream: Stream,
    /// What came after the handshake.
    read_ahead: Bytes,
    write_timeout: Duration,
    stop: watch::Receiver<Stop>,
}

impl Takeover {
    /// Serves it until it ends.
    pub(super) async fn serve(self) {
        let Self { session, stream, read_ahead, write_timeout, stop } = self;
        let (mut drain, mut now) = (stop.clone(), stop);
        let (drained, stopped) = (reached(&mut drain, Stop::Drain), reached(&mut now, Stop::Now));
        session.serve(stream, read_ahead, write_timeout, drained, stopped).await;
    }
}

/// What requests of a connection are answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answers {
    /// What they ask for.
    All,
    /// That they ought to have come through TLS.
    NeedTls,
}

/// Serves a connection of HTTP/1 until it ends, has had its time, or the server stops; or until it leaves HTTP.
pub(super) async fn serve(
    stream: Stream,
    peer: Peer,
    seat: Arc<Seat>,
    answers: Answers,
    options: Arc<Options>,
    app: App,
    stop: watch::Receiver<Stop>,
) -> Option<Takeover> {
    let pulse = Arc::new(Pulse::new(options.clone(), seat));
    // A proxy's connection carries the requests of many, who did not all hear what one was told.
    let of_many = app.believes(&peer);
    let upgrade: Mutex<Option<(OnUpgrade, Box<Session>)>> = Mutex::default();
    let service = service_fn(|mut request: Request<Incoming>| {
        let (app, pulse, upgrade) = (&app, &pulse, &upgrade);
        async move {
            pulse.serving();
            let on_upgrade = hyper::upgrade::on(&mut request);
            let mut reply = match answers {
                Answers::All => app.handle(request, &pulse.lifeline, peer).await,
                Answers::NeedTls => app.refuse_plain(),
            };
            if let Some(session) = reply.body_mut().take_session() {
                *upgrade.lock() = Some((on_upgrade, session));
            }
            pulse.replying(kind_of(&reply));
            pulse.lifeline.set_hasty(false);
            if !pulse.lifeline.was_turned_away() {
                pulse.hold.served();
            } else if !of_many {
                pulse.hold.turned_away(Instant::now());
            }
            Ok::<_, Infallible>(reply)
        }
    });
    let io = TokioIo::new(Socket::new(stream, pulse.clone()));
    let mut connection = pin!(
        http1::Builder::new()
            // A client may end its side once it has asked, and still gets its answer.
            .half_close(true)
            .header_read_timeout(None)
            .max_buf_size(READ_MAX_BYTES)
            .serve_connection(io, service)
            .with_upgrades()
    );
    let (mut drain, mut now) = (stop.clone(), stop.clone());
    let mut drained = pin!(reached(&mut drain, Stop::Drain));
    let mut stopped = pin!(reached(&mut now, Stop::Now));
    let mut draining = false;
    let mut timer = pin!(sleep_until(Instant::now() + options.idle_timeout));
    poll_fn(|cx| {
        if !draining && drained.as_mut().poll(cx).is_ready() {
            draining = true;
            connection.as_mut().graceful_shutdown();
        }
        if draining && stopped.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        if let Poll::Ready(end) = connection.as_mut().poll(cx) {
            if let Err(error) = end {
                tracing::debug!(%error, "a connection broke");
            }
            return Poll::Ready(());
        }
        let Some(deadline) = pulse.deadline() else { return Poll::Pending };
        ready!(poll_deadline(timer.as_mut(), deadline, cx));
        tracing::debug!(?pulse, "a connection had its time");
        if pulse.is_idle() {
            // Nothing is under way: it is ended in order, as far as that takes no time.
            connection.as_mut().graceful_shutdown();
            let _ended_or_dropped = connection.as_mut().poll(cx);
        }
        Poll::Ready(())
    })
    .await;
    let (on_upgrade, session) = upgrade.lock().take()?;
    let (stream, read_ahead) = left(on_upgrade)?;
    Some(Takeover { session, stream, read_ahead, write_timeout: options.write_timeout, stop })
}

/// The connection that has left HTTP, and what was read of it. Where the handshake's reply has left, it is at hand; else there
/// is none.
fn left(on_upgrade: OnUpgrade) -> Option<(Stream, Bytes)> {
    let upgraded = on_upgrade.now_or_never()?.ok()?;
    let parts = upgraded.downcast::<TokioIo<Socket>>().expect("it was made of nothing else");
    Some((parts.io.into_inner().into_stream(), parts.read_buf))
}

fn kind_of(reply: &Reply) -> Ready {
    let closes = reply.headers().get(CONNECTION).is_some_and(|value| value == "close");
    match reply.body().is_stream() {
        true => Ready::Stream,
        false if closes => Ready::Early,
        false => Ready::Whole,
    }
}
