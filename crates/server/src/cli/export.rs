//! `chinwag export`

use super::{
    CliError,
    file::Target,
    output::tell,
    place::{DataArgs, bar_of_rows},
    serve::why_not_opened,
};
use chinwag_model::{SystemClock, UserId};
use chinwag_store::{
    StoreError,
    embedded::{Maintenance, archive::Piece},
};
use chinwag_wire::{encode_archive_end, encode_archive_head, encode_archive_markers, encode_archive_message};
use clap::Args;
use std::{
    io::{self, Write},
    path::PathBuf,
    sync::Arc,
};

const MORE: &str = "\
Examples:
  chinwag export history.ndjson
  chinwag export - | zstd > history.ndjson.zst
  chinwag import history.ndjson --data ./elsewhere

One JSON object a line, each message with its seq, ts, key and what became of it since; docs/BACKUP.md describes them.
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

pub(super) fn run(args: &ExportArgs) -> Result<(), CliError> {
    export(&args.out, &args.data, None)
}

/// Writes the history of all chats, or of a user's.
pub(super) fn export(out: &std::path::Path, data: &DataArgs, user: Option<&UserId>) -> Result<(), CliError> {
    let store = Maintenance::open(&data.directory()?, Arc::new(SystemClock::default()))
        .map_err(|error| CliError::Usage(why_not_opened(&error)))?;
    let messages = Target::new(out)?.write(|out| write(&store, user, out))?;
    tell(&format!("{messages} messages"));
    Ok(())
}

enum Failed {
    Output(io::Error),
    Store(StoreError),
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

fn write(store: &Maintenance, user: Option<&UserId>, out: &mut dyn Write) -> Result<u64, CliError> {
    const TELL_EVERY_MESSAGES: u64 = 1_000;
    let bar = bar_of_rows();
    let mut messages = 0_u64;
    out.write_all(&encode_archive_head())?;
    let written = store.export(user, &mut |piece| {
        let line = match piece {
            Piece::Message(message) => {
                messages += 1;
                if messages.is_multiple_of(TELL_EVERY_MESSAGES) {
                    bar.set_length(store.messages_estimate().max(messages));
                    bar.set_position(messages);
                }
                encode_archive_message(&message)
            }
            Piece::Markers(chat, markers) => encode_archive_markers(&chat, &markers),
        };
        out.write_all(&line).map_err(Failed::Output)
    });
    bar.finish_and_clear();
    match written {
        Ok(_) => {}
        Err(Failed::Output(error)) => return Err(error.into()),
        Err(Failed::Store(error)) => return Err(CliError::Refused(error.to_string())),
    }
    out.write_all(&encode_archive_end(messages))?;
    Ok(messages)
}
