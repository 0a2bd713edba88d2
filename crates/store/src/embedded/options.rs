use crate::Retention;
use std::time::Duration;

/// How an embedded store is to run. The defaults suit a small server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Most sends that may wait for the disk at once; one more is refused as busy.
    pub queue_max_messages: usize,
    /// Most bytes of text and data of the sends that wait.
    pub queue_max_bytes: usize,
    /// Free bytes that must stay on the disk; below it sends are refused. 0: no reserve.
    pub disk_reserve_bytes: u64,
    /// Bytes of memory for the newest messages and the recent keys of hot chats.
    pub chat_cache_bytes: u64,
    /// Bytes of memory for the inboxes of users who read theirs.
    pub inbox_cache_bytes: u64,
    /// Bytes of memory for blocks read from disk.
    pub block_cache_bytes: u64,
    /// How long history is kept.
    pub retention: Retention,
    /// Bytes of rows in memory at which a table is written out; up to five times as many are held while the disk lags.
    pub memtable_max_bytes: u64,
    /// Most files of the engine that are kept open to be read again; it opens more for a while where it rewrites them.
    pub open_files_max: usize,
    /// Within this, a text that was unsent or edited away is to be gone from the disk.
    pub wipe_after: Duration,
    /// Within this, a text that has expired is to be gone from the disk, once its row was removed.
    pub wipe_expired_after: Duration,
    /// How long a commit may take before the store counts as hung.
    pub commit_max: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            queue_max_messages: 8_192,
            queue_max_bytes: 32 << 20,
            disk_reserve_bytes: 1 << 30,
            chat_cache_bytes: 256 << 20,
            inbox_cache_bytes: 64 << 20,
            block_cache_bytes: 64 << 20,
            retention: Retention::default(),
            memtable_max_bytes: 32 << 20,
            open_files_max: 512,
            wipe_after: chinwag_model::limits::WIPE_AFTER,
            wipe_expired_after: chinwag_model::limits::WIPE_EXPIRED_AFTER,
            commit_max: chinwag_model::limits::COMMIT_MAX,
        }
    }
}
