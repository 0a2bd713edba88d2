//! When a trouble that goes on is told again.

use parking_lot::Mutex;
use std::time::Duration;
use tokio::time::Instant;

/// It is told again only after this.
const TELL_AGAIN: Duration = Duration::from_secs(10);

/// When something was last told.
#[derive(Debug, Default)]
pub(super) struct Told(Mutex<Option<Instant>>);

impl Told {
    /// Whether it is time to tell it; if so, it counts as told.
    pub(super) fn may_tell(&self) -> bool {
        let now = Instant::now();
        let mut last = self.0.lock();
        let may = last.is_none_or(|last| now.duration_since(last) >= TELL_AGAIN);
        if may {
            *last = Some(now);
        }
        may
    }
}
