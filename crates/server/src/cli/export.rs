//! `chinwag export`

use super::{
    CliError, admin,
    file::Target,
    output::tell,
    place::{DataArgs, bar_of_rows},
    serve::why_not_opened,
};
use crate::admin::{ExportError, write_export};
use chinwag_model::{SystemClock, UserId};
use chinwag_store::embedded::{Maintenance, OpenError};
use clap::Args;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use std::{
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::runtime::Handle;

const MORE: &str = "\
Examples:
  chinwag export history.ndjson
  chinwag export - | zstd > history.ndjson.zst
  chinwag import history.ndjson --data ./elsewhere

One JSON object a line, each message with its seq, ts, key and what became of it since; docs/BACKUP.md describes them.
Where a server has the store, the server writes it, as it is at one moment, and goes on.
Exit codes: 0 done, 1 failed, 2 the store can't be opened.";

#[derive(Debug, Args)]
#[command(after_help = MORE)]
pub(super) struct ExportArgs {
    /// The file to write, or - for standard output.
    #[arg(value_name = "OUT", value_hint = clap::ValueHint::FilePath)]
    out: PathBuf,
    #[command(flatten)]
    data: DataArgs,
}

pub(super) async fn run(args: &ExportArgs) -> Result<(), CliError> {
    export(&args.out, &args.data, None).await
}

/// Writes the history of all chats, or of a user's.
pub(super) async fn export(out: &Path, data: &DataArgs, user: Option<&UserId>) -> Result<(), CliError> {
    let target = Target::new(out)?;
    let data = data.directory()?;
    match Maintenance::open(&data, Arc::new(SystemClock::default())) {
        Ok(store) => {
            let messages = target.write(|out| write(&store, user, out))?;
            tell(&format!("{messages} messages"));
            Ok(())
        }
        Err(OpenError::Locked(_)) => {
            let query = user.map_or(String::new(), |user| {
                format!("?user={}", utf8_percent_encode(user.as_str(), NON_ALPHANUMERIC))
            });
            let answer = admin::ask(&data, &format!("/export{query}")).await?;
            let runtime = Handle::current();
            tokio::task::block_in_place(|| target.write(|out| runtime.block_on(admin::pour(answer, out))))
        }
        Err(error) => Err(CliError::Usage(why_not_opened(&error))),
    }
}

fn write(store: &Maintenance, user: Option<&UserId>, out: &mut dyn Write) -> Result<u64, CliError> {
    const TELL_EVERY_MESSAGES: u64 = 1_000;
    let bar = bar_of_rows();
    let written = write_export(store, user, out, &mut |messages| {
        if messages.is_multiple_of(TELL_EVERY_MESSAGES) {
            bar.set_length(store.messages_estimate().max(messages));
            bar.set_position(messages);
        }
    });
    bar.finish_and_clear();
    written.map_err(|error| match error {
        ExportError::Output(error) => error.into(),
        ExportError::Store(error) => CliError::Refused(error.to_string()),
    })
}
