//! A server of a test's own, in this process.

use crate::watch::within;
use chinwag::{
    http::{self, App},
    hub,
    identity::Door,
    lifecycle::{self, RunError, Shutdown, Trigger},
    service::Service,
};
use chinwag_bus::LocalBus;
use chinwag_model::{Clock, SystemClock, limits::TEXT_DEFAULT_MAX_BYTES};
use chinwag_peer::{Forwarding, Networks};
use chinwag_store::{
    Store,
    embedded::{self, EmbeddedStore},
};
use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};
use tokio::{net::TcpListener, task::JoinHandle};

/// What a server is started with. Every time-out is so long that only one which a test shortens can be met before its
/// watchdog.
pub(crate) struct Setup {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) hub: hub::Options,
    pub(crate) door: Door,
    clock: Arc<dyn Clock>,
}

/// A running server.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    trigger: Trigger,
    life: JoinHandle<Result<(), RunError>>,
}

impl Setup {
    pub(crate) fn on(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        let hub = hub::Options {
            sessions_per_user_max: 32,
            presence_grace: Duration::from_mins(10),
            outboxes_max_bytes: 256 << 20,
            watches_max_users: 1_000_000,
        };
        Self { store, hub, door: Door::OPEN, clock }
    }

    /// On the embedded store in a directory.
    pub(crate) fn embedded(directory: &Path) -> Self {
        let clock = Arc::new(SystemClock::default());
        let options = embedded::Options { disk_reserve_bytes: 0, ..embedded::Options::default() };
        let store = EmbeddedStore::open(directory, &options, clock.clone()).expect("a store");
        Self::on(Arc::new(store), clock)
    }

    pub(crate) async fn start(self) -> Server {
        const LONG: Duration = Duration::from_mins(10);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let service = Service::new(self.store, Arc::new(LocalBus::default()), self.clock, self.hub);
        let app = App::guarded(
            service,
            self.door,
            http::Options {
                text_max_bytes: TEXT_DEFAULT_MAX_BYTES,
                revise_window: std::time::Duration::from_hours(1),
                allowed_hosts: Vec::new(),
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
        );
        let life = lifecycle::Options {
            connections_max: 10_000,
            peer_connections_max: 0,
            proxy_protocol: Networks::default(),
            head_timeout: LONG,
            idle_timeout: LONG,
            write_timeout: LONG,
            ping_interval: LONG,
            drain_timeout: LONG,
        };
        let (trigger, shutdown) = Shutdown::new();
        let life = tokio::spawn(lifecycle::run(listener, life, app, shutdown));
        Server { address, trigger, life }
    }
}

impl Server {
    /// Asks the server to end, and checks that it ends in order.
    pub(crate) async fn stop(self) {
        self.trigger.fire();
        let ended = within("the server to end", self.life).await;
        assert_eq!(ended.expect("the server does not panic"), Ok(()));
    }
}
