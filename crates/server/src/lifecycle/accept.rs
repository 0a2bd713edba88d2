//! How connections come in.

use super::{
    Options,
    crowd::Crowd,
    greeting,
    peers::{Peers, Place},
    preface::Prefaces,
    shutdown::Stop,
    told::Told,
};
use crate::{http::App, metrics::NoRoom, tls::Tls};
use chinwag_peer::Peer;
use socket2::SockRef;
use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{sleep, timeout},
};

/// How long to wait where the system has no more descriptors or memory for a connection.
const BACKOFF: Duration = Duration::from_millis(100);

/// How long to wait for a slot before looking again whom to close.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

pub(super) struct Acceptor<'a> {
    pub(super) listener: TcpListener,
    /// Where connections come through TLS.
    pub(super) tls: Option<Arc<Tls>>,
    pub(super) app: &'a App,
    pub(super) options: Arc<Options>,
    pub(super) slots: &'a Arc<Semaphore>,
    pub(super) crowd: Arc<Crowd>,
    pub(super) peers: Arc<Peers>,
    pub(super) prefaces: Arc<Prefaces>,
    pub(super) stop: &'a watch::Sender<Stop>,
}

impl Acceptor<'_> {
    /// Accepts for ever, each connection in a task of its own.
    pub(super) async fn accept(&self) -> Infallible {
        let told = Told::default();
        loop {
            match self.listener.accept().await {
                Ok((stream, address)) => self.arrived(stream, address, &told).await,
                Err(error) if is_of_the_connection(&error) => {
                    tracing::debug!(%error, "a connection was gone before it was accepted");
                }
                Err(error) => {
                    if told.may_tell() {
                        tracing::error!(%error, "cannot accept connections; trying again");
                    }
                    // Mostly there are no descriptors left.
                    self.crowd.make_room();
                    sleep(BACKOFF).await;
                }
            }
        }
    }

    /// A slot for one more connection, for which one that waits for a request is closed where there is none.
    async fn slot(&self, told: &Told) -> OwnedSemaphorePermit {
        loop {
            if let Ok(slot) = self.slots.clone().try_acquire_owned() {
                return slot;
            }
            if !self.crowd.make_room() && told.may_tell() {
                tracing::warn!(
                    connections_max = self.options.connections_max,
                    "all connections are taken; new ones wait"
                );
            }
            if let Ok(slot) = timeout(LOOK_AGAIN, self.slots.clone().acquire_owned()).await {
                return slot.expect("the semaphore is never closed");
            }
        }
    }

    fn prepare(&self, stream: &TcpStream) -> io::Result<()> {
        // Without it a reply could wait for the client's acknowledgement of the one before.
        stream.set_nodelay(true)?;
        let socket = SockRef::from(stream);
        socket.set_tcp_notsent_lowat(UNSENT_MAX_BYTES)?;
        // A client that is gone without a word acknowledges nothing of what it is sent, be it a heartbeat.
        socket.set_tcp_user_timeout(Some(self.options.write_timeout))
    }

    async fn arrived(&self, stream: TcpStream, address: SocketAddr, told: &Told) {
        let peer = Peer::direct(address.ip());
        if self.options.proxy_protocol.contains(peer.address()) {
            self.spawn(stream, peer, self.slot(told).await, None);
        } else if let Some(place) = place(&self.peers, self.app, peer) {
            self.spawn(stream, peer, self.slot(told).await, Some(place));
        }
    }

    /// Serves a connection; one without a place is a proxy's, which says first whose it is.
    fn spawn(&self, mut stream: TcpStream, peer: Peer, slot: OwnedSemaphorePermit, direct: Option<Place>) {
        if let Err(error) = self.prepare(&stream) {
            tracing::debug!(%error, "a connection was gone as soon as it was accepted");
            return;
        }
        let (app, options) = (self.app.clone(), self.options.clone());
        let (peers, prefaces, tls) = (self.peers.clone(), self.prefaces.clone(), self.tls.clone());
        let mut stop = self.stop.subscribe();
        let seat = Arc::new(self.crowd.seat());
        app.metrics().accepted.count();
        let open = app.metrics().connections.hold();
        let metrics = app.metrics().clone();
        tokio::spawn(async move {
            let leave = seat.clone();
            let served = async move {
                let (peer, place) = if let Some(place) = direct {
                    (peer, place)
                } else {
                    let named = prefaces.read(&mut stream, peer, options.head_timeout, &mut stop).await?;
                    (named, place(&peers, &app, named)?)
                };
                let takeover = greeting::serve(stream, peer, seat, tls, options, app, stop).await;
                takeover.map(|takeover| (takeover, place))
            };
            let takeover = tokio::select! {
                biased;
                takeover = served => takeover,
                () = leave.asked_to_leave() => {
                    metrics.refused(NoRoom::Crowded);
                    None
                }
            };
            // Whoever has left HTTP waits for nothing, and is never asked to leave.
            drop(leave);
            if let Some((takeover, place)) = takeover {
                // All come back when the connection ends, whichever way.
                let held = (slot, place, open);
                // In a task of its own, which is a fraction of this one.
                tokio::spawn(async move {
                    takeover.serve().await;
                    drop(held);
                });
            }
        });
    }
}

/// A place for a connection of a peer. A proxy that is believed speaks for many, whom no bound of its own may shut out.
fn place(peers: &Peers, app: &App, peer: Peer) -> Option<Place> {
    let place = if app.believes(&peer) { Some(Place::UNCOUNTED) } else { peers.place(peer) };
    if place.is_none() {
        app.metrics().refused(NoRoom::Peer);
    }
    place
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
