//! How many files the process may have open, and who may have how many of them: clients never take those of the store.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that are no connection's: the store's files, the listener's, an operator's, the runtime's.
const RESERVE_MAX: u64 = 1_024;
/// The same, where the system lets the process open few.
const RESERVE_MIN: u64 = 64;

/// What a process may have open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Descriptors {
    /// Most connections at once, as they were asked for, unless there are too few descriptors for them.
    pub connections_max: u32,
    /// Most files of the store that are kept open to be read again.
    pub store_files_max: usize,
}

impl Descriptors {
    /// Raises the limit of open files as far as the system lets this process, and shares them out; warns where there are too
    /// few for so many connections.
    pub fn raise(connections_max: u32) -> Self {
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
        if let Err(error) = raised {
            tracing::debug!(%error, "the limit of open files stays as it is");
        }
        // No limit at all is `None`.
        let limit = if raised.is_ok() { maximum } else { current };
        let shares = Self::share(limit.unwrap_or(u64::MAX), connections_max);
        if shares.connections_max < connections_max {
            tracing::warn!(
                limit,
                needed = u64::from(connections_max) + RESERVE_MAX,
                "the system lets this process open too few files for connections_max = {connections_max}: it takes {} \
                 connections at once; raise the limit (ulimit -n), or lower the setting",
                shares.connections_max
            );
        }
        shares
    }

    fn share(limit: u64, connections_max: u32) -> Self {
        let reserve = (limit / 4).clamp(RESERVE_MIN, RESERVE_MAX);
        // One connection more than there may be is taken before it waits for another to end.
        let left = u32::try_from(limit.saturating_sub(reserve + 1)).unwrap_or(u32::MAX);
        Self {
            connections_max: connections_max.min(left).max(1),
            store_files_max: usize::try_from(reserve / 2).unwrap_or(usize::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_never_take_the_stores_files() {
        let share = |limit, connections| {
            let shares = Descriptors::share(limit, connections);
            (shares.connections_max, shares.store_files_max)
        };
        assert_eq!(share(u64::MAX, 16_000), (16_000, 512));
        assert_eq!(share(20_000, 16_000), (16_000, 512));
        assert_eq!(share(17_025, 16_000), (16_000, 512));
        assert_eq!(share(17_024, 16_000), (15_999, 512));
        assert_eq!(share(1_024, 16_000), (767, 128));
        assert_eq!(share(1_024, 100), (100, 128));
        assert_eq!(share(256, 16_000), (191, 32));
        assert_eq!(share(64, 16_000), (1, 32));
    }
}
