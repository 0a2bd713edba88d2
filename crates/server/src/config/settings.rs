//! The settings as the rest of the program sees them.

use super::{Config, value::Value};
use chinwag_peer::{Forwarding, ForwardingHeader, Networks};
use std::{net::SocketAddr, path::PathBuf};

/// Every setting, named as its key; `docs/CONFIGURATION.md` says what each does.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the reference says it, once")]
pub struct Settings {
    pub listen: SocketAddr,
    pub tls_cert_file: Option<String>,
    pub tls_key_file: Option<String>,
    pub hsts_max_age_s: u64,
    pub auth: Auth,
    pub allowed_hosts: Vec<String>,
    pub allowed_origins: Vec<String>,
    pub forwarding: Forwarding,
    pub proxy_protocol: Networks,
    pub data: PathBuf,
    pub disk_reserve_mib: u64,
    pub text_max_bytes: usize,
    pub revise_window_s: u64,
    pub retain_days: u64,
    pub retain_messages: u64,
    pub wipe_after_s: u64,
    pub wipe_expired_after_days: u64,
    pub log: String,
    pub log_format: LogFormat,
    pub metrics_listen: Option<SocketAddr>,
    pub audit_log: Option<PathBuf>,
    pub otlp_endpoint: Option<String>,
    pub trace_one_in: u64,
    pub connections_max: u32,
    pub peer_connections_max: u32,
    pub sessions_per_user_max: usize,
    pub user_sends_per_10s: u64,
    pub user_reads_per_10s: u64,
    pub user_others_per_10s: u64,
    pub key_sends_per_10s: u64,
    pub key_reads_per_10s: u64,
    pub key_others_per_10s: u64,
    pub bodies_max_mib: usize,
    pub outboxes_max_mib: usize,
    pub queue_max_messages: usize,
    pub queue_max_mib: usize,
    pub chat_cache_mib: u64,
    pub inbox_cache_mib: u64,
    pub block_cache_mib: u64,
    pub memtable_mib: u64,
    pub head_timeout_s: u64,
    pub idle_timeout_s: u64,
    pub body_timeout_s: u64,
    pub write_timeout_s: u64,
    pub ping_interval_s: u64,
    pub heartbeat_s: u64,
    pub presence_grace_s: u64,
    pub drain_timeout_s: u64,
    pub bench_routes: bool,
}

/// Who may use the server.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the reference says it, once")]
pub struct Auth {
    /// Whether everyone may.
    pub is_open: bool,
    pub secret_file: Option<String>,
    pub key_file: Option<String>,
    pub jwks: Option<String>,
    pub audience: Option<String>,
    pub issuer: Option<String>,
}

/// How a line of the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Settings {
    pub(super) fn of(config: &Config) -> Self {
        let number = |key| match config.value(key).0 {
            Value::Number(number) => number,
            _ => unreachable!("the table says that {key} is a number"),
        };
        let small = |key| u32::try_from(number(key)).expect("its bound fits");
        let size = |key| usize::try_from(number(key)).expect("its bound fits");
        let text = |key| match &config.value(key).0 {
            Value::Text(text) => text.as_str(),
            _ => unreachable!("the table says that {key} is a text"),
        };
        let words = |key| Some(text(key).to_owned()).filter(|text| !text.is_empty());
        let auth = Auth {
            is_open: text("auth") == "open",
            secret_file: words("auth_secret_file"),
            key_file: words("auth_key_file"),
            jwks: words("auth_jwks"),
            audience: words("auth_audience"),
            issuer: words("auth_issuer"),
        };
        let Value::Address(listen) = config.value("listen").0 else { unreachable!("the table says so") };
        let Value::Path(data) = &config.value("data").0 else { unreachable!("the table says so") };
        let list = |key| match &config.value(key).0 {
            Value::List(names) => names.clone(),
            _ => unreachable!("the table says that {key} is a list"),
        };
        let networks = |key| match &config.value(key).0 {
            Value::Networks(networks) => networks.clone(),
            _ => unreachable!("the table says that {key} is networks"),
        };
        let header = match text("forwarding_header") {
            "forwarded" => ForwardingHeader::Forwarded,
            _ => ForwardingHeader::XForwardedFor,
        };
        let Value::Switch(bench_routes) = config.value("bench_routes").0 else {
            unreachable!("the table says so")
        };
        Self {
            listen,
            tls_cert_file: words("tls_cert_file"),
            tls_key_file: words("tls_key_file"),
            hsts_max_age_s: number("hsts_max_age_s"),
            auth,
            allowed_hosts: list("allowed_hosts"),
            allowed_origins: list("allowed_origins"),
            forwarding: Forwarding { proxies: networks("trusted_proxies"), header },
            proxy_protocol: networks("proxy_protocol"),
            data: data.clone(),
            disk_reserve_mib: number("disk_reserve_mib"),
            text_max_bytes: size("text_max_bytes"),
            revise_window_s: number("revise_window_s"),
            retain_days: number("retain_days"),
            retain_messages: number("retain_messages"),
            wipe_after_s: number("wipe_after_s"),
            wipe_expired_after_days: number("wipe_expired_after_days"),
            log: text("log").to_owned(),
            log_format: if text("log_format") == "json" { LogFormat::Json } else { LogFormat::Text },
            metrics_listen: match config.value("metrics_listen").0 {
                Value::Address(address) => Some(address),
                _ => None,
            },
            audit_log: words("audit_log").map(PathBuf::from),
            otlp_endpoint: words("otlp_endpoint"),
            trace_one_in: number("trace_one_in"),
            connections_max: small("connections_max"),
            peer_connections_max: small("peer_connections_max"),
            sessions_per_user_max: size("sessions_per_user_max"),
            user_sends_per_10s: number("user_sends_per_10s"),
            user_reads_per_10s: number("user_reads_per_10s"),
            user_others_per_10s: number("user_others_per_10s"),
            key_sends_per_10s: number("key_sends_per_10s"),
            key_reads_per_10s: number("key_reads_per_10s"),
            key_others_per_10s: number("key_others_per_10s"),
            bodies_max_mib: size("bodies_max_mib"),
            outboxes_max_mib: size("outboxes_max_mib"),
            queue_max_messages: size("queue_max_messages"),
            queue_max_mib: size("queue_max_mib"),
            chat_cache_mib: number("chat_cache_mib"),
            inbox_cache_mib: number("inbox_cache_mib"),
            block_cache_mib: number("block_cache_mib"),
            memtable_mib: number("memtable_mib"),
            head_timeout_s: number("head_timeout_s"),
            idle_timeout_s: number("idle_timeout_s"),
            body_timeout_s: number("body_timeout_s"),
            write_timeout_s: number("write_timeout_s"),
            ping_interval_s: number("ping_interval_s"),
            heartbeat_s: number("heartbeat_s"),
            presence_grace_s: number("presence_grace_s"),
            drain_timeout_s: number("drain_timeout_s"),
            bench_routes,
        }
    }
}
