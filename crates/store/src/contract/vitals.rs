//! The contract of what a store says of itself.

use super::{Backend, draft, fresh, keyed, mark, revise};
use crate::vitals::{Batch, Observer};
use chinwag_model::{MarkerKind, limits::CLOCK_JUMP_MAX};
use parking_lot::Mutex;
use std::{sync::Arc, time::Duration};

#[derive(Default)]
struct Told(Mutex<Vec<Batch>>);

impl Observer for Told {
    fn committed(&self, batch: Batch) {
        self.0.lock().push(batch);
    }
}

/// Each message, marker that moves and revision is told once, before whoever asked for it is answered; what stores nothing is not.
pub async fn an_observer_hears_of_each_batch(backend: &dyn Backend) {
    let (_, store) = fresh(backend);
    let told = Arc::new(Told::default());
    store.observe(told.clone());
    let so_far = || {
        let told = told.0.lock();
        assert!(told.iter().all(|batch| batch.messages + batch.changes > 0 && batch.bytes > 0));
        told.iter()
            .fold((0, 0), |(messages, changes), batch| (messages + batch.messages, changes + batch.changes))
    };
    store.append(keyed("a:b", "a", "one", "k")).await.expect("stored");
    assert_eq!(so_far(), (1, 0));
    store.append(keyed("a:b", "a", "one", "k")).await.expect("a repeat");
    store.append(keyed("a:b", "a", "two", "k")).await.expect_err("the key is used");
    assert_eq!(so_far(), (1, 0));
    // Read raises delivered.
    store.mark(mark("a:b", "b", MarkerKind::Read, 1)).await.expect("marked");
    store.mark(mark("a:b", "b", MarkerKind::Read, 1)).await.expect("it stands there");
    assert_eq!(so_far(), (1, 2));
    store.revise(revise("a:b", "b", 1, super::react("👍", false))).await.expect("revised");
    store.revise(revise("a:b", "b", 1, super::react("👍", false))).await.expect("it stands so");
    assert_eq!(so_far(), (1, 3));
    let sends = (0..100).map(|_| {
        let store = store.clone();
        tokio::spawn(async move { store.append(draft("a:c", "a", "x")).await })
    });
    for send in sends.collect::<Vec<_>>() {
        send.await.expect("no panic").expect("stored");
    }
    assert_eq!(so_far(), (101, 3));
}

/// Where it stands, what is on its way, and whether the clock is in doubt.
pub async fn vitals_say_how_a_store_does(backend: &dyn Backend) {
    let (clock, store) = fresh(backend);
    assert!(!store.vitals().await.expiry_held);
    let message = store.append(draft("a:b", "a", "one")).await.expect("stored").message;
    let vitals = store.vitals().await;
    assert_eq!((vitals.last_change, vitals.queue.messages, vitals.queue.bytes), (message.ts, 0, 0));
    clock.step_to(chinwag_model::Ts(
        super::START.0
            + u64::try_from((CLOCK_JUMP_MAX + Duration::from_secs(1)).as_micros()).expect("it fits"),
    ));
    store.append(draft("a:b", "a", "two")).await.expect("stored");
    assert!(store.vitals().await.expiry_held);
}
