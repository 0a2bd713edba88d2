//! How much may wait for all sessions together, and how many users they may watch.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// What an event takes in an outbox besides its JSON, in bytes, about.
pub(super) const EVENT_BYTES: usize = 128;

/// The bounds over all sessions, and how much of each is taken.
#[derive(Debug)]
pub(super) struct Room {
    outboxes_max_bytes: usize,
    /// What waits in all outboxes. An event is written once for all who hear it, and counts for each.
    waiting_bytes: AtomicUsize,
    watches_max_users: usize,
    watches: AtomicUsize,
}

impl Room {
    pub(super) fn new(outboxes_max_bytes: usize, watches_max_users: usize) -> Self {
        Self {
            outboxes_max_bytes,
            waiting_bytes: AtomicUsize::new(0),
            watches_max_users,
            watches: AtomicUsize::new(0),
        }
    }

    /// An outbox that held `before` holds `now`.
    pub(super) fn moved(&self, before: usize, now: usize) {
        if now >= before {
            self.waiting_bytes.fetch_add(now - before, Relaxed);
        } else {
            self.waiting_bytes.fetch_sub(before - now, Relaxed);
        }
    }

    /// Whether more waits than may.
    pub(super) fn is_over(&self) -> bool {
        self.waiting_bytes.load(Relaxed) > self.outboxes_max_bytes
    }

    /// Of sessions and what waits for each, those to be closed: the ones for which the most waits, until an eighth of the
    /// room is free, so that it is not looked for at every event.
    pub(super) fn heaviest<T>(&self, mut sessions: Vec<(usize, T)>) -> Vec<T> {
        sessions.sort_unstable_by_key(|(bytes, _)| std::cmp::Reverse(*bytes));
        let aim = self.outboxes_max_bytes - self.outboxes_max_bytes / 8;
        let mut left = self.waiting_bytes.load(Relaxed);
        let too_much = sessions.into_iter().take_while(|(bytes, _)| {
            let over = left > aim;
            left = left.saturating_sub(*bytes);
            over
        });
        too_much.map(|(_, session)| session).collect()
    }

    /// Takes the places of so many users who are watched; whether there were as many.
    pub(super) fn watch(&self, users: usize) -> bool {
        let fits = |taken: usize| Some(taken + users).filter(|all| *all <= self.watches_max_users);
        self.watches.fetch_update(Relaxed, Relaxed, fits).is_ok()
    }

    /// Gives places back.
    pub(super) fn unwatch(&self, users: usize) {
        self.watches.fetch_sub(users, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_heaviest_go_first_and_no_more_than_must() {
        let room = Room::new(800, 0);
        let sessions = [300, 100, 350, 250];
        room.moved(0, sessions.iter().sum());
        assert!(room.is_over());
        assert_eq!(room.heaviest(sessions.map(|bytes| (bytes, bytes)).into()), [350]);
        room.moved(350, 0);
        assert!(!room.is_over());
    }

    #[test]
    fn who_is_watched_is_counted() {
        let room = Room::new(0, 5);
        assert!(room.watch(3) && room.watch(2) && room.watch(0));
        assert!(!room.watch(1));
        room.unwatch(3);
        assert!(room.watch(3) && !room.watch(1));
    }
}
