//! How the server ends.

use crate::{
    raw::{Raw, request, within},
    server::{Server, Setup, embedded, memory},
};
use chinwag::lifecycle::RunError;
use chinwag_model::{Draft, Page, PageQuery};
use chinwag_store::{
    Appended, Store, StoreError, StoreFuture,
    fault::{Fault, FaultyStore},
};
use std::{future::Future, pin::Pin, sync::Arc, time::Duration};
use tokio::{net::TcpStream, sync::watch};

/// A store whose first call waits to be released, and that can fail for good.
struct Held {
    faulty: FaultyStore,
    reason: watch::Sender<Option<String>>,
}

impl Held {
    fn new() -> Arc<Self> {
        let faulty = FaultyStore::new(memory());
        faulty.plan(1, Fault::Delay);
        Arc::new(Self { faulty, reason: watch::Sender::new(None) })
    }

    /// Waits until the store holds the first call.
    async fn holds(&self) {
        within("the store to be called", async {
            while self.faulty.calls() == 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

impl Store for Held {
    fn append(&self, draft: Draft) -> StoreFuture<'_, Appended> {
        self.faulty.append(draft)
    }

    fn page(&self, query: PageQuery) -> StoreFuture<'_, Page> {
        self.faulty.page(query)
    }

    fn ready(&self) -> Result<(), StoreError> {
        self.faulty.ready()
    }

    fn failed(&self) -> Pin<Box<dyn Future<Output = String> + Send + '_>> {
        let mut watch = self.reason.subscribe();
        Box::pin(async move {
            let reason = watch.wait_for(Option::is_some).await.expect("the sender lives").clone();
            reason.expect("it is some")
        })
    }

    fn close(&self) -> StoreFuture<'_, ()> {
        self.faulty.close()
    }
}

/// A connection whose send the store holds.
async fn in_flight(server: &Server, store: &Held) -> Raw {
    let mut raw = server.connect().await;
    let json = br#"{"chat":"a:b","text":"x","sender":"a"}"#;
    raw.write(&request("POST /api/send", &["Content-Type: application/json"], json)).await;
    store.holds().await;
    raw
}

async fn idle(server: &Server) -> Raw {
    let mut raw = server.connect().await;
    raw.ask("GET /ping", &[], b"").await.ok();
    raw
}

#[tokio::test]
async fn an_orderly_end() {
    let store = Held::new();
    let server = Setup::on(store.clone()).start().await;
    let mut sending = in_flight(&server, &store).await;
    let (mut idle, mut silent) = (idle(&server).await, server.connect().await);
    server.trigger.fire();
    // Who asks nothing is let go at once, and nobody new comes in.
    idle.closed().await;
    silent.closed().await;
    assert!(TcpStream::connect(server.address).await.is_err());
    server.app.store().ready().expect("the store is still open");
    assert!(sending.is_silent());
    // Who had asked is answered.
    store.faulty.release();
    let answer = sending.answer().await;
    assert_eq!(answer.ok()["seq"], 1);
    assert_eq!(answer.header("connection"), Some("close"));
    sending.closed().await;
    assert_eq!(server.ended().await, Ok(()));
    store.ready().expect_err("the store is closed");
}

#[tokio::test]
async fn requests_that_take_too_long_are_dropped() {
    let store = Held::new();
    let mut setup = Setup::on(store.clone());
    setup.life.drain_timeout = Duration::from_millis(50);
    let server = setup.start().await;
    let mut sending = in_flight(&server, &store).await;
    server.trigger.fire();
    assert_eq!(server.ended().await, Ok(()));
    sending.closed().await;
    store.ready().expect_err("the store is closed");
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let store = Held::new();
    let server = Setup::on(store.clone()).start().await;
    let mut sending = in_flight(&server, &store).await;
    let mut idle = idle(&server).await;
    server.trigger.fire();
    idle.closed().await;
    server.trigger.fire();
    assert_eq!(server.ended().await, Err(RunError::Interrupted));
    assert!(sending.is_silent());
    store.faulty.release();
    sending.answer().await.ok();
}

#[tokio::test]
async fn a_store_that_fails_ends_the_server_after_its_last_replies() {
    let store = Held::new();
    let server = Setup::on(store.clone()).start().await;
    let mut sending = in_flight(&server, &store).await;
    let mut idle = idle(&server).await;
    store.reason.send_replace(Some("the disk is gone".into()));
    store.faulty.release();
    sending.answer().await.ok();
    idle.closed().await;
    assert_eq!(server.ended().await, Err(RunError::StoreFailed("the disk is gone".into())));
}

#[tokio::test]
async fn a_store_that_fails_does_not_wait_for_requests_that_hang() {
    let store = Held::new();
    let server = Setup::on(store.clone()).start().await;
    let _sending = in_flight(&server, &store).await;
    store.reason.send_replace(Some("the disk is gone".into()));
    assert_eq!(server.ended().await, Err(RunError::StoreFailed("the disk is gone".into())));
}

#[tokio::test]
async fn a_store_is_closed_with_the_server() {
    let directory = tempfile::tempdir().expect("a directory");
    for round in 1..=3 {
        let server = Setup::on(embedded(directory.path())).start().await;
        let sent = server.post("/api/send", r#"{"chat":"a:b","text":"x","sender":"a"}"#).await;
        assert_eq!(sent.ok()["seq"], round);
        server.stop().await;
    }
}
