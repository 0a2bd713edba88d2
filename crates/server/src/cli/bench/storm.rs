//! `chinwag bench storm`

use super::{ReportArgs, bar};
use crate::cli::{CliError, ServerArgs};
use chinwag_bench::{ProcessId, Storm, storm};
use clap::Args;

const MORE: &str = "\
Both users of each chat have a WebSocket. All are closed at once, messages are sent into each chat, and all come back at
once with the last id that they saw. A session has caught up with its `ready`; by then it must have been given all that it
missed, once and in order.

Example:
  chinwag bench storm --chats 5000 --messages 4 --pid PID";

#[derive(Debug, Args)]
#[command(after_help = MORE)]
pub(super) struct StormArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// How many chats; twice as many sessions.
    #[arg(long, value_name = "N", default_value_t = 5_000)]
    chats: u32,
    /// Messages that are sent into each chat while the sessions are cut.
    #[arg(long, value_name = "N", default_value_t = 4)]
    messages: u32,
    /// Bytes of each text.
    #[arg(long, value_name = "N", default_value_t = 100)]
    text_bytes: usize,
    /// The server's process, on this machine: tells its processor time, memory and writes too.
    #[arg(long, value_name = "PID")]
    pid: Option<u32>,
    #[command(flatten)]
    report: ReportArgs,
}

pub(super) async fn run(args: StormArgs) -> Result<(), CliError> {
    let server = args.server.bench_server()?;
    let plan = Storm { server, chats: args.chats, messages: args.messages, text_bytes: args.text_bytes };
    let bar = bar();
    let report = storm(plan, args.pid.map(ProcessId), &bar).await;
    bar.finish_and_clear();
    args.report.give(&report?)
}
