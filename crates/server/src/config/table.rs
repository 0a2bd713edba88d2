//! The one table of settings. File, variables, flags, `chinwag config` and the reference are all made from it; the
//! descriptions and defaults stand in `default.toml`, once.

use super::value::Kind;
use chinwag_model::limits::{
    INTEGER_MAX, RETAIN_MAX_DAYS, TEXT_HARD_MAX_BYTES, WIPE_AFTER_MAX, WIPE_AFTER_MIN,
    WIPE_EXPIRED_AFTER_MAX_DAYS,
};

/// The documented defaults, as a file that could be given to `--config`.
pub const DEFAULT_FILE: &str = include_str!("default.toml");

/// What a variable of the environment that sets something begins with.
pub(crate) const VARIABLE_PREFIX: &str = "CHINWAG_";

/// One setting.
#[derive(Debug)]
pub(crate) struct Setting {
    /// Its name in a file; unit last.
    pub(crate) key: &'static str,
    /// What it may be.
    pub(crate) kind: Kind,
}

/// All settings, in the order of the default file.
pub(crate) const SETTINGS: &[Setting] = &[
    of("listen", Kind::Address),
    of("tls_cert_file", Kind::Words),
    of("tls_key_file", Kind::Words),
    of("hsts_max_age_s", number(0, 63_072_000)),
    of("auth", Kind::Choice(&["open", "token"])),
    of("auth_secret_file", Kind::Words),
    of("auth_key_file", Kind::Words),
    of("auth_jwks", Kind::Url),
    of("auth_audience", Kind::Words),
    of("auth_issuer", Kind::Words),
    of("allowed_hosts", Kind::Hosts),
    of("allowed_origins", Kind::Origins),
    of("trusted_proxies", Kind::Networks),
    of("forwarding_header", Kind::Choice(&["x-forwarded-for", "forwarded"])),
    of("proxy_protocol", Kind::Networks),
    of("data", Kind::Path),
    of("disk_reserve_mib", number(0, 1 << 34)),
    of("text_max_bytes", number(1, TEXT_HARD_MAX_BYTES as u64)),
    of("revise_window_s", number(0, 1 << 32)),
    of("retain_days", number(0, RETAIN_MAX_DAYS)),
    of("retain_messages", number(0, INTEGER_MAX)),
    of("wipe_after_s", number(WIPE_AFTER_MIN.as_secs(), WIPE_AFTER_MAX.as_secs())),
    of("wipe_expired_after_days", number(1, WIPE_EXPIRED_AFTER_MAX_DAYS)),
    of("log", Kind::LogFilter),
    of("log_format", Kind::Choice(&["text", "json"])),
    of("metrics_listen", Kind::AddressOrNone),
    of("metrics_open", Kind::Switch),
    of("audit_log", Kind::Words),
    of("otlp_endpoint", Kind::Url),
    of("trace_one_in", number(1, 1_000_000_000)),
    of("connections_max", number(1, 1_000_000)),
    of("peer_connections_max", number(0, 1_000_000)),
    of("sessions_per_user_max", number(1, 10_000)),
    of("user_sends_per_10s", number(0, 1_000_000)),
    of("user_reads_per_10s", number(0, 1_000_000)),
    of("user_others_per_10s", number(0, 1_000_000)),
    of("key_sends_per_10s", number(0, 1_000_000)),
    of("key_reads_per_10s", number(0, 1_000_000)),
    of("key_others_per_10s", number(0, 1_000_000)),
    of("bodies_max_mib", number(1, 1 << 20)),
    of("outboxes_max_mib", number(1, 1 << 20)),
    of("queue_max_messages", number(1, 1_000_000)),
    of("queue_max_mib", number(1, 1 << 20)),
    of("chat_cache_mib", number(1, 1 << 20)),
    of("inbox_cache_mib", number(1, 1 << 20)),
    of("block_cache_mib", number(1, 1 << 20)),
    of("memtable_mib", number(1, 1 << 10)),
    of("head_timeout_s", number(1, 3_600)),
    of("idle_timeout_s", number(1, 86_400)),
    of("body_timeout_s", number(1, 3_600)),
    of("write_timeout_s", number(1, 3_600)),
    of("ping_interval_s", number(1, 3_600)),
    of("heartbeat_s", number(1, 3_600)),
    of("presence_grace_s", number(0, 3_600)),
    of("drain_timeout_s", number(0, 3_600)),
    of("bench_routes", Kind::Switch),
];

const fn of(key: &'static str, kind: Kind) -> Setting {
    Setting { key, kind }
}

const fn number(min: u64, max: u64) -> Kind {
    Kind::Number { min, max }
}

impl Setting {
    /// The variable that sets it, such as `CHINWAG_LOG_FORMAT`.
    pub(crate) fn variable(&self) -> String {
        format!("{VARIABLE_PREFIX}{}", self.key.to_uppercase())
    }

    /// The flag that sets it, without its dashes, such as `log-format`.
    pub(crate) fn flag(&self) -> String {
        self.key.replace('_', "-")
    }

    /// What the default file says of it.
    pub(crate) fn entry(&self) -> Entry {
        entries().find(|entry| entry.key == self.key).expect("a test holds that each setting has an entry")
    }
}

/// What the default file says of one setting.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// The setting's key.
    pub(crate) key: &'static str,
    /// The heading that it stands under.
    pub(crate) section: &'static str,
    /// One line.
    pub(crate) summary: &'static str,
    /// The lines after it, in one.
    pub(crate) details: String,
    /// Its default as TOML.
    pub(crate) default: &'static str,
}

/// Reads the default file: a comment and a line `key = value` for each setting, `##` before a heading.
pub(crate) fn entries() -> impl Iterator<Item = Entry> {
    let mut section = "";
    let mut comment = Vec::new();
    DEFAULT_FILE.lines().filter_map(move |line| {
        if let Some(heading) = line.strip_prefix("## ") {
            section = heading;
        } else if let Some(words) = line.strip_prefix("# ") {
            comment.push(words);
            return None;
        } else if let Some((key, default)) = line.split_once(" = ") {
            let (summary, details) = (comment.first().copied().unwrap_or(""), comment.get(1..));
            let details = details.unwrap_or(&[]).join(" ");
            comment.clear();
            return Some(Entry { key, section, summary, details, default });
        }
        comment.clear();
        None
    })
}

/// The candidate that a misspelt name most likely meant.
pub(crate) fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, candidate)| distance * 3 <= candidate.len().max(name.len()))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_file_describes_every_setting_in_the_order_of_the_table() {
        let described: Vec<_> = entries().collect();
        let keys: Vec<_> = described.iter().map(|entry| entry.key).collect();
        assert_eq!(keys, SETTINGS.iter().map(|setting| setting.key).collect::<Vec<_>>());
        for entry in described {
            assert!(entry.summary.ends_with('.'), "{}: {}", entry.key, entry.summary);
            assert!(!entry.section.is_empty(), "{}", entry.key);
        }
    }

    #[test]
    fn the_nearest_name_is_near() {
        let keys = || SETTINGS.iter().map(|setting| setting.key);
        assert_eq!(nearest("lisen", keys()), Some("listen"));
        assert_eq!(nearest("text_max", keys()), None);
        assert_eq!(nearest("text_max_byte", keys()), Some("text_max_bytes"));
        assert_eq!(nearest("port", keys()), None);
        assert_eq!(nearest("", keys()), None);
    }
}
