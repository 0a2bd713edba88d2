//! Backups: one consistent snapshot of a store in one file, or what changed since an earlier one.
//!
//! A backup holds the rows of the store as they are; what is derived from them is derived anew when it is restored. Reading
//! order: `format` (byte for byte), `take` (out of a store), `verify` (read without restoring), `restore` (into a new store).

mod format;
mod restore;
mod take;
mod verify;

pub use restore::{RestoreError, RestoreReport, restore};
pub use take::{BackupProgress, BackupReport, Since};
pub use verify::{BackupCheck, check_backup, head_of};

pub(super) use take::{newest, take};

use chinwag_model::{Epoch, Ts};
use std::{fmt, io, str::FromStr};

/// What a backup says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The on-disk format of the store that it was taken from.
    pub store_format: u32,
    /// The store's latest change: it holds everything up to there, and nothing later.
    pub newest: Place,
    /// The change that it goes on from; `None` of one that stands alone.
    pub base: Option<Place>,
    /// When it was taken.
    pub taken: Ts,
    /// The version of the program that took it.
    pub program: String,
}

/// A place in the change log of one life of a store, which no other store has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Which life of the store.
    pub epoch: Epoch,
    /// The time of the change; 0 in an empty store.
    pub ts: Ts,
    /// Of the change log's row: two copies of a store that went on apart have other rows of one time.
    pub digest: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{}-{:016x}", self.epoch.0, self.ts.0, self.digest)
    }
}

impl FromStr for Place {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "a place is an epoch, a time and a digest, as a backup's head gives them";
        let mut parts = text.split('-');
        let (Some(epoch), Some(ts), Some(digest), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(wrong);
        };
        let hex = |text: &str| u64::from_str_radix(text, 16).map_err(|_| wrong);
        Ok(Self { epoch: Epoch(hex(epoch)?), ts: Ts(ts.parse().map_err(|_| wrong)?), digest: hex(digest)? })
    }
}

/// Why a backup can't be taken, or is not good.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// It can't be read or written.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It is something else.
    #[error("this is not a backup of Chinwag")]
    NotABackup,
    /// A newer version of this program wrote it.
    #[error(
        "this backup has format {found}; this version knows formats up to {known}. Use the version that wrote it, or a later one"
    )]
    Newer {
        /// The format found.
        found: u32,
        /// The newest format that this program knows.
        known: u32,
    },
    /// It ends before its end.
    #[error("this backup is cut short: it ends after {at} bytes, and its end is missing")]
    CutShort {
        /// Bytes that there are.
        at: u64,
    },
    /// Its bytes are not what was written.
    #[error("this backup is damaged at byte {at}: {why}")]
    Damaged {
        /// Where the damaged part begins.
        at: u64,
        /// What is wrong.
        why: String,
    },
    /// What was asked for can't be given.
    #[error("{0}")]
    Refused(String),
    /// The store can't be read.
    #[error("the store can't be read: {0}")]
    Store(String),
}
