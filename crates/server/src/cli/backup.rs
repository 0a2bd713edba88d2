//! `chinwag backup`

use super::{
    CliError,
    file::Target,
    output::tell,
    place::{DataArgs, bar_of_rows},
    serve::why_not_opened,
};
use chinwag_model::{SystemClock, Ts};
use chinwag_store::embedded::{
    Maintenance,
    backup::{BackupError, BackupProgress, BackupReport, Since, check_backup, head_of},
};
use clap::Args;
use std::{
    fs::File,
    io::BufReader,
    path::{Path, PathBuf},
    sync::Arc,
};

const MORE: &str = "\
Examples:
  chinwag backup monday.chinwag
  chinwag backup tuesday.chinwag --since monday.chinwag
  chinwag backup - | zstd > monday.chinwag.zst
  chinwag check monday.chinwag
  chinwag restore monday.chinwag tuesday.chinwag --data ./restored

A file appears under its name only once it is whole, on disk, and read back.
Exit codes: 0 done, 1 refused or failed, 2 the store can't be opened.";

#[derive(Debug, Args)]
#[command(after_help = MORE)]
pub(super) struct BackupArgs {
    /// The file to write, or - for standard output.
    #[arg(value_name = "OUT", value_hint = clap::ValueHint::FilePath)]
    out: PathBuf,
    /// Write only what changed since: an earlier backup, or a time in microseconds since the Unix epoch.
    #[arg(long, value_name = "FILE_OR_TS", value_hint = clap::ValueHint::FilePath)]
    since: Option<String>,
    /// Write at most so many MiB a second, to leave the disk to others.
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..=1_048_576))]
    limit_mib_s: Option<u64>,
    #[command(flatten)]
    data: DataArgs,
}

pub(super) fn run(args: &BackupArgs) -> Result<(), CliError> {
    let since = args.since.as_deref().map_or(Ok(Since::Beginning), since)?;
    let bytes_a_second = args.limit_mib_s.map(|mib| mib << 20);
    let store = Maintenance::open(&args.data.directory()?, Arc::new(SystemClock::default()))
        .map_err(|error| CliError::Usage(why_not_opened(&error)))?;
    let bar = bar_of_rows();
    let mut progress = |BackupProgress { rows, total_estimate, .. }: BackupProgress| {
        bar.set_length(total_estimate.max(rows));
        bar.set_position(rows);
    };
    let report = Target::new(&args.out)?.write_checked(
        |out| {
            store.backup(since, bytes_a_second, out, &mut progress).map_err(|error| match error {
                BackupError::Io(error) => error.into(),
                error => CliError::Refused(error.to_string()),
            })
        },
        check_written,
    );
    bar.finish_and_clear();
    say(&report?);
    Ok(())
}

/// What `--since` names.
fn since(said: &str) -> Result<Since, CliError> {
    if let Ok(ts) = said.parse() {
        return Ok(Since::Time(Ts(ts)));
    }
    let head = File::open(said).map_err(BackupError::from).and_then(|file| head_of(BufReader::new(file)));
    match head {
        Ok(head) => Ok(Since::Backup(head.newest)),
        Err(error) => Err(CliError::Usage(format!("--since {said}: {error}"))),
    }
}

/// Reads a backup back: it is whole, and what was written.
fn check_written(path: &Path, report: &BackupReport) -> Result<(), CliError> {
    let read = || check_backup(BufReader::with_capacity(1 << 20, File::open(path)?), &mut |_| {});
    match read() {
        Ok(found) if found.bytes == report.bytes && found.head == report.head => Ok(()),
        Ok(_) => Err(CliError::Refused("the file does not hold what was written".into())),
        Err(error) => Err(CliError::Refused(error.to_string())),
    }
}

fn say(report: &BackupReport) {
    let since = report.head.base.map_or(String::new(), |base| format!(" since {}", base.ts.0));
    let (rows, bytes, upto) = (report.rows, report.bytes, report.head.newest.ts.0);
    tell(&format!("{rows} rows in {bytes} bytes: everything{since} up to {upto}"));
}
