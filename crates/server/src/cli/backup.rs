//! `chinwag backup`

use super::{
    CliError, admin,
    file::Target,
    output::tell,
    place::{DataArgs, bar_of_rows},
    serve::why_not_opened,
};
use chinwag_model::{SystemClock, Ts};
use chinwag_store::embedded::{
    Maintenance, OpenError,
    backup::{BackupError, BackupProgress, Since, check_backup, head_of},
};
use clap::Args;
use std::{
    fs::{self, File},
    io::BufReader,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::runtime::Handle;

const MORE: &str = "\
Examples:
  chinwag backup monday.chinwag
  chinwag backup tuesday.chinwag --since monday.chinwag
  chinwag backup - | zstd > monday.chinwag.zst
  chinwag check monday.chinwag
  chinwag restore monday.chinwag tuesday.chinwag --data ./restored

Where a server has the store, the server writes the backup, and goes on. A file appears under its name only once it is whole, on disk, and read back.
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

pub(super) async fn run(args: &BackupArgs) -> Result<(), CliError> {
    if args.since.as_deref().is_some_and(|since| would_replace(&args.out, since)) {
        let out = args.out.display();
        return Err(CliError::Usage(format!(
            "{out}: it would take the place of the backup that it goes on from, and could not be restored without it; name another file"
        )));
    }
    let since = args.since.as_deref().map_or(Ok(Since::Beginning), since)?;
    let bytes_a_second = args.limit_mib_s.map(|mib| mib << 20);
    let target = Target::new(&args.out)?;
    let data = args.data.directory()?;
    match Maintenance::open(&data, Arc::new(SystemClock::default())) {
        Ok(store) => {
            let bar = bar_of_rows();
            let mut progress = |BackupProgress { rows, total_estimate, .. }: BackupProgress| {
                bar.set_length(total_estimate.max(rows));
                bar.set_position(rows);
            };
            let written = target.write_checked(
                |out| {
                    store.backup(since, bytes_a_second, out, &mut progress).map(drop).map_err(|error| {
                        match error {
                            BackupError::Io(error) => error.into(),
                            error => CliError::Refused(error.to_string()),
                        }
                    })
                },
                |path, ()| read_back(path),
            );
            bar.finish_and_clear();
            written
        }
        Err(OpenError::Locked(_)) => {
            let answer = admin::ask(&data, &path_and_query(since, bytes_a_second)).await?;
            let runtime = Handle::current();
            tokio::task::block_in_place(|| {
                target.write_checked(
                    |out| runtime.block_on(admin::pour(answer, out)),
                    |path, ()| read_back(path),
                )
            })
        }
        Err(error) => Err(CliError::Usage(why_not_opened(&error))),
    }
}

/// What the server that has the store is asked for.
fn path_and_query(since: Since, bytes_a_second: Option<u64>) -> String {
    let since = match since {
        Since::Beginning => None,
        Since::Time(ts) => Some(format!("since={}", ts.0)),
        Since::Backup(place) => Some(format!("since={place}")),
    };
    let pace = bytes_a_second.map(|bytes| format!("bytes_a_second={bytes}"));
    let query: Vec<_> = since.into_iter().chain(pace).collect();
    format!("/backup?{}", query.join("&"))
}

/// Whether a backup would be written over the one that `--since` names.
fn would_replace(out: &Path, since: &str) -> bool {
    let id = |path: &Path| fs::metadata(path).map(|of| (of.dev(), of.ino())).ok();
    let base = since.parse::<u64>().is_err().then(|| id(Path::new(since))).flatten();
    base.is_some() && base == id(out)
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

/// Reads a backup back from the disk: it is whole, and this is what it holds.
fn read_back(path: &Path) -> Result<(), CliError> {
    let read = || check_backup(BufReader::with_capacity(1 << 20, File::open(path)?), &mut |_| {});
    let found = read().map_err(|error| CliError::Refused(error.to_string()))?;
    let since = found.head.base.map_or(String::new(), |base| format!(" since {}", base.ts.0));
    let (messages, bytes, upto) = (found.messages, found.bytes, found.head.newest.ts.0);
    tell(&format!("{messages} messages in {bytes} bytes: everything{since} up to {upto}"));
    Ok(())
}
