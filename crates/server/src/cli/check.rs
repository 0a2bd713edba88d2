//! `chinwag check`

use super::{
    CliError, load,
    output::{Output, escaped},
    serve::why_not_opened,
    time::utc,
};
use crate::config::Flags;
use chinwag_store::embedded::{CheckProgress, CheckReport, check};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use std::path::PathBuf;

const MORE: &str = "\
It reads every message and verifies its checksum, that each chat counts 1, 2, 3, … with no gap, that times rise, and that \
the change log names the same messages. It changes no message.

Exit codes: 0 all is well, 1 there are problems, 2 the store can't be opened.";

#[derive(Debug, Args)]
#[command(after_help = MORE)]
pub(super) struct CheckArgs {
    #[arg(
        long,
        value_name = "DIR",
        value_hint = clap::ValueHint::DirPath,
        help = "Directory of the messages [env: CHINWAG_DATA] [default: ./chinwag-data]"
    )]
    data: Option<PathBuf>,
    #[arg(
        long,
        value_name = "FILE",
        value_hint = clap::ValueHint::FilePath,
        help = "Configuration file (TOML) [env: CHINWAG_CONFIG]"
    )]
    config: Option<PathBuf>,
}

pub(super) fn run(args: CheckArgs) -> Result<(), CliError> {
    let data = load(&Flags::of_data(args.config, args.data))?.settings().data;
    // It draws on standard error, and only where that is a terminal.
    let bar = ProgressBar::new(0).with_style(
        ProgressStyle::with_template(
            "{bar:40} {percent}%  {human_pos} of about {human_len} rows  {eta} left",
        )
        .expect("the template is right"),
    );
    let report = check(&data, &mut |CheckProgress { done, total_estimate }| {
        bar.set_length(total_estimate.max(done));
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let report = report.map_err(|error| CliError::Usage(why_not_opened(&error)))?;
    print(&report)?;
    conclude(&report)
}

fn conclude(report: &CheckReport) -> Result<(), CliError> {
    if report.problems.is_empty() {
        return Ok(());
    }
    Err(CliError::Refused("the store has problems; keep a copy of it before anything else is tried".into()))
}

fn print(report: &CheckReport) -> Result<(), CliError> {
    let mut output = Output::new();
    let time = |ts: Option<chinwag_model::Ts>| ts.map_or("none".to_owned(), |ts| utc(ts.seconds()));
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
