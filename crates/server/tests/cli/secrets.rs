//! No secret is in the log, at its most talkative, in an error, or in what `chinwag config` shows.

use crate::{
    authority::Authority,
    process::{Running, chinwag, run},
};
use rustix::process::Signal;
use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};
use tempfile::tempdir;

const SECRET: &str = "a-secret-of-tests-that-nobody-may-see-0123456789";

/// What must be nowhere: the whole, and each line of it that is long enough to be told from others.
fn holds(text: &str, secret: &str) -> bool {
    let lines = secret.lines().filter(|line| !line.starts_with("-----") && line.len() >= 16);
    text.contains(secret) || lines.clone().any(|line| text.contains(line))
}

/// A command whose settings name every secret.
fn with_secrets(directory: &Path, args: &[&str]) -> Command {
    let mut command = chinwag(directory, []);
    command.args(args).stdin(Stdio::null());
    for (name, value) in [
        ("CHINWAG_AUTH", "token"),
        ("CHINWAG_AUTH_SECRET_FILE", "secret"),
        ("CHINWAG_TLS_CERT_FILE", "cert.pem"),
        ("CHINWAG_TLS_KEY_FILE", "key.pem"),
        ("CHINWAG_CA_FILE", "ca.pem"),
    ] {
        command.env(name, value);
    }
    command
}

#[test]
fn no_secret_is_shown_or_logged() {
    let (authority, dir) = (Authority::new(), tempdir().expect("a directory"));
    let signed = authority.sign(&["localhost", "127.0.0.1"]);
    let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).expect("written");
    write("secret", SECRET);
    write("cert.pem", &signed.certificate);
    write("key.pem", &signed.key);
    write("ca.pem", &authority.pem());
    let at = |args: &[&str]| with_secrets(dir.path(), args);
    let mut said = String::new();
    for args in [&["config"][..], &["config", "--json"], &["config", "--default"]] {
        let shown = run(&mut at(args)).expect(0);
        said += &(shown.out + &shown.err);
    }
    assert!(said.contains("key.pem") && said.contains("auth_secret_file"), "the paths are shown: {said}");
    let token = run(&mut at(&["token", "--sub", "apple"])).expect(0).out.trim().to_owned();
    let key = run(&mut at(&["key", "create", "--scope", "act"])).expect(0).out.trim().to_owned();
    let serve = ["serve", "--listen", "127.0.0.1:0", "--log", "trace,h2=trace,hyper=trace,rustls=trace"];
    let mut server = Running::start(&mut at(&serve));
    let line = server.line("listening on ");
    let url =
        line.split("listening on ").nth(1).and_then(|rest| rest.split(' ').next()).expect("a URL").to_owned();
    for bearer in [&token, &key] {
        for version in ["--http1.1", "--http2"] {
            let mut curl = Command::new("curl");
            curl.current_dir(dir.path()).args(["--silent", "--show-error", "--cacert", "ca.pem", version]);
            curl.args(["--header", &format!("Authorization: Bearer {bearer}")]);
            let ended = run(curl.arg(format!("{url}/api/chats?user=apple"))).expect(0);
            assert!(ended.out.contains("\"chats\""), "{ended}");
        }
        let mut command = at(&["send", "apple:banana", "Hello", "--as", "apple"]);
        run(command.env("CHINWAG_SERVER", &url).env("CHINWAG_TOKEN", bearer)).expect(0);
    }
    let tail = Running::start(at(&["tail", "--as", "apple", "--server", &url]).env("CHINWAG_TOKEN", &token));
    server.signal(Signal::TERM);
    drop(tail);
    let ended = server.end().expect(0);
    assert!(ended.err.contains("TRACE"), "the log is at its most talkative");
    said += &(ended.out + &ended.err);
    // What is wrong with a file is said, and nothing of what it holds.
    for (name, text) in [
        ("secret", "short-and-secret-"),
        ("key.pem", &format!("-----BEGIN PRIVATE KEY-----\n{SECRET}\n")),
        ("key.pem", &format!("-----BEGIN PRIVATE KEY-----\n{SECRET}\n-----END PRIVATE KEY-----\n")),
        ("key.pem", SECRET),
        ("key.pem", &signed.key[..150]),
        ("key.pem", &signed.key.replacen("MIG", "MIH", 1)),
        ("cert.pem", SECRET),
    ] {
        let good = fs::read_to_string(dir.path().join(name)).expect("read");
        write(name, text);
        let ended = run(&mut at(&["serve", "--listen", "127.0.0.1:0", "--log", "trace"])).expect(2);
        assert!(ended.err.contains(name) && !ended.err.contains("short-and-secret-"), "{ended}");
        said += &(ended.out + &ended.err);
        write(name, &good);
    }
    for secret in [SECRET, &token, &key, &signed.key, key.rsplit('_').next().expect("a secret")] {
        assert!(!holds(&said, secret), "{secret} is in:\n{said}");
    }
}
