//! `chinwag tail`: the feed as a person and as a program read it.

use crate::process::{Ended, Running, Server, run, run_with};
use rustix::process::Signal;
use serde_json::Value;
use std::process::Stdio;

/// A tail that is live.
fn tail<const N: usize>(server: &Server, args: [&str; N]) -> Running {
    let mut tail = Running::start(server.client(["tail"]).args(args).stdin(Stdio::null()));
    tail.line("live after ");
    tail
}

fn interrupted(tail: Running) -> Ended {
    tail.signal(Signal::INT);
    tail.end().expect(0)
}

fn send(server: &Server, text: &str, sender: &str) {
    run(&mut server.client(["send", "apple:banana", text, "--as", sender])).expect(0);
}

/// The id that a tail which was ended says to go on with.
fn place(ended: &Ended) -> &str {
    let (_, id) = ended.err.split_once("go on with --since ").expect("it says where");
    id.trim_end()
}

#[test]
fn it_tells_in_words_and_says_where_it_was() {
    let server = Server::start();
    let mut feed = tail(&server, ["--as", "apple", "--watch", "banana"]);
    feed.out_line("banana is not there");
    send(&server, "Hello \u{1b}[31m \u{202e}", "apple");
    run_with(&mut server.client(["chat", "apple:banana", "--as", "banana"]), "").expect(0);
    feed.out_line("banana is there");
    feed.out_line("has read up to");
    let ended = interrupted(feed);
    // The times differ from run to run, their form does not.
    let lines: Vec<_> = ended
        .out
        .lines()
        .map(|line| line[..20].replace(|c: char| c.is_ascii_digit(), "0") + &line[20..])
        .collect();
    for expected in [
        "                      banana is there",
        "0000-00-00 00:00:00Z  apple:banana  1  apple: Hello \\u{1b}[31m \\u{202e}",
        "0000-00-00 00:00:00Z  apple:banana  banana has received up to message 1",
        "0000-00-00 00:00:00Z  apple:banana  banana has read up to message 1",
    ] {
        assert!(lines.iter().any(|line| line == expected), "{expected:?} is not in {ended}");
    }

    send(&server, "while away", "banana");
    send(&server, "and again", "banana");
    let mut again = tail(&server, ["--as", "apple", "--json", "--since", place(&ended)]);
    again.out_line("and again");
    let again = interrupted(again);
    let texts: Vec<_> = again
        .out
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("one JSON object a line"))
        .map(|event| (event["type"].clone(), event["message"]["text"].clone()))
        .collect();
    let message = |text: &str| (Value::from("message"), Value::from(text));
    assert_eq!(texts, [message("while away"), message("and again")]);
}

#[test]
fn json_cannot_rule_the_terminal_and_keeps_its_value() {
    let server = Server::start();
    let mut feed = tail(&server, ["--as", "apple", "--json"]);
    let text = "\u{9b}31m\u{202e}\u{2028}\u{7f}é";
    send(&server, text, "apple");
    let line = feed.out_line(r#""type":"message""#);
    assert!(line.contains(r#""text":"\u009b31m\u202e\u2028\u007fé""#), "{line}");
    let event: Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!(event["message"]["text"], text);
    interrupted(feed);
    let pulled = run(&mut server.client(["pull", "apple:banana", "--json"])).expect(0);
    assert!(pulled.out.contains(r#""text":"\u009b31m\u202e\u2028\u007fé""#), "{pulled}");
}

#[test]
fn it_goes_on_after_a_restart_of_the_server() {
    let server = Server::start();
    let mut feed = tail(&server, ["--as", "apple"]);
    send(&server, "before", "banana");
    feed.out_line("banana: before");
    let url = server.url.clone();
    let (ended, directory) = server.stop();
    ended.expect(0);
    feed.line("not connected, trying again: ");
    let server = Server::start_again(&url, directory);
    send(&server, "after", "banana");
    feed.out_line("banana: after");
    let ended = interrupted(feed);
    assert_eq!(ended.out.matches("banana: before").count(), 1, "{ended}");
    assert_eq!(ended.err.matches("not connected").count(), 1, "{ended}");
}

#[test]
fn another_session_takes_its_place_and_it_does_not_come_back() {
    let server = Server::start_in(tempfile::tempdir().expect("a directory"), |command| {
        command.args(["--sessions-per-user-max", "1"]);
    });
    let first = tail(&server, ["--as", "apple"]);
    let second = tail(&server, ["--as", "apple"]);
    first.end().expect(1).says("(4409)").says("go on with --since");
    interrupted(second);
}

#[test]
fn it_tells_what_is_wrong() {
    let server = Server::start();
    run(&mut server.client(["tail"])).expect(2).says("--as <USER>");
    run(&mut server.client(["tail", "--as", "a:b"])).expect(1).says("(invalid_field, 400)");
    run(&mut server.client(["tail", "--as", "a", "--since", "7"])).expect(1).says("(invalid_field, 400)");
    let since = "0000000000000001-00000000000001";
    let mut gap = Running::start(server.client(["tail", "--as", "a", "--since", since]).stdin(Stdio::null()));
    gap.line("not all that was missed can be told");
    interrupted(gap);
    let gone = ["tail", "--as", "a", "--server", "http://127.0.0.1:1"];
    run(&mut server.client(gone)).expect(1).says("--server names another");
}
