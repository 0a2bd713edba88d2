//! Tokens and API keys as an operator makes them, before and while a server runs.

use crate::process::{Running, chinwag, run};
use serde_json::Value;
use std::fs;
use tempfile::tempdir;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

#[test]
fn keys_and_tokens_open_a_server_until_they_are_revoked() {
    let dir = tempdir().expect("a directory");
    fs::write(dir.path().join("secret"), format!("{SECRET}\n")).expect("written");
    let at = |args: &[&str]| {
        let mut command = chinwag(dir.path(), []);
        command.args(args).env("CHINWAG_AUTH_SECRET_FILE", "secret");
        command
    };
    // No server: the directory is opened.
    let before = run(&mut at(&["key", "create", "--scope", "read", "--name", "the report"])).expect(0);
    let reading = before.out.trim().to_owned();

    let mut server = Running::start(&mut at(&["serve", "--listen", "127.0.0.1:0", "--auth", "token"]));
    let line = server.line("listening on ");
    let url = line.split("listening on ").nth(1).expect("a URL").split_whitespace().next().expect("a URL");
    let url = url.to_owned();
    let client = |token: &str, args: &[&str]| {
        let mut command = at(args);
        command.env("CHINWAG_SERVER", &url).env("CHINWAG_TOKEN", token);
        run(&mut command)
    };
    let send = ["send", "apple:banana", "Hello", "--as", "apple"];
    let token = run(&mut at(&["token", "--sub", "apple", "--ttl", "600"])).expect(0).out.trim().to_owned();
    client(&token, &send).expect(0);
    client(&token, &["send", "apple:banana", "x", "--as", "banana"]).expect(1).says("(not_allowed, 403)");
    client(&token, &["pull", "banana:cherry"]).expect(1).says("(not_a_member, 403)");
    client("nonsense", &send).expect(1).says("(token_invalid, 401)");
    assert!(client(&reading, &["pull", "apple:banana"]).expect(0).out.contains("Hello"));
    client(&reading, &send).expect(1).says("(not_allowed, 403)");
    let load = [
        "bench",
        "run",
        "--connections",
        "2",
        "--chats",
        "2",
        "--warm-up",
        "0",
        "--duration",
        "0.2",
        "--strict",
    ];
    client(&reading, &load).expect(1).says("requests failed");

    // A server: it is asked, and heeds it at once.
    let made = run(&mut at(&["key", "create", "--scope", "act"])).expect(0);
    let acting = made.out.trim().to_owned();
    client(&acting, &send).expect(0);
    assert!(client(&acting, &load).expect(0).out.contains("\nverified: "));
    let id = acting.split('_').nth(1).expect("an id");
    let tail = Running::start(at(&["tail", "--as", "apple", "--server", &url]).env("CHINWAG_TOKEN", &acting));
    run(&mut at(&["key", "revoke", id])).expect(0);
    tail.end().expect(1).says("4401");
    client(&acting, &send).expect(1).says("(token_invalid, 401)");
    run(&mut at(&["key", "revoke", "nobody"])).expect(1).says("there is no key nobody");
    let list = run(&mut at(&["key", "list"])).expect(0).out;
    assert!(list.lines().count() == 2 && list.contains("the report"), "{list}");
    assert!(list.lines().any(|line| line.starts_with(id) && line.contains("revoked 20")), "{list}");

    // No secret is shown or kept.
    let shown = run(&mut at(&["config", "--json"])).expect(0).out;
    assert!(serde_json::from_str::<Value>(&shown).is_ok() && !shown.contains(SECRET), "{shown}");
    let kept = fs::read_to_string(dir.path().join("chinwag-data/KEYS")).expect("the file of keys");
    for secret in [&reading, &acting].map(|key| key.rsplit('_').next().expect("a secret")) {
        assert!(!kept.contains(secret) && !list.contains(secret));
    }
}

#[test]
fn a_bad_key_is_an_error_that_names_its_setting() {
    let dir = tempdir().expect("a directory");
    fs::write(dir.path().join("short"), "too short").expect("written");
    let serve = |args: &[&str]| {
        let mut command = chinwag(dir.path(), ["serve", "--listen", "127.0.0.1:0", "--auth", "token"]);
        run(command.args(args)).expect(2)
    };
    serve(&[]).says("set auth_secret_file, auth_key_file or auth_jwks");
    let ended =
        serve(&["--auth-secret-file", "short"]).says("auth_secret_file: short: a secret must be at least");
    assert!(!ended.err.contains("too short"), "{ended}");
    serve(&["--auth-secret-file", "none"]).says("auth_secret_file: none: No such file");
    serve(&["--auth-key-file", "short"]).says("auth_key_file: short: it holds no PEM block");
    serve(&["--auth-jwks", "short"]).says("auth_jwks: short: it is no JSON Web Key Set");
    serve(&["--auth-jwks", "http://127.0.0.1:1/jwks"]).says("auth_jwks: http://127.0.0.1:1/jwks: ");
}

#[test]
fn the_audit_log_has_what_keys_and_operators_changed() {
    let dir = tempdir().expect("a directory");
    fs::write(dir.path().join("secret"), SECRET).expect("written");
    let at = |args: &[&str]| {
        let mut command = chinwag(dir.path(), []);
        command.args(args).env("CHINWAG_AUTH_SECRET_FILE", "secret");
        command
    };
    let serve =
        ["serve", "--listen", "127.0.0.1:0", "--auth", "token", "--disk-reserve-mib", "0", "--audit-log"];
    run(&mut at(&[&serve[..], &["no/such/place.log"]].concat()))
        .expect(2)
        .says("audit_log: no/such/place.log can't be opened to be written to");
    let mut server = Running::start(&mut at(&[&serve[..], &["audit.log"]].concat()));
    let line = server.line("listening on ");
    let url = line.split("listening on ").nth(1).expect("a URL").split_whitespace().next().expect("a URL");
    let made = run(&mut at(&["key", "create", "--scope", "act", "--name", "billing"])).expect(0);
    let key = made.out.trim().to_owned();
    let mut send = at(&["send", "apple:banana", "Hello", "--as", "apple"]);
    run(send.env("CHINWAG_SERVER", url).env("CHINWAG_TOKEN", &key)).expect(0);
    let id = made.err.split("made the key ").nth(1).and_then(|rest| rest.split(';').next()).expect("an id");
    run(&mut at(&["key", "list"])).expect(0);
    run(&mut at(&["key", "revoke", id])).expect(0);
    run(&mut at(&["export", "history.jsonl"])).expect(0);
    server.signal(rustix::process::Signal::TERM);
    server.end().expect(0);

    let text = fs::read_to_string(dir.path().join("audit.log")).expect("the audit log");
    assert!(!text.contains(&key) && !text.contains("Hello"), "{text}");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let of = |line: &Value| {
        let word = |name: &str| line[name].as_str().unwrap_or("").to_owned();
        (word("by"), word("verb"), word("key"), word("query"), word("outcome"))
    };
    let expected = |by: &str, verb: &str, key: &str, query: &str| {
        (by.to_owned(), verb.to_owned(), key.to_owned(), query.to_owned(), "ok".to_owned())
    };
    assert_eq!(
        lines.iter().map(of).collect::<Vec<_>>(),
        [
            expected("operator", "/keys", id, "scope=act&name=billing"),
            expected("key", "send", id, ""),
            expected("operator", "/keys/revoke", "", &format!("id={id}")),
            expected("operator", "/export", "", ""),
        ]
    );
}
