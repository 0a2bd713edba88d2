//! Getting rows that were overwritten or removed out of the engine's files: journals and tables alike.
//!
//! An overwritten row lives on in three places: in the journal, until all that the journal holds is in tables and it is
//! removed; in a table deeper down, until a compaction brings the two rows together; and in that table's file, until no
//! snapshot needs it. So a scrub makes the engine begin a new journal, writes out what is in memory, merges each level of
//! the messages into the next, and then looks at the directory: it is done when no file that could hold the row is there.
//!
//! It goes level by level, each merge beside the engine's own, rather than by the engine's `major_compact`, which shuts all
//! other compactions out while it runs: under load the newest level fills up meanwhile, and sends would stand still.

use super::tables::Tables;
use fjall::{AbstractTree, Keyspace};
use lsm_tree::compaction::PullDown;
use std::{collections::BTreeSet, fs, io, path::Path, sync::Arc, time::Duration};

/// The key that fills the journal.
const PAD_KEY: &[u8] = b"\0pad";
/// Bytes of one row that fills it. Each is synced by itself, so that a send never waits for more than one.
const PAD_BYTES: usize = 4 << 20;
/// Rows between two looks at whether the engine has begun a new journal, which it does past 64 MB.
const PAD_ROWS: usize = 2;
/// Past so many looks something else is wrong.
const PAD_LOOKS_MAX: usize = 32;
/// Left to the sends between two rows.
const PAD_PAUSE: Duration = Duration::from_millis(2);
/// How often a flush is looked after.
const FLUSH_EVERY: Duration = Duration::from_millis(5);
/// How often, and how many times, it is looked whether the engine merges nothing by itself.
const MOMENT_EVERY: Duration = Duration::from_millis(1);
const MOMENT_LOOKS_MAX: u32 = 10_000;
/// The engine's levels, from the newest to the last.
const LEVELS: u8 = 7;

/// A scrub on its way. What was written before [`Scrub::begin`] is gone from the files after it, unless it still stands.
pub(super) struct Scrub {
    /// The engine's count of writes at the beginning.
    seqno: u64,
    /// The newest journal then.
    journal: u64,
    looks: usize,
    phase: Phase,
}

enum Phase {
    Journals,
    Snapshots,
    /// The next level to merge, and the files that there were before the first.
    Merge(u8, BTreeSet<u64>),
    Files(BTreeSet<u64>),
}

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// There is more to do.
    More,
    /// It must wait for something, and then be asked again.
    Waits(&'static str),
    /// Nothing is left.
    Done,
}

impl Scrub {
    /// Begins with what is written now.
    pub(super) fn begin(tables: &Tables) -> io::Result<Self> {
        let journal = journals(tables.dir())?.last().copied().unwrap_or(0);
        Ok(Self { seqno: tables.seqno(), journal, looks: 0, phase: Phase::Journals })
    }

    /// Does one step. `goes_on` says whether it may go on; `has_room` whether the disk has room for as many bytes more.
    pub(super) fn step(
        &mut self,
        tables: &Tables,
        goes_on: &dyn Fn() -> bool,
        has_room: &dyn Fn(u64) -> bool,
    ) -> fjall::Result<Step> {
        match &mut self.phase {
            Phase::Journals => self.journals(tables, goes_on),
            Phase::Snapshots => {
                if tables.forgets_before() >= self.seqno {
                    self.phase = Phase::Merge(0, files(&tables.messages)?);
                    return Ok(Step::More);
                }
                tables.refresh(goes_on)?;
                Ok(Step::Waits("a backup, check or export that is going on still sees it"))
            }
            Phase::Merge(level, before) => {
                if *level + 1 == LEVELS {
                    self.phase = Phase::Files(std::mem::take(before));
                    return Ok(Step::More);
                }
                if !has_room(tables.messages.tree.disk_space()) {
                    return Ok(Step::Waits("the disk has no room to write the messages anew"));
                }
                tables.wait_for_engine(goes_on);
                if !merge(&tables.messages, *level, tables.forgets_before())? {
                    return Ok(Step::Waits("the engine works on the same files"));
                }
                *level += 1;
                Ok(Step::More)
            }
            Phase::Files(before) => {
                tables.refresh(goes_on)?;
                if !files(&tables.messages)?.is_disjoint(before) {
                    return Ok(Step::Waits(
                        "a backup, check or export that is going on still reads its file",
                    ));
                }
                // The names too must be gone for good before anyone relies on it.
                sync(tables.dir())?;
                sync(&table_files(&tables.messages))?;
                Ok(Step::Done)
            }
        }
    }

