//! The listener of metrics: `GET /metrics`, `/healthz` and `/readyz`, and nothing else, on a port of its own.
//!
//! It asks nobody for a token. What it takes of the server is bounded: connections, their time, and how often it is counted anew.
//!
//! **Architecture invariant:** nothing here serves a user or changes anything.

use crate::{
    http::{App, Content, Reply},
    lifecycle::Shutdown,
    metrics::Format,
};
use bytes::Bytes;
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Mutex, Semaphore},
    time::{Instant, sleep, timeout},
};

/// The bounds of what it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Most connections at once; one more waits to be accepted.
    pub connections_max: usize,
    /// How long a connection may last, from its beginning to the last byte of its one reply.
    pub connection_max: Duration,
    /// So long what was counted is told again, however many ask.
    pub fresh: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connections_max: 16,
            connection_max: Duration::from_secs(10),
            fresh: Duration::from_millis(250),
        }
    }
}

/// How long to wait where the system has no more descriptors or memory for a connection.
const BACKOFF: Duration = Duration::from_millis(100);

/// What was told last, when and in which format.
type Told = Mutex<Option<(Instant, Format, Bytes)>>;

/// What a connection needs.
struct Teller {
    app: App,
    options: Options,
    told: Told,
}

/// Serves until the server is asked to end.
pub async fn serve(listener: TcpListener, app: App, options: Options, mut shutdown: Shutdown) {
    let slots = Arc::new(Semaphore::new(options.connections_max));
    let teller = Arc::new(Teller { app, options, told: Told::default() });
    let accept = async {
        loop {
            let slot = slots.clone().acquire_owned().await.expect("the semaphore is never closed");
            match listener.accept().await {
                Ok((stream, _)) => {
                    let teller = teller.clone();
                    drop(tokio::spawn(async move {
                        // One that is too slow is dropped where it is.
                        let _late = timeout(options.connection_max, connection(stream, &teller)).await;
                        drop(slot);
                    }));
                }
                Err(error) => {
                    tracing::debug!(%error, "a connection for metrics could not be accepted");
                    sleep(BACKOFF).await;
                }
            }
        }
    };
    tokio::select! {
        () = shutdown.asked() => {}
        () = accept => {}
    }
}

async fn connection(stream: TcpStream, teller: &Teller) {
    let answer = service_fn(|request| async { Ok::<_, Infallible>(answer(request, teller).await) });
    let served = http1::Builder::new().keep_alive(false).serve_connection(TokioIo::new(stream), answer).await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection for metrics broke");
    }
}

async fn answer(request: Request<Incoming>, teller: &Teller) -> Reply {
    let (head, _) = request.into_parts();
    if let Some(foreign) = teller.app.refuse_foreign(&head) {
        return foreign;
    }
    let path = head.uri.path();
    let reply = match path {
        "/metrics" => None,
        path => match teller.app.probe(path) {
            Some(reply) => Some(reply),
            None => return plain(StatusCode::NOT_FOUND, "there are /metrics, /healthz and /readyz here\n"),
        },
    };
    if !matches!(head.method, Method::GET | Method::HEAD) {
        let mut reply = plain(StatusCode::METHOD_NOT_ALLOWED, "the methods of this path are GET and HEAD\n");
        reply.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return reply;
    }
    match reply {
        Some(reply) => reply,
        None => metrics(Format::asked_for(head.headers.get(ACCEPT).map(HeaderValue::as_bytes)), teller).await,
    }
}

/// Tells what was counted. Only one counts at a time, and those who waited for it are told the same.
async fn metrics(format: Format, teller: &Teller) -> Reply {
    let mut told = teller.told.lock().await;
    let text = match &*told {
        Some((when, of, text)) if *of == format && when.elapsed() < teller.options.fresh => text.clone(),
        _ => {
            let text = Bytes::from(teller.app.snapshot().await.text(format));
            *told = Some((Instant::now(), format, text.clone()));
            text
        }
    };
    let mut reply = plain(StatusCode::OK, text);
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    reply
}

fn plain(status: StatusCode, text: impl Into<Bytes>) -> Reply {
    let mut reply = Response::new(Content::from(text.into()));
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}
