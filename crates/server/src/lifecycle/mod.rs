//! The server's life: it accepts connections, bounds their number and their time, and ends in order.
//!
//! Reading order: `shutdown` (who says when), `accept` (how connections come in), `preface` (what a proxy says before the
//! first byte of one), `greeting` (what a connection speaks), `connection` (one of HTTP/1), `pulse` (what it is doing and
//! until when), `socket` (how that is known), `hold` (who is not listened to for a while), `http2` (one of HTTP/2), `streams` (what its requests are doing); `peers`
//! (how many one peer has), `crowd` (who leaves where there are too many), `descriptors` (how many
//! there can be); `supervisor` (who watches over the process). The end, here
//! in [`run`], goes: readiness fails, every feed ends, no more is accepted, idle connections are closed, requests in
//! flight are answered, the store is closed.
//!
//! **Architecture invariant:** this room knows neither routes nor JSON; it hands requests to an [`App`].

mod accept;
mod connection;
mod crowd;
mod descriptors;
mod greeting;
mod hold;
mod http2;
mod peers;
mod preface;
mod pulse;
mod shutdown;
mod socket;
mod streams;
mod supervisor;
mod told;

pub use descriptors::Descriptors;
pub use shutdown::{Shutdown, Trigger, on_signals};
pub use supervisor::{SUPERVISOR_VARIABLE, Standing, Supervisor};

use crate::{http::App, tls::Tls};
use accept::Acceptor;
use chinwag_peer::Networks;
use crowd::Crowd;
use peers::Peers;
use shutdown::Stop;
use std::{sync::Arc, time::Duration};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
    time::{sleep, timeout},
};

/// How long replies may take to leave once the store has failed.
const FLUSH_MAX: Duration = Duration::from_secs(1);
/// How long the store may take to close.
const CLOSE_MAX: Duration = Duration::from_secs(4);

/// The bounds of connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Most connections at once. For one more, one is closed that waits for a request; while there is none, it waits until
    /// another has ended, and its client's own time-out decides how long. At least 1.
    pub connections_max: u32,
    /// Most connections at once of one peer: an address of IPv4, or a network of 64 bits of IPv6. One more is closed as
    /// soon as it is known whose it is. 0 is any number. Programs of this machine, and proxies that are believed, have no
    /// bound.
    pub peer_connections_max: u32,
    /// Proxies whose every connection begins with a header of the PROXY protocol. Nobody else's may.
    pub proxy_protocol: Networks,
    /// How long a request's head may take from its first byte to its last, and the handshake of TLS; then the connection
    /// is closed.
    pub head_timeout: Duration,
    /// How long a connection may be idle; then it is closed.
    pub idle_timeout: Duration,
    /// How long a reply may wait for a client that takes none of it; then the connection is dropped, or the stream of
    /// HTTP/2.
    pub write_timeout: Duration,
    /// How long a connection of HTTP/2 may be silent before its client is asked whether it is there.
    pub ping_interval: Duration,
    /// How long requests in flight may take at the end; then they are dropped.
    pub drain_timeout: Duration,
}

/// Where connections come in.
#[derive(Debug)]
pub struct Entrance {
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
}

impl From<TcpListener> for Entrance {
    fn from(listener: TcpListener) -> Self {
        Self { listener, tls: None }
    }
}

impl Entrance {
    /// The same, through TLS only.
    #[must_use]
    pub fn with_tls(self, tls: Arc<Tls>) -> Self {
        Self { tls: Some(tls), ..self }
    }
}

/// Why the server ended otherwise than it was asked to. The process must then end at once, non-zero.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// The store failed for good.
    #[error("the store has failed: {0}")]
    StoreFailed(String),
    /// The store did not close in time. What was acknowledged is durable nevertheless.
    #[error("the store did not close within {} s", CLOSE_MAX.as_secs())]
    CloseTimeout,
    /// A second signal came while the first was being obeyed. What was acknowledged is durable nevertheless.
    #[error("stopped at once by a second signal")]
    Interrupted,
}

/// Serves until `shutdown` asks for the end or the store fails.
///
/// # Errors
/// [`RunError`].
pub async fn run(
    entrance: impl Into<Entrance>,
    options: Options,
    app: App,
    mut shutdown: Shutdown,
) -> Result<(), RunError> {
    let Entrance { listener, tls } = entrance.into();
    let life = Life {
        slots: Arc::new(Semaphore::new(slots(&options))),
        stop: watch::Sender::new(Stop::Run),
        options: Arc::new(options),
        app,
    };
    life.app.metrics().set_connections_max(slots(&life.options) as u64);
    let acceptor = Acceptor {
        listener,
        tls,
        app: &life.app,
        options: life.options.clone(),
        slots: &life.slots,
        crowd: Crowd::new(),
        peers: Arc::new(Peers::new(life.options.peer_connections_max)),
        prefaces: Arc::default(),
        stop: &life.stop,
    };
    tokio::select! {
        biased;
        reason = life.app.store().failed() => {
            drop(acceptor);
            return Err(life.end_failed(reason).await);
        }
        () = shutdown.asked() => {}
        never = acceptor.accept() => match never {},
    }
    drop(acceptor);
    tokio::select! {
        biased;
        () = shutdown.insisted() => Err(RunError::Interrupted),
        end = life.end() => end,
    }
}

/// What the end has to reach: every connection, and the store.
struct Life {
    /// One permit a connection: all are back once every connection has ended.
    slots: Arc<Semaphore>,
    stop: watch::Sender<Stop>,
    options: Arc<Options>,
    app: App,
}

impl Life {
    async fn end(&self) -> Result<(), RunError> {
        tracing::info!(connections = self.connections(), "shutting down");
        self.drain();
        tokio::select! {
            biased;
            () = self.all_ended() => {}
            reason = self.app.store().failed() => return Err(self.end_failed(reason).await),
            () = sleep(self.options.drain_timeout) => {
                tracing::warn!(connections = self.connections(), "dropping connections that did not end in time");
                self.stop.send_replace(Stop::Now);
            }
        }
        match timeout(CLOSE_MAX, self.app.store().close()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(RunError::StoreFailed(error.to_string())),
            Err(_) => Err(RunError::CloseTimeout),
        }
    }

    /// Lets the replies that tell of the failure leave. The store is left to the end of the process.
    async fn end_failed(&self, reason: String) -> RunError {
        self.drain();
        if timeout(FLUSH_MAX, self.all_ended()).await.is_err() {
            tracing::warn!(connections = self.connections(), "ending with requests in flight");
        }
        RunError::StoreFailed(reason)
    }

    fn drain(&self) {
        self.app.leave();
        self.stop.send_replace(Stop::Drain);
    }

    async fn all_ended(&self) {
        let all = u32::try_from(slots(&self.options)).expect("made from a u32");
        let _all = self.slots.acquire_many(all).await.expect("the semaphore is never closed");
    }

    fn connections(&self) -> usize {
        slots(&self.options) - self.slots.available_permits()
    }
}

fn slots(options: &Options) -> usize {
    usize::try_from(options.connections_max.max(1)).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS)
}
