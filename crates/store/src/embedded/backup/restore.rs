//! Restoring: a new store out of a backup and the incremental ones that go on from it.
//!
//! Every backup is read and verified before the directory is touched. Until the restored store has been verified too, its
//! file `FORMAT` says that it is being restored, and nobody opens it.

use super::{
    BackupError, Head,
    format::{BackupReader, Frame, Rows},
    take::digest,
    verify::{BackupCheck, check_backup},
};
use crate::embedded::{
    OpenError, Options,
    check::{CheckReport, check_view},
    layout::{FORMAT, FORMAT_1, Layout},
    migrate, rebuild,
    tables::{Kept, Tables},
    wipe,
};
use chinwag_model::Epoch;
use std::{
    fs::File,
    io::BufReader,
    path::{Path, PathBuf},
};

/// Bytes that a file is read in.
const READ_BYTES: usize = 1 << 20;
/// Rows of a batch.
const BATCH_ROWS: usize = 4_096;

/// What a restore came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreReport {
    /// The life of the store that was restored, which no feed knows yet.
    pub epoch: Epoch,
    /// What the last of the backups says of itself: the store is as it was then.
    pub head: Head,
    /// What the restored store holds.
    pub check: CheckReport,
}

/// Why nothing was restored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// A backup is not good.
    #[error("{}: {source}", path.display())]
    Backup {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        source: BackupError,
    },
    /// A backup does not go on from the one before it.
    #[error("{}: {why}", path.display())]
    Chain {
        /// Which.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// The directory can't take a store.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The storage engine can't write, or what it wrote is not a store.
    #[error("the store can't be restored: {0}")]
    Failed(String),
}

/// Restores a backup, and then those that go on from it, each from the one before, into the directory `data`, which is
/// empty or does not exist. `progress` is told how many bytes of how many were done; each is read twice.
///
/// # Errors
/// [`RestoreError`]; the directory is empty then, unless it can't be written.
pub fn restore(
    backups: &[PathBuf],
    data: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<RestoreReport, RestoreError> {
    let mut total = 0;
    for path in backups {
        total += 2 * std::fs::metadata(path).map_err(|source| of_backup(path)(source.into()))?.len();
    }
    let mut before: Option<Head> = None;
    let mut bytes = 0;
    for path in backups {
        let BackupCheck { head, bytes: these, .. } =
            check_backup(open(path)?, &mut |at| progress(bytes + at, total)).map_err(of_backup(path))?;
        check_chain(before.as_ref(), &head).map_err(of_chain(path))?;
        bytes += these;
        before = Some(head);
    }
    let head = before.ok_or_else(|| RestoreError::Failed("no backup was named".into()))?;
    let (layout, tables) = Layout::begin_restore(data, |db| Tables::open(db, &Options::default()))?;
    let restored = fill(backups, &tables, &head, &mut |done| progress(bytes + done, total));
    drop(tables);
    match restored {
        Ok(check) => {
            layout.finish()?;
            Ok(RestoreReport { epoch: layout.epoch(), head, check })
        }
        Err(error) => {
            layout.take_back()?;
            Err(error)
        }
    }
}

fn open(path: &Path) -> Result<BufReader<File>, RestoreError> {
    let file = File::open(path).map_err(|source| of_backup(path)(source.into()))?;
    Ok(BufReader::with_capacity(READ_BYTES, file))
}

fn of_backup(path: &Path) -> impl FnOnce(BackupError) -> RestoreError {
    let path = path.to_owned();
    |source| RestoreError::Backup { path, source }
}

fn of_chain(path: &Path) -> impl FnOnce(&str) -> RestoreError {
    let path = path.to_owned();
    |why| RestoreError::Chain { path, why: why.into() }
}

/// Whether a backup may follow another.
fn check_chain(before: Option<&Head>, head: &Head) -> Result<(), &'static str> {
    if head.store_format > FORMAT {
        return Err("it is of a store of a newer format; use the version that took it, or a later one");
    }
    match (before, head.base) {
        (None, Some(_)) => Err("it holds only what changed since an earlier backup; name that one before it"),
        (Some(_), None) => Err("it is a full backup and stands alone; name it alone, or first"),
        (Some(before), Some(_)) if before.newest.epoch != head.newest.epoch => {
            Err("it is of another store than the one before it, or of another life of that store")
        }
        (Some(before), Some(_)) if before.store_format != head.store_format => Err(
            "it is of another on-disk format than the one before it; it goes on from a backup taken after the upgrade",
        ),
        (Some(before), Some(base)) if base.ts > before.newest.ts => {
            Err("it goes on from a later time than the one before it reaches; one between them is missing")
        }
        (Some(before), Some(_)) if head.newest.ts < before.newest.ts => {
            Err("it is older than the one before it; name them in the order in which they were taken")
        }
        _ => Ok(()),
    }
}

/// Fills the tables, and verifies what they then hold.
fn fill(
    backups: &[PathBuf],
    tables: &Tables,
    last: &Head,
    progress: &mut dyn FnMut(u64),
) -> Result<CheckReport, RestoreError> {
    let mut done = 0;
    for path in backups {
        let (mut reader, head) = BackupReader::begin(open(path)?).map_err(of_backup(path))?;
        if let Some(base) = head.base {
            let key = base.ts.0.to_be_bytes();
            let row = tables.changes.get(key).map_err(|error| engine(&error))?;
            if row.is_none_or(|row| digest(&key, &row) != base.digest) {
                let why = "it goes on from a change that the one before it does not hold: they are of two copies of a store";
                return Err(of_chain(path)(why));
            }
            // It holds all that there were then.
            rebuild::empty(tables, &tables.blocks).map_err(|error| engine(&error))?;
        }
        while let Frame::Rows(table, rows) = reader.next().map_err(of_backup(path))? {
            put(tables, table, &rows).map_err(|error| engine(&error))?;
            progress(done + reader.at());
        }
        done += reader.at();
    }
    tables.sync().map_err(|error| engine(&error))?;
    if last.store_format == FORMAT_1 {
        migrate::all(Path::new("the restored store"), tables, FORMAT_1)?;
    } else {
        rebuild::inbox(tables).map_err(RestoreError::Failed)?;
    }
    tables.sync().map_err(|error| engine(&error))?;
    // What an earlier backup says and a later one takes back was written, and is not to be found in the directory.
    if backups.len() > 1 {
        wipe::wipe_now(tables).map_err(RestoreError::Failed)?;
    }
    let report = check_view(&tables.view(), &mut |_| {});
    if report.problems.is_empty() {
        Ok(report)
    } else {
        Err(RestoreError::Failed(report.problems.join("; ")))
    }
}

fn put(tables: &Tables, table: Kept, rows: &Rows) -> fjall::Result<()> {
    let keyspace = tables.kept(table);
    let mut batch = tables.loose_batch(BATCH_ROWS);
    for (key, value) in rows.iter().flatten() {
        batch.insert(keyspace, key, value);
    }
    batch.commit()
}

fn engine(error: &fjall::Error) -> RestoreError {
    RestoreError::Failed(format!("the storage engine: {error}"))
}
