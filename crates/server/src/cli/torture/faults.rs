//! What is done to the server, by chance and on and on: killed, stopped, stalled, and its disk filled.

use super::server::Server;
use crate::torture::{Random, Round};
use rustix::{
    fs::{FallocateFlags, fallocate, statvfs},
    io::Errno,
};
use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

/// How much the server may still write before its reserve is met.
const LEFT_MIB: u64 = 256;
/// How much the filler takes: that, and so much that nothing is left of it.
const FILLER_MIB: u64 = LEFT_MIB + 64;

/// How often each was done.
#[derive(Debug, Default)]
pub(super) struct Faults {
    pub(super) kills: u64,
    pub(super) stops: u64,
    pub(super) stalls: u64,
    pub(super) full: u64,
}

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

    fn fill(&self) -> Result<(), Errno> {
        let file =
            File::create(&self.path).map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
        let filled = fallocate(&file, FallocateFlags::empty(), 0, FILLER_MIB << 20);
        if filled.is_err() {
            drop(self.free());
        }
        filled
    }

    fn free(&self) -> io::Result<()> {
        std::fs::remove_file(&self.path)
    }
}

/// Does one after another until `time` is over.
pub(super) fn inflict(
    server: &mut Server,
    round: &Round,
    random: &mut Random,
    time: Duration,
) -> io::Result<Faults> {
    let (begin, mut faults) = (Instant::now(), Faults::default());
    let mut revoked = false;
    while begin.elapsed() < time {
        // The schedule of the faults is the torture itself.
        thread::sleep(Duration::from_millis(300 + random.below(3_000)));
        match (random.below(8), &server.filler) {
            (0, Some(filler)) => {
                filler.fill()?;
                thread::sleep(Duration::from_millis(500 + random.below(1_500)));
                filler.free()?;
                faults.full += 1;
            }
            (0 | 1, _) => {
                server.stalled(Duration::from_millis(200 + random.below(2_000)))?;
                faults.stalls += 1;
            }
            (2 | 3, _) => {
                server.stop()?;
                server.start_again()?;
                faults.stops += 1;
            }
            _ => {
                server.kill()?;
                server.start_again()?;
                faults.kills += 1;
            }
        }
        if !revoked && begin.elapsed() > time / 3 {
            round.revoke(|key| server.revoke(key))?;
            revoked = true;
        }
    }
    Ok(faults)
}
