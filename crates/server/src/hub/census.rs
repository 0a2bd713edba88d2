use super::Hub;
use std::sync::atomic::Ordering::Relaxed;

/// Who is there, and what waits for them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Census {
    /// Users with a session.
    pub users: u64,
    /// Events that wait in all outboxes.
    pub waiting_events: u64,
    /// Their bytes; what many share counts for each.
    pub waiting_bytes: u64,
    /// Events that were put into an outbox until now, once for each.
    pub delivered: u64,
}

impl Hub {
    /// Counts. It looks at every session, a part of them at a time.
    pub fn census(&self) -> Census {
        let mut census = Census { delivered: self.delivered.load(Relaxed), ..Census::default() };
        for shard in &self.shards {
            for entry in shard.lock().values() {
                census.users += u64::from(!entry.sessions.is_empty());
                for session in &entry.sessions {
                    let (events, bytes) = session.waiting();
                    census.waiting_events += events as u64;
                    census.waiting_bytes += bytes as u64;
                }
            }
        }
        census
    }
}
