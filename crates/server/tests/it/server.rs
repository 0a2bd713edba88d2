//! A server to test.

use crate::raw::{Answer, Raw, within};
use chinwag::{
    http::{self, App},
    lifecycle::{self, RunError, Shutdown, Trigger},
};
use chinwag_model::{ManualClock, SystemClock, Ts};
use chinwag_store::{
    Store,
    embedded::{self, EmbeddedStore},
    memory::MemoryStore,
};
use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};
use tokio::{net::TcpListener, task::JoinHandle};

/// When the clock of [`memory`] stands still: the time in the founding document, and some.
pub(crate) const NOW: Ts = Ts(1_686_404_158_123_456);

/// No test waits for these to pass; those that test one lower it.
const NEVER: Duration = Duration::from_mins(10);

pub(crate) struct Setup {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) http: http::Options,
    pub(crate) life: lifecycle::Options,
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) app: App,
    pub(crate) trigger: Trigger,
    run: JoinHandle<Result<(), RunError>>,
}

pub(crate) fn memory() -> Arc<dyn Store> {
    Arc::new(MemoryStore::new(Arc::new(ManualClock::at(NOW))))
}

pub(crate) fn embedded(data: &Path) -> Arc<dyn Store> {
    let options = embedded::Options { disk_reserve_bytes: 0, ..embedded::Options::default() };
    Arc::new(EmbeddedStore::open(data, &options, Arc::new(SystemClock::default())).expect("a new directory"))
}

impl Setup {
    pub(crate) fn on(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            http: http::Options {
                text_max_bytes: 16_384,
                allowed_hosts: vec!["chat.example.com".into()],
                bodies_max_bytes: 1 << 20,
                body_timeout: NEVER,
                bench_routes: false,
            },
            life: lifecycle::Options {
                connections_max: 100,
                head_timeout: NEVER,
                idle_timeout: NEVER,
                write_timeout: NEVER,
                drain_timeout: NEVER,
            },
        }
    }

    pub(crate) async fn start(self) -> Server {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket");
        let app = App::new(self.store, self.http);
        let (trigger, shutdown) = Shutdown::new();
        let run = tokio::spawn(lifecycle::run(listener, self.life, app.clone(), shutdown));
        Server { address, app, trigger, run }
    }
}

impl Server {
    /// A server on a memory store.
    pub(crate) async fn start() -> Self {
        Setup::on(memory()).start().await
    }

    pub(crate) async fn connect(&self) -> Raw {
        Raw::connect(self.address).await
    }

    /// One request on a connection of its own.
    pub(crate) async fn ask(&self, line: &str, headers: &[&str], body: &[u8]) -> Answer {
        let mut raw = self.connect().await;
        raw.ask(line, headers, body).await
    }

    /// A `POST` of JSON.
    pub(crate) async fn post(&self, path: &str, json: &str) -> Answer {
        self.ask(&format!("POST {path}"), &["Content-Type: application/json"], json.as_bytes()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(&format!("GET {path}"), &[], b"").await
    }

    /// What the server's run comes to.
    pub(crate) async fn ended(self) -> Result<(), RunError> {
        within("the server to end", self.run).await.expect("run does not panic")
    }

    /// Ends it in order.
    pub(crate) async fn stop(self) {
        self.trigger.fire();
        assert_eq!(self.ended().await, Ok(()));
    }
}
