//! How connections come in.

use super::{
    Options, greeting,
    peers::{Peers, Place},
    shutdown::Stop,
};
use crate::{http::App, tls::Tls};
use socket2::SockRef;
use std::{convert::Infallible, io, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{Instant, sleep},
};

/// How long to wait where the system has no more descriptors or memory for a connection.
const BACKOFF: Duration = Duration::from_millis(100);
/// A trouble that goes on is told again only after this.
const TELL_AGAIN: Duration = Duration::from_secs(10);

pub(super) struct Acceptor<'a> {
    pub(super) listener: TcpListener,
    /// Where connections come through TLS.
    pub(super) tls: Option<Arc<Tls>>,
    pub(super) app: &'a App,
    pub(super) options: Options,
    pub(super) slots: &'a Arc<Semaphore>,
    pub(super) peers: Peers,
    pub(super) stop: &'a watch::Sender<Stop>,
}

impl Acceptor<'_> {
    /// Accepts for ever, each connection in a task of its own.
    pub(super) async fn accept(&self) -> Infallible {
        let (mut told, mut told_peer) = (Told::default(), Told::default());
        loop {
            let slot = self.slot(&mut told).await;
            match self.listener.accept().await {
                Ok((stream, address)) => match self.peers.place(address.ip()) {
                    Some(place) => self.spawn(stream, slot, place),
                    None if told_peer.may_tell() => tracing::warn!(
                        peer = %address.ip(),
                        peer_connections_max = self.options.peer_connections_max,
                        "a peer has all the connections that it may; one more was closed"
                    ),
                    None => {
                        tracing::debug!(peer = %address.ip(), "a connection too many of a peer was closed");
                    }
                },
                Err(error) if is_of_the_connection(&error) => {
                    tracing::debug!(%error, "a connection was gone before it was accepted");
                }
                Err(error) => {
                    if told.may_tell() {
                        tracing::error!(%error, "cannot accept connections; trying again");
                    }
                    sleep(BACKOFF).await;
                }
            }
        }
    }

    async fn slot(&self, told: &mut Told) -> OwnedSemaphorePermit {
        if self.slots.available_permits() == 0 && told.may_tell() {
            tracing::warn!(
                connections_max = self.options.connections_max,
                "all connections are taken; new ones wait"
            );
        }
        self.slots.clone().acquire_owned().await.expect("the semaphore is never closed")
    }

    fn prepare(&self, stream: &TcpStream) -> io::Result<()> {
        // Without it a reply could wait for the client's acknowledgement of the one before.
        stream.set_nodelay(true)?;
        let socket = SockRef::from(stream);
        socket.set_tcp_notsent_lowat(UNSENT_MAX_BYTES)?;
        // A client that is gone without a word acknowledges nothing of what it is sent, be it a heartbeat.
        socket.set_tcp_user_timeout(Some(self.options.write_timeout))
    }

    fn spawn(&self, stream: TcpStream, slot: OwnedSemaphorePermit, place: Place) {
        if let Err(error) = self.prepare(&stream) {
            tracing::debug!(%error, "a connection was gone as soon as it was accepted");
            return;
        }
        let (app, options, stop) = (self.app.clone(), self.options, self.stop.subscribe());
        let tls = self.tls.clone();
        // Both come back when the connection ends, whichever way.
        let held = (slot, place);
        tokio::spawn(async move {
            if let Some(takeover) = greeting::serve(stream, tls, options, app, stop).await {
                // In a task of its own, which is a fraction of this one.
                tokio::spawn(async move {
                    takeover.serve().await;
                    drop(held);
                });
            }
        });
    }
}

/// Bytes that the kernel may hold unsent for a connection before it takes no more: so what waits for a slow client waits
/// here, where it is counted, and a client that takes a little at a time is seen to.
const UNSENT_MAX_BYTES: u32 = 64 * 1024;

/// Whether an error of `accept` tells of one connection and not of the listener.
fn is_of_the_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

#[derive(Default)]
struct Told(Option<Instant>);

impl Told {
    fn may_tell(&mut self) -> bool {
        let now = Instant::now();
        let may = self.0.is_none_or(|last| now.duration_since(last) >= TELL_AGAIN);
        if may {
            self.0 = Some(now);
        }
        may
    }
}
