//! One connection, from its first byte to its end.

use super::{
    Options,
    pulse::Pulse,
    shutdown::{Stop, reached},
    socket::Socket,
};
use crate::http::App;
use hyper::{Request, body::Incoming, header::CONNECTION, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
};
use tokio::{
    net::TcpStream,
    sync::watch,
    time::{Instant, Sleep, sleep_until},
};

/// Most bytes that a connection holds unread, and so the longest head of a request.
const READ_MAX_BYTES: usize = 64 * 1024;

/// Serves a connection until it ends, has had its time, or the server stops.
pub(super) async fn serve(stream: TcpStream, options: Options, app: App, mut stop: watch::Receiver<Stop>) {
    let pulse = Arc::new(Pulse::new(options));
    let service = service_fn(|request: Request<Incoming>| {
        let (app, pulse) = (app.clone(), pulse.clone());
        async move {
            pulse.serving();
            let reply = app.handle(request).await;
            pulse.replying(reply.headers().contains_key(CONNECTION));
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
    );
    let mut now = stop.clone();
    let mut drained = pin!(reached(&mut stop, Stop::Drain));
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
        poll_deadline(&pulse, timer.as_mut(), cx)
    })
    .await;
}

/// Ready once the connection has had its time.
///
/// The timer is set earlier where it must be, and later only when it fires: a busy connection moves its deadline with
/// every request, and its timer hardly ever.
fn poll_deadline(pulse: &Pulse, mut timer: Pin<&mut Sleep>, cx: &mut Context<'_>) -> Poll<()> {
    let Some(deadline) = pulse.deadline() else { return Poll::Pending };
    if deadline < timer.deadline() {
        timer.as_mut().reset(deadline);
    }
    while timer.as_mut().poll(cx).is_ready() {
        if deadline <= Instant::now() {
            tracing::debug!(?pulse, "a connection had its time");
            return Poll::Ready(());
        }
        timer.as_mut().reset(deadline);
    }
    Poll::Pending
}
