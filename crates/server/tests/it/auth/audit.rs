//! The audit log: each verb of a key leaves its line, and a user's own does not.

use super::{Guarded, SECRET, bearer, token};
use crate::{
    server::NOW,
    socket::{HANDSHAKE, Socket, TEXT, frame},
    store::Stage,
    wire::{JSON, request, within},
};
use chinwag::{audit::Audit, identity::KeySet};
use chinwag_model::{ManualClock, Scope};
use serde_json::{Value, json};
use std::{fs, path::PathBuf, sync::Arc};
use tempfile::TempDir;

/// What a key changes, by path and body, and what the line says of it.
const CHANGES: [(&str, &str, &str, u64); 6] = [
    ("send", r#"{"chat":"banana:apple","text":"the text","sender":"apple"}"#, "apple", 1),
    ("read", r#"{"chat":"apple:banana","user":"banana","seq":1}"#, "banana", 1),
    ("delivered", r#"{"chat":"apple:banana","user":"banana","seq":1}"#, "banana", 1),
    ("edit", r#"{"chat":"apple:banana","seq":1,"sender":"apple","text":"the text anew"}"#, "apple", 1),
    ("react", r#"{"chat":"apple:banana","seq":1,"user":"banana","emoji":"👍"}"#, "banana", 1),
    ("unsend", r#"{"chat":"apple:banana","seq":1,"sender":"apple"}"#, "apple", 1),
];

struct Audited {
    guarded: Guarded,
    audit: Audit,
    directory: TempDir,
}

impl Audited {
    async fn start() -> Self {
        Self::of(Guarded::start().await)
    }

    fn of(guarded: Guarded) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let app = &guarded.server.app;
        let metrics = app.metrics().clone();
        let path = directory.path().join("audit.log");
        let audit = Audit::open(&path, guarded.clock.clone(), metrics).expect("opened");
        app.audit_to(audit.clone());
        Self { guarded, audit, directory }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("audit.log")
    }

    /// The lines of a file, once all that was told is written.
    fn lines(&self, path: &PathBuf) -> Vec<Value> {
        self.audit.flush();
        let text = fs::read_to_string(path).expect("a file");
        assert!(text.is_empty() || text.ends_with('\n'));
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_change_of_a_key_leaves_its_line_on_both_faces() {
    let audited = Audited::start().await;
    let server = &audited.guarded.server;
    let key = audited.guarded.key(Scope::Act).await;
    for (verb, body, ..) in CHANGES {
        let asked = request(&format!("POST /api/{verb}"), &[JSON, &bearer(&key)], body);
        assert_eq!(server.ask(asked).await.status, 200, "{verb}");
    }
    let told = audited.lines(&audited.path());
    assert_eq!(told.len(), CHANGES.len(), "{told:#?}");
    let id = audited.guarded.api_keys.list().await.expect("listed")[0].id.to_string();
    for (line, (verb, _, user, seq)) in told.iter().zip(CHANGES) {
        let mut line = line.clone();
        let request = line.as_object_mut().expect("an object").remove("request_id").expect("an id");
        assert_eq!(request.as_str().map(str::len), Some(32));
        let expected = json!({
            "by": "key", "key": id, "scope": "act", "verb": verb, "chat": "apple:banana", "user": user, "seq": seq,
            "outcome": "ok", "ts": NOW.0, "peer": "127.0.0.1",
        });
        assert_eq!(line, expected);
    }

    let mut connection = server.connect().await;
    let authorization = bearer(&key);
    let headers: Vec<_> = HANDSHAKE.iter().copied().chain([authorization.as_str()]).collect();
    connection.write(request("GET /api/ws?user=apple", &headers, "")).await;
    let reply = connection.head().await;
    let opened = reply.header("x-request-id").expect("an id").to_owned();
    let mut socket = Socket::of(connection);
    for (verb, body, ..) in CHANGES {
        let body = format!(r#"{{"id":1,"op":"{verb}",{}"#, body.strip_prefix('{').expect("an object"));
        socket.write(frame(TEXT, body.replace(r#""seq":1"#, r#""seq":2"#))).await;
        assert_eq!(socket.reply().await["status"], 200, "{verb}");
    }
    let told = audited.lines(&audited.path());
    assert_eq!(told.len(), 2 * CHANGES.len());
    for (line, (verb, _, user, _)) in told[CHANGES.len()..].iter().zip(CHANGES) {
        let of = [&line["verb"], &line["user"], &line["seq"], &line["outcome"], &line["request_id"]];
        assert_eq!(of, [&json!(verb), &json!(user), &json!(2), &json!("ok"), &json!(opened)]);
    }
    let text = fs::read_to_string(audited.path()).expect("a file");
    assert!(!text.contains("the text") && !text.contains(&key) && !text.contains("👍"), "{text}");
    audited.guarded.server.stop_with(socket).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_and_the_end_of_sessions_leave_theirs() {
    let audited = Audited::start().await;
    let key = audited.guarded.key(Scope::Admin).await;
    for (path, body) in [
        ("block", r#"{"user":"apple","peer":"banana"}"#),
        ("unblock", r#"{"user":"apple","peer":"banana"}"#),
        ("sessions/end", r#"{"user":"apple"}"#),
    ] {
        let asked = request(&format!("POST /api/{path}"), &[JSON, &bearer(&key)], body);
        audited.guarded.server.ask(asked).await.ok();
    }
    let told = audited.lines(&audited.path());
    let of = |line: &Value| {
        (line["verb"].clone(), line["user"].clone(), line["chat"].clone(), line["outcome"].clone())
    };
    let line = |verb: &str, chat: Value| (json!(verb), json!("apple"), chat, json!("ok"));
    assert_eq!(
        told.iter().map(of).collect::<Vec<_>>(),
        [
            line("block", json!("apple:banana")),
            line("unblock", json!("apple:banana")),
            line("end_sessions", Value::Null),
        ]
    );
    audited.guarded.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_is_told_and_what_users_do_and_what_is_read_is_not() {
    let audited = Audited::start().await;
    let server = &audited.guarded.server;
    let ask = async |line: &str, token: &str, body: &str| {
        let json: &[&str] = if body.is_empty() { &[] } else { &[JSON] };
        let authorization = bearer(token);
        let headers: Vec<_> = json.iter().copied().chain([authorization.as_str()]).collect();
        server.ask(request(line, &headers, body)).await.status
    };
    let send = r#"{"chat":"apple:banana","text":"x","sender":"apple"}"#;
    assert_eq!(ask("POST /api/send", &token("apple"), send).await, 200);
    assert_eq!(ask("POST /api/send", &token("banana"), send).await, 403);
    let (read, act) = (audited.guarded.key(Scope::Read).await, audited.guarded.key(Scope::Act).await);
    for path in ["GET /api/pull?chat=apple:banana", "GET /api/chats?user=apple", "GET /api/poll?user=apple"] {
        assert_eq!(ask(path, &read, "").await, 200, "{path}");
    }
    assert!(audited.lines(&audited.path()).is_empty());

    assert_eq!(ask("POST /api/send", &read, send).await, 403);
    let unsend = r#"{"chat":"apple:banana","seq":9,"sender":"apple"}"#;
    assert_eq!(ask("POST /api/unsend", &act, unsend).await, 404);
    let told = audited.lines(&audited.path());
    let of = |line: &Value| (line["verb"].clone(), line["outcome"].clone(), line["seq"].clone());
    assert_eq!(
        told.iter().map(of).collect::<Vec<_>>(),
        [
            (json!("send"), json!("not_allowed"), Value::Null),
            (json!("unsend"), json!("no_such_message"), json!(9)),
        ]
    );
    audited.guarded.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_moved_away_is_made_anew_and_what_can_not_be_written_is_counted() {
    let audited = Audited::start().await;
    let key = audited.guarded.key(Scope::Act).await;
    let send = async |text: &str| {
        let body = json!({"chat": "apple:banana", "text": text, "sender": "apple"}).to_string();
        let asked = request("POST /api/send", &[JSON, &bearer(&key)], body);
        audited.guarded.server.ask(asked).await.ok();
        audited.audit.flush();
    };
    let lost = || audited.guarded.server.app.metrics().audit_lost.get();
    send("one").await;
    let moved = audited.directory.path().join("audit.log.1");
    fs::rename(audited.path(), &moved).expect("moved");
    send("two").await;
    fs::remove_file(audited.path()).expect("removed");
    send("three").await;
    assert_eq!((audited.lines(&moved).len(), audited.lines(&audited.path()).len(), lost()), (1, 1, 0));

    fs::remove_file(audited.path()).expect("removed");
    fs::create_dir(audited.path()).expect("a directory in its place");
    send("four").await;
    assert_eq!(lost(), 1, "and the send was served");
    fs::remove_dir(audited.path()).expect("removed");
    send("five").await;
    assert_eq!((audited.lines(&audited.path())[0]["seq"].clone(), lost()), (json!(5), 1));
    audited.guarded.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_a_defect_ended_is_told_too() {
    let clock = Arc::new(ManualClock::at(NOW));
    let keys = KeySet::open(Some(SECRET), None, None, clock.clone()).await.expect("a secret");
    let audited =
        Audited::of(Guarded::on(keys, clock, chinwag::rates::Options::NONE, |store| Stage::new(store)).await);
    let key = audited.guarded.key(Scope::Act).await;
    let mut connection = audited.guarded.server.connect().await;
    let body = r#"{"chat":"apple:banana","text":"panic","sender":"apple"}"#;
    connection.write(request("POST /api/send", &[JSON, &bearer(&key)], body)).await;
    let reply = within("the reply", connection.reply()).await;
    reply.refused(503, "outcome_unknown", "");
    let told = audited.lines(&audited.path());
    assert_eq!((told.len(), &told[0]["outcome"]), (1, &json!("outcome_unknown")));
    audited.guarded.server.stop().await;
}
