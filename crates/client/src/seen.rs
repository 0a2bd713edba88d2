//! Which events came before. Delivery is at least once, so that a feed may tell a thing twice.

use crate::Event;
use std::collections::{HashSet, VecDeque};

/// How many of the latest events are remembered. Repeats come close together: at the seam of a catch-up and what is
/// live, and after a reconnect.
const SEEN_MAX_EVENTS: usize = 512;

/// The latest events, by what tells repeats.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    keys: HashSet<Key>,
    order: VecDeque<Key>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Id(String),
    /// A message has these for ever; after a store was restored its id is another.
    Message {
        chat: String,
        seq: u64,
        ts: u64,
    },
}

impl Seen {
    /// Takes an event in, and says whether it is new. What has no id is always new.
    pub(crate) fn is_new(&mut self, event: &Event) -> bool {
        let Some(id) = event.id() else { return true };
        let is_new = self.insert(Key::Id(id.to_owned()));
        match event {
            Event::Message { message, .. } => {
                let message = Key::Message { chat: message.chat.clone(), seq: message.seq, ts: message.ts };
                self.insert(message) && is_new
            }
            _ => is_new,
        }
    }

    fn insert(&mut self, key: Key) -> bool {
        if !self.keys.insert(key.clone()) {
            return false;
        }
        self.order.push_back(key);
        if self.order.len() > 2 * SEEN_MAX_EVENTS
            && let Some(oldest) = self.order.pop_front()
        {
            self.keys.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(id: usize) -> Event {
        Event::Read { id: id.to_string(), chat: "a:b".into(), user: "a".into(), seq: 1, ts: 1 }
    }

    #[test]
    fn the_latest_are_known_and_the_memory_is_bounded() {
        let mut seen = Seen::default();
        for id in 0..10 * SEEN_MAX_EVENTS {
            assert!(seen.is_new(&read(id)));
            assert!(!seen.is_new(&read(id)));
            assert!(!seen.is_new(&read(id.saturating_sub(SEEN_MAX_EVENTS - 1))));
        }
        assert_eq!((seen.keys.len(), seen.order.len()), (2 * SEEN_MAX_EVENTS, 2 * SEEN_MAX_EVENTS));
        let typing = Event::Typing { chat: "a:b".into(), user: "a".into() };
        assert!(seen.is_new(&typing) && seen.is_new(&typing));
    }
}
