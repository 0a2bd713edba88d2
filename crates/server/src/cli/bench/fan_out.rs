//! `chinwag bench fan-out`

use super::{
    ReportArgs,
    args::{LoadArgs, seconds},
    bar,
};
use crate::cli::CliError;
use chinwag_bench::{FanOut, Load, fan_out};
use clap::Args;
use std::time::Duration;

const MORE: &str = "\
The first user of each chat sends, the second listens on a WebSocket. Sends start at the given rate whatever the server
does, and a delivery's latency counts from when its send was to start until the frame is at the peer's socket. Each
session must have been given every acknowledged message once and in order.

Example:
  chinwag bench fan-out --rate 5000 --chats 1000 --duration 30 --html out.html";

#[derive(Debug, Args)]
#[command(after_help = MORE)]
pub(super) struct FanOutArgs {
    #[command(flatten)]
    load: LoadArgs,
    /// Sends a second.
    #[arg(long, value_name = "N")]
    rate: f64,
    /// Seconds that are measured.
    #[arg(long, value_name = "S", default_value = "10", value_parser = seconds)]
    duration: Duration,
    #[command(flatten)]
    report: ReportArgs,
}

pub(super) async fn run(args: FanOutArgs) -> Result<(), CliError> {
    let load = Load::Open { rate: args.rate, connections: args.load.connections };
    let plan = args.load.plan(load, args.load.verbs(1.0), args.duration)?;
    let bar = bar();
    let report = fan_out(FanOut { plan, chats: args.load.chats()? }, args.load.process(), &bar).await;
    bar.finish_and_clear();
    args.report.give(&report?)
}
