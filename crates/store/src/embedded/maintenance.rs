//! What an operator does with a store that a server has open: a backup, a check. Each looks at one moment of it.

use super::{
    EmbeddedStore, OpenError, Options,
    backup::{self, BackupError, BackupProgress, BackupReport, Since},
    check::{CheckProgress, CheckReport, check_view},
    layout::Layout,
    migrate,
    tables::Tables,
    wipe,
};
use crate::clock::ClockWatch;
use chinwag_model::{Clock, Epoch, Ts};
use std::{io::Write, path::Path, sync::Arc};

/// A handle for the operator's verbs, which block, and may take long. It keeps the engine open, but not the store.
#[derive(Clone)]
pub struct Maintenance {
    pub(super) tables: Tables,
    pub(super) epoch: Epoch,
    watch: Arc<ClockWatch>,
    /// The lock of a directory that no server has open.
    _layout: Option<Arc<Layout>>,
}

impl EmbeddedStore {
    /// A handle for the operator's verbs.
    pub fn maintenance(&self) -> Maintenance {
        let inner = &self.inner;
        Maintenance {
            tables: inner.tables.clone(),
            epoch: inner.layout.epoch(),
            watch: inner.watch.clone(),
            _layout: None,
        }
    }
}

impl Maintenance {
    /// Opens an existing store that no server has open. One of an older format is migrated first.
    ///
    /// # Errors
    /// [`OpenError`], [`OpenError::Locked`] where a server has it.
    pub fn open(data: &Path, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let (layout, tables) = Layout::open_existing(
            data,
            |db| Tables::open(db, &Options::default()),
            |tables, format| migrate::all(data, tables, format),
        )?;
        Ok(Self {
            tables,
            epoch: layout.epoch(),
            watch: Arc::new(ClockWatch::new(clock)),
            _layout: Some(Arc::new(layout)),
        })
    }

    /// Writes a backup of this moment, or of what changed since another, at most `bytes_a_second` where that is given.
    /// The writers of the store never wait for it.
    ///
    /// # Errors
    /// [`BackupError`]; what was written until then is not a backup, and its end is missing.
    pub fn backup(
        &self,
        since: Since,
        bytes_a_second: Option<u64>,
        out: &mut dyn Write,
        progress: &mut dyn FnMut(BackupProgress),
    ) -> Result<BackupReport, BackupError> {
        let view = self.tables.view();
        let now = self.watch.read().wall;
        backup::take(&view, self.epoch, now, since, bytes_a_second, out, progress)
    }

    /// Wipes from the disk, at once, what was taken back; of a store that no server has open.
    ///
    /// # Errors
    /// What the storage engine says.
    pub fn wipe(&self) -> Result<(), String> {
        wipe::wipe_now(&self.tables)
    }

    /// Trusts the clock as it stands now, after a jump forward that held all expiry. Whether it was in doubt, and what it says.
    pub fn confirm_clock(&self) -> (bool, Ts) {
        let was_held = self.watch.confirm();
        (was_held, self.watch.read().wall)
    }

    /// How many messages there are, about.
    pub fn messages_estimate(&self) -> u64 {
        self.tables.messages.approximate_len() as u64
    }

    /// Reads the whole store as it is at this moment and verifies it: see [`super::check()`].
    pub fn check(&self, progress: &mut dyn FnMut(CheckProgress)) -> CheckReport {
        check_view(&self.tables.view(), progress)
    }
}
