//! Who came, who left, and when: told by one task, so that it is told in order.

use super::Hub;
use chinwag_model::{Ts, UserId};
use parking_lot::Mutex;
use quick_cache::sync::Cache;
use std::{
    collections::VecDeque,
    sync::{Arc, Weak},
    time::Duration,
};
use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};

/// Users of whom it is kept when they were last seen.
const LAST_SEEN_MAX_USERS: usize = 100_000;

/// When users were last seen; those not asked for longest are forgotten first.
pub(super) struct LastSeen(Cache<UserId, Ts>);

impl Default for LastSeen {
    fn default() -> Self {
        Self(Cache::new(LAST_SEEN_MAX_USERS))
    }
}

impl LastSeen {
    pub(super) fn put(&self, user: &UserId, at: Ts) {
        self.0.insert(user.clone(), at);
    }

    pub(super) fn forget(&self, user: &UserId) {
        self.0.remove(user);
    }

    pub(super) fn get(&self, user: &UserId) -> Option<Ts> {
        self.0.get(user)
    }
}

/// Users about whom there may be something to tell.
#[derive(Clone, Default)]
pub(super) struct News(Arc<Shared>);

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    more: Notify,
}

#[derive(Default)]
struct Queue {
    /// Who came, or was forgotten.
    look_at: VecDeque<UserId>,
    /// Whose last session was closed, with the number of that farewell, until the grace has passed. All have the same
    /// grace, so they stand in the order in which it passes.
    left: VecDeque<(Instant, UserId, u64)>,
    farewells: u64,
}

/// What is to be looked at.
pub(super) enum Item {
    /// A user came, or was forgotten.
    LookAt(UserId),
    /// The grace of a user has passed, whose farewell had this number.
    GraceOver(UserId, u64),
}

impl News {
    /// A user came, or was forgotten.
    pub(super) fn look_at(&self, user: UserId) {
        self.0.queue.lock().look_at.push_back(user);
        self.0.more.notify_one();
    }

    /// A user's last session was closed; the number of the farewell that begins.
    pub(super) fn left(&self, user: UserId, grace: Duration) -> u64 {
        let mut queue = self.0.queue.lock();
        queue.farewells += 1;
        let number = queue.farewells;
        queue.left.push_back((Instant::now() + grace, user, number));
        self.0.more.notify_one();
        number
    }

    async fn next(&self) -> Item {
        loop {
            let until = {
                let mut queue = self.0.queue.lock();
                if let Some(user) = queue.look_at.pop_front() {
                    return Item::LookAt(user);
                }
                let until = queue.left.front().map(|(until, ..)| *until);
                if until.is_some_and(|until| until <= Instant::now())
                    && let Some((_, user, number)) = queue.left.pop_front()
                {
                    return Item::GraceOver(user, number);
                }
                until
            };
            match until {
                // The time is over, or there is more: look again.
                Some(until) => drop(timeout_at(until, self.0.more.notified()).await),
                None => self.0.more.notified().await,
            }
        }
    }
}

/// Tells the news, until the hub is gone.
pub(super) async fn tell(hub: Weak<Hub>, news: News) {
    loop {
        let item = news.next().await;
        let Some(hub) = hub.upgrade() else { return };
        hub.tell(item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_forgotten_was_never_seen() {
        let seen = LastSeen::default();
        let user = |name| UserId::parse("user", name).expect("a name");
        seen.put(&user("apple"), Ts(1));
        seen.put(&user("banana"), Ts(2));
        seen.forget(&user("apple"));
        assert_eq!((seen.get(&user("apple")), seen.get(&user("banana"))), (None, Some(Ts(2))));
    }
}
