//! `chinwag bench idle`

use super::{ReportArgs, args::seconds, bar};
use crate::cli::{CliError, ServerArgs};
use chinwag_bench::{Idle, ProcessId, idle};
use clap::Args;
use std::time::Duration;

const MORE: &str = "\
Each WebSocket is of another user. What one costs is what the server's resident memory grew by, from before the first to
after the last has lain idle, over their number: start the server afresh, since memory that it has and does not use hides
some of it. What the system's kernel keeps for a socket is not in it.

Example:
  chinwag bench idle --sessions 10000 --pid PID";

#[derive(Debug, Args)]
#[command(after_help = MORE)]
pub(super) struct IdleArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// How many WebSockets.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    sessions: u32,
    /// How many are being opened at once.
    #[arg(long, value_name = "N", default_value_t = 64)]
    at_once: usize,
    /// Seconds that all of them lie idle before the memory is measured.
    #[arg(long, value_name = "S", default_value = "5", value_parser = seconds)]
    hold: Duration,
    /// The server's process, on this machine: tells its processor time, memory and writes too.
    #[arg(long, value_name = "PID")]
    pid: Option<u32>,
    #[command(flatten)]
    report: ReportArgs,
}

pub(super) async fn run(args: IdleArgs) -> Result<(), CliError> {
    let server = args.server.bench_server()?;
    let plan = Idle { server, sessions: args.sessions, at_once: args.at_once, hold: args.hold };
    let bar = bar();
    let report = idle(plan, args.pid.map(ProcessId), &bar).await;
    bar.finish_and_clear();
    args.report.give(&report?)
}
