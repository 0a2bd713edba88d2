//! What the store says of itself: from memory at once, and of the disk what it tells in time.

use super::{EmbeddedStore, Inner, answer::horizon, journal, space};
use crate::vitals::{CacheVitals, DiskVitals, TableVitals, Vitals};
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;

/// How long the disk may take to say how it does. One that hangs must not take the other numbers with it.
const DISK_MAX: Duration = Duration::from_secs(2);

impl EmbeddedStore {
    pub(super) async fn take_vitals(&self) -> Vitals {
        let inner = &self.inner;
        let disk = timeout(DISK_MAX, inner.clone().look_at_disk()).await;
        let (blocks_bytes, blocks_capacity_bytes) = inner.tables.block_cache();
        Vitals {
            queue: inner.queue.vitals(),
            caches: vec![
                inner.cells.vitals(),
                inner.users.vitals(),
                CacheVitals {
                    name: "blocks",
                    bytes: blocks_bytes,
                    capacity_bytes: blocks_capacity_bytes,
                    asked: None,
                },
            ],
            reads: super::READS_MAX.saturating_sub(inner.reads.available_permits()),
            inboxes_behind: inner.overlay.len(),
            last_change: horizon(&inner.horizon),
            expiry_held: inner.watch.is_held(),
            disk: disk.ok().flatten(),
        }
    }
}

impl Inner {
    /// Asks the disk on a thread that may block. One look at a time: of a disk that hangs, one thread hangs.
    async fn look_at_disk(self: Arc<Self>) -> Option<DiskVitals> {
        let turn = self.looking.clone().lock_owned().await;
        let look = tokio::task::spawn_blocking(move || {
            let vitals = self.disk_vitals();
            drop(turn);
            vitals
        });
        look.await.ok().flatten()
    }

    fn disk_vitals(&self) -> Option<DiskVitals> {
        let disk = space::room(self.layout.root()).ok()?;
        let (journals, journal_bytes) = journal::size(&self.layout.db()).ok()?;
        let tables = self.tables.all().map(|table| TableVitals {
            name: table.name().to_string(),
            bytes: table.disk_space(),
            files: table.table_count(),
            first_level_files: table.l0_table_count(),
            full_memtables: table.sealed_memtable_count(),
        });
        Some(DiskVitals {
            free_bytes: disk.free_bytes,
            total_bytes: disk.total_bytes,
            reserve_bytes: self.reserve.bytes(),
            journals,
            journal_bytes,
            tables: tables.into(),
            ..self.tables.engine_vitals()
        })
    }
}
