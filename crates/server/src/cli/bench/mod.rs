//! `chinwag bench`: what it measures with is the room `chinwag-bench`; here are its flags and its prints.

mod args;
mod compare;
mod disk;
mod fan_out;
mod fill;
mod idle;
mod inbox;
mod overload;
mod run;
mod storm;

use super::{CliError, ServerArgs, output::Output};
use chinwag_bench::{BenchError, Report, Server, html, report_table};
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  chinwag bench run --connections 200                          sends, as fast as 200 connections go
  chinwag bench run --sends 20% --rate 5000 --html out.html    a fifth sends, 5,000 requests a second
  chinwag bench compare --load send --reference noop           sends over the server's no-op, round by round
  chinwag bench fan-out --rate 5000 --chats 1000               from a send to the peer's WebSocket
  chinwag bench idle --sessions 10000 --pid PID                what an open WebSocket costs the server
  chinwag bench overload --pid PID --html overload.html        three times the top rate, and what becomes of it
  chinwag bench fill --data ./big --chats 1000000 --messages 10000000

It stores messages: use a server that you can throw away. Every acknowledged send is read back at the end, and where users
listen it must have come to them once and in order; where that is not so, the exit code is 1.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct BenchArgs {
    #[command(subcommand)]
    command: BenchCommand,
}

#[derive(Debug, Subcommand)]
enum BenchCommand {
    /// Put a load on a server, measure it, and verify what it stored.
    Run(run::RunArgs),
    /// Put a load and a reference on a server in turn, and tell the ratio of their rates.
    Compare(compare::CompareArgs),
    /// Send to users who listen, and measure from when a send was due to its arrival at the peer's WebSocket.
    FanOut(fan_out::FanOutArgs),
    /// Open WebSockets that lie idle, and measure what each costs the server.
    Idle(idle::IdleArgs),
    /// Cut all WebSockets at once, send meanwhile, let all come back at once, and measure until all have caught up.
    Storm(storm::StormArgs),
    /// Offer far more than the server can do, and measure what becomes of what it takes on.
    Overload(overload::OverloadArgs),
    /// Measure pages of the inboxes of users of many chats.
    Inbox(inbox::InboxArgs),
    /// Load messages straight into the data directory of a server that does not run.
    Fill(fill::FillArgs),
    /// Measure how long a disk takes to make a small write durable.
    Disk(disk::DiskArgs),
}

pub(super) async fn run(args: BenchArgs) -> Result<(), CliError> {
    match args.command {
        BenchCommand::Run(args) => run::run(args).await,
        BenchCommand::Compare(args) => compare::run(args).await,
        BenchCommand::FanOut(args) => fan_out::run(args).await,
        BenchCommand::Idle(args) => idle::run(args).await,
        BenchCommand::Storm(args) => storm::run(args).await,
        BenchCommand::Overload(args) => overload::run(args).await,
        BenchCommand::Inbox(args) => inbox::run(args).await,
        BenchCommand::Fill(args) => fill::run(args).await,
        BenchCommand::Disk(args) => disk::run(&args),
    }
}

impl ServerArgs {
    /// The server that is measured, asked with the token or key that was said.
    fn bench_server(&self) -> Result<Server, CliError> {
        let server = Server::parse(&self.url()?)?;
        Ok(match self.token() {
            Some(token) => server.with_token(&token)?,
            None => server,
        })
    }
}

impl From<BenchError> for CliError {
    fn from(error: BenchError) -> Self {
        match error {
            BenchError::Plan(_) => Self::Usage(error.to_string()),
            BenchError::Connect { .. } | BenchError::Unfit(_) | BenchError::Io { .. } => {
                Self::Refused(error.to_string())
            }
        }
    }
}

/// Drawn on standard error, and only where that is a terminal.
fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix} {bar:40} {percent}%  {msg}  {eta} left")
        .expect("the template is right");
    ProgressBar::new(0).with_style(style)
}

/// Where results go besides the table.
#[derive(Debug, Args)]
struct ResultArgs {
    /// Write the result to this file as JSON.
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    json: Option<PathBuf>,
    /// Fail where any request failed, not only where an answer was wrong.
    #[arg(long)]
    strict: bool,
}

/// Where a report goes besides the table.
#[derive(Debug, Args)]
struct ReportArgs {
    /// Write the result to this file as a page with the latency plot.
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    html: Option<PathBuf>,
    #[command(flatten)]
    result: ResultArgs,
}

impl ReportArgs {
    /// Prints and writes a report, and fails where it is one that must not be.
    fn give(&self, report: &Report) -> Result<(), CliError> {
        if let Some(path) = &self.html {
            write(path, html(&format!("chinwag bench: {}", report.load), report).as_bytes())?;
        }
        self.result.give(&report_table(report), report, report.verified(), report.failed)
    }
}

impl ResultArgs {
    /// Prints and writes a result, and fails where it is one that must not be.
    fn give(
        &self,
        table: &str,
        result: &impl Serialize,
        verified: bool,
        failed: u64,
    ) -> Result<(), CliError> {
        if let Some(path) = &self.json {
            let json = serde_json::to_vec_pretty(result).expect("numbers and texts are JSON");
            write(path, &json)?;
        }
        Output::new().bytes(table.as_bytes())?;
        if !verified {
            return Err(CliError::Refused("the server is not right: see the table".into()));
        }
        if self.strict && failed > 0 {
            return Err(CliError::Refused(format!("{failed} requests failed")));
        }
        Ok(())
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    std::fs::write(path, bytes).map_err(|error| CliError::Refused(format!("{}: {error}", path.display())))
}
