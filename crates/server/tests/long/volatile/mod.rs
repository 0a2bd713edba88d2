//! A disk of a test's own, mounted by FUSE, that loses what was not synced when its power is cut, and fails as it is told.

mod face;
mod image;

use crate::random::{Random, full};
use fuser::{BackgroundSession, Config, Errno, MountOption};
use image::{Image, Lost};
use parking_lot::Mutex;
use std::{
    path::{Path, PathBuf},
    sync::{Arc, Condvar, PoisonError},
    time::Duration,
};

/// How the disk misbehaves. The calls are those that change or sync something.
#[derive(Debug, Default, Clone)]
pub(crate) struct Faults {
    /// The power goes at this call, counted from now.
    pub(crate) cut_at: Option<u64>,
    /// This call, counted from now, fails with an I/O error.
    pub(crate) fail_at: Option<u64>,
    /// Syncs do nothing, and say that they did.
    pub(crate) lying: bool,
    /// Nothing may be changed.
    pub(crate) read_only: bool,
    /// How long a sync takes.
    pub(crate) sync_takes: Duration,
    /// Bytes that fit, at most.
    pub(crate) capacity: Option<u64>,
}

/// The disk, mounted or not.
pub(crate) struct Disk {
    state: Arc<State>,
    mounted: Option<BackgroundSession>,
    directory: tempfile::TempDir,
}

struct State {
    inner: Mutex<Inner>,
    /// Whether the power has gone.
    dead: std::sync::Mutex<bool>,
    died: Condvar,
}

struct Inner {
    image: Image,
    faults: Faults,
    calls: u64,
    failed: Option<String>,
    dead: bool,
}

impl Disk {
    /// Mounts an empty disk; `None`, in words, where this machine can't.
    pub(crate) fn mount(test: &str) -> Option<Self> {
        if !can_mount() {
            assert!(!full(), "only root can mount the disk of {test}, and only with /dev/fuse");
            println!("{test}: NOT RUN: only root can mount its disk, and only with /dev/fuse");
            return None;
        }
        let inner =
            Inner { image: Image::new(), faults: Faults::default(), calls: 0, failed: None, dead: false };
        let state =
            State { inner: Mutex::new(inner), dead: std::sync::Mutex::new(false), died: Condvar::new() };
        let directory = tempfile::tempdir().expect("a directory");
        let mut disk = Self { state: Arc::new(state), mounted: None, directory };
        disk.attach();
        Some(disk)
    }

    /// Where the server's data goes.
    pub(crate) fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// From now on it misbehaves so. Counts begin anew.
    pub(crate) fn set(&self, faults: Faults) {
        let mut inner = self.state.inner.lock();
        (inner.faults, inner.calls, inner.failed) = (faults, 0, None);
    }

    /// What failed, if anything has.
    pub(crate) fn failed(&self) -> Option<String> {
        self.state.inner.lock().failed.clone()
    }

    /// Waits until the power has gone, at most so long. Whether it has.
    pub(crate) fn await_cut(&self, patience: Duration) -> bool {
        let dead = self.state.dead.lock().unwrap_or_else(PoisonError::into_inner);
        let (dead, _) = self
            .state
            .died
            .wait_timeout_while(dead, patience, |dead| !*dead)
            .unwrap_or_else(PoisonError::into_inner);
        *dead
    }

    /// The power is gone from here on, if it was not: nothing more reaches the disk.
    pub(crate) fn cut_now(&self) {
        self.state.die(&mut self.state.inner.lock());
    }

    /// What had not been synced is lost, and the power comes back. Nobody may use the disk.
    pub(crate) fn revive(&mut self, random: &mut Random) -> Lost {
        self.detach();
        let lost = {
            let mut inner = self.state.inner.lock();
            (inner.dead, inner.faults) = (false, Faults::default());
            inner.image.cut(random)
        };
        *self.state.dead.lock().unwrap_or_else(PoisonError::into_inner) = false;
        self.attach();
        lost
    }

    /// Unmounts and mounts, so that nothing is remembered by the system.
    pub(crate) fn remount(&mut self) {
        self.detach();
        self.state.inner.lock().image.forget_nameless();
        self.attach();
    }

    fn attach(&mut self) {
        let mut config = Config::default();
        config.mount_options = vec![MountOption::FSName("volatile".into()), MountOption::NoAtime];
        // One may sleep while others go on.
        config.n_threads = Some(3);
        let face = face::Face(self.state.clone());
        let mounted = fuser::spawn_mount(face, self.directory.path(), &config);
        self.mounted = Some(mounted.expect("root may mount"));
    }

    fn detach(&mut self) {
        if let Some(mounted) = self.mounted.take() {
            mounted.umount_and_join().expect("nobody uses the disk");
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Some(mounted) = self.mounted.take() {
            // A test that failed may have left a server on it.
            let _ = std::process::Command::new("umount").arg("-l").arg(self.directory.path()).status();
            drop(mounted);
        }
    }
}

/// Whether this machine and this user can mount such a disk.
pub(crate) fn can_mount() -> bool {
    rustix::process::getuid().is_root() && Path::new("/dev/fuse").exists()
}

impl State {
    fn die(&self, inner: &mut Inner) {
        inner.dead = true;
        *self.dead.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.died.notify_all();
    }

    /// Counts a call that changes or syncs something, and fails it if it is to fail.
    fn meet(&self, inner: &mut Inner, what: &str, syncs: bool) -> Result<(), Errno> {
        if inner.dead {
            return Err(Errno::EIO);
        }
        inner.calls += 1;
        if inner.faults.cut_at == Some(inner.calls) {
            self.die(inner);
            return Err(Errno::EIO);
        }
        if inner.faults.fail_at == Some(inner.calls) {
            inner.failed = Some(format!("call {}, {what}", inner.calls));
            return Err(Errno::EIO);
        }
        if inner.faults.read_only && !syncs {
            return Err(Errno::EROFS);
        }
        Ok(())
    }
}
