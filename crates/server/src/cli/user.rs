//! `chinwag user`: what the store holds of one user, and the user's sessions.

use super::{CliError, admin, erase, export::export, output::Output, place::DataArgs};
use chinwag_model::UserId;
use clap::{Args, Subcommand};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use std::path::PathBuf;

const MORE: &str = "\
Example:
  chinwag user export apple apple.ndjson

It has every chat that the user is of, as the user sees it: what both sent, and both users' markers and reactions.
Exit codes: 0 done, 1 failed, 2 wrong use, or the store can't be opened.";

const MORE_OF_DISCONNECT: &str = "\
Example:
  chinwag user disconnect apple

The sessions are closed with 4403: clients that keep to the contract do not come back by themselves. Whoever has a token that
is still good may: to keep a user out, let the application give out no more.
It talks to the server that has the data directory open, over the socket in it.
Exit codes: 0 done, 2 wrong use, or no server holds the directory.";

const MORE_OF_ERASE: &str = "\
Examples:
  chinwag user erase apple --dry-run
  chinwag user erase apple

What the user sent is unsent, whenever that was; reactions, markers and blocks go. The peers keep what is theirs, and with it
the user's name in the name of the chat; docs/OPERATIONS.md says what becomes of each. It can't be undone, and asks first.
Where a server has the store, the server does it, and goes on; the text leaves its disk within wipe_after_s. Cut short, it is
run again and goes on.
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
    /// Take away all that the store holds of a user, for good.
    #[command(after_help = MORE_OF_ERASE)]
    Erase {
        /// The user.
        #[arg(value_name = "USER")]
        user: String,
        /// Only count what there is.
        #[arg(long)]
        dry_run: bool,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        data: DataArgs,
    },
    /// End all sessions of a user, on the server that runs.
    #[command(after_help = MORE_OF_DISCONNECT)]
    Disconnect {
        /// The user.
        #[arg(value_name = "USER")]
        user: String,
        #[command(flatten)]
        data: DataArgs,
    },
}

pub(super) async fn run(args: &UserArgs) -> Result<(), CliError> {
    let named =
        |user: &str| UserId::parse("user", user).map_err(|invalid| CliError::Usage(invalid.to_string()));
    match &args.verb {
        Verb::Export { user, out, data } => export(out, data, Some(&named(user)?)).await,
        Verb::Erase { user, dry_run, yes, data } => {
            erase::run(&named(user)?, &data.store_to_write()?, *dry_run, *yes).await
        }
        Verb::Disconnect { user, data } => {
            let user = utf8_percent_encode(named(user)?.as_str(), NON_ALPHANUMERIC).to_string();
            let answer = admin::tell(&data.directory()?, &format!("/sessions/end?user={user}")).await?;
            Output::new().bytes(admin::all(answer).await?.as_bytes())
        }
    }
}
