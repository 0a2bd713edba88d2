//! A client that was told to come back later, and comes at once, again and again: its connection is left unread for a while.
//!
//! To refuse a request costs nearly as much as to serve it, since most of the cost is that of HTTP. So a server that is
//! offered three times what it can do would have little left for those whom it takes on. A connection on which two requests
//! in a row were refused is therefore read again only when the time is over that its client was told each time. What lies
//! there by then is hasty, and what is hasty mostly refused.

use parking_lot::Mutex;
use std::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Duration,
};
use tokio::time::Instant;

/// So many refusals in a row say that a client does not wait.
const IN_A_ROW: u32 = 2;
/// For so long it is left unread then: what `Retry-After` says at least.
const LASTS: Duration = Duration::from_secs(1);

/// For how long a connection is left unread.
#[derive(Debug, Default)]
pub(super) struct Hold {
    /// Whether it is, as a look that costs nothing.
    holds: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// How many requests in a row were refused.
    in_a_row: u32,
    until: Option<Instant>,
}

impl Hold {
    /// A request was answered otherwise.
    pub(super) fn served(&self) {
        self.state.lock().in_a_row = 0;
    }

    /// A request was refused because too many were there.
    pub(super) fn turned_away(&self, now: Instant) {
        let mut state = self.state.lock();
        state.in_a_row = state.in_a_row.saturating_add(1);
        if state.in_a_row >= IN_A_ROW {
            state.until = Some(now + LASTS);
            self.holds.store(true, Relaxed);
        }
    }

    /// Until when the connection is not to be read, where it is not.
    pub(super) fn until(&self) -> Option<Instant> {
        if self.holds.load(Relaxed) { self.state.lock().until } else { None }
    }

    /// It is read again.
    pub(super) fn end(&self) {
        self.state.lock().until = None;
        self.holds.store(false, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_begins_with_the_second_refusal_in_a_row_and_ends_with_the_first_that_is_served() {
        let hold = Hold::default();
        let now = Instant::now();
        let refused = || {
            hold.turned_away(now);
            let lasts = hold.until().map(|until| until - now);
            hold.end();
            assert_eq!(hold.until(), None);
            lasts
        };
        for lasts in [None, Some(LASTS), Some(LASTS)] {
            assert_eq!(refused(), lasts);
        }
        hold.served();
        assert_eq!(refused(), None, "one refusal alone holds nobody");
        assert_eq!(refused(), Some(LASTS));
    }
}
