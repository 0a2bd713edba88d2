//! Every wait of these tests ends here, and says what it waited for when it was in vain.

use std::time::{Duration, Instant};

/// How long anything may take that is no measurement.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Asks again and again until there is an answer.
///
/// # Panics
/// After [`PATIENCE`], with what was waited for and what `state` then says.
pub(crate) fn until<T>(what: &str, state: impl Fn() -> String, mut ask: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(begin.elapsed() < PATIENCE, "waited {PATIENCE:?} for {what}\n{}", state());
        // Another process's state gives no event to wait for; a pause this short leaves it the processor.
        std::thread::park_timeout(Duration::from_millis(5));
    }
}
