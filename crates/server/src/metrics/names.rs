//! Every metric there is: its name, what it is and what its labels are. Each is written down here and nowhere else.
//!
//! The names are those that a query uses. A label is one of a few words of the program's own, never anything that came from
//! outside.

/// What a metric does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It only rises; its name ends in `_total`.
    Counter,
    /// It stands somewhere.
    Gauge,
    /// It counts by size: `_bucket`, `_sum` and `_count`.
    Histogram,
}

/// A metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Its whole name, unit last.
    pub name: &'static str,
    /// What it does.
    pub kind: Kind,
    /// The names of its labels, in their order.
    pub labels: &'static [&'static str],
    /// What it is, in a sentence without its full stop.
    pub help: &'static str,
}

macro_rules! metrics {
    ($($metric:ident: $kind:ident $name:literal [$($label:literal),*] $help:literal;)*) => {
        $(
            pub(super) const $metric: Metric =
                Metric { name: $name, kind: Kind::$kind, labels: &[$($label),*], help: $help };
        )*
        /// All of them, in the order in which they are told.
        pub const ALL: &[Metric] = &[$($metric),*];
    };
}

metrics! {
    // Traffic.
    REQUESTS: Counter "chinwag_requests_total" ["face", "verb"] "Requests that were answered, refused ones too";
    REQUEST_SECONDS: Histogram "chinwag_request_duration_seconds" ["face", "verb"]
        "Time from a request's head, or a WebSocket's frame, to its reply; not of verbs that wait for events";
    ERRORS: Counter "chinwag_errors_total" ["code"] "Requests that were refused, by the code of the problem document";
    CONNECTIONS: Gauge "chinwag_connections" [] "Open connections";
    CONNECTIONS_MAX: Gauge "chinwag_connections_max" [] "Most connections at once; one more waits";
    ACCEPTED: Counter "chinwag_connections_accepted_total" [] "Connections that were taken";
    REFUSED: Counter "chinwag_connections_refused_total" ["reason"]
        "Connections that were closed for want of room: peer (its peer had all that it may), crowded (all were taken, and it waited for longest)";
    // Live.
    SESSIONS: Gauge "chinwag_sessions" ["face"] "Open sessions";
    SESSIONS_OPENED: Counter "chinwag_sessions_opened_total" ["face"] "Sessions that were opened";
    USERS: Gauge "chinwag_users_connected" [] "Users with a session";
    CLOSES: Counter "chinwag_closes_total" ["face", "code"]
        "Sessions that ended, by close code; client: the client said so, gone: without a word";
    DELIVERED: Counter "chinwag_events_delivered_total" [] "Events that were put into a session's outbox, once for each session";
    OUTBOX_EVENTS: Gauge "chinwag_outbox_events" [] "Events that wait in all outboxes";
    OUTBOX_BYTES: Gauge "chinwag_outbox_bytes" [] "Bytes of the events that wait in all outboxes; what many share counts for each";
    CATCH_UPS: Counter "chinwag_catch_ups_total" ["outcome"]
        "Feeds that came back: recovered, not_recovered (too much, too old or another store's), refused (no turn, or the store could not be read)";
    CATCH_UP_SECONDS: Histogram "chinwag_catch_up_duration_seconds" [] "Time until it was known what a feed had missed";
    // Store.
    MESSAGES: Counter "chinwag_messages_stored_total" [] "Messages that became durable";
    CHANGES: Counter "chinwag_changes_stored_total" [] "Markers that moved and messages that were revised, and became durable";
    BATCH_ENTRIES: Histogram "chinwag_batch_entries" [] "Messages and changes of a batch";
    BATCH_BYTES: Counter "chinwag_batch_bytes_total" [] "Bytes of rows that were committed";
    COMMIT_SECONDS: Histogram "chinwag_commit_duration_seconds" []
        "Time of a batch at the disk: its write, its sync, and what the engine let it wait";
    QUEUE_MESSAGES: Gauge "chinwag_queue_messages" [] "Writes on their way, from admission to answer";
    QUEUE_MAX_MESSAGES: Gauge "chinwag_queue_max_messages" [] "Most writes on their way; one more is refused";
    QUEUE_BYTES: Gauge "chinwag_queue_bytes" [] "Bytes of the texts and data of writes on their way";
    QUEUE_MAX_BYTES: Gauge "chinwag_queue_max_bytes" [] "Most bytes of writes on their way; more are refused";
    READS: Gauge "chinwag_store_reads" [] "Reads from disk that go on";
    INBOXES_BEHIND: Gauge "chinwag_inbox_rows_behind" [] "Chats whose inbox rows are still to be written";
    LAST_CHANGE: Gauge "chinwag_last_change_timestamp_seconds" [] "When the latest change became visible; 0 in a new store";
    CACHE_BYTES: Gauge "chinwag_cache_bytes" ["cache"] "Bytes that a cache holds, about";
    CACHE_CAPACITY: Gauge "chinwag_cache_capacity_bytes" ["cache"] "Bytes that a cache is to hold at most";
    CACHE_HITS: Counter "chinwag_cache_hits_total" ["cache"] "Times that a cache had what it was asked for";
    CACHE_MISSES: Counter "chinwag_cache_misses_total" ["cache"] "Times that a cache had to read it";
    DISK_ANSWERS: Gauge "chinwag_disk_answers" [] "1 where the disk said in time how it does; 0 where it did not, and the metrics of store and disk below are missing";
    TABLE_BYTES: Gauge "chinwag_store_table_bytes" ["table"] "Bytes of a table on the disk, without the journals";
    TABLE_FILES: Gauge "chinwag_store_table_files" ["table"] "Files of a table";
    FIRST_LEVEL_FILES: Gauge "chinwag_store_first_level_files" ["table"]
        "Files of a table's first level; from 20 on the engine slows writes, at 30 it halts them";
    FULL_MEMTABLES: Gauge "chinwag_store_full_memtables" ["table"]
        "Full tables in memory that wait to be written out; at 4 the engine halts writes";
    MEMTABLE_BYTES: Gauge "chinwag_store_memtable_bytes" [] "Bytes of rows in memory that are not in a table's file yet";
    JOURNALS: Gauge "chinwag_store_journals" [] "Journals on the disk";
    JOURNAL_BYTES: Gauge "chinwag_store_journal_bytes" [] "Bytes of the journals on the disk";
    FLUSHES_WAITING: Gauge "chinwag_store_flushes_waiting" [] "Tables in memory whose writing out has not begun";
    COMPACTIONS: Gauge "chinwag_store_compactions_running" [] "Compactions that go on";
    COMPACTIONS_DONE: Counter "chinwag_store_compactions_total" [] "Compactions that were finished";
    COMPACTING_SECONDS: Counter "chinwag_store_compaction_seconds_total" [] "Time that compactions took";
    DISK_FREE: Gauge "chinwag_disk_free_bytes" [] "Free bytes of the data directory's disk";
    DISK_TOTAL: Gauge "chinwag_disk_total_bytes" [] "Bytes of the data directory's disk";
    DISK_RESERVE: Gauge "chinwag_disk_reserve_bytes" [] "Free bytes below which sends are refused";
    // Machine.
    READY: Gauge "chinwag_ready" [] "1 where sends are taken, as /readyz says it; else 0";
    CLOCK_JUMPED: Gauge "chinwag_clock_jumped" [] "1 where the clock jumped ahead, or began too far ahead, and nothing expires until that is confirmed; else 0";
    BUILD: Gauge "chinwag_build_info" ["version"] "Always 1; the version is a label";
    AUDIT_LOST: Counter "chinwag_audit_lost_total" [] "Lines of the audit log that could not be written to it, and went to the log";
    SPANS_LOST: Counter "chinwag_spans_lost_total" [] "Spans of traces that the collector did not take, or that were too many at once";
    RSS: Gauge "chinwag_process_resident_memory_bytes" [] "Memory of the process";
    FDS: Gauge "chinwag_process_open_fds" [] "Open file descriptors";
    FDS_MAX: Gauge "chinwag_process_max_fds" [] "Most file descriptors that the process may have open";
    CPU_SECONDS: Counter "chinwag_process_cpu_seconds_total" [] "Time of the processor, of the system and of the program";
    START: Gauge "chinwag_process_start_time_seconds" [] "When the process began";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_as_prometheus_wants_them() {
        let mut seen = HashSet::new();
        for Metric { name, kind, labels, help } in ALL {
            // OpenMetrics names a counter without its ending.
            assert!(seen.insert(name.trim_end_matches("_total")), "{name} stands twice");
            assert!(name.starts_with("chinwag_"), "{name}");
            let good = |c: char| c.is_ascii_lowercase() || c == '_';
            assert!(name.chars().all(good) && labels.iter().all(|label| label.chars().all(good)), "{name}");
            assert_eq!(name.ends_with("_total"), *kind == Kind::Counter, "{name}");
            let other_units =
                ["ms", "us", "ns", "kib", "mib", "kb", "mb", "percent", "minutes", "milliseconds"];
            assert!(name.split('_').all(|word| !other_units.contains(&word)), "{name}: base units only");
            assert!(!help.is_empty() && !help.ends_with('.'), "{name}: the exposition adds none");
        }
    }
}
