//! `chinwag user`: what the store holds of one user.

use super::{CliError, export::export, place::DataArgs};
use chinwag_model::UserId;
use clap::{Args, Subcommand};
use std::path::PathBuf;

const MORE: &str = "\
Example:
  chinwag user export apple apple.ndjson

It has every chat that the user is of, as the user sees it: what both sent, and both users' markers and reactions.
Exit codes: 0 done, 1 failed, 2 wrong use, or the store can't be opened.";

#[derive(Debug, Args)]
pub(super) struct UserArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Write the history of a user's chats, as `chinwag export` does for all.
    #[command(after_help = MORE)]
    Export {
        /// The user.
        #[arg(value_name = "USER")]
        user: String,
        /// The file to write, or - for standard output.
        #[arg(value_name = "OUT", value_hint = clap::ValueHint::FilePath)]
        out: PathBuf,
        #[command(flatten)]
        data: DataArgs,
    },
}

pub(super) async fn run(args: &UserArgs) -> Result<(), CliError> {
    let Verb::Export { user, out, data } = &args.verb;
    let user = UserId::parse("user", user).map_err(|invalid| CliError::Usage(invalid.to_string()))?;
    export(out, data, Some(&user)).await
}
