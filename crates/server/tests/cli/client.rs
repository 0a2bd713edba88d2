//! The commands that look at a server or a store from outside.

use crate::process::{Ended, Server, chinwag, run, run_with};
use serde_json::{Value, json};
use std::process::{Command, Stdio};
use tempfile::tempdir;

fn messages(ended: &Ended) -> Vec<Value> {
    ended.out.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect()
}

/// A server whose chat `apple:banana` holds the texts 1 to 5.
fn with_five() -> Server {
    let server = Server::start();
    for text in ["1", "2", "3", "4", "5"] {
        run(&mut server.client(["send", "apple:banana", text, "--as", "apple"])).expect(0);
    }
    server
}

#[test]
fn send_stores_and_says_where() {
    let server = Server::start();
    let sent = run(&mut server.client(["send", "banana:apple", "-v", "--as", "apple"])).expect(0);
    assert!(sent.out.starts_with("message 1 of banana:apple, stored 20"), "{sent}");
    let args =
        ["send", "apple:banana", "-", "--as", "banana", "--key", "k", "--data", "{\"a\": [1.0]}", "--json"];
    let sent = run_with(&mut server.client(args), "two\nlines\n\n").expect(0);
    let message = &messages(&sent)[0];
    assert_eq!(
        (&message["text"], &message["seq"], &message["key"]),
        (&json!("two\nlines\n"), &json!(2), &json!("k"))
    );
    assert_eq!(message["data"], json!({"a": [1.0]}));
    let again = run_with(&mut server.client(args), "another").expect(1);
    again.says("key_reused, 422");
    let again = run_with(&mut server.client(args), "two\nlines\n\r\n").expect(0).says("nothing was added");
    assert_eq!(again.out, sent.out);
}

#[test]
fn send_tells_what_is_wrong() {
    let server = Server::start();
    run(&mut server.client(["send", "a:b", "x", "--as", "c"])).expect(1).says("(not_a_member, 403)");
    run(&mut server.client(["send", "a:b", "", "--as", "a"])).expect(1).says("400)");
    run(&mut server.client(["send", "a:b", "x", "--as", "a", "--data", "{"])).expect(2).says("it is no JSON");
    run(&mut server.client(["send", "a:b", "x", "--as", "a", "--data", "[]"])).expect(1).says("400)");
    run(&mut server.client(["send", "a:b", "x"])).expect(2).says("--as <USER>");
    run(&mut server.client(["send", "a:b", "x", "--as", "a", "--server", "ftp://x"])).expect(2);
    run_with(&mut server.client(["send", "a:b", "-", "--as", "a"]), &"x".repeat((1 << 20) + 1))
        .expect(2)
        .says("longer than any message");
    assert_eq!(run(&mut server.client(["pull", "a:b", "--json"])).expect(0).out, "");
}

