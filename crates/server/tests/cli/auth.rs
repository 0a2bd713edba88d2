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