    fn journals(&mut self, tables: &Tables, goes_on: &dyn Fn() -> bool) -> fjall::Result<Step> {
        let there = journals(tables.dir())?;
        if there.last().is_some_and(|&newest| newest <= self.journal) {
            self.looks += 1;
            if self.looks > PAD_LOOKS_MAX {
                self.looks = 0;
                return Ok(Step::Waits("the engine does not begin a new journal"));
            }
            tables.pad(goes_on)?;
            return Ok(Step::More);
        }
        if there.first().is_some_and(|&oldest| oldest <= self.journal) {
            for table in tables.all() {
                tables.write_out(table, goes_on)?;
            }
            if journals(tables.dir())?.first().is_some_and(|&oldest| oldest <= self.journal) {
                tables.refresh(goes_on)?;
                return Ok(Step::Waits("the engine keeps an old journal"));
            }
        }
        // The journal may have gone by itself, with what was in memory still there.
        tables.write_out(&tables.messages, goes_on)?;
        self.phase = Phase::Snapshots;
        Ok(Step::More)
    }
}

impl Tables {
    /// The engine's count of writes.
    fn seqno(&self) -> u64 {
        self.db.supervisor.seqno.get()
    }

    /// The count below which the engine keeps no row that was overwritten: no snapshot can see it.
    fn forgets_before(&self) -> u64 {
        self.db.supervisor.snapshot_tracker.get_seqno_safe_to_gc()
    }

    /// Fills the journal a little. Each row takes the place of the one before, so next to nothing of it stays.
    fn pad(&self, goes_on: &dyn Fn() -> bool) -> fjall::Result<()> {
        let filler = bytes::Bytes::from(vec![0xAA; PAD_BYTES]);
        for _ in 0..PAD_ROWS {
            if !goes_on() {
                return Ok(());
            }
            let mut batch = self.batch(1);
            batch.insert(&self.upkeep, PAD_KEY, filler.clone());
            Self::commit(batch)?;
            std::thread::sleep(PAD_PAUSE);
        }
        self.refresh(goes_on)
    }

    /// Lets the engine see which snapshots there are, which it does when it writes out a table.
    fn refresh(&self, goes_on: &dyn Fn() -> bool) -> fjall::Result<()> {
        let mut batch = self.batch(1);
        batch.insert(&self.upkeep, PAD_KEY, &b""[..]);
        Self::commit(batch)?;
        self.write_out(&self.upkeep, goes_on)
    }

    /// Waits for a moment at which the engine merges nothing by itself, but not for ever.
    fn wait_for_engine(&self, goes_on: &dyn Fn() -> bool) {
        for _ in 0..MOMENT_LOOKS_MAX {
            if self.db.active_compactions() == 0 || !goes_on() {
                return;
            }
            std::thread::sleep(MOMENT_EVERY);
        }
    }

    /// Writes out what a table has in memory, and waits for it.
    fn write_out(&self, table: &Keyspace, goes_on: &dyn Fn() -> bool) -> fjall::Result<()> {
        table.rotate_memtable()?;
        while table.sealed_memtable_count() > 0 && goes_on() {
            // Where the engine's own threads have failed it would never end.
            self.ask()?;
            std::thread::sleep(FLUSH_EVERY);
        }
        Ok(())
    }
}

/// Merges a level into the next one, which is right beneath it, so that no row ever passes an older one. Whether it was
/// done; else the engine was at work on the same files.
fn merge(table: &Keyspace, level: u8, forgets_before: u64) -> fjall::Result<bool> {
    let last = level + 2 == LEVELS;
    let tables_of = |level: u8| {
        let version = table.tree.current_version();
        let ids =
            version.level(level.into()).map(|level| level.list_ids().into_iter().collect::<BTreeSet<u64>>());
        ids.unwrap_or_default()
    };
    let mut before = tables_of(level);
    if last {
        before.extend(tables_of(level + 1));
    }
    if before.is_empty() {
        return Ok(true);
    }
    table.tree.compact(Arc::new(PullDown(level, level + 1)), forgets_before)?;
    let mut after = tables_of(level);
    if last {
        after.extend(tables_of(level + 1));
    }
    Ok(before.is_disjoint(&after))
}

/// The numbers of the journals in the engine's directory, in order.
fn journals(db: &Path) -> io::Result<BTreeSet<u64>> {
    numbered(db, ".jnl")
}

/// The numbers of a table's files.
fn files(table: &Keyspace) -> io::Result<BTreeSet<u64>> {
    numbered(&table_files(table), "")
}

fn table_files(table: &Keyspace) -> std::path::PathBuf {
    table.path().join("tables")
}

fn numbered(dir: &Path, suffix: &str) -> io::Result<BTreeSet<u64>> {
    let mut numbers = BTreeSet::new();
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(suffix)?.parse::<u64>().ok());
        numbers.extend(number);
    }
    Ok(numbers)
}

fn sync(dir: &Path) -> io::Result<()> {
    fs::File::open(dir)?.sync_all()
}
