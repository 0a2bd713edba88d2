use crate::{Bus, BusFuture, Listener, Topic};
use chinwag_model::Event;
use std::{
    future::ready,
    sync::{Arc, OnceLock, Weak},
};

/// The bus of one node alone: it delivers within the call that publishes, and loses nothing.
#[derive(Default)]
pub struct LocalBus {
    /// Weak, since a listener publishes too and so holds the bus.
    listener: OnceLock<Weak<dyn Listener>>,
}

impl Bus for LocalBus {
    fn listen(&self, listener: Arc<dyn Listener>) {
        let first = self.listener.set(Arc::downgrade(&listener)).is_ok();
        assert!(first, "a bus has one listener");
    }

    fn publish(&self, event: Event) {
        if let Some(listener) = self.listener.get().and_then(Weak::upgrade) {
            listener.deliver(&event);
        }
    }

    fn follow(&self, _topic: Topic) -> BusFuture<'_> {
        Box::pin(ready(()))
    }

    fn leave(&self, _topic: &Topic) {}
}
