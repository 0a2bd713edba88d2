//! Lets go of the change log's old rows.

use super::{changes, tables::Tables};
use crate::clock::ClockWatch;
use chinwag_model::{Ts, limits::CHANGES_KEEP};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// How often old rows are looked for.
const EVERY: Duration = Duration::from_secs(10);
/// Most rows of one go: some milliseconds of work, more a second than can be written.
const GO_MAX_ROWS: usize = 32_768;

/// Removes rows older than a week, the newest row never: it holds the latest time that was given out; nor one that the
/// inbox rows are still to be derived from.
pub(super) struct Trim {
    watch: Arc<ClockWatch>,
    /// The time up to which the inbox rows show everything.
    derived: Arc<AtomicU64>,
    /// Rows before this are gone; to look for them again would mean to walk over their graves.
    gone_before: Ts,
    last_run: Duration,
}

impl Trim {
    pub(super) fn new(watch: Arc<ClockWatch>, derived: Arc<AtomicU64>) -> Self {
        Self { watch, derived, gone_before: Ts(0), last_run: Duration::ZERO }
    }

    /// Whether it is time to look again. Never while the clock is in doubt.
    pub(super) fn is_due(&mut self) -> bool {
        let now = self.watch.read().steady;
        let due = now >= self.last_run + EVERY && !self.watch.is_held();
        if due {
            self.last_run = now;
        }
        due
    }

    /// Removes what is too old, at most so much of it that sends don't notice.
    pub(super) fn run(&mut self, tables: &Tables) -> fjall::Result<()> {
        let keep_us = u64::try_from(CHANGES_KEEP.as_micros()).unwrap_or(u64::MAX);
        let old = self.watch.read().wall.0.saturating_sub(keep_us);
        let keep_from = Ts(old.min(self.derived.load(Relaxed) + 1));
        if keep_from <= self.gone_before {
            return Ok(());
        }
        let mut old = Vec::new();
        for row in tables
            .changes
            .range(self.gone_before.0.to_be_bytes()..keep_from.0.to_be_bytes())
            .take(GO_MAX_ROWS)
        {
            old.push(row.key()?);
        }
        if old.last().is_some_and(|last| tables.is_newest_change(last)) {
            old.pop();
        }
        let Some(last) = old.last().and_then(|key| changes::decode_key(key).ok()) else { return Ok(()) };
        let mut rows = tables.batch(old.len());
        for key in old {
            rows.remove(&tables.changes, key);
        }
        Tables::commit(rows)?;
        self.gone_before = Ts(last.0 + 1);
        Ok(())
    }
}
