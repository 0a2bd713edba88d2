//! The engine, and the tables that it holds. Only this file and its callers beside it know fjall.

use super::{Options, changes, journal, layout::OpenError};
use crate::{StoreError, vitals::DiskVitals};
use chinwag_model::{Chat, Ts};
use fjall::{
    Database, Iter, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, PersistMode, Readable, Snapshot,
    UserValue,
    compaction::Leveled,
    config::{CompressionPolicy, FilterPolicy},
};
use std::{ops::RangeBounds, path::Path, sync::Arc};

/// Bytes of journals on disk at which the tables that hold on to the oldest are written out.
const JOURNALS_MAX_BYTES: u64 = 256 << 20;
/// Bytes of a file at which a compaction begins the next one, at the least and at the most.
const FILE_MIN_BYTES: u64 = 4 << 20;
const FILE_MAX_BYTES: u64 = 64 << 20;

/// The open engine. Clones share it.
#[derive(Clone)]
pub(super) struct Tables {
    pub(super) db: Database,
    dir: Arc<Path>,
    /// A row a message: see [`super::record`].
    pub(super) messages: Keyspace,
    /// A row a batch: see [`changes`].
    pub(super) changes: Keyspace,
    /// A row a chat with a marker, and a row a chat in each inbox: see [`super::head`].
    pub(super) markers: Keyspace,
    pub(super) inbox: Keyspace,
    /// Which messages were revised, by time, and which are unsent: see [`super::revisions`].
    pub(super) revised: Keyspace,
    /// A row a block: see [`super::blocks`].
    pub(super) blocks: Keyspace,
    /// Where chats begin whose oldest messages have expired: see [`super::floors`].
    pub(super) floors: Keyspace,
    /// What the store does to itself: see [`super::wipe`].
    pub(super) upkeep: Keyspace,
}

/// A table that holds what can't be derived, and so is in a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// See [`super::record`].
    Messages,
    /// See [`super::head`].
    Markers,
    /// See [`changes`].
    Changes,
    /// See [`super::blocks`].
    Blocks,
    /// See [`super::floors`].
    Floors,
}

impl Kept {
    /// All of them. A backup names a table by its place here, so none ever moves.
    pub(super) const ALL: [Self; 5] =
        [Self::Messages, Self::Markers, Self::Changes, Self::Blocks, Self::Floors];

    /// The byte that stands for it.
    pub(super) fn byte(self) -> u8 {
        match self {
            Self::Messages => 0,
            Self::Markers => 1,
            Self::Changes => 2,
            Self::Blocks => 3,
            Self::Floors => 4,
        }
    }

    /// The table that a byte stands for.
    pub(super) fn of_byte(byte: u8) -> Option<Self> {
        Self::ALL.get(usize::from(byte)).copied()
    }
}

/// All tables at one moment, however long it is looked at and whatever is written meanwhile.
pub(super) struct View {
    tables: Tables,
    snapshot: Snapshot,
}

impl View {
    /// A table's rows, in the order of their keys.
    pub(super) fn rows(&self, table: Kept) -> Iter {
        self.snapshot.iter(self.tables.kept(table))
    }

    /// One row of a table.
    pub(super) fn get(&self, table: Kept, key: &[u8]) -> fjall::Result<Option<UserValue>> {
        self.snapshot.get(self.tables.kept(table), key)
    }

    /// The change log.
    pub(super) fn changes(&self) -> Iter {
        self.rows(Kept::Changes)
    }

    /// The rows of the change log of batches that ended up to a time.
    pub(super) fn changes_upto(&self, ts: Ts) -> Iter {
        self.snapshot.range(&self.tables.changes, ..=ts.0.to_be_bytes())
    }

    /// The rows of the change log of batches that ended after a time.
    pub(super) fn changes_after(&self, ts: Ts) -> Iter {
        self.snapshot.range(&self.tables.changes, (ts.0 + 1).to_be_bytes()..)
    }

    /// The rows of a chat's messages, in order.
    pub(super) fn messages_of(&self, chat: &Chat) -> Iter {
        self.snapshot.prefix(&self.tables.messages, [chat.as_str().as_bytes(), &[0]].concat())
    }

    /// The rows of messages from a key on, up to another.
    pub(super) fn messages_in(&self, range: impl RangeBounds<Vec<u8>>) -> Iter {
        self.snapshot.range(&self.tables.messages, range)
    }

    /// The rows of the revisions with these keys.
    pub(super) fn revised_in(&self, range: impl RangeBounds<Vec<u8>>) -> Iter {
        self.snapshot.range(&self.tables.revised, range)
    }

    /// The inbox rows whose keys begin like that.
    pub(super) fn inbox_of(&self, prefix: &[u8]) -> Iter {
        self.snapshot.prefix(&self.tables.inbox, prefix)
    }

    /// The inbox rows.
    pub(super) fn inbox(&self) -> Iter {
        self.snapshot.iter(&self.tables.inbox)
    }

    /// One inbox row.
    pub(super) fn inbox_row(&self, key: &[u8]) -> fjall::Result<Option<UserValue>> {
        self.snapshot.get(&self.tables.inbox, key)
    }

    /// One row of the revisions.
    pub(super) fn revised_row(&self, key: &[u8]) -> fjall::Result<Option<UserValue>> {
        self.snapshot.get(&self.tables.revised, key)
    }

    /// The rows of the revisions.
    pub(super) fn revised(&self) -> Iter {
        self.snapshot.iter(&self.tables.revised)
    }

    /// How many rows there are, about.
    pub(super) fn rows_estimate(&self) -> u64 {
        self.tables.rows_estimate()
    }
}

impl Tables {
    /// All tables as they are now.
    pub(super) fn view(&self) -> View {
        View { tables: self.clone(), snapshot: self.db.snapshot() }
    }

