//! `chinwag restore`

use super::{
    CliError,
    output::{Output, escaped},
    place::{bar_of_bytes, refuse_foreign_data},
    serve::why_not_opened,
    time::utc,
};
use chinwag_store::embedded::backup::{RestoreError, RestoreReport, restore};
use clap::Args;
use std::path::PathBuf;

const MORE: &str = "\
Examples:
  chinwag restore monday.chinwag --data ./restored
  chinwag restore monday.chinwag tuesday.chinwag wednesday.chinwag --data ./restored

Every backup is verified before the directory is touched, and the store before anyone may open it. It gets a new epoch:
clients that come back load their inboxes anew. Cut short, run it again.
Exit codes: 0 done, 1 a backup is not good, 2 the directory can't take a store.";

#[derive(Debug, Args)]
#[command(after_help = MORE)]
pub(super) struct RestoreArgs {
    /// A full backup, and then those that go on from it, in the order in which they were taken.
    #[arg(value_name = "BACKUP", required = true, value_hint = clap::ValueHint::FilePath)]
    backups: Vec<PathBuf>,
    /// The directory to restore into: empty, or not there yet.
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    data: PathBuf,
}

pub(super) fn run(args: &RestoreArgs) -> Result<(), CliError> {
    refuse_foreign_data(&args.data)?;
    let bar = bar_of_bytes(0);
    let restored = restore(&args.backups, &args.data, &mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    match restored {
        Ok(report) => print(&report),
        Err(RestoreError::Open(error)) => Err(CliError::Usage(why_not_opened(&error))),
        Err(error) => Err(CliError::Refused(escaped(&error.to_string()))),
    }
}

fn print(report: &RestoreReport) -> Result<(), CliError> {
    let mut output = Output::new();
    let upto = report.head.newest.ts;
    for (name, value) in [
        ("chats", report.check.chats.to_string()),
        ("messages", report.check.messages.to_string()),
        ("up to", format!("{} ({})", upto.0, utc(upto.seconds()))),
        ("epoch", format!("{:016x}", report.epoch.0)),
    ] {
        output.line(&format!("{name:<9} {value}"))?;
    }
    output.flush()
}
