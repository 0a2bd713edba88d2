//! What the product does, one file per capability; every face calls these functions.
//!
//! **Architecture invariant:** this room knows neither HTTP nor JSON, only the words of `chinwag-model`, the store, the bus
//! and the [`hub`]. Every function that does something for someone takes that caller first and asks [`permit`] before
//! anything is looked up: no face decides who may do what.

mod access;
mod audit;
mod erase;
mod error;
mod feed;
mod verbs;

pub use access::{Act, Denied, permit};
pub use audit::{Asked, Auditor};
pub use erase::erase;
pub use error::ServiceError;
pub use feed::{Feed, Subscribe};

use crate::{
    hub::{self, Census, Hub, Outgoing},
    metrics::Metrics,
    trace::Tracer,
};
use chinwag_bus::Bus;
use chinwag_model::{Clock, Event, KeyId, Ts, UserId, limits::CATCH_UPS_MAX_BYTES};
use chinwag_store::{Outlet, Store};
use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};
use tokio::sync::Semaphore;

/// The service. Clones share it.
#[derive(Clone)]
pub struct Service {
    shared: Arc<Shared>,
}

struct Shared {
    store: Arc<dyn Store>,
    hub: Arc<Hub>,
    metrics: Arc<Metrics>,
    auditor: OnceLock<Arc<dyn Auditor>>,
    tracer: OnceLock<Tracer>,
    /// One permit a byte of what feeds that catch up may hold.
    catch_up_bytes: Arc<Semaphore>,
}

impl Service {
    /// A service on a store and a bus, both new to it. To be made within a tokio runtime.
    pub fn new(
        store: Arc<dyn Store>,
        bus: Arc<dyn Bus>,
        clock: Arc<dyn Clock>,
        options: hub::Options,
    ) -> Self {
        let hub = Hub::new(&bus, clock, store.epoch(), options);
        store.publish_to(Arc::new(ToBus(bus)));
        let metrics = Arc::<Metrics>::default();
        store.observe(metrics.clone());
        let catch_up_bytes = Arc::new(Semaphore::new(CATCH_UPS_MAX_BYTES));
        Self {
            shared: Arc::new(Shared {
                store,
                hub,
                metrics,
                auditor: OnceLock::new(),
                tracer: OnceLock::new(),
                catch_up_bytes,
            }),
        }
    }

    /// The store that it stands on.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.shared.store
    }

    /// What is counted.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.shared.metrics
    }

    /// Names who traces requests. To be called once, before the first.
    pub fn traced_by(&self, tracer: Tracer) {
        let _first_stays = self.shared.tracer.set(tracer);
    }

    /// Who traces requests; `None` where nobody does.
    pub fn tracer(&self) -> Option<&Tracer> {
        self.shared.tracer.get()
    }

    /// What the store does for the request that is being served, which is traced as a part of it.
    async fn by_store<T>(&self, name: &'static str, work: impl Future<Output = T>) -> T {
        let Some(tracer) = self.tracer() else { return work.await };
        let start = Instant::now();
        let done = work.await;
        tracer.stored(name, start.elapsed());
        done
    }

    /// Who is there, and what waits for them.
    pub fn census(&self) -> Census {
        self.shared.hub.census()
    }

    /// What the wall clock says.
    pub fn now(&self) -> Ts {
        self.shared.hub.now()
    }

    /// What the steady clock says.
    pub fn steady(&self) -> Duration {
        self.shared.hub.steady()
    }

    /// Ends every feed that was opened with a key.
    pub fn end_sessions_of_key(&self, key: &KeyId) {
        self.shared.hub.revoke(key);
    }

    /// Ends every feed of a user, for the operator; how many there were.
    pub fn end_sessions_of(&self, user: &UserId) -> usize {
        self.shared.hub.end(user)
    }

    /// Ends every feed, and begins no more.
    pub fn leave(&self) {
        self.shared.hub.leave();
    }
}

/// What is durable goes to the bus, in the store's order.
struct ToBus(Arc<dyn Bus>);

impl Outlet for ToBus {
    fn committed(&self, events: Vec<Event>) {
        for event in events {
            self.0.publish(event);
        }
    }
}
