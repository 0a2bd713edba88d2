//! `chinwag bench run`

use super::{
    ReportArgs,
    args::{LoadArgs, seconds, share},
    bar,
};
use crate::cli::CliError;
use chinwag_bench::{Load, Stage, Work};
use clap::Args;
use std::time::Duration;

const EXAMPLES: &str = "\
Without a rate the loop is closed: each connection sends its next request once the last is answered. With --rate it is
open: requests start at that rate whatever the server does, and a latency counts from when its request was to start.

Examples:
  chinwag bench run --connections 200 --chats 1000000
  chinwag bench run --sends 0% --rate 10000 --connections 200 --json out.json --html out.html
  chinwag bench run --sends 0% --chat apple:banana --stages 30s:50,60s:200,20s:0 --strict";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct RunArgs {
    #[command(flatten)]
    load: LoadArgs,
    /// The share of sends; the rest pulls the newest 10 of a chat.
    #[arg(long, value_name = "SHARE", default_value = "100%", value_parser = share)]
    sends: f64,
    /// Post a send's JSON to the server's no-op instead (`serve --bench-routes`).
    #[arg(long, conflicts_with = "sends")]
    noop: bool,
    /// Requests a second: an open loop.
    #[arg(long, value_name = "N")]
    rate: Option<f64>,
    /// A ramp of connections: seconds and the connections at their end, and so on.
    #[arg(long, value_name = "S:N,…", value_delimiter = ',', value_parser = stage, conflicts_with_all = ["rate", "connections", "duration"])]
    stages: Vec<Stage>,
    /// Seconds that are measured.
    #[arg(long, value_name = "S", default_value = "10", value_parser = seconds)]
    duration: Duration,
    #[command(flatten)]
    report: ReportArgs,
}

pub(super) async fn run(args: RunArgs) -> Result<(), CliError> {
    let connections = args.load.connections;
    let load = match args.rate {
        _ if !args.stages.is_empty() => Load::Staged(args.stages),
        Some(rate) => Load::Open { rate, connections },
        None => Load::Closed { connections },
    };
    let work = if args.noop { Work::Noop } else { args.load.verbs(args.sends) };
    let mut plan = args.load.plan(load, work, args.duration)?;
    if matches!(plan.load, Load::Staged(_)) {
        // A ramp is measured from its first request on.
        plan.warm_up = Duration::ZERO;
    }
    let bar = bar();
    let report = chinwag_bench::run(plan, args.load.chats()?, args.load.process(), &bar).await;
    bar.finish_and_clear();
    args.report.give(&report?)
}

/// A stage, such as `30s:50`.
fn stage(text: &str) -> Result<Stage, String> {
    let (lasts, to) = text.split_once(':').ok_or_else(|| format!("{text:?} is no stage such as 30s:50"))?;
    let to = to.parse().map_err(|_| format!("{to:?} is not a number of connections"))?;
    Ok(Stage { lasts: seconds(lasts)?, to })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages() {
        assert_eq!(stage("30s:50"), Ok(Stage { lasts: Duration::from_secs(30), to: 50 }));
        for bad in ["", "30", "30:", ":5", "a:b", "30:-1"] {
            assert!(stage(bad).is_err(), "{bad}");
        }
    }
}
