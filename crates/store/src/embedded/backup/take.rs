//! Taking a backup: from a snapshot of all tables, while the store goes on.
//!
//! It holds one frame in memory. The writers never wait for it; what a snapshot costs them is that rows which are replaced
//! meanwhile stay on disk until it ends.

use super::{BackupError, Head, Place, format::BackupWriter};
use crate::embedded::{
    changes::{self, Change, Kind},
    codec::Wrong,
    floors::{self, EXPIRY_KEY},
    head::decode_standing,
    layout::FORMAT,
    record,
    tables::{Kept, View},
};
use chinwag_model::{Epoch, Ts};
use std::{
    io::Write,
    time::{Duration, Instant},
};
use xxhash_rust::xxh3::Xxh3;

/// What a backup is to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// Everything.
    Beginning,
    /// What changed after a time.
    Time(Ts),
    /// What changed after an earlier backup, which reaches to this place.
    Backup(Place),
}

/// How far a backup is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackupProgress {
    /// Rows written.
    pub rows: u64,
    /// Rows that there will be, about; of an incremental one, the rows of the store, which are far more.
    pub total_estimate: u64,
    /// Bytes written.
    pub bytes: u64,
}

/// What a backup came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupReport {
    /// What it says of itself.
    pub head: Head,
    /// Its rows.
    pub rows: u64,
    /// Its bytes.
    pub bytes: u64,
}

/// Writes a backup of a snapshot, at most `bytes_a_second` where that is given.
pub(in crate::embedded) fn take(
    view: &View,
    epoch: Epoch,
    now: Ts,
    since: Since,
    bytes_a_second: Option<u64>,
    out: &mut dyn Write,
    progress: &mut dyn FnMut(BackupProgress),
) -> Result<BackupReport, BackupError> {
    let head = Head {
        store_format: FORMAT,
        newest: newest(view, epoch)?,
        base: base(view, epoch, since)?,
        taken: now,
        program: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let mut taking = Taking {
        writer: BackupWriter::begin(out, &head)?,
        progress: &mut *progress,
        rows: 0,
        total_estimate: view.rows_estimate(),
        pace: bytes_a_second.map(|bytes_a_second| Pace { start: Instant::now(), bytes_a_second }),
    };
    match head.base {
        None => taking.everything(view)?,
        Some(base) => taking.changed_since(view, base.ts)?,
    }
    let (rows, bytes) = (taking.rows, taking.writer.end()?);
    progress(BackupProgress { rows, total_estimate: rows, bytes });
    Ok(BackupReport { head, rows, bytes })
}

/// The store's latest change.
pub(in crate::embedded) fn newest(view: &View, epoch: Epoch) -> Result<Place, BackupError> {
    let Some(row) = view.changes().next_back() else { return Ok(Place { epoch, ts: Ts(0), digest: 0 }) };
    let (key, value) = row.into_inner().map_err(|error| engine(&error))?;
    Ok(Place { epoch, ts: changes::decode_key(&key).map_err(of_log)?, digest: digest(&key, &value) })
}

/// Of a row of the change log.
pub(super) fn digest(key: &[u8], value: &[u8]) -> u64 {
    let mut hasher = Xxh3::new();
    hasher.update(key);
    hasher.update(value);
    hasher.digest()
}

/// The last row of the change log that is not later than what is asked for: the backup goes on from there.
fn base(view: &View, epoch: Epoch, since: Since) -> Result<Option<Place>, BackupError> {
    let ts = match since {
        Since::Beginning => return Ok(None),
        Since::Time(ts) => ts,
        Since::Backup(place) if place.epoch != epoch => {
            return Err(refused(
                "that backup is of another store, or of this one before it was restored or history was imported",
            ));
        }
        Since::Backup(place) => place.ts,
    };
    let Some(row) = view.changes_upto(ts).next_back() else {
        return Err(refused("the change log no longer reaches back that far"));
    };
    let (key, value) = row.into_inner().map_err(|error| engine(&error))?;
    let base = Place { epoch, ts: changes::decode_key(&key).map_err(of_log)?, digest: digest(&key, &value) };
    match since {
        Since::Backup(place) if place.ts == base.ts && place.digest != base.digest => {
            Err(refused("this store went on in another way from there: that backup is of another copy of it"))
        }
        // The log's rows are let go of in order, so an older row is there only where this one never was.
        Since::Backup(place) if place.ts != base.ts => {
            Err(refused("this store knows nothing of that time: that backup is of another copy of it"))
        }
        _ => Ok(Some(base)),
    }
}

fn refused(why: &str) -> BackupError {
    BackupError::Refused(format!("{why}. Take a full backup, without --since"))
}

fn engine(error: &fjall::Error) -> BackupError {
    BackupError::Store(format!("the storage engine: {error}"))
}

fn of_log(wrong: Wrong) -> BackupError {
    BackupError::Store(format!("the change log: {wrong}"))
}

/// A backup that is being written.
struct Taking<'a, W> {
    writer: BackupWriter<W>,
    progress: &'a mut dyn FnMut(BackupProgress),
    rows: u64,
    total_estimate: u64,
    pace: Option<Pace>,
}

