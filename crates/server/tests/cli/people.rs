//! `chinwag user disconnect`, `block`, `unblock` and `blocks`, against a real server.

use crate::process::{Running, Server, chinwag, run};
use serde_json::Value;
use std::process::Stdio;
use tempfile::tempdir;

/// A client that keeps to the contract ends by itself, and does not come back.
#[test]
fn a_user_who_is_disconnected_is_told_and_stays_away() {
    let server = Server::start();
    let directory = server.directory.path();
    let disconnect = |user: &str| run(&mut chinwag(directory, ["user", "disconnect", user]));
    let follow = |user: &str| {
        let mut tail = Running::start(server.client(["tail", "--as", user]).stdin(Stdio::null()));
        tail.line("live after ");
        tail
    };
    assert_eq!(disconnect("apple").expect(0).out, "0 sessions ended\n");
    let (first, second, mut other) = (follow("apple"), follow("apple"), follow("banana"));
    assert_eq!(disconnect("apple").expect(0).out, "2 sessions ended\n");
    for ended in [first, second] {
        ended.end().expect(1).says("(4403)").says("go on with --since");
    }
    assert_eq!(disconnect("apple").expect(0).out, "0 sessions ended\n", "they have not come back");
    run(&mut server.client(["send", "apple:banana", "Hello", "--as", "apple"])).expect(0);
    other.out_line("apple: Hello");

    disconnect("a:b").expect(2).says("user: ");
    run(&mut chinwag(directory, ["user", "disconnect"])).expect(2).says("<USER>");
    let (_, directory) = server.stop();
    run(&mut chinwag(directory.path(), ["user", "disconnect", "apple"])).expect(2).says("can't be asked");
    let empty = tempdir().expect("a directory");
    run(&mut chinwag(empty.path(), ["user", "disconnect", "apple"])).expect(2).says("can't be asked");
}

#[test]
fn a_block_stands_until_it_is_taken_back() {
    let server = Server::start();
    let client = |args: &[&str]| run(server.client([]).args(args));
    let listed = |user: &str| client(&["blocks", "--as", user]).expect(0).out;
    assert_eq!(listed("apple"), "");
    let send = ["send", "apple:banana", "Hello", "--as", "banana"];
    client(&send).expect(0);

    for _twice in 0..2 {
        let blocked = client(&["block", "banana", "--as", "apple"]).expect(0);
        assert_eq!(blocked.out, "apple blocks banana\n");
    }
    client(&send).expect(1).says("(blocked, 403)");
    client(&["send", "apple:banana", "Hello", "--as", "apple"]).expect(0);
    let also = client(&["block", "cherry", "--as", "apple", "--json"]).expect(0);
    let also: Value = serde_json::from_str(&also.out).expect("one object");
    assert_eq!(
        (&also["user"], &also["peer"], &also["blocked"]),
        (&"apple".into(), &"cherry".into(), &true.into())
    );

    let lines = listed("apple");
    let peers: Vec<_> =
        lines.lines().filter_map(|line| line.rsplit_once("  ").map(|(_, peer)| peer)).collect();
    assert_eq!(peers, ["banana", "cherry"], "{lines}");
    assert_eq!(listed("banana"), "", "it is the other's");
    let as_json = client(&["blocks", "--as", "apple", "--json"]).expect(0).out;
    let as_json: Vec<Value> =
        as_json.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect();
    assert_eq!(as_json.iter().map(|one| &one["peer"]).collect::<Vec<_>>(), ["banana", "cherry"]);
    assert!(as_json.iter().all(|one| one["ts"].as_u64().is_some_and(|ts| ts > 0)), "{as_json:?}");

    for _twice in 0..2 {
        let freed = client(&["unblock", "banana", "--as", "apple"]).expect(0);
        assert_eq!(freed.out, "apple does not block banana\n");
    }
    client(&send).expect(0);
    assert!(!listed("apple").contains("banana"));

    client(&["block", "banana"]).expect(2).says("--as <USER>");
    client(&["block", "apple", "--as", "apple"]).expect(1).says("(invalid_field, 400)");
    client(&["unblock", "a:b", "--as", "apple"]).expect(1).says("(invalid_field, 400)");
    client(&["blocks", "--as", "a:b"]).expect(1).says("(invalid_field, 400)");
}
