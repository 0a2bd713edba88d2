//! `chinwag chat`: a conversation in the terminal, or one whose lines come from a pipe.

mod input;
mod outbox;
mod screen;
mod talk;

use super::{CliError, ServerArgs};
use chinwag_client::{ClientError, Subscription, Update};
use chinwag_model::{Chat, Invalid, UserId};
use clap::Args;
use futures_util::StreamExt as _;
use input::{Input, Restore};
use outbox::{Outbox, Outcome};
use screen::Screen;
use std::io::{IsTerminal as _, stdin, stdout};
use talk::Talk;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::mpsc,
};

const EXAMPLES: &str = "\
Each line that you type is sent. Ctrl-D ends it.

Examples:
  chinwag chat apple:banana --as banana
  uptime | chinwag chat apple:banana --as apple   sends the lines and ends";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ChatArgs {
    /// The two users, in either order, such as apple:banana.
    chat: String,
    /// The user who talks: one of the two.
    #[arg(long = "as", value_name = "USER")]
    user: String,
    #[command(flatten)]
    server: ServerArgs,
}

/// Why a conversation ends.
enum End {
    /// All is said.
    Done,
    /// A line could not be sent, or not be read; it is told.
    Unsaid,
    /// The server ended it.
    Server(ClientError),
    /// The output, or the command line's use.
    Cli(CliError),
}

impl From<CliError> for End {
    fn from(error: CliError) -> Self {
        Self::Cli(error)
    }
}

pub(super) async fn run(args: ChatArgs) -> Result<(), CliError> {
    let usage = |invalid: Invalid| CliError::Usage(invalid.to_string());
    let (chat, _) = Chat::parse(&args.chat).map_err(usage)?;
    let side = chat.member("user", &args.user).map_err(usage)?;
    let (user, peer): (UserId, UserId) = (chat.user_id(side), chat.user_id(side.other()));
    let client = args.server.client()?;
    let on_terminal = stdin().is_terminal() && stdout().is_terminal();
    // Before the editor, which takes the signal while it lives and then gives it back to whoever had it.
    let interrupts = signal(SignalKind::interrupt())
        .map_err(|error| CliError::Usage(format!("the signal of Ctrl-C can't be taken: {error}")))?;
    // However it ends: a line editor has the terminal in another mode while it waits.
    let _restore = Restore::of_terminal(on_terminal);
    let (inputs, screen) =
        if on_terminal { input::edit(user.as_str())? } else { (input::read(), Screen::plain()) };
    let feed = client.subscribe(user.as_str()).watch([peer.as_str()]);
    let talk = Talk::new(client, chat.as_str(), user.as_str(), peer.as_str(), screen, on_terminal);
    match converse(feed, inputs, interrupts, talk).await {
        End::Done => Ok(()),
        End::Unsaid => Err(CliError::Refused("not every line was sent".to_owned())),
        End::Server(error) => Err(CliError::of_client(&error, &args.server)),
        End::Cli(error) => Err(error),
    }
}

async fn converse(
    feed: Subscription,
    inputs: mpsc::Receiver<Input>,
    interrupts: Signal,
    mut talk: Talk,
) -> End {
    match exchange(feed, inputs, interrupts, &mut talk).await {
        Err(end) => end,
        Ok(all_sent) => {
            talk.leave().await;
            if all_sent { End::Done } else { End::Unsaid }
        }
    }
}

/// Goes on until the input has ended and every line has had its answer, or until Ctrl-C, which does not wait for answers;
/// gives whether all lines were sent.
async fn exchange(
    mut feed: Subscription,
    mut inputs: mpsc::Receiver<Input>,
    mut interrupts: Signal,
    talk: &mut Talk,
) -> Result<bool, End> {
    tokio::select! {
        begun = begin(&mut feed, talk) => begun?,
        _ = interrupts.recv() => return Ok(true),
    }
    let (mut outbox, mut outcomes) = Outbox::start(talk.sender());
    let (mut open, mut all_sent) = (true, true);
    while open || !outbox.is_empty() {
        tokio::select! {
            update = feed.next() => advance(update, talk).await?,
            outcome = outcomes.recv() => match outcome {
                Some(Outcome::Sent(message)) => {
                    outbox.settled();
                    talk.show(message).await?;
                }
                Some(Outcome::Failed { text, error }) => {
                    outbox.settled();
                    all_sent = false;
                    talk.not_sent(&text, &error)?;
                }
                Some(Outcome::Waits(error)) => talk.waits(&error)?,
                None => return Ok(false),
            },
            input = inputs.recv(), if open && outbox.has_room() => match input {
                Some(Input::Line(text)) => outbox.send(text)?.iter().for_each(|key| talk.said(key)),
                Some(Input::Writing) => talk.writes(),
                Some(Input::Broken(why)) => {
                    talk.broken(&why)?;
                    (open, all_sent) = (false, false);
                }
                Some(Input::End) | None => {
                    open = false;
                    if !outbox.is_empty() {
                        talk.leaves()?;
                    }
                }
            },
            _ = interrupts.recv() => return Ok(all_sent && outbox.is_empty()),
        }
    }
    Ok(all_sent)
}

/// Waits for the feed and shows what was said last. A server that can't be reached now is an error.
async fn begin(feed: &mut Subscription, talk: &mut Talk) -> Result<(), End> {
    loop {
        match feed.next().await {
            Some(Ok(Update::Ready { .. })) => return Ok(talk.begin().await?),
            Some(Ok(Update::Disconnected { error, .. }) | Err(error)) => return Err(End::Server(error)),
            Some(Ok(_)) => {}
            None => return Err(End::Unsaid),
        }
    }
}

async fn advance(update: Option<Result<Update, ClientError>>, talk: &mut Talk) -> Result<(), End> {
    match update {
        Some(Ok(update)) => Ok(talk.update(update).await?),
        Some(Err(error)) => Err(End::Server(error)),
        None => Err(End::Unsaid),
    }
}
