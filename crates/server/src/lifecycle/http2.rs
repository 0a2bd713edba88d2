//! One connection of HTTP/2, from its first byte to its end.
//!
//! Each bound of a connection of HTTP/1 holds here too: what is unread, unsent and idle, and a client that takes nothing. A
//! stream has those of a request: the time of its body, in the HTTP face, and of its reply (`streams`).

use super::{
    Options,
    connection::READ_MAX_BYTES,
    crowd::Seat,
    pulse::{LINGER_MAX, Pulse, Ready},
    shutdown::{Stop, reached},
    socket::Socket,
    streams::{Open, Pieces, Streams, Tasks},
};
use crate::{
    deadline::poll_deadline,
    http::{App, Lifeline},
    stream::Stream,
};
use bytes::Bytes;
use chinwag_model::limits::{STREAM_UNSENT_MAX_BYTES, STREAMS_MAX};
use chinwag_peer::Peer;
use hyper::{
    Method, Request, Response,
    body::{Body as _, Incoming},
    header::{CONNECTION, CONTENT_LENGTH, UPGRADE},
    server::conn::http2,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    task::{Poll, ready},
};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

/// Streams that a client may reset before they were looked at; one more ends the connection (CVE-2023-44487).
const EARLY_RESETS_MAX: usize = 20;
/// Streams that the server may reset for faults of the client; one more ends the connection.
const FAULTS_MAX: usize = 1_024;

/// Serves a connection until it ends, has had its time, or the server stops.
pub(super) async fn serve(
    stream: Stream,
    peer: Peer,
    seat: Arc<Seat>,
    options: Arc<Options>,
    app: App,
    stop: watch::Receiver<Stop>,
) {
    let pulse = Arc::new(Pulse::new(options.clone(), seat.clone()));
    // To the socket, which is used for all streams, it is one that goes on.
    pulse.replying(Ready::Stream);
    let streams = Streams::new(seat);
    let service = service_fn(|request: Request<Incoming>| {
        let (app, open) = (app.clone(), streams.open());
        async move { Ok::<_, Infallible>(answer(&app, request, peer, open).await) }
    });
    let io = TokioIo::new(Socket::new(stream, pulse.clone()));
    let mut connection = pin!(bounded(&options).serve_connection(io, service));
    let (mut drain, mut now) = (stop.clone(), stop);
    let mut drained = pin!(reached(&mut drain, Stop::Drain));
    let mut stopped = pin!(reached(&mut now, Stop::Now));
    let (mut draining, mut leaving_since) = (false, None);
    let mut timer = pin!(sleep_until(Instant::now() + options.idle_timeout));
    poll_fn(|cx| {
        if !draining && drained.as_mut().poll(cx).is_ready() {
            draining = true;
            leaving_since.get_or_insert_with(Instant::now);
            connection.as_mut().graceful_shutdown();
        }
        if draining && stopped.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        loop {
            if let Poll::Ready(end) = connection.as_mut().poll(cx) {
                if let Err(error) = end {
                    tracing::debug!(%error, "a connection broke");
                }
                return Poll::Ready(());
            }
            let idle = streams.idle_since(cx).map(|since| match leaving_since {
                // The client has been told, and may answer.
                Some(leaving) => since.max(leaving) + LINGER_MAX,
                None => since + options.idle_timeout,
            });
            let blocked = pulse.deadline();
            let Some(deadline) = idle.into_iter().chain(blocked).min() else { return Poll::Pending };
            ready!(poll_deadline(timer.as_mut(), deadline, cx));
            tracing::debug!(?pulse, ?streams, "a connection had its time");
            if leaving_since.is_some() || Some(deadline) == blocked {
                return Poll::Ready(());
            }
            leaving_since = Some(Instant::now());
            connection.as_mut().graceful_shutdown();
        }
    })
    .await;
}

/// What the protocol alone may take.
fn bounded(options: &Options) -> http2::Builder<Tasks> {
    let unread = u32::try_from(READ_MAX_BYTES).expect("it is small");
    let mut builder = http2::Builder::new(Tasks { write_timeout: options.write_timeout });
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(unread)
        .initial_stream_window_size(unread)
        .initial_connection_window_size(unread)
        .max_send_buf_size(STREAM_UNSENT_MAX_BYTES)
        .max_pending_accept_reset_streams(EARLY_RESETS_MAX)
        .max_local_error_reset_streams(FAULTS_MAX)
        .keep_alive_interval(options.ping_interval)
        .keep_alive_timeout(options.write_timeout);
    builder
}

/// The reply to one request, as HTTP/2 has it: its headers speak of no connection.
async fn answer(app: &App, request: Request<Incoming>, peer: Peer, open: Open) -> Response<Pieces> {
    let is_head = request.method() == Method::HEAD;
    let path = request.uri().path().to_owned();
    let reply = app.handle(request, &Lifeline::default(), peer).await;
    let (reply, counted) = app.hold(&path, reply);
    let (mut head, content) = reply.into_parts();
    head.headers.remove(CONNECTION);
    head.headers.remove(UPGRADE);
    if is_head {
        if let Some(length) = content.size_hint().exact() {
            head.headers.insert(CONTENT_LENGTH, length.into());
        }
        return Response::from_parts(head, Pieces::new(Bytes::new().into(), None, open));
    }
    Response::from_parts(head, Pieces::new(content, counted, open))
}
