//! `chinwag check`

use super::{
    CliError, admin,
    output::{Output, escaped},
    place::{DataArgs, bar_of_bytes, bar_of_rows},
    serve::why_not_opened,
    time::utc,
};
use crate::admin::read_report;
use chinwag_model::Ts;
use chinwag_store::embedded::{CheckProgress, CheckReport, OpenError, backup::check_backup, check};
use clap::Args;
use std::{
    fs::File,
    io::{self, BufReader},
    path::{Path, PathBuf},
};

const MORE: &str = "\
It reads every message and verifies its checksum, that each chat counts 1, 2, 3, … with no gap, that times rise, and that \
the change log names the same messages. It changes no message. Where a server has the store, the server reads it, as it is at one moment, and goes on.

A backup is read the same way, without a store: every part, every row, and that it is whole.

Exit codes: 0 all is well, 1 there are problems, 2 the store can't be opened.";

#[derive(Debug, Args)]
#[command(after_help = MORE)]
pub(super) struct CheckArgs {
    /// A backup to read and verify instead of a store.
    #[arg(value_name = "BACKUP", value_hint = clap::ValueHint::FilePath, conflicts_with_all = ["data", "config"])]
    backup: Option<PathBuf>,
    #[command(flatten)]
    data: DataArgs,
}

pub(super) async fn run(args: &CheckArgs) -> Result<(), CliError> {
    if let Some(backup) = &args.backup {
        return check_file(backup);
    }
    let data = args.data.directory()?;
    let bar = bar_of_rows();
    let checked = check(&data, &mut |CheckProgress { done, total_estimate }| {
        bar.set_length(total_estimate.max(done));
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let report = match checked {
        Ok(report) => report,
        Err(OpenError::Locked(_)) => {
            let told = admin::all(admin::ask(&data, "/check").await?).await?;
            read_report(&told)
                .ok_or_else(|| CliError::Refused("the server's answer is not understood".into()))?
        }
        Err(error) => return Err(CliError::Usage(why_not_opened(&error))),
    };
    print(&report)?;
    conclude(&report)
}

fn check_file(path: &Path) -> Result<(), CliError> {
    let cannot = |error: io::Error| CliError::Usage(format!("{}: {error}", path.display()));
    let file = File::open(path).map_err(cannot)?;
    let bar = bar_of_bytes(file.metadata().map_err(cannot)?.len());
    let found = check_backup(BufReader::with_capacity(1 << 20, file), &mut |done| bar.set_position(done));
    bar.finish_and_clear();
    let found = found.map_err(|error| CliError::Refused(escaped(&format!("{}: {error}", path.display()))))?;
    let head = &found.head;
    let moment = |ts: Ts| format!("{} ({})", ts.0, utc(ts.seconds()));
    let mut output = Output::new();
    for (name, value) in [
        (
            "holds",
            head.base.map_or("everything".into(), |base| format!("what changed since {}", moment(base.ts))),
        ),
        ("up to", moment(head.newest.ts)),
        ("taken", format!("{} by version {}", moment(head.taken), escaped(&head.program))),
        ("epoch", format!("{:016x}", head.newest.epoch.0)),
        ("format", head.store_format.to_string()),
        ("chats", found.chats.to_string()),
        ("messages", found.messages.to_string()),
        ("changes", found.changes.to_string()),
        ("oldest", time(found.first_ts)),
        ("newest", time(found.last_ts)),
        ("problems", "none".into()),
    ] {
        output.line(&format!("{name:<9} {value}"))?;
    }
    output.flush()
}

fn time(ts: Option<Ts>) -> String {
    ts.map_or("none".to_owned(), |ts| utc(ts.seconds()))
}

fn conclude(report: &CheckReport) -> Result<(), CliError> {
    if report.problems.is_empty() {
        return Ok(());
    }
    Err(CliError::Refused("the store has problems; keep a copy of it before anything else is tried".into()))
}

fn print(report: &CheckReport) -> Result<(), CliError> {
    let mut output = Output::new();
    for (name, value) in [
        ("chats", report.chats.to_string()),
        ("messages", report.messages.to_string()),
        ("changes", report.changes.to_string()),
        ("oldest", time(report.first_ts)),
        ("newest", time(report.last_ts)),
        ("problems", if report.problems.is_empty() { "none".into() } else { String::new() }),
    ] {
        output.line(format!("{name:<9} {value}").trim_end())?;
    }
    for problem in &report.problems {
        output.line(&format!("  {}", escaped(problem)))?;
    }
    output.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_fail_the_command() {
        let fine = CheckReport { chats: 1, messages: 1, ..CheckReport::default() };
        assert!(conclude(&fine).is_ok());
        let wrong = CheckReport { problems: vec!["chat a:b: seq 3 stands where 2 belongs".into()], ..fine };
        assert!(matches!(conclude(&wrong), Err(CliError::Refused(_))));
    }
}
