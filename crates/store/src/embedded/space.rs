//! The disk's free space, and the part of it that is never touched.

use crate::StoreError;
use std::path::{Path, PathBuf};

/// Watches over the reserve of free bytes on the disk of the data directory.
pub(super) struct Reserve {
    root: PathBuf,
    reserve_bytes: u64,
}

impl Reserve {
    /// Keeps `reserve_bytes` free on the disk of `root`; 0 keeps none.
    pub(super) fn new(root: PathBuf, reserve_bytes: u64) -> Self {
        Self { root, reserve_bytes }
    }

    /// Bytes that must stay free.
    pub(super) fn bytes(&self) -> u64 {
        self.reserve_bytes
    }

    /// Whether there is room above the reserve.
    ///
    /// # Errors
    /// [`StoreError::Full`], and [`StoreError::Unavailable`] where the system does not say.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        if self.reserve_bytes == 0 {
            return Ok(());
        }
        let free_bytes = self.free_bytes()?;
        if free_bytes < self.reserve_bytes {
            return Err(StoreError::Full { free_bytes, reserve_bytes: self.reserve_bytes });
        }
        Ok(())
    }

    /// Whether so many bytes more would leave the reserve as it is.
    pub(super) fn has_room(&self, bytes: u64) -> bool {
        self.free_bytes().is_ok_and(|free_bytes| free_bytes >= self.reserve_bytes.saturating_add(bytes))
    }

    fn free_bytes(&self) -> Result<u64, StoreError> {
        Ok(room(&self.root)?.free_bytes)
    }
}

/// How much room a disk has.
pub(super) struct Room {
    /// Bytes that this user may still take.
    pub(super) free_bytes: u64,
    pub(super) total_bytes: u64,
}

/// The room of the disk that a path lies on.
///
/// # Errors
/// [`StoreError::Unavailable`] where the system does not say.
pub(super) fn room(path: &Path) -> Result<Room, StoreError> {
    let disk = rustix::fs::statvfs(path)
        .map_err(|error| StoreError::Unavailable(format!("the free space can't be read: {error}")))?;
    let bytes = |blocks: u64| blocks.saturating_mul(disk.f_frsize);
    Ok(Room { free_bytes: bytes(disk.f_bavail), total_bytes: bytes(disk.f_blocks) })
}
