//! How long sessions may last: until their token's end, or until their key is revoked.
//!
//! The times are the clock's that was passed in, and looked at once a second while any session has one: so a step of the
//! wall clock counts, and a test moves time.

use super::{Close, Hub, outbox::Outbox};
use chinwag_model::{Caller, KeyId, Ts};
use parking_lot::Mutex;
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{sync::Notify, time::sleep};

/// How often it is looked which sessions are over.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The time of what has no end.
const NEVER: u64 = u64::MAX;

/// Who a session belongs to, and until when; both are [`Caller::Anyone`]'s and for ever in an open server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// On whose behalf.
    pub caller: Caller,
    /// The end of what proves it; `None` for what ends only when it is revoked.
    pub until: Option<Ts>,
}

impl Identity {
    /// Of an open server.
    pub const ANYONE: Self = Self { caller: Caller::Anyone, until: None };
}

/// A session's lease, which may be renewed.
#[derive(Debug)]
pub struct Lease {
    leases: Arc<Leases>,
    number: u64,
    caller: Caller,
    until_us: AtomicU64,
    over: AtomicBool,
}

/// Every lease of a node.
#[derive(Debug, Default)]
pub(super) struct Leases {
    table: Mutex<Table>,
    any: Notify,
}

#[derive(Debug, Default)]
struct Table {
    last: u64,
    held: HashMap<u64, Held>,
    /// Keys that were revoked since the start. Whoever was let in a moment before must not come in after.
    revoked: HashSet<KeyId>,
    /// By the end of each, in microseconds, and its number.
    ends: BTreeSet<(u64, u64)>,
}

#[derive(Debug)]
struct Held {
    lease: Weak<Lease>,
    outbox: Weak<Outbox>,
}

impl Held {
    fn end(&self, why: Close) {
        if let Some(lease) = self.lease.upgrade() {
            lease.over.store(true, Relaxed);
        }
        if let Some(outbox) = self.outbox.upgrade() {
            outbox.close(why);
        }
    }
}

impl Leases {
    /// Gives a session a lease; `None` where nothing could ever end it.
    pub(super) fn give(self: &Arc<Self>, identity: Identity, outbox: &Arc<Outbox>) -> Option<Arc<Lease>> {
        let Identity { caller, until } = identity;
        if caller == Caller::Anyone {
            return None;
        }
        let until_us = until.map_or(NEVER, |ts| ts.0);
        let mut table = self.table.lock();
        let is_revoked = matches!(&caller, Caller::Key { id, .. } if table.revoked.contains(id));
        table.last += 1;
        let number = table.last;
        let lease = Arc::new(Lease {
            leases: self.clone(),
            number,
            caller,
            until_us: AtomicU64::new(until_us),
            over: AtomicBool::new(is_revoked),
        });
        if is_revoked {
            outbox.close(Close::Revoked);
        }
        table.ends.insert((until_us, number));
        let held = Held { lease: Arc::downgrade(&lease), outbox: Arc::downgrade(outbox) };
        table.held.insert(number, held);
        self.any.notify_one();
        Some(lease)
    }

    /// Ends the sessions of a key.
    pub(super) fn revoke(&self, key: &KeyId) {
        let all = |table: &Table| {
            let held = table.held.values();
            held.filter_map(|held| Some((held.lease.upgrade()?, held.outbox.clone()))).collect::<Vec<_>>()
        };
        // A lease that is dropped takes itself off the table: not while that is locked.
        let held = {
            let mut table = self.table.lock();
            table.revoked.insert(key.clone());
            all(&table)
        };
        for (lease, outbox) in held {
            if matches!(&lease.caller, Caller::Key { id, .. } if id == key) {
                Held { lease: Arc::downgrade(&lease), outbox }.end(Close::Revoked);
            }
        }
    }

    fn end_those_over(&self, now: Ts) {
        let mut over = Vec::new();
        let mut table = self.table.lock();
        while let Some(&(until_us, number)) = table.ends.first()
            && until_us <= now.0
        {
            table.ends.pop_first();
            over.extend(table.held.remove(&number));
        }
        drop(table);
        for held in over {
            held.end(Close::Expired);
        }
    }

    fn is_empty(&self) -> bool {
        self.table.lock().ends.is_empty()
    }
}

impl Lease {
    /// On whose behalf the session is.
    pub(crate) fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Whether it has not ended.
    pub(crate) fn is_live(&self, now: Ts) -> bool {
        !self.over.load(Relaxed) && now.0 < self.until_us.load(Relaxed)
    }

    /// Moves its end; whether it had not ended before.
    pub fn renew(&self, until: Option<Ts>) -> bool {
        let until_us = until.map_or(NEVER, |ts| ts.0);
        let mut table = self.leases.table.lock();
        let before = (self.until_us.load(Relaxed), self.number);
        if !table.ends.remove(&before) {
            return false;
        }
        table.ends.insert((until_us, self.number));
        self.until_us.store(until_us, Relaxed);
        true
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut table = self.leases.table.lock();
        table.ends.remove(&(self.until_us.load(Relaxed), self.number));
        table.held.remove(&self.number);
    }
}

/// Ends the sessions whose time is over, until the hub is gone.
pub(super) async fn expire(hub: Weak<Hub>, leases: Arc<Leases>) {
    loop {
        if leases.is_empty() {
            leases.any.notified().await;
        }
        sleep(LOOK_EVERY).await;
        let Some(hub) = hub.upgrade() else { return };
        leases.end_those_over(hub.clock.read().wall);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::room::Room;
    use chinwag_model::Scope;
    use std::{future::poll_fn, task::Poll};

    fn key(id: &str) -> Identity {
        let id = KeyId::parse(id).expect("an id");
        Identity { caller: Caller::Key { id, scope: Scope::Act }, until: None }
    }

    /// Who was found good a moment before the key was revoked gets no session that nothing ends.
    #[tokio::test]
    async fn a_key_that_was_revoked_meanwhile_opens_nothing_that_lasts() {
        let leases = Arc::<Leases>::default();
        leases.revoke(&KeyId::parse("k1").expect("an id"));
        for (id, is_live) in [("k1", false), ("k2", true)] {
            let outbox = Arc::new(Outbox::new(Vec::new(), false, Arc::new(Room::new(1_000, 0))));
            let lease = leases.give(key(id), &outbox).expect("a key's");
            assert_eq!(lease.is_live(Ts(0)), is_live, "{id}");
            let closed = poll_fn(|cx| Poll::Ready(outbox.poll_closed(cx))).await;
            assert_eq!(closed == Poll::Ready(Close::Revoked), !is_live, "{id}");
        }
    }
}
