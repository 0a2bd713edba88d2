//! The operator's listener: a Unix socket in the data directory, for commands that work on the store of a running server.
//!
//! Whoever may open the directory may use it: the socket has its owner's permission alone. It speaks HTTP; a verb is a path.
//! **Architecture invariant:** no user of the server reaches this room, and it serves nothing that a user is served.

mod backup;
mod check;
mod clock;
mod erase;
mod export;
mod keys;
mod sessions;
mod stream;

pub use check::{read_report, write_report};
pub use export::{ExportError, write_export};
pub use keys::write_keys;

use crate::{http::App, lifecycle::Shutdown, metrics::Format};
use bytes::Bytes;
use chinwag_model::KeyId;
use chinwag_store::embedded::Maintenance;
use http_body_util::{BodyExt as _, Full, combinators::BoxBody};
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{ACCEPT, CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use std::{
    convert::Infallible,
    fs,
    io::{self, ErrorKind},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};
use tokio::net::{UnixListener, UnixStream};

type Answer = Response<BoxBody<Bytes, io::Error>>;

/// Where the socket of a data directory is.
pub fn socket_path(data: &Path) -> PathBuf {
    data.join("admin.sock")
}

/// Makes the socket of a data directory, which this process has locked, so that one that is there is of a dead server.
///
/// # Errors
/// The system's; such as a path that is too long for a socket, which may have about 100 bytes.
pub fn bind(data: &Path) -> io::Result<UnixListener> {
    let path = socket_path(data);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Serves operators until the server is asked to end.
pub async fn serve(listener: UnixListener, store: Maintenance, app: App, mut shutdown: Shutdown) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.asked() => return,
        };
        match accepted {
            Ok((stream, _)) => {
                drop(tokio::spawn(connection(stream, store.clone(), app.clone(), shutdown.clone())));
            }
            Err(error) => {
                tracing::warn!("the operator's socket: {error}");
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            }
        }
    }
}

/// Serves one operator. The end of the server cuts it: what was being read is not whole then, and says so.
async fn connection(stream: UnixStream, store: Maintenance, app: App, mut shutdown: Shutdown) {
    let (store, app) = (&store, &app);
    let answer = service_fn(|request| async move { Ok::<_, Infallible>(answer(&request, store, app).await) });
    tokio::select! {
        served = http1::Builder::new().serve_connection(TokioIo::new(stream), answer) => {
            if let Err(error) = served {
                tracing::info!("an operator's connection ended early: {error}");
            }
        }
        () = shutdown.asked() => {}
    }
}

/// Answers, and puts into the audit log what changed something or took the history out.
async fn answer(request: &Request<Incoming>, store: &Maintenance, app: &App) -> Answer {
    let answer = route(request, store, app).await;
    let path = request.uri().path();
    if let Some(audit) = app.audit()
        && (request.method() != Method::GET || matches!(path, "/backup" | "/export"))
    {
        let status = answer.status();
        let outcome = if status.is_success() { "ok" } else { status.as_str() };
        let query = request.uri().query().unwrap_or_default();
        audit.operator(path, query, outcome, answer.extensions().get::<KeyId>());
    }
    answer
}

async fn route(request: &Request<Incoming>, store: &Maintenance, app: &App) -> Answer {
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/backup") => backup::answer(request.uri().query().unwrap_or_default(), store).await,
        (&Method::GET, "/export") => export::answer(request.uri().query().unwrap_or_default(), store).await,
        (&Method::GET, "/check") => check::answer(store).await,
        (&Method::POST, "/clock/confirm") => clock::confirm(store),
        (&Method::GET, "/metrics") => metrics(request, app).await,
        (&Method::GET, "/keys") => keys::list(app).await,
        (&Method::POST, "/keys") => keys::create(request.uri().query().unwrap_or_default(), app).await,
        (&Method::POST, "/keys/revoke") => keys::revoke(request.uri().query().unwrap_or_default(), app).await,
        (&Method::POST, "/erase") => erase::answer(request.uri().query().unwrap_or_default(), app).await,
        (&Method::POST, "/sessions/end") => sessions::end(request.uri().query().unwrap_or_default(), app),
        _ => text(StatusCode::NOT_FOUND, "there is no such verb"),
    }
}

/// What the metrics' own listener tells, without one.
async fn metrics(request: &Request<Incoming>, app: &App) -> Answer {
    let format = Format::asked_for(request.headers().get(ACCEPT).map(HeaderValue::as_bytes));
    let mut answer = text(StatusCode::OK, app.snapshot().await.text(format));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    answer
}

fn text(status: StatusCode, text: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(text.into()).map_err(|never| match never {}).boxed());
    *answer.status_mut() = status;
    answer
}
