//! `chinwag bench` against a real server and a real store.

use crate::process::{Server, chinwag, run};
use serde_json::Value;
use std::path::Path;
use tempfile::tempdir;

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).expect("the result is written")).expect("it is JSON")
}

#[test]
fn a_mix_is_measured_and_verified() {
    let server = Server::start();
    let args = ["bench", "run", "--connections", "5", "--chats", "20", "--sends", "30%", "--warm-up", "0.1"];
    let mut command = server.client(args);
    command.args(["--zipf", "1", "--duration", "0.4", "--json", "r.json", "--html", "r.html", "--strict"]);
    let ended = run(&mut command).expect(0);
    assert!(ended.out.contains("30 % keyed sends") && ended.out.contains("\nverified: "), "{ended}");
    let result = json(&server.directory.path().join("r.json"));
    assert_eq!(result["failed"], 0, "{result}");
    let verification = &result["verification"];
    assert!(verification["found"].as_u64().is_some_and(|found| found > 0), "{result}");
    assert_eq!(verification["found"], verification["acknowledged"], "{result}");
    let names: Vec<_> = result["ops"].as_array().expect("a list").iter().map(|op| &op["name"]).collect();
    assert_eq!(names, ["send", "pull"]);
    let page = std::fs::read_to_string(server.directory.path().join("r.html")).expect("the page is written");
    assert!(page.contains("<svg"), "{page}");
}

#[test]
fn a_comparison_needs_the_bench_routes() {
    let args =
        ["bench", "compare", "--load", "send", "--connections", "4", "--rounds", "2", "--round", "0.7"];
    let server = Server::start_in(tempdir().expect("a directory"), |command| {
        command.arg("--bench-routes");
    });
    let ended = run(server.client(args).args(["--json", "r.json", "--strict"])).expect(0);
    assert!(ended.out.contains("ratio of the medians"), "{ended}");
    let result = json(&server.directory.path().join("r.json"));
    assert_eq!(result["load_per_s"].as_array().map(Vec::len), Some(2), "{result}");
    let without = Server::start();
    let ended = run(without.client(args).arg("--strict")).expect(1).says("requests failed");
    assert!(ended.out.is_empty() || ended.out.contains("failed: "), "{ended}");
}

#[test]
fn a_filled_store_is_whole_and_serves_a_load() {
    let directory = tempdir().expect("a directory");
    let fill = ["bench", "fill", "--data", "chinwag-data", "--chats", "30", "--messages", "601"];
    for times in 1..=2 {
        let ended = run(&mut chinwag(directory.path(), fill)).expect(0);
        assert!(ended.out.starts_with("stored 630 messages in 30 chats"), "{ended}");
        let checked = run(&mut chinwag(directory.path(), ["check"])).expect(0);
        assert!(checked.out.contains(&format!("messages  {}\n", 630 * times)), "{checked}");
    }
    let server = Server::start_in(directory, |_| {});
    let mut command =
        server.client(["bench", "run", "--chats", "30", "--connections", "3", "--sends", "50%"]);
    command.args(["--pulls", "spread", "--rate", "300", "--duration", "0.5", "--strict"]);
    let ended = run(&mut command).expect(0);
    assert!(ended.out.contains("open loop, 300 requests/s"), "{ended}");
    run(&mut chinwag(server.directory.path(), fill)).expect(2).says("another");
}

/// How well a machine does is measured and not tested; what is told must be whole, and what was acknowledged be there.
#[test]
fn an_overload_is_told_in_its_three_times_and_verified() {
    let server = Server::start();
    let mut command =
        server.client(["bench", "overload", "--chats", "5", "--connections", "4", "--top", "200"]);
    command.args(["--factor", "2", "--quiet", "25%", "--quiet-duration", "1", "--duration", "1"]);
    command.args(["--json", "r.json", "--html", "r.html"]);
    let ended = run(&mut command).expect(0);
    assert!(ended.out.contains("overload: 50/s for 1 s, 400/s for 1 s"), "{ended}");
    assert!(ended.out.contains("\nverified: "), "{ended}");
    let result = json(&server.directory.path().join("r.json"));
    let ops = result["ops"].as_array().expect("a list");
    assert_eq!(ops.iter().map(|op| &op["name"]).collect::<Vec<_>>(), ["quiet", "over", "after"]);
    let verification = &result["verification"];
    assert!(verification["found"].as_u64().is_some_and(|found| found > 0), "{result}");
    assert_eq!(verification["found"], verification["acknowledged"], "{result}");
    for figure in ["goodput_of_top", "p99_over_quiet", "recovered_after_s"] {
        assert!(result["figures"][figure].is_number(), "{figure}: {result}");
    }
    assert_eq!(
        (&result["figures"]["top_per_s"], &result["figures"]["offered_per_s"]),
        (&200.0.into(), &400.0.into())
    );
    let page = std::fs::read_to_string(server.directory.path().join("r.html")).expect("the page is written");
    assert_eq!(page.matches("<svg").count(), 2, "the second drawing shows each second");

    let refused = |args: &[&str]| run(server.client(["bench", "overload"]).args(args));
    refused(&["--quiet", "x"]).expect(2).says("--quiet");
    refused(&["--server", "http://127.0.0.1:9"]).expect(1).says("cannot connect");
}

#[test]
fn what_makes_no_sense_is_refused_in_words() {
    let directory = tempdir().expect("a directory");
    let bench = |args: &[&str]| run(chinwag(directory.path(), ["bench"]).args(args));
    bench(&["run", "--sends", "101%"]).expect(2).says("20%");
    bench(&["run", "--stages", "30s"]).expect(2).says("30s:50");
    bench(&["run", "--text-bytes", "5"]).expect(2).says("32 to ");
    bench(&["run", "--chat", "apple"]).expect(2).says("colon");
    bench(&["run", "--server", "https://localhost"]).expect(2).says("http://localhost:8080");
    bench(&["run", "--server", "http://127.0.0.1:9"]).expect(1).says("cannot connect");
    bench(&["fill", "--chats", "0"]).expect(2).says("--chats");
    let ended = bench(&["disk", "--duration", "0.05"]).expect(0);
    assert!(ended.out.contains("p50 "), "{ended}");
}
