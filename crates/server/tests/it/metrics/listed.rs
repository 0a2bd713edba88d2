//! The one list of metrics, against what is told, what the operator's page says and what the dashboard asks for.

use super::{Exposition, scrape};
use crate::{
    server::Setup,
    socket::Socket,
    wire::{get, hello, post},
};
use chinwag::metrics::{
    Format,
    names::{self, Kind},
};
use serde_json::Value;
use std::{collections::BTreeSet, fs, path::Path};

fn file(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_of_the_list_is_told_and_no_other_in_both_formats() {
    let server = Setup::embedded().start().await;
    server.ask(post("/api/send", hello("one"))).await.ok();
    server.ask(get("/api/chats?user=apple")).await.ok();
    let mut socket = Socket::open(&server, "user=apple").await;
    socket.expect("ready").await;
    let listed: Vec<_> = names::ALL.iter().map(|metric| (metric.name, metric.kind)).collect();
    for (format, is_open) in [(Format::Prometheus, false), (Format::OpenMetrics, true)] {
        let told = Exposition::parse(&server.app.snapshot().await.text(format), is_open);
        let told: Vec<_> = told
            .families
            .iter()
            .map(|(name, kind)| match kind.as_str() {
                "counter" if is_open => (format!("{name}_total"), Kind::Counter),
                "counter" => (name.clone(), Kind::Counter),
                "gauge" => (name.clone(), Kind::Gauge),
                "histogram" => (name.clone(), Kind::Histogram),
                other => panic!("{other}"),
            })
            .collect();
        let told: Vec<_> = told.iter().map(|(name, kind)| (name.as_str(), *kind)).collect();
        assert_eq!(told, listed);
    }
    let told = scrape(&server).await;
    for metric in names::ALL.iter().filter(|metric| metric.kind != Kind::Histogram) {
        let labels: BTreeSet<_> = metric.labels.iter().copied().collect();
        let of = told
            .all(metric.name)
            .map(|(labels, _)| labels.keys().map(String::as_str).collect::<BTreeSet<_>>());
        assert!(of.into_iter().all(|told| told == labels), "{}", metric.name);
    }
    server.stop_with(socket).await;
}

#[test]
fn the_operators_page_tells_of_every_metric_and_no_other() {
    let page = file("docs/OPERATIONS.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `chinwag_"));
    let told: Vec<_> =
        rows.map(|row| format!("chinwag_{}", row.split('`').next().expect("a name"))).collect();
    let listed: Vec<_> = names::ALL.iter().map(|metric| metric.name).collect();
    assert_eq!(told, listed, "in the same order");
    for metric in names::ALL {
        let start = format!("| `{}` | ", metric.name);
        let row = page.lines().find(|line| line.starts_with(&start)).expect("it was found");
        let cells: Vec<_> = row.trim_matches('|').split(" | ").collect();
        assert_eq!(cells.len(), 4, "name, labels, what it is, when to worry: {row}");
        assert_eq!(cells[1].trim(), metric.labels.join(", "), "{row}");
    }
}

#[test]
fn the_dashboard_asks_for_what_there_is() {
    let board: Value = serde_json::from_str(&file("packaging/grafana.json")).expect("JSON");
    let panels = board["panels"].as_array().expect("panels");
    let rows: Vec<_> =
        panels.iter().filter(|panel| panel["type"] == "row").map(|row| &row["title"]).collect();
    assert_eq!(rows, ["Traffic", "Latency", "Live", "Store", "Machine"]);
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64().expect("an id")).collect();
    assert_eq!(ids.len(), panels.len(), "each panel has an id of its own");
    let mut asked = BTreeSet::new();
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        let targets = panel["targets"].as_array().filter(|targets| !targets.is_empty()).expect("a target");
        assert!(panel["description"].as_str().is_some_and(|words| !words.is_empty()), "{}", panel["title"]);
        for target in targets {
            let query = target["expr"].as_str().expect("a query");
            let words = query.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let metrics: Vec<_> = words.filter(|word| word.starts_with("chinwag_")).collect();
            assert!(!metrics.is_empty(), "{query}");
            asked.extend(metrics.into_iter().map(str::to_owned));
        }
    }
    for name in &asked {
        let is_of = |metric: &&names::Metric| match metric.kind {
            Kind::Histogram => ["_bucket", "_sum", "_count"]
                .iter()
                .any(|ending| name.strip_suffix(ending) == Some(metric.name)),
            _ => name == metric.name,
        };
        assert!(names::ALL.iter().find(is_of).is_some(), "the dashboard asks for {name}, which nobody tells");
    }
    assert!(asked.len() > 25, "{asked:?}");
}
