//! A server of a test's own.

use crate::{
    socket::Socket,
    tls::Certificate,
    wire::{Connection, Reply, within},
};
use chinwag::{
    http::{self, App},
    hub,
    identity::Door,
    lifecycle::{self, Entrance, RunError, Shutdown, Trigger},
    service::Service,
    tls::Tls,
};
use chinwag_bus::LocalBus;
use chinwag_model::{ManualClock, Ts, limits::TEXT_DEFAULT_MAX_BYTES};
use chinwag_peer::{Forwarding, Networks};
use chinwag_store::{
    Store,
    embedded::{self, EmbeddedStore},
    memory::MemoryStore,
};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle};

/// The moment of the founding document's example, with microseconds.
pub(crate) const NOW: Ts = Ts(1_686_404_158_123_456);

/// What a server is started with. Every time-out is so long that only the one which a test shortens can be met
/// before its watchdog.
pub(crate) struct Setup {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) hub: hub::Options,
    pub(crate) http: http::Options,
    pub(crate) life: lifecycle::Options,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) door: Door,
    pub(crate) tls: Option<Arc<Tls>>,
    pub(crate) directory: Option<TempDir>,
}

/// A running server.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) app: App,
    pub(crate) trigger: Trigger,
    life: JoinHandle<Result<(), RunError>>,
    _directory: Option<TempDir>,
}

impl Setup {
    pub(crate) fn on(store: Arc<dyn Store>) -> Self {
        const LONG: Duration = Duration::from_mins(10);
        Self {
            store,
            hub: hub::Options {
                sessions_per_user_max: 32,
                presence_grace: LONG,
                outboxes_max_bytes: 256 << 20,
                watches_max_users: 1_000_000,
            },
            http: http::Options {
                text_max_bytes: TEXT_DEFAULT_MAX_BYTES,
                revise_window: std::time::Duration::from_hours(1),
                allowed_hosts: vec!["chat.example.com".into()],
                allowed_origins: Vec::new(),
                forwarding: Forwarding::default(),
                rates: chinwag::rates::Options::NONE,
                bodies_max_bytes: 64 << 20,
                body_timeout: LONG,
                ping_interval: LONG,
                heartbeat: LONG,
                hsts_max_age: None,
                bench_routes: false,
            },
            life: lifecycle::Options {
                connections_max: 10_000,
                peer_connections_max: 0,
                proxy_protocol: Networks::default(),
                head_timeout: LONG,
                idle_timeout: LONG,
                write_timeout: LONG,
                ping_interval: LONG,
                drain_timeout: LONG,
            },
            clock: Arc::new(ManualClock::at(NOW)),
            door: Door::OPEN,
            tls: None,
            directory: None,
        }
    }

    pub(crate) fn memory() -> Self {
        Self::on(Arc::new(MemoryStore::new(Arc::new(ManualClock::at(NOW)))))
    }

    pub(crate) fn embedded() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let options = embedded::Options { disk_reserve_bytes: 0, ..embedded::Options::default() };
        let store = EmbeddedStore::open(directory.path(), &options, Arc::new(ManualClock::at(NOW)));
        let store = store.expect("an empty directory opens");
        Self { directory: Some(directory), ..Self::on(Arc::new(store)) }
    }

    /// One of each store.
    pub(crate) fn each() -> [Self; 2] {
        [Self::memory(), Self::embedded()]
    }

    /// The same, through TLS.
    pub(crate) fn with(self, certificate: &Certificate) -> Self {
        Self { tls: Some(certificate.tls(self.clock.clone())), ..self }
    }

    pub(crate) async fn start(self) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let service = Service::new(self.store, Arc::new(LocalBus::default()), self.clock, self.hub);
        let app = App::guarded(service, self.door, self.http);
        let (trigger, shutdown) = Shutdown::new();
        let mut entrance = Entrance::from(listener);
        if let Some(tls) = self.tls {
            entrance = entrance.with_tls(tls);
        }
        let life = tokio::spawn(lifecycle::run(entrance, self.life, app.clone(), shutdown));
        Server { address, app, trigger, life, _directory: self.directory }
    }
}

impl Server {
    pub(crate) async fn connect(&self) -> Connection {
        Connection::to(self.address).await
    }

    /// One request on a connection of its own, and its reply.
    pub(crate) async fn ask(&self, request: impl AsRef<[u8]>) -> Reply {
        self.connect().await.ask(request).await
    }

    /// Asks the server to end, and checks that it ends in order.
    pub(crate) async fn stop(self) {
        self.trigger.fire();
        assert_eq!(self.ended().await, Ok(()));
    }

    /// The same, while a WebSocket is open, which is told.
    pub(crate) async fn stop_with(self, mut socket: Socket) {
        self.trigger.fire();
        assert_eq!(socket.closed().await, 1012);
        assert_eq!(self.ended().await, Ok(()));
    }

    /// Waits for the server's end.
    pub(crate) async fn ended(self) -> Result<(), RunError> {
        within("the server to end", self.life).await.expect("the server does not panic")
    }
}
