//! `chinwag import`: an export of Chinwag, or a plain table, into a store that no server has open.

mod lines;
mod table;

use super::{
    CliError,
    output::{Output, escaped, tell},
    place::{DataArgs, bar_of_bytes},
    serve::why_not_opened,
};
use chinwag_model::{Clock as _, SystemClock, Ts, limits::CLOCK_JUMP_MAX};
use chinwag_store::embedded::archive::{Fate, ImportError, Importer};
use clap::{Args, ValueEnum};
use indicatif::ProgressBar;
use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

/// Bad rows that are told one by one.
const TOLD_MAX: u64 = 20;
/// A line that is longer is none of ours, in bytes.
const LINE_MAX_BYTES: u64 = 1 << 20;

const MORE: &str = "\
Examples:
  chinwag import history.ndjson
  chinwag import old-messages.csv --skip-bad

An export keeps seq, ts, keys, markers and what became of each message. A plain table is CSV with the columns sender, peer,
text and time, or NDJSON with these fields; a time is RFC 3339, or seconds, milliseconds or microseconds since the Unix
epoch. Messages are put in order of time, chat by chat.

Importing twice changes nothing; cut short, run it again. The server must be stopped. What was imported is not told on any
feed: clients that come back load their inboxes.
Exit codes: 0 done, 1 something was refused, 2 the store or the file can't be opened.";

#[derive(Debug, Args)]
#[command(after_help = MORE)]
pub(super) struct ImportArgs {
    /// The file to read.
    #[arg(value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    file: PathBuf,
    /// What it is; found out by itself where this is not said.
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Leave out what can't be imported, and say what it was, instead of stopping.
    #[arg(long)]
    skip_bad: bool,
    #[command(flatten)]
    data: DataArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// What `chinwag export` wrote.
    Export,
    /// A table with a head: sender, peer, text, time.
    Csv,
    /// One object a line: sender, peer, text, time.
    Ndjson,
}

pub(super) fn run(args: &ImportArgs) -> Result<(), CliError> {
    let path = &args.file;
    let cannot = |error: std::io::Error| CliError::Usage(format!("{}: {error}", path.display()));
    let file = File::open(path).map_err(cannot)?;
    let bar = bar_of_bytes(file.metadata().map_err(cannot)?.len());
    let mut input = BufReader::with_capacity(1 << 20, bar.wrap_read(file));
    let format = match args.format {
        Some(format) => format,
        None => find_format(path, input.fill_buf().map_err(cannot)?),
    };
    let data = args.data.directory_to_write()?;
    let clock = SystemClock::default();
    let importer = Importer::open(&data, &clock).map_err(|error| match error {
        ImportError::Open(error) => CliError::Usage(why_not_opened(&error)),
        error => CliError::Refused(error.to_string()),
    })?;
    let tally = Tally { added: 0, revised: 0, there: 0, bad: 0, skip_bad: args.skip_bad, bar: bar.clone() };
    let latest =
        Ts(clock.read().wall.0.saturating_add(u64::try_from(CLOCK_JUMP_MAX.as_micros()).unwrap_or(u64::MAX)));
    let done = match format {
        Format::Export => lines::import(input, importer, tally),
        Format::Csv => table::import(table::csv(input), importer, tally, &data, latest),
        Format::Ndjson => table::import(table::ndjson(input), importer, tally, &data, latest),
    };
    bar.finish_and_clear();
    let tally = done.map_err(|error| match error {
        CliError::Refused(why) => CliError::Refused(escaped(&format!("{}: {why}", path.display()))),
        error => error,
    })?;
    tally.print()
}

fn find_format(path: &Path, begin: &[u8]) -> Format {
    let first = begin.split(|byte| *byte == b'\n').next().unwrap_or_default();
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv")) {
        Format::Csv
    } else if chinwag_wire::ArchiveLine::parse(first).is_ok() {
        Format::Export
    } else if first.trim_ascii_start().starts_with(b"{") {
        Format::Ndjson
    } else {
        Format::Csv
    }
}

/// What became of it all.
struct Tally {
    added: u64,
    revised: u64,
    there: u64,
    bad: u64,
    skip_bad: bool,
    bar: ProgressBar,
}

impl Tally {
    fn count(&mut self, fate: Fate) {
        match fate {
            Fate::Added => self.added += 1,
            Fate::Revised => self.revised += 1,
            Fate::There => self.there += 1,
        }
    }

    /// Something can't be imported: that ends it, or is told.
    fn bad(&mut self, line: u64, why: &dyn std::fmt::Display) -> Result<(), CliError> {
        if !self.skip_bad {
            return Err(CliError::Refused(format!(
                "line {line}: {why} (--skip-bad leaves out what is wrong)"
            )));
        }
        self.tell_bad(line, why);
        Ok(())
    }

    fn tell_bad(&mut self, line: u64, why: &dyn std::fmt::Display) {
        self.bad += 1;
        if self.bad <= TOLD_MAX {
            let line = escaped(&format!("line {line}: {why}"));
            self.bar.suspend(|| tell(&line));
        } else if self.bad == TOLD_MAX + 1 {
            self.bar.suspend(|| tell("more of them are only counted"));
        }
    }

    fn print(&self) -> Result<(), CliError> {
        let mut output = Output::new();
        for (name, value) in
            [("added", self.added), ("revised", self.revised), ("there", self.there), ("left out", self.bad)]
        {
            output.line(&format!("{name:<9} {value}"))?;
        }
        output.flush()
    }
}

/// A failure of the store, or a part that it refused.
fn refusal(tally: &mut Tally, line: u64, error: &ImportError) -> Result<(), CliError> {
    match error {
        ImportError::Refused { .. } => tally.bad(line, error),
        error => Err(CliError::Refused(error.to_string())),
    }
}

/// Reads the next line, without its end; `None` at the end, an error in words where it is too long.
fn next_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> Result<Option<()>, CliError> {
    line.clear();
    let read = input.by_ref().take(LINE_MAX_BYTES + 1).read_until(b'\n', line);
    match read.map_err(|error| CliError::Refused(format!("it can't be read: {error}")))? {
        0 => Ok(None),
        _ if line.len() as u64 > LINE_MAX_BYTES => {
            Err(CliError::Refused("a line is longer than 1 MiB".into()))
        }
        _ => {
            while line.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
                line.pop();
            }
            Ok(Some(()))
        }
    }
}
