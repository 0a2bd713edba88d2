//! `chinwag bench overload`

use super::{
    ReportArgs,
    args::{LoadArgs, seconds, share},
    bar,
};
use crate::cli::CliError;
use chinwag_bench::{Load, Overload, overload};
use clap::Args;
use std::time::Duration;

const MORE: &str = "\
Sends in an open loop: quiet for a while, then far more than the server can do, then quiet again. What it can do is measured
first with 200 connections, unless --top says it. A latency counts from when its request was to start, and only of what was
answered well; a refusal is a 503 `overloaded`.

The page's second drawing shows each second: what was offered, answered well and refused, and the p99 of what was answered well.

Example:
  chinwag bench overload --pid PID --html overload.html";

#[derive(Debug, Args)]
#[command(after_help = MORE)]
pub(super) struct OverloadArgs {
    #[command(flatten)]
    load: LoadArgs,
    /// The top rate, in sends a second, instead of measuring it.
    #[arg(long, value_name = "N")]
    top: Option<f64>,
    /// So many times the top rate.
    #[arg(long, value_name = "X", default_value_t = 3.0)]
    factor: f64,
    /// The quiet rate, as a share of the top.
    #[arg(long, value_name = "SHARE", default_value = "20%", value_parser = share)]
    quiet: f64,
    /// Seconds of each quiet time.
    #[arg(long, value_name = "S", default_value = "10", value_parser = seconds)]
    quiet_duration: Duration,
    /// Seconds of the overload.
    #[arg(long, value_name = "S", default_value = "20", value_parser = seconds)]
    duration: Duration,
    #[command(flatten)]
    report: ReportArgs,
}

pub(super) async fn run(args: OverloadArgs) -> Result<(), CliError> {
    let connections = args.load.connections;
    let work = args.load.verbs(1.0);
    let plan = args.load.plan(Load::Closed { connections }, work, args.duration)?;
    let plan = Overload {
        plan,
        top: args.top,
        quiet: args.quiet,
        factor: args.factor,
        connections,
        quiet_lasts: args.quiet_duration,
        lasts: args.duration,
    };
    let bar = bar();
    let report = overload(plan, args.load.chats()?, args.load.process(), &bar).await;
    bar.finish_and_clear();
    args.report.give(&report?)
}
