//! A disk that is full, as far as a server with a reserve can tell.

use rustix::{
    fs::{FallocateFlags, fallocate, statvfs},
    io::Errno,
};
use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

/// How much the server may still write before its reserve is met.
const LEFT_MIB: u64 = 256;
/// How much the filler takes: that, and so much that nothing is left of it.
const FILLER_MIB: u64 = LEFT_MIB + 64;

/// A file that takes the disk's room down to the server's reserve, and gives it back.
pub(super) struct Filler {
    path: PathBuf,
}

impl Filler {
    /// One on the disk of this directory, and the reserve in MiB that the server is to have for it.
    ///
    /// # Errors
    /// Why a disk that is full can't be played there.
    pub(super) fn on(directory: &Path) -> Result<Self, String> {
        let filler = Self { path: directory.join("filler") };
        filler.fill().map_err(|error| format!("a file of {FILLER_MIB} MiB can't be had there: {error}"))?;
        filler.free().map_err(|error| error.to_string())?;
        Ok(filler)
    }

    /// The reserve that leaves the server a little of what is free now.
    pub(super) fn reserve_mib(&self) -> io::Result<u64> {
        let stat = statvfs(self.path.parent().unwrap_or(&self.path))?;
        Ok((stat.f_bavail.saturating_mul(stat.f_frsize) >> 20).saturating_sub(LEFT_MIB))
    }

    pub(super) fn fill(&self) -> Result<(), Errno> {
        let file =
            File::create(&self.path).map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
        let filled = fallocate(&file, FallocateFlags::empty(), 0, FILLER_MIB << 20);
        if filled.is_err() {
            drop(self.free());
        }
        filled
    }

    pub(super) fn free(&self) -> io::Result<()> {
        std::fs::remove_file(&self.path)
    }
}
