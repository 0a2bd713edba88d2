//! `chinwag edit`, `chinwag unsend` and `chinwag react`

use super::{
    CliError, ServerArgs,
    output::{Output, escaped},
};
use chinwag_client::{ClientError, Message};
use clap::Args;

/// Which message, and who asks.
#[derive(Debug, Args)]
struct Which {
    /// The two users, in either order, such as apple:banana.
    chat: String,
    /// The message's number in the chat.
    seq: u64,
}

/// How it is asked and told.
#[derive(Debug, Args)]
struct How {
    /// The user who asks: one of the two.
    #[arg(long = "as", value_name = "USER")]
    user: String,
    /// Print the message as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  chinwag edit apple:banana 3 'Hello, how are you?' --as apple")]
pub(super) struct EditArgs {
    #[command(flatten)]
    which: Which,
    /// What it is to say.
    #[arg(allow_hyphen_values = true)]
    text: String,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  chinwag unsend apple:banana 3 --as apple")]
pub(super) struct UnsendArgs {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chinwag react apple:banana 3 👍 --as banana
  chinwag react apple:banana 3 👍 --as banana --remove")]
pub(super) struct ReactArgs {
    #[command(flatten)]
    which: Which,
    /// With what.
    emoji: String,
    /// Take the reaction back.
    #[arg(long)]
    remove: bool,
    #[command(flatten)]
    how: How,
}

pub(super) async fn edit(args: EditArgs) -> Result<(), CliError> {
    let (client, which, how) = (args.how.server.client()?, args.which, args.how);
    let message = client.edit(&which.chat, which.seq, &how.user, &args.text).await;
    tell(message, &how, "edited")
}

pub(super) async fn unsend(args: UnsendArgs) -> Result<(), CliError> {
    let (client, which, how) = (args.how.server.client()?, args.which, args.how);
    let message = client.unsend(&which.chat, which.seq, &how.user).await;
    tell(message, &how, "unsent")
}

pub(super) async fn react(args: ReactArgs) -> Result<(), CliError> {
    let (client, which, how) = (args.how.server.client()?, args.which, args.how);
    let message = client.react(&which.chat, which.seq, &how.user, &args.emoji, args.remove).await;
    tell(message, &how, if args.remove { "no longer reacted to" } else { "reacted to" })
}

fn tell(message: Result<Message, ClientError>, how: &How, done: &str) -> Result<(), CliError> {
    let message = message.map_err(|error| CliError::of_client(&error, &how.server))?;
    let mut output = Output::new();
    if how.json {
        output.json(&message)?;
    } else {
        output.line(&format!("message {} of {} is {done}", message.seq, escaped(&message.chat)))?;
    }
    output.flush()
}
