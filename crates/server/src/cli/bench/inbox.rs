//! `chinwag bench inbox`

use super::{ReportArgs, args::seconds, bar};
use crate::cli::{CliError, ServerArgs};
use chinwag_bench::{Inbox, ProcessId, inbox};
use clap::Args;
use std::time::Duration;

const MORE: &str = "\
Three kinds of page are told apart, each of 25 chats: the first that each user asks for, the usual one, and the one after
a message came to the user. Restart the server between filling and measuring (--filled), and the first is one that finds
nothing in memory.

Examples:
  chinwag bench inbox --users 10 --chats 1000
  chinwag bench inbox --users 10 --chats 1000 --filled";

#[derive(Debug, Args)]
#[command(after_help = MORE)]
pub(super) struct InboxArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// How many users.
    #[arg(long, value_name = "N", default_value_t = 10)]
    users: u32,
    /// How many chats each of them has.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    chats: u32,
    /// Send nothing first: an earlier run with the same numbers did.
    #[arg(long)]
    filled: bool,
    /// Seconds that the usual pages are measured, and as many for those after a message.
    #[arg(long, value_name = "S", default_value = "5", value_parser = seconds)]
    duration: Duration,
    /// Seed of the choices of user and chat.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// The server's process, on this machine: tells its processor time, memory and writes too.
    #[arg(long, value_name = "PID")]
    pid: Option<u32>,
    #[command(flatten)]
    report: ReportArgs,
}

pub(super) async fn run(args: InboxArgs) -> Result<(), CliError> {
    let plan = Inbox {
        server: args.server.bench_server()?,
        users: args.users,
        chats: args.chats,
        fill: !args.filled,
        duration: args.duration,
        seed: args.seed,
    };
    let bar = bar();
    let report = inbox(plan, args.pid.map(ProcessId), &bar).await;
    bar.finish_and_clear();
    args.report.give(&report?)
}
