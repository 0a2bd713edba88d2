//! What is counted, against what was done; and the port that tells it.

#![expect(clippy::float_cmp, reason = "what is counted is whole, and told exactly")]

mod exposition;
mod listed;
mod port;

use crate::{
    server::{Server, Setup},
    socket::Socket,
    stream::Stream,
    wire::{get, hello, post, request, within},
};
use chinwag::metrics::Format;
use exposition::Exposition;

async fn scrape(server: &Server) -> Exposition {
    Exposition::parse(&server.app.snapshot().await.text(Format::Prometheus), false)
}

/// Waits until a sample has a value: what a client's end brings about comes after it.
async fn until(server: &Server, sample: &str, value: f64) {
    let told = async {
        while scrape(server).await.get(sample) != value {
            tokio::task::yield_now().await;
        }
    };
    within(&format!("{sample} to be {value}"), told).await;
}

#[track_caller]
fn check(told: &Exposition, expected: &[(&str, f64)]) {
    for (sample, value) in expected {
        assert_eq!(told.get(sample), *value, "{sample}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_http_are_counted_by_verb_and_code() {
    for setup in Setup::each() {
        let server = setup.start().await;
        for text in ["one", "two", "three"] {
            server.ask(post("/api/send", hello(text))).await.ok();
        }
        let keyed = request("POST /api/send", &[crate::wire::JSON, "Idempotency-Key: k"], hello("four"));
        server.ask(&keyed).await.ok();
        server.ask(&keyed).await.ok();
        server.ask(post("/api/send", "{")).await.refused(400, "malformed_json", "body");
        server.ask(get("/api/pull?chat=apple:banana")).await.ok();
        server.ask(post("/api/read", r#"{"chat":"apple:banana","user":"banana","seq":4}"#)).await.ok();
        server.ask(post("/api/read", r#"{"chat":"apple:banana","user":"banana","seq":4}"#)).await.ok();
        server.ask(post("/api/unsend", r#"{"chat":"apple:banana","seq":1,"sender":"apple"}"#)).await.ok();
        server.ask(get("/no/such/thing")).await.refused(404, "no_such_path", "");
        server.ask(get("/api/send")).await.refused(405, "method_not_allowed", "");
        server.ask(get("/ping")).await.ok();
        let told = scrape(&server).await;
        check(
            &told,
            &[
                // Three, a key twice, one refused, and one of a method that it does not take.
                (r#"chinwag_requests_total{face="http",verb="send"}"#, 7.0),
                (r#"chinwag_request_duration_seconds_count{face="http",verb="send"}"#, 7.0),
                (r#"chinwag_requests_total{face="http",verb="pull"}"#, 1.0),
                (r#"chinwag_requests_total{face="http",verb="read"}"#, 2.0),
                (r#"chinwag_requests_total{face="http",verb="unsend"}"#, 1.0),
                (r#"chinwag_requests_total{face="http",verb="probe"}"#, 1.0),
                (r#"chinwag_requests_total{face="http",verb="other"}"#, 1.0),
                (r#"chinwag_errors_total{code="malformed_json"}"#, 1.0),
                (r#"chinwag_errors_total{code="no_such_path"}"#, 1.0),
                (r#"chinwag_errors_total{code="method_not_allowed"}"#, 1.0),
                (r#"chinwag_errors_total{code="overloaded"}"#, 0.0),
                ("chinwag_messages_stored_total", 4.0),
                // Delivered and read, and the message that was unsent.
                ("chinwag_changes_stored_total", 3.0),
                ("chinwag_batch_entries_sum", 7.0),
                ("chinwag_queue_messages", 0.0),
                ("chinwag_ready", 1.0),
                ("chinwag_clock_jumped", 0.0),
                ("chinwag_connections_accepted_total", 13.0),
                ("chinwag_connections_max", 10_000.0),
            ],
        );
        let commits = told.get("chinwag_commit_duration_seconds_count");
        assert_eq!(commits, told.get("chinwag_batch_entries_count"));
        assert!((3.0..=7.0).contains(&commits), "{commits}: the requests came one after the other");
        let names: Vec<_> =
            told.all("chinwag_requests_total").map(|(labels, _)| labels["verb"].clone()).collect();
        assert_eq!(names.len(), 6, "what was not asked is not told, and no path is a label: {names:?}");
        until(&server, "chinwag_connections", 0.0).await;
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_counted_by_face_and_by_how_they_ended() {
    let mut setup = Setup::memory();
    setup.hub.sessions_per_user_max = 2;
    let server = setup.start().await;
    let mut socket = Socket::open(&server, "user=apple").await;
    let place = socket.expect("ready").await["id"].as_str().expect("an id").to_owned();
    let mut stream = Stream::open(&server, "user=banana", &[]).await;
    stream.expect("ready").await;
    server.ask(post("/api/send", hello("one"))).await.ok();
    socket.expect("message").await;
    stream.expect("message").await;
    socket
        .write(crate::socket::frame(crate::socket::TEXT, r#"{"id":1,"op":"pull","chat":"apple:banana"}"#))
        .await;
    assert_eq!(socket.reply().await["status"], 200);
    socket.write(crate::socket::frame(crate::socket::TEXT, r#"{"id":2,"op":"pull","chat":3}"#)).await;
    assert_eq!(socket.reply().await["status"], 400);
    server.ask(get("/api/poll?user=banana")).await.ok();
    // Two that come back: one is told what it missed, and the place of the other is of no store.
    server.ask(get(&format!("/api/poll?user=apple&since={place}&timeout=0"))).await.ok();
    server.ask(get("/api/poll?user=apple&since=0000000000000007-00000000000001&timeout=0")).await.ok();
    check(
        &scrape(&server).await,
        &[
            (r#"chinwag_sessions{face="websocket"}"#, 1.0),
            (r#"chinwag_sessions{face="sse"}"#, 1.0),
            (r#"chinwag_sessions{face="poll"}"#, 0.0),
            (r#"chinwag_sessions_opened_total{face="websocket"}"#, 1.0),
            (r#"chinwag_sessions_opened_total{face="poll"}"#, 3.0),
            ("chinwag_users_connected", 2.0),
            (r#"chinwag_requests_total{face="websocket",verb="pull"}"#, 1.0),
            (r#"chinwag_requests_total{face="websocket",verb="other"}"#, 1.0),
            (r#"chinwag_requests_total{face="http",verb="poll"}"#, 3.0),
            (r#"chinwag_request_duration_seconds_count{face="http",verb="poll"}"#, 0.0),
            (r#"chinwag_request_duration_seconds_count{face="websocket",verb="pull"}"#, 1.0),
            (r#"chinwag_errors_total{code="invalid_field"}"#, 1.0),
            ("chinwag_events_delivered_total", 2.0),
            ("chinwag_outbox_events", 0.0),
            (r#"chinwag_catch_ups_total{outcome="recovered"}"#, 1.0),
            (r#"chinwag_catch_ups_total{outcome="not_recovered"}"#, 1.0),
            ("chinwag_catch_up_duration_seconds_count", 2.0),
        ],
    );
    // The oldest gives place to a third; one goes in order; the stream goes without a word, and the rest with the server.
    let second = Socket::open(&server, "user=apple").await;
    let mut third = Socket::open(&server, "user=apple").await;
    assert_eq!(socket.closed().await, 4409);
    third.write(crate::socket::frame(crate::socket::CLOSE, 1000_u16.to_be_bytes())).await;
    until(&server, r#"chinwag_closes_total{code="client",face="websocket"}"#, 1.0).await;
    drop(stream);
    until(&server, r#"chinwag_closes_total{code="gone",face="sse"}"#, 1.0).await;
    until(&server, r#"chinwag_closes_total{code="4409",face="websocket"}"#, 1.0).await;
    until(&server, r#"chinwag_sessions{face="websocket"}"#, 1.0).await;
    let app = server.app.clone();
    server.stop_with(second).await;
    let told = Exposition::parse(&app.snapshot().await.text(Format::Prometheus), false);
    assert_eq!(told.get(r#"chinwag_closes_total{code="1012",face="websocket"}"#), 1.0);
    let ended: f64 = told.all("chinwag_closes_total").map(|(_, count)| count).sum();
    assert_eq!(ended, 4.0, "each once");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_session_is_told() {
    let server = Setup::memory().start().await;
    let mut socket = Socket::open(&server, "user=banana").await;
    socket.expect("ready").await;
    let mut asleep = Stream::open(&server, "user=cherry", &[]).await;
    asleep.expect("ready").await;
    // More than the sockets of both kernels and a connection's own buffer hold.
    let text = "x".repeat(16_000);
    let body = serde_json::json!({"chat": "apple:cherry", "text": text, "sender": "apple"}).to_string();
    let mut connection = server.connect().await;
    let waiting = loop {
        connection.ask(post("/api/send", &body)).await.ok();
        let told = scrape(&server).await;
        let (events, bytes) = (told.get("chinwag_outbox_events"), told.get("chinwag_outbox_bytes"));
        if events >= 2.0 {
            break (events, bytes);
        }
    };
    assert!(waiting.1 >= waiting.0 * 16_000.0, "{waiting:?}");
    drop(asleep);
    until(&server, "chinwag_outbox_bytes", 0.0).await;
    server.stop_with(socket).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_store_tells_of_its_disk_its_caches_and_its_bounds() {
    let server = Setup::embedded().start().await;
    server.ask(post("/api/send", hello("one"))).await.ok();
    server.ask(get("/api/pull?chat=apple:banana")).await.ok();
    server.ask(get("/api/chats?user=apple")).await.ok();
    server.ask(get("/api/chats?user=apple")).await.ok();
    let told = scrape(&server).await;
    check(
        &told,
        &[
            // The send found no chat in memory, and the pull found it there.
            (r#"chinwag_cache_misses_total{cache="chats"}"#, 1.0),
            (r#"chinwag_cache_hits_total{cache="chats"}"#, 1.0),
            (r#"chinwag_cache_misses_total{cache="inboxes"}"#, 1.0),
            (r#"chinwag_cache_hits_total{cache="inboxes"}"#, 1.0),
            (r#"chinwag_cache_capacity_bytes{cache="chats"}"#, 268_435_456.0),
            (r#"chinwag_cache_capacity_bytes{cache="blocks"}"#, 67_108_864.0),
            ("chinwag_queue_max_messages", 8_192.0),
            ("chinwag_queue_max_bytes", 33_554_432.0),
            ("chinwag_disk_answers", 1.0),
            ("chinwag_disk_reserve_bytes", 0.0),
            ("chinwag_store_journals", 1.0),
            ("chinwag_store_reads", 0.0),
        ],
    );
    let sample = |name: &str| told.get(name);
    assert!(sample("chinwag_disk_free_bytes") > 0.0);
    assert!(sample("chinwag_disk_total_bytes") >= sample("chinwag_disk_free_bytes"));
    assert!(sample("chinwag_store_memtable_bytes") > 0.0 && sample("chinwag_store_journal_bytes") > 0.0);
    assert!(sample("chinwag_batch_bytes_total") > 3.0, "at least the text");
    let now_s = 1_686_404_158.0;
    assert!((now_s..now_s + 1.0).contains(&sample("chinwag_last_change_timestamp_seconds")));
    let tables: Vec<_> =
        told.all("chinwag_store_table_bytes").map(|(labels, _)| labels["table"].clone()).collect();
    for table in ["messages", "changes", "markers", "inbox", "revised"] {
        assert!(tables.iter().any(|told| told == table), "{tables:?}");
    }
    assert!(sample("chinwag_process_resident_memory_bytes") > 1e6);
    assert!(sample("chinwag_process_open_fds") > 3.0);
    assert!(sample("chinwag_process_cpu_seconds_total") > 0.0);
    assert!(sample("chinwag_process_start_time_seconds") > 1.6e9);
    assert_eq!(sample(&format!(r#"chinwag_build_info{{version="{}"}}"#, env!("CARGO_PKG_VERSION"))), 1.0);
    server.stop().await;
}
