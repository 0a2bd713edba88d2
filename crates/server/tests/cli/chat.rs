//! `chinwag chat`, from a pipe and on a terminal.

use crate::process::{Ended, Running, Server, run_with};
use std::process::Stdio;

fn chat<'a>(server: &Server, user: &'a str, input: &'a str) -> Ended {
    run_with(&mut server.client(["chat", "banana:apple", "--as", user]), input)
}

/// What was said, without the times.
fn said(out: &str) -> Vec<&str> {
    out.lines().map(|line| line.get(22..).unwrap_or(line)).collect()
}

#[test]
fn lines_of_a_pipe_are_sent_in_order_and_it_ends() {
    let server = Server::start();
    let lines: Vec<_> = (1..=30).map(|n| format!("line {n}")).collect();
    let ended =
        chat(&server, "apple", &format!("{}\r\n\n  \n{}", lines[..29].join("\n"), lines[29])).expect(0);
    let expected: Vec<_> = lines.iter().map(|line| format!("apple: {line}")).collect();
    assert_eq!(said(&ended.out), expected, "{ended}");
    // The newest 20 stand before what is said now, and what could rule a terminal does not.
    let ended = chat(&server, "banana", "\u{1b}[2J").expect(0);
    assert_eq!(said(&ended.out)[..20], expected[10..], "{ended}");
    assert_eq!(said(&ended.out)[20], "banana: \\u{1b}[2J");
    assert_eq!(chat(&server, "apple", "").expect(0).says("banana has read this\n").out.lines().count(), 20);
}

#[test]
fn two_talk_and_see_each_other_come_and_read() {
    let server = Server::start();
    let start = |user: &str| {
        let mut command = server.client(["chat", "apple:banana", "--as", user]);
        Running::start(command.stdin(Stdio::piped()))
    };
    let mut apple = start("apple");
    apple.line("banana is not there");
    let mut banana = start("banana");
    apple.line("banana is there");
    apple.say("Hello\n");
    banana.out_line("apple: Hello");
    apple.line("banana has read this");
    banana.say("Hi apple\nHow are you?\n");
    apple.out_line("banana: How are you?");
    for chat in [&mut apple, &mut banana] {
        chat.hush();
    }
    let (apple, banana) = (apple.end().expect(0), banana.end().expect(0));
    let expected = ["apple: Hello", "banana: Hi apple", "banana: How are you?"];
    assert_eq!((said(&apple.out), said(&banana.out)), (expected.to_vec(), expected.to_vec()));
}

#[test]
fn a_line_that_is_not_sent_is_told_and_the_others_are_sent() {
    let server = Server::start();
    let long = "x".repeat(16_385);
    let ended = chat(&server, "apple", &format!("one\n{long}\ntwo\n")).expect(1);
    let ended = ended.says("not sent: ").says("(text_too_long, 400)").says("not every line was sent");
    assert_eq!(said(&ended.out), ["apple: one", "apple: two"]);

    let endless = "x".repeat((1 << 20) + 1);
    chat(&server, "apple", &format!("three\n{endless}")).expect(1).says("longer than any message");
    let mut command = server.client(["chat", "apple:banana", "--as", "apple"]);
    let mut broken = Running::start(command.stdin(Stdio::piped()));
    broken.say_bytes(b"four\n\xff\nfive\n");
    broken.hush();
    let broken = broken.end().expect(1).says("a line is not UTF-8");
    assert_eq!(said(&broken.out), ["apple: one", "apple: two", "apple: three", "apple: four"]);
}

#[test]
fn a_pipe_whose_server_has_gone_ends_once_the_client_gives_up() {
    let server = Server::start();
    let mut command = server.client(["chat", "apple:banana", "--as", "apple"]);
    let mut chat = Running::start(command.stdin(Stdio::piped()));
    chat.say("one\n");
    chat.out_line("apple: one");
    server.stop().0.expect(0);
    chat.line("not connected, trying again: ");
    chat.say("two\n");
    chat.hush();
    let ended = chat.end().expect(1).says("not sent: ").says(": two").says("not every line was sent");
    assert_eq!(said(&ended.out), ["apple: one"]);
}

#[test]
fn it_tells_what_is_wrong() {
    let server = Server::start();
    let run = |args: [&str; 4]| run_with(&mut server.client(args), "x\n");
    run(["chat", "apple", "--as", "apple"]).expect(2).says("separated by a colon");
    run(["chat", "apple:banana", "--as", "cherry"]).expect(2).says("one of the two users");
    let mut gone = server.client(["chat", "a:b", "--as", "a", "--server", "http://127.0.0.1:1"]);
    run_with(&mut gone, "x\n").expect(1).says("--server names another");
}