/// Holds a backup to so many bytes a second, so that it leaves the disk to the sends.
struct Pace {
    start: Instant,
    bytes_a_second: u64,
}

impl<W: Write> Taking<'_, W> {
    fn everything(&mut self, view: &View) -> Result<(), BackupError> {
        Kept::ALL.into_iter().try_for_each(|table| self.all(view, table))
    }

    fn all(&mut self, view: &View, table: Kept) -> Result<(), BackupError> {
        for row in view.rows(table) {
            let (key, value) = row.into_inner().map_err(|error| engine(&error))?;
            self.row(table, &key, &value)?;
        }
        Ok(())
    }

    /// The rows of the change log after a time, each after the rows that it names as they now stand. A row is written for
    /// the last of its changes only, so once. Then all blocks, which the log does not name: they are few and small, and take
    /// the place of those of the backup before.
    fn changed_since(&mut self, view: &View, since: Ts) -> Result<(), BackupError> {
        for row in view.changes_after(since) {
            let (key, value) = row.into_inner().map_err(|error| engine(&error))?;
            for change in changes::decode(&key, &value).map_err(of_log)? {
                self.changed(view, &change)?;
            }
            self.row(Kept::Changes, &key, &value)?;
        }
        self.all(view, Kept::Blocks)?;
        self.floors_since(view, since)
    }

    /// How far expiry has come, and where chats begin that were swept after a time. What a restore makes of it is what expired.
    fn floors_since(&mut self, view: &View, since: Ts) -> Result<(), BackupError> {
        for row in view.rows(Kept::Floors) {
            let (key, value) = row.into_inner().map_err(|error| engine(&error))?;
            let wrong = |wrong| BackupError::Store(format!("where chats begin: {wrong}"));
            if *key == *EXPIRY_KEY || floors::decode(&key, &value).map_err(wrong)?.written > since {
                self.row(Kept::Floors, &key, &value)?;
            }
        }
        Ok(())
    }

    fn changed(&mut self, view: &View, change: &Change) -> Result<(), BackupError> {
        let (table, key) = match change.kind {
            Kind::Message | Kind::Revised => (Kept::Messages, record::key(&change.chat, change.seq)),
            Kind::Marker(..) | Kind::Forgotten(_) => {
                (Kept::Markers, change.chat.as_str().as_bytes().to_vec())
            }
        };
        let Some(value) = view.get(table, &key).map_err(|error| engine(&error))? else { return Ok(()) };
        let changed = match change.kind {
            Kind::Message | Kind::Revised => {
                record::decode(Some(&change.chat), &key, &value).map(|message| message.changed())
            }
            Kind::Marker(..) | Kind::Forgotten(_) => {
                decode_standing(&key, &value).map(|standing| standing.moved())
            }
        };
        let changed =
            changed.map_err(|wrong| BackupError::Store(format!("chat {}: {wrong}", change.chat)))?;
        if changed == change.ts {
            self.row(table, &key, &value)?;
        }
        // What a revision does to the counts stands beside the markers.
        match change.kind {
            Kind::Revised => self.standing(view, change),
            Kind::Message | Kind::Marker(..) | Kind::Forgotten(_) => Ok(()),
        }
    }

    fn standing(&mut self, view: &View, change: &Change) -> Result<(), BackupError> {
        let key = change.chat.as_str().as_bytes();
        let Some(value) = view.get(Kept::Markers, key).map_err(|error| engine(&error))? else {
            return Ok(());
        };
        let standing = decode_standing(key, &value)
            .map_err(|wrong| BackupError::Store(format!("chat {}: {wrong}", change.chat)))?;
        if standing.moved() == change.ts { self.row(Kept::Markers, key, &value) } else { Ok(()) }
    }

    fn row(&mut self, table: Kept, key: &[u8], value: &[u8]) -> Result<(), BackupError> {
        self.rows += 1;
        if self.writer.row(table, key, value)? {
            let bytes = self.writer.bytes();
            (self.progress)(BackupProgress { rows: self.rows, total_estimate: self.total_estimate, bytes });
            if let Some(pace) = &self.pace {
                pace.wait(bytes);
            }
        }
        Ok(())
    }
}

impl Pace {
    fn wait(&self, bytes: u64) {
        let due = Duration::from_millis(bytes.saturating_mul(1_000) / self.bytes_a_second.max(1));
        if let Some(early) = due.checked_sub(self.start.elapsed()) {
            std::thread::sleep(early);
        }
    }
}
