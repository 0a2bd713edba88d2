//! A start whose clock is far ahead of where the store was last open.

use crate::backends::Embedded;
use chinwag_model::{Direction::Forward, ManualClock, SendKey, Ts};
use chinwag_store::{
    Retention, Store,
    contract::{START, draft, query},
    embedded::EmbeddedStore,
};
use std::{sync::Arc, time::Duration};

const DAY: Duration = Duration::from_hours(24);
const KEPT: Retention = Retention { max_age: Some(Duration::from_hours(24 * 10)), max_messages: None };

/// The store, as it is opened so many days after the first start.
fn opened(backend: &Embedded, days: u32) -> (Arc<EmbeddedStore>, Arc<ManualClock>) {
    let us = u64::try_from((days * DAY).as_micros()).expect("some years");
    let clock = Arc::new(ManualClock::at(Ts(START.0 + us)));
    (backend.store_keeping(clock.clone(), KEPT), clock)
}

/// Whether the message is there, also after a sweep.
async fn is_kept(store: &EmbeddedStore) -> bool {
    store.sweep().await.expect("swept");
    !store.page(query("a:b", 0, Forward, 10)).await.expect("a page").messages.is_empty()
}

/// Whether the message is sent again, and nothing is stored for that.
async fn is_known(store: &EmbeddedStore) -> bool {
    let mut again = draft("a:b", "a", "once");
    again.key = Some(SendKey::parse("k").expect("a key"));
    store.append(again).await.expect("answered").replayed
}

async fn close(store: Arc<EmbeddedStore>) {
    store.close().await.expect("closed");
}

async fn first(backend: &Embedded) {
    let (store, _) = opened(backend, 0);
    let mut once = draft("a:b", "a", "once");
    once.key = Some(SendKey::parse("k").expect("a key"));
    store.append(once).await.expect("stored");
    close(store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_hides_nothing_until_somebody_confirms_it_also_over_starts() {
    let backend = Embedded::new();
    first(&backend).await;
    for _restart in 0..2 {
        let (store, clock) = opened(&backend, 5 * 365);
        clock.advance(Duration::from_hours(23));
        assert!(is_kept(&store).await);
        assert!(is_known(&store).await, "a day is not over, whatever the clock says");
        assert!(store.vitals().await.expiry_held && store.expiry_held());
        close(store).await;
    }
    let (store, _) = opened(&backend, 5 * 365);
    assert!(store.confirm_clock(), "it was in doubt");
    assert!(!store.expiry_held());
    assert!(!is_kept(&store).await);
    close(store).await;
    let (store, _) = opened(&backend, 5 * 365 + 14);
    assert!(!store.confirm_clock(), "what was confirmed is where it is known to stand");
    close(store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_clock_takes_the_doubt_with_it() {
    let backend = Embedded::new();
    first(&backend).await;
    let (store, _) = opened(&backend, 5 * 365);
    close(store).await;
    let (store, _) = opened(&backend, 1);
    assert!(!store.expiry_held());
    assert!(is_kept(&store).await);
    close(store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_off_for_two_weeks_is_asked_nothing() {
    let backend = Embedded::new();
    first(&backend).await;
    let (store, _) = opened(&backend, 14);
    assert!(!store.expiry_held());
    assert!(!is_kept(&store).await, "ten days are over");
    close(store).await;
}

/// Then all of before is older than ten days, whatever the clock says.
#[tokio::test(flavor = "multi_thread")]
async fn after_as_long_as_messages_are_kept_the_doubt_is_over_by_itself() {
    let backend = Embedded::new();
    first(&backend).await;
    let (store, clock) = opened(&backend, 15);
    clock.advance(Duration::from_hours(10 * 24 - 1));
    assert!(is_kept(&store).await);
    clock.advance(Duration::from_hours(1));
    assert!(!is_kept(&store).await);
    assert!(!store.expiry_held());
    close(store).await;
}
