//! How a store does, in numbers: what it says when it is asked, and what it tells as it happens.

use chinwag_model::Ts;
use std::time::Duration;

/// One batch that has become durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch {
    /// Messages that were stored.
    pub messages: usize,
    /// Markers that moved, messages that were revised, and users who were forgotten in a chat.
    pub changes: usize,
    /// Bytes of its rows.
    pub bytes: usize,
    /// How long the disk took: to write, to sync, and what the engine let it wait.
    pub took: Duration,
}

/// Who is told of each batch. It must not wait.
pub trait Observer: Send + Sync {
    /// A batch is durable.
    fn committed(&self, batch: Batch);
}

/// How a store does at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Vitals {
    /// What is on its way to the disk.
    pub queue: QueueVitals,
    /// What is kept in memory.
    pub caches: Vec<CacheVitals>,
    /// Reads from disk that go on now.
    pub reads: usize,
    /// Chats of which the inbox rows are still to be written.
    pub inboxes_behind: usize,
    /// The time of the latest change that every read shows.
    pub last_change: Ts,
    /// Whether nothing expires, since the clock is in doubt.
    pub expiry_held: bool,
    /// The disk; `None` where there is none, or it did not answer in time.
    pub disk: Option<DiskVitals>,
}

/// The writes that are on their way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueVitals {
    /// How many.
    pub messages: usize,
    /// Bytes of their texts and data.
    pub bytes: usize,
    /// Most that there may be.
    pub max_messages: usize,
    /// Most bytes of them.
    pub max_bytes: usize,
}

/// A cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheVitals {
    /// What it keeps, in a word.
    pub name: &'static str,
    /// Bytes that it holds, about.
    pub bytes: u64,
    /// Most bytes that it is to hold.
    pub capacity_bytes: u64,
    /// How often it was asked; `None` where that is not known.
    pub asked: Option<Asked>,
}

/// How often a cache was asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Asked {
    /// And had it.
    pub hits: u64,
    /// And had it not.
    pub misses: u64,
}

/// The disk, and the engine on it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DiskVitals {
    /// Free bytes of the disk, for this user.
    pub free_bytes: u64,
    /// Bytes of the disk.
    pub total_bytes: u64,
    /// Free bytes below which nothing is stored.
    pub reserve_bytes: u64,
    /// The engine's journals.
    pub journals: usize,
    /// Bytes that they take on the disk.
    pub journal_bytes: u64,
    /// Bytes of rows in memory, those too that are being written out.
    pub memtable_bytes: u64,
    /// Tables in memory that wait to be written out.
    pub flushes_waiting: usize,
    /// Compactions that go on.
    pub compactions: usize,
    /// Compactions that were finished.
    pub compactions_done: usize,
    /// How long all of them took.
    pub compacting: Duration,
    /// Each table.
    pub tables: Vec<TableVitals>,
}

/// A table of the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableVitals {
    /// What it is called.
    pub name: String,
    /// Bytes that it takes on the disk, without the journals.
    pub bytes: u64,
    /// Its files.
    pub files: usize,
    /// Those of the first level: writes are slowed from 20 of them that overlap, and halted at 30.
    pub first_level_files: usize,
    /// Its tables in memory that are full: writes are halted at 4.
    pub full_memtables: usize,
}
