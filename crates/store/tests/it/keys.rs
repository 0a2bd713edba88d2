//! The contract of API keys, on each backend.

use crate::backends::Embedded;
use chinwag_model::ManualClock;
use chinwag_store::{
    Store,
    contract::{START, keys_are_added_listed_and_revoked},
    memory::MemoryStore,
};
use std::sync::Arc;

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(START))
}

#[tokio::test]
async fn memory() {
    keys_are_added_listed_and_revoked(Arc::new(MemoryStore::new(clock())), async |store| store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn embedded() {
    let backend = Embedded::new();
    keys_are_added_listed_and_revoked(backend.store(clock()), async |store| {
        store.close().await.expect("closed");
        drop(store);
        backend.store(clock())
    })
    .await;
}
