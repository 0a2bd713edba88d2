//! The disk's free space, and the part of it that is never touched.

use crate::StoreError;
use std::path::PathBuf;

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

    /// Whether there is room above the reserve.
    ///
    /// # Errors
    /// [`StoreError::Full`], and [`StoreError::Unavailable`] where the system does not say.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        if self.reserve_bytes == 0 {
            return Ok(());
        }
        let disk = rustix::fs::statvfs(&self.root)
            .map_err(|error| StoreError::Unavailable(format!("the free space can't be read: {error}")))?;
        let free_bytes = disk.f_bavail.saturating_mul(disk.f_frsize);
        if free_bytes < self.reserve_bytes {
            return Err(StoreError::Full { free_bytes, reserve_bytes: self.reserve_bytes });
        }
        Ok(())
    }
}
