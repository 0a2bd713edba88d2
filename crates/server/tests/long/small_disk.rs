//! A small file system of a test's own, in memory, that nothing else sees and that goes with the test.

use crate::random::full;
use rustix::fs::{FallocateFlags, fallocate, statvfs};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

/// Set in the process that has mounts of its own.
const INSIDE: &str = "CHINWAG_TEST_INSIDE";

/// A mounted file system.
pub(crate) struct SmallDisk {
    directory: PathBuf,
}

/// Runs `body` on a file system of `size_mib`. `test` is the whole name of the calling test, which is run once more in a mount
/// namespace of its own: however it ends, the mount ends with it.
pub(crate) fn on_small_disk(test: &str, size_mib: u64, body: impl FnOnce(&SmallDisk)) {
    if !rustix::process::getuid().is_root() {
        assert!(!full(), "only root can mount the small disk of {test}");
        println!("{test}: NOT RUN: only root can mount its small disk");
        return;
    }
    if std::env::var_os(INSIDE).is_some_and(|inside| inside == test) {
        let directory = tempfile::tempdir().expect("a directory");
        let disk = SmallDisk { directory: directory.path().to_owned() };
        mount(&["-t", "tmpfs", "-o", &format!("size={size_mib}m"), "tmpfs"], &disk.directory);
        body(&disk);
        let unmounted = Command::new("umount").arg(&disk.directory).status();
        assert!(unmounted.is_ok_and(|status| status.success()), "the small disk is not in use any more");
        return;
    }
    let itself = std::env::current_exe().expect("this test's executable");
    let status = Command::new("unshare")
        .args(["--mount", "--propagation", "private"])
        .arg(itself)
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(INSIDE, test)
        .status()
        .expect("unshare, of util-linux");
    assert!(status.success(), "{test}, in mounts of its own: {status}");
}

impl SmallDisk {
    /// Where the server's data goes.
    pub(crate) fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    /// Bytes free.
    pub(crate) fn free_bytes(&self) -> u64 {
        let stat = statvfs(&self.directory).expect("a mounted file system");
        stat.f_bavail * stat.f_frsize
    }

    /// Fills it until so much is free.
    pub(crate) fn fill_to(&self, free_mib: u64) {
        let filler = File::create(self.filler()).expect("a file of ours");
        let bytes = self.free_bytes().checked_sub(free_mib << 20).expect("more is free now");
        fallocate(&filler, FallocateFlags::empty(), 0, bytes).expect("room");
    }

    /// Frees what was filled.
    pub(crate) fn free(&self) {
        fs::remove_file(self.filler()).expect("a file of ours");
    }

    /// Gives it another size.
    pub(crate) fn resize(&self, size_mib: u64) {
        mount(&["-o", &format!("remount,size={size_mib}m")], &self.directory);
    }

    fn filler(&self) -> PathBuf {
        self.directory.join("filler")
    }
}

fn mount(arguments: &[&str], directory: &Path) {
    let mounted = Command::new("mount").args(arguments).arg(directory).status();
    assert!(mounted.is_ok_and(|status| status.success()), "mount {arguments:?} {}", directory.display());
}