    /// A table that is in a backup.
    pub(super) fn kept(&self, table: Kept) -> &Keyspace {
        match table {
            Kept::Messages => &self.messages,
            Kept::Markers => &self.markers,
            Kept::Changes => &self.changes,
            Kept::Floors => &self.floors,
            Kept::Blocks => &self.blocks,
        }
    }

    /// An empty batch that is not synced: for what is worth nothing until all of it is there.
    pub(super) fn loose_batch(&self, rows: usize) -> OwnedWriteBatch {
        OwnedWriteBatch::with_capacity(self.db.clone(), rows)
    }

    /// Opens the engine in its directory, after a look at its journals.
    pub(super) fn open(dir: &Path, options: &Options) -> Result<Self, OpenError> {
        journal::examine(dir)?;
        let open = || {
            let db = Database::builder(dir)
                .cache_size(options.block_cache_bytes)
                .max_journaling_size(JOURNALS_MAX_BYTES)
                .max_cached_files(Some(options.open_files_max))
                .worker_threads(2)
                .open()?;
            let table = || table(options.memtable_max_bytes);
            let messages = db.keyspace("messages", || table().filter_policy(FilterPolicy::disabled()))?;
            let changes = db.keyspace("changes", || table().filter_policy(FilterPolicy::disabled()))?;
            // With filters: nearly every chat that becomes hot is asked for its markers, and few have any.
            let markers = db.keyspace("markers", table)?;
            let inbox = db.keyspace("inbox", || table().filter_policy(FilterPolicy::disabled()))?;
            let revised = db.keyspace("revised", || table().filter_policy(FilterPolicy::disabled()))?;
            // With filters: every chat that becomes hot asks for two, and few have any.
            let blocks = db.keyspace("blocks", table)?;
            let upkeep = db.keyspace("upkeep", || table().filter_policy(FilterPolicy::disabled()))?;
            // With filters too: few chats have a row here.
            let floors = db.keyspace("floors", table)?;
            Ok(Self {
                db,
                dir: dir.into(),
                messages,
                changes,
                markers,
                inbox,
                revised,
                blocks,
                floors,
                upkeep,
            })
        };
        open().map_err(|error: fjall::Error| match error {
            fjall::Error::Io(source) => OpenError::Io { path: dir.to_owned(), source },
            error => OpenError::Engine { path: dir.to_owned(), why: error.to_string() },
        })
    }

    /// The engine's directory.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// All of them.
    pub(super) fn all(&self) -> [&Keyspace; 8] {
        let Self { messages, changes, markers, inbox, revised, blocks, floors, upkeep, .. } = self;
        [messages, changes, markers, inbox, revised, blocks, floors, upkeep]
    }

    /// An empty batch that syncs when it is committed.
    pub(super) fn batch(&self, rows: usize) -> OwnedWriteBatch {
        OwnedWriteBatch::with_capacity(self.db.clone(), rows).durability(Some(PersistMode::SyncData))
    }

    /// Writes a batch and syncs it; readers see it once it is on disk.
    pub(super) fn commit(rows: OwnedWriteBatch) -> fjall::Result<()> {
        rows.commit()
    }

    /// Asks whether the engine can still write.
    pub(super) fn ask(&self) -> fjall::Result<()> {
        self.db.persist(PersistMode::Buffer)
    }

    /// Syncs all that was written.
    pub(super) fn sync(&self) -> fjall::Result<()> {
        self.db.persist(PersistMode::SyncAll)
    }

    /// The latest time that was given out; 0 in a new store.
    pub(super) fn last_ts(&self) -> Result<Ts, String> {
        match self.changes.last_key_value() {
            None => Ok(Ts(0)),
            Some(row) => {
                let key = row.key().map_err(|error| error.to_string())?;
                changes::decode_key(&key).map_err(|wrong| format!("the change log: {wrong}"))
            }
        }
    }

    /// How many rows there are, about.
    pub(super) fn rows_estimate(&self) -> u64 {
        self.all().map(|table| table.approximate_len() as u64).iter().sum()
    }

    /// Bytes that the cache of blocks holds, and may hold.
    pub(super) fn block_cache(&self) -> (u64, u64) {
        (self.db.cache_size(), self.db.cache_capacity())
    }

    /// What the engine says of itself, without its tables and journals.
    pub(super) fn engine_vitals(&self) -> DiskVitals {
        DiskVitals {
            memtable_bytes: self.db.write_buffer_size(),
            flushes_waiting: self.db.outstanding_flushes(),
            compactions: self.db.active_compactions(),
            compactions_done: self.db.compactions_completed(),
            compacting: self.db.time_compacting(),
            ..DiskVitals::default()
        }
    }

    /// Whether a row of the change log is its last.
    pub(super) fn is_newest_change(&self, key: &[u8]) -> bool {
        self.changes.last_key_value().and_then(|row| row.key().ok()).is_none_or(|last| *last == *key)
    }
}

/// How a table is made. The engine writes this down with it, and asks no more of a table that is there.
fn table(memtable_max_bytes: u64) -> KeyspaceCreateOptions {
    // A compaction holds all that it has read for the file which it writes: the last keys of its blocks are parts of what was read.
    let file_bytes = (2 * memtable_max_bytes).clamp(FILE_MIN_BYTES, FILE_MAX_BYTES);
    KeyspaceCreateOptions::default()
        .compaction_strategy(Arc::new(Leveled::default().with_table_target_size(file_bytes)))
        .max_memtable_size(memtable_max_bytes)
        .data_block_compression_policy(CompressionPolicy::disabled())
}

/// What a read that the engine failed comes to.
pub(super) fn engine(error: &fjall::Error) -> StoreError {
    StoreError::Damaged(format!("the storage engine can't read: {error}"))
}
