use super::{Hub, Lease, Outbox, outbox::Given};
use crate::hub::Close;
use chinwag_bus::Topic;
use chinwag_model::{Message, Presence, UserId};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

/// One session of a user, open until it is dropped.
pub struct Session {
    hub: Arc<Hub>,
    user: UserId,
    outbox: Arc<Outbox>,
    /// `None` for one that has no end of its own.
    lease: Option<Arc<Lease>>,
    /// How many of its topics are followed on the bus.
    followed: Arc<AtomicUsize>,
}

impl Session {
    pub(super) fn new(hub: Arc<Hub>, user: UserId, outbox: Arc<Outbox>, lease: Option<Arc<Lease>>) -> Self {
        Self { hub, user, outbox, lease, followed: Arc::default() }
    }

    pub(super) fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// How long it may last; `None` for one that has no end of its own.
    pub(crate) fn lease(&self) -> Option<&Arc<Lease>> {
        self.lease.as_ref()
    }

    /// Whose.
    pub(crate) fn user(&self) -> &UserId {
        &self.user
    }

    /// Follows on the bus what this session has to hear; once this returns, the outbox gathers all of it. To be called
    /// once.
    pub(crate) fn follow(&self) -> impl Future<Output = ()> + Send + use<> {
        let (bus, topics, followed) = (self.hub.bus().clone(), self.topics(), self.followed.clone());
        async move {
            for topic in topics {
                let following = bus.follow(topic);
                followed.fetch_add(1, Relaxed);
                following.await;
            }
        }
    }

    fn topics(&self) -> Vec<Topic> {
        let watched = self.watch().iter().cloned().map(Topic::Presence);
        std::iter::once(Topic::Feed(self.user.clone())).chain(watched).collect()
    }

    /// Whom it watches.
    pub(crate) fn watch(&self) -> &[UserId] {
        self.outbox.watch()
    }

    /// Takes in who of those whom it watches is kept from it by a block, in their order.
    pub(crate) fn learn_silence(&self) -> impl FnOnce(Vec<bool>) + Send + use<> {
        let outbox = self.outbox.clone();
        move |silent| outbox.learn(silent)
    }

    /// How those whom it watches stand now, as far as it may know.
    pub(crate) fn watched(&self) -> Vec<Presence> {
        let one = |(at, user): (usize, &UserId)| {
            if self.outbox.is_silent(at) { Presence::unknown(user) } else { self.hub.presence(user) }
        };
        self.watch().iter().enumerate().map(one).collect()
    }

    /// Ready once the session has been ended by another than its client.
    pub(crate) fn poll_closed(&self, cx: &mut Context<'_>) -> Poll<Close> {
        self.outbox.poll_closed(cx)
    }

    /// Begins to catch up: what comes meanwhile is kept.
    pub(crate) fn catch_up(&self) {
        self.outbox.catch_up();
    }

    /// The messages that were unsent since this was last asked, while it catches up.
    pub(crate) fn unsent(&self) -> Vec<Arc<Message>> {
        self.outbox.unsent()
    }

    /// Takes what comes next.
    pub(crate) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Given> {
        self.outbox.poll_next(cx)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.hub.close(&self.user, &self.outbox);
        let followed = self.followed.load(Relaxed);
        self.topics().iter().take(followed).for_each(|topic| self.hub.bus().leave(topic));
    }
}
