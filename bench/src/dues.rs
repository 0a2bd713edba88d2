//! When each send of an open loop was to start, for those who wait for what it sends.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// When the load begins, is measured and ends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    pub(crate) start: Instant,
    pub(crate) measured_from: Instant,
    pub(crate) end: Instant,
}

/// The moments by the number of the send: 8 bytes each.
#[derive(Debug)]
pub(crate) struct Dues {
    window: OnceLock<Window>,
    /// Nanoseconds after the window's start, and one more: 0 is a send that is not measured.
    due: Vec<AtomicU64>,
}

impl Dues {
    /// Room for sends of the numbers below `count`; those above are not measured.
    pub(crate) fn new(count: usize) -> Self {
        Self { window: OnceLock::new(), due: (0..count).map(|_| AtomicU64::new(0)).collect() }
    }

    /// The load begins. There is one a value.
    pub(crate) fn begin(&self, window: Window) {
        self.window.set(window).expect("one load a value");
    }

    /// A send is about to go that was to start at `intended`.
    pub(crate) fn note(&self, number: u64, intended: Instant) {
        let Some(window) = self.window.get() else { return };
        if intended >= window.measured_from
            && let Some(due) = self.slot(number)
        {
            let after = intended.duration_since(window.start).as_nanos();
            due.store(u64::try_from(after).expect("a run of less than centuries") + 1, Ordering::Release);
        }
    }

    /// How long after its send was to start a message arrived, and whether it did within the measured time; `None` for
    /// what is not measured.
    pub(crate) fn arrived(&self, number: u64, at: Instant) -> Option<(Duration, bool)> {
        let window = self.window.get()?;
        let after = self.slot(number)?.load(Ordering::Acquire).checked_sub(1)?;
        let due = window.start + Duration::from_nanos(after);
        Some((at.saturating_duration_since(due), at <= window.end))
    }

    fn slot(&self, number: u64) -> Option<&AtomicU64> {
        self.due.get(usize::try_from(number).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_measured_counts_from_when_it_was_due() {
        let start = Instant::now();
        let after = |ms| start + Duration::from_millis(ms);
        let dues = Dues::new(3);
        dues.note(0, after(0));
        assert_eq!(dues.arrived(0, after(1)), None, "before the load");
        dues.begin(Window { start, measured_from: after(100), end: after(200) });
        for (number, due) in [(0, 99), (1, 100), (2, 150), (3, 150)] {
            dues.note(number, after(due));
        }
        assert_eq!(dues.arrived(0, after(120)), None, "the warm-up");
        assert_eq!(dues.arrived(1, after(107)), Some((Duration::from_millis(7), true)));
        assert_eq!(dues.arrived(2, after(201)), Some((Duration::from_millis(51), false)));
        assert_eq!(dues.arrived(3, after(160)), None, "beyond its room");
    }
}
