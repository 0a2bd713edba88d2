//! What the store cannot do, as a client hears of it.

use crate::{
    raw::within,
    server::{Server, Setup, memory},
};
use chinwag_model::{Draft, Page, PageQuery};
use chinwag_store::{
    Appended, Store, StoreError, StoreFuture,
    fault::{Fault, FaultyStore},
};
use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

const SEND: &str = r#"{"chat":"a:b","text":"x","sender":"a","key":"k"}"#;
const SECRET: &str = "/var/lib/secret";

async fn faulty(faults: impl IntoIterator<Item = Fault>) -> Server {
    let store = FaultyStore::new(memory());
    for (nth, fault) in (1..).zip(faults) {
        store.plan(nth, fault);
    }
    Setup::on(Arc::new(store)).start().await
}

#[tokio::test]
async fn each_error_has_its_status_and_keeps_its_insides() {
    let errors = [
        StoreError::Busy { retry_after: Duration::from_millis(50) },
        StoreError::Busy { retry_after: Duration::from_millis(2_001) },
        StoreError::Full { free_bytes: 1, reserve_bytes: 2 },
        StoreError::KeyReused,
        StoreError::Unavailable(SECRET.into()),
        StoreError::OutcomeUnknown(SECRET.into()),
        StoreError::Damaged(SECRET.into()),
    ];
    let server = faulty(errors.into_iter().map(Fault::Fail)).await;
    for (status, code, retry_after) in [
        (503, "overloaded", Some("1")),
        (503, "overloaded", Some("3")),
        (507, "storage_full", None),
        (422, "key_reused", None),
        (503, "unavailable", Some("1")),
        (503, "outcome_unknown", Some("1")),
        (500, "internal", None),
    ] {
        let answer = server.post("/api/send", SEND).await;
        answer.refused(status, code, None);
        assert_eq!(answer.header("retry-after"), retry_after, "{code}");
        assert!(!answer.text().contains(SECRET), "{}", answer.text());
    }
    assert_eq!(server.post("/api/send", SEND).await.ok()["seq"], 1);
}

#[tokio::test]
async fn a_lost_answer_is_settled_by_repeating_the_key() {
    let server = faulty([Fault::LoseAnswer]).await;
    server.post("/api/send", SEND).await.refused(503, "outcome_unknown", None);
    let again = server.post("/api/send", SEND).await;
    assert_eq!(again.ok()["seq"], 1);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
}

#[tokio::test]
async fn a_pull_fails_too() {
    let server = faulty([
        Fault::Fail(StoreError::Busy { retry_after: Duration::ZERO }),
        Fault::Fail(StoreError::Damaged(SECRET.into())),
    ])
    .await;
    let busy = server.get("/api/pull?chat=a:b").await;
    busy.refused(503, "overloaded", None);
    assert_eq!(busy.header("retry-after"), Some("1"));
    let damaged = server.get("/api/pull?chat=a:b").await;
    damaged.refused(500, "internal", None);
    assert!(!damaged.text().contains(SECRET));
}

/// A store with a defect.
struct Panics;

impl Store for Panics {
    fn append(&self, _: Draft) -> StoreFuture<'_, Appended> {
        Box::pin(async { panic!("{SECRET}") })
    }

    fn page(&self, _: PageQuery) -> StoreFuture<'_, Page> {
        Box::pin(async { panic!("{SECRET}") })
    }

    fn ready(&self) -> Result<(), StoreError> {
        Err(StoreError::Full { free_bytes: 1, reserve_bytes: 2 })
    }

    fn failed(&self) -> Pin<Box<dyn Future<Output = String> + Send + '_>> {
        Box::pin(std::future::pending())
    }

    fn close(&self) -> StoreFuture<'_, ()> {
        Box::pin(async { Ok(()) })
    }
}

#[tokio::test]
async fn a_panic_is_a_refusal_and_ends_nothing() {
    let server = Setup::on(Arc::new(Panics)).start().await;
    let mut raw = server.connect().await;
    for _ in 0..2 {
        let sent = raw.ask("POST /api/send", &["Content-Type: application/json"], SEND.as_bytes()).await;
        sent.refused(503, "outcome_unknown", None);
        assert!(!sent.text().contains(SECRET));
        let pulled = raw.ask("GET /api/pull?chat=a:b", &[], b"").await;
        pulled.refused(500, "internal", None);
        assert!(!pulled.text().contains(SECRET));
    }
    raw.ask("GET /ping", &[], b"").await.ok();
}

#[tokio::test]
async fn readiness_says_why_not() {
    let server = Setup::on(Arc::new(Panics)).start().await;
    let answer = server.get("/readyz").await;
    assert_eq!(answer.json()["code"], "storage_full");
    within("a live server", server.get("/healthz")).await.ok();
}
