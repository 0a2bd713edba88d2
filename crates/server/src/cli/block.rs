//! `chinwag block`, `chinwag unblock` and `chinwag blocks`

use super::{
    CliError, ServerArgs,
    output::{Output, escaped},
    time::utc,
};
use clap::Args;

/// Who asks, and how it is told.
#[derive(Debug, Args)]
struct How {
    /// The user who blocks.
    #[arg(long = "as", value_name = "USER")]
    user: String,
    /// Print the answer as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

const MORE: &str = "\
Example:
  chinwag block banana --as apple

What banana sends to apple is refused from then on, and neither hears whether the other is there, writes or reads.";

#[derive(Debug, Args)]
#[command(after_help = MORE)]
pub(super) struct BlockArgs {
    /// Whom.
    peer: String,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  chinwag unblock banana --as apple")]
pub(super) struct UnblockArgs {
    /// Whom.
    peer: String,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  chinwag blocks --as apple")]
pub(super) struct BlocksArgs {
    #[command(flatten)]
    how: How,
}

pub(super) async fn block(args: BlockArgs) -> Result<(), CliError> {
    put(&args.peer, &args.how, true).await
}

pub(super) async fn unblock(args: UnblockArgs) -> Result<(), CliError> {
    put(&args.peer, &args.how, false).await
}

async fn put(peer: &str, how: &How, on: bool) -> Result<(), CliError> {
    let stands = how.server.client()?.block(&how.user, peer, on).await;
    let stands = stands.map_err(|error| CliError::of_client(&error, &how.server))?;
    let mut output = Output::new();
    if how.json {
        output.json(&stands)?;
    } else {
        let what = if stands.blocked { "blocks" } else { "does not block" };
        output.line(&format!("{} {what} {}", escaped(&stands.user), escaped(&stands.peer)))?;
    }
    output.flush()
}

pub(super) async fn blocks(args: BlocksArgs) -> Result<(), CliError> {
    let How { user, json, server } = args.how;
    let client = server.client()?;
    let mut output = Output::new();
    let mut cursor = None;
    loop {
        let page = client.blocks(&user, cursor.as_deref()).await;
        let page = page.map_err(|error| CliError::of_client(&error, &server))?;
        for blocked in page.blocks {
            if json {
                output.json(&blocked)?;
            } else {
                output.line(&format!("{}  {}", utc(blocked.ts / 1_000_000), escaped(&blocked.peer)))?;
            }
        }
        cursor = page.next_cursor;
        if cursor.is_none() {
            return output.flush();
        }
    }
}