#[test]
fn pull_prints_a_table_that_cannot_rule_the_terminal() {
    let server = Server::start();
    for (sender, text) in [("b", "plain"), ("ab\u{202e}c", "\u{1b}[31mred\nline\u{2028} \u{202e}back 👩‍👩‍👧")]
    {
        run(&mut server.client(["send", "ab\u{202e}c:b", text, "--as", sender])).expect(0);
    }
    let pulled = run(&mut server.client(["pull", "ab\u{202e}c:b"])).expect(0);
    let digit = |c: char| if c.is_ascii_digit() { '0' } else { c };
    // The times differ from run to run, their form does not.
    let rows: Vec<String> = pulled
        .out
        .lines()
        .map(|line| {
            line[..8].to_owned() + &line[8..28].replace(|c: char| c.is_ascii_digit(), "0") + &line[28..]
        })
        .collect();
    assert!(rows.iter().skip(1).all(|row| row[8..28].chars().all(|c| digit(c) == c)));
    insta::assert_snapshot!(rows.join("\n"), @r"
       SEQ  TIME                  SENDER       TEXT
         1  0000-00-00 00:00:00Z  b            plain
         2  0000-00-00 00:00:00Z  ab\u{202e}c  \u{1b}[31mred\nline\u{2028} \u{202e}back 👩‍👩‍👧
    ");
}

#[test]
fn pull_reads_pages_in_both_directions() {
    let server = with_five();
    let texts = |args: &[&str]| -> Vec<String> {
        let ended = run(server.client(["pull", "apple:banana", "--json"]).args(args)).expect(0);
        assert_eq!(ended.err, "");
        messages(&ended).iter().map(|message| message["text"].as_str().expect("a text").to_owned()).collect()
    };
    assert_eq!(texts(&[]), ["1", "2", "3", "4", "5"]);
    assert_eq!(texts(&["--limit", "2"]), ["1", "2"]);
    assert_eq!(texts(&["--limit", "2", "--cursor", "2"]), ["3", "4"]);
    assert_eq!(texts(&["--limit", "2", "--reverse"]), ["5", "4"]);
    assert_eq!(texts(&["--limit", "2", "--reverse", "--cursor", "2"]), ["2", "1"]);
    assert_eq!(texts(&["--limit", "2", "--all"]), ["1", "2", "3", "4", "5"]);
    assert_eq!(texts(&["--limit", "2", "--all", "--reverse"]), ["5", "4", "3", "2", "1"]);
    assert_eq!(texts(&["--all"]).len(), 5);
    let table = run(&mut server.client(["pull", "apple:banana", "--limit", "2", "--reverse"])).expect(0);
    assert_eq!(table.out.lines().count(), 3, "{table}");
    assert_eq!(table.err, "More: go on with --reverse --cursor 3, or read all with --all.\n");
    let table = run(&mut server.client(["pull", "apple:banana", "--limit", "2", "--all"])).expect(0);
    assert_eq!((table.out.lines().count(), table.err.as_str()), (6, ""));
}

#[test]
fn pull_of_nothing_and_pull_refused() {
    let server = Server::start();
    for all in [&["--all"][..], &[]] {
        let empty = run(server.client(["pull", "a:b"]).args(all)).expect(0);
        assert_eq!((empty.out.as_str(), empty.err.as_str()), ("", "No messages.\n"));
    }
    run(&mut server.client(["pull", "ab"])).expect(1).says("400)");
    run(&mut server.client(["pull", "a:b", "--cursor", "9007199254740992"])).expect(1).says("400)");
    run(&mut server.client(["pull", "a:b", "--cursor", "x"])).expect(2);
}

#[test]
fn a_reader_that_has_gone_is_no_error() {
    let server = with_five();
    let print: [fn(&Server) -> Command; 4] = [
        |server| server.client(["pull", "apple:banana", "--all", "--limit", "1"]),
        |server| server.client(["pull", "apple:banana", "--all", "--json"]),
        |server| server.client(["config"]),
        |server| server.client(["completions", "bash"]),
    ];
    for command in print {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = command(&server).stdin(Stdio::null()).stdout(writer).stderr(Stdio::piped()).output();
        let output = output.expect("it runs");
        assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &[][..]));
    }
}

#[test]
fn a_server_that_is_not_there() {
    let dir = tempdir().expect("a directory");
    // Port 1 of loopback: nobody listens there, and nobody takes it meanwhile.
    for args in
        [["pull", "a:b", "--server", "http://127.0.0.1:1"], ["health", "--server", "http://127.0.0.1:1", ""]]
    {
        let args = args.iter().filter(|arg| !arg.is_empty());
        let mut command = chinwag(dir.path(), []);
        run(command.args(args)).expect(1).says("(at http://127.0.0.1:1; --server names another)");
    }
}

#[test]
fn health_asks_the_server_that_this_environment_would_run() {
    let server = Server::start();
    assert_eq!(run(&mut server.client(["health"])).expect(0).out, "ready\n");
    let port = server.url.rsplit(':').next().expect("a port");
    for listen in ["0.0.0.0", "127.0.0.1"] {
        let mut command = chinwag(server.directory.path(), ["health"]);
        run(command.env("CHINWAG_LISTEN", format!("{listen}:{port}"))).expect(0);
    }
    run(chinwag(server.directory.path(), ["health"]).env("CHINWAG_LISTEN", "127.0.0.1:1")).expect(1);
    run(chinwag(server.directory.path(), ["health"]).env("CHINWAG_LISTEN", "x"))
        .expect(1)
        .says("listen: \"x\" (variable CHINWAG_LISTEN) is not allowed");
    server.stop().0.expect(0);
}

#[test]
fn check_counts() {
    let (_, directory) = with_five().stop();
    let checked = run(&mut chinwag(directory.path(), ["check"])).expect(0);
    for line in ["chats     1", "messages  5", "changes   5", "problems  none"] {
        assert!(checked.out.lines().any(|printed| printed == line), "{line:?} is not in\n{checked}");
    }
    assert_eq!(checked.err, "");
    let named = run(&mut chinwag(directory.path(), ["check", "--data", "chinwag-data"])).expect(0);
    assert_eq!(named.out, checked.out);
    run(&mut chinwag(directory.path(), ["check", "--data", "elsewhere"]))
        .expect(2)
        .says("there is no store here");
    assert!(!directory.path().join("elsewhere").exists(), "it must make nothing");
}

#[test]
fn completions_of_each_shell() {
    let dir = tempdir().expect("a directory");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = run(&mut chinwag(dir.path(), ["completions", shell])).expect(0).out;
        for word in ["chinwag", "completions", "log-format"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    run(&mut chinwag(dir.path(), ["completions", "tcsh"])).expect(2).says("bash");
}
