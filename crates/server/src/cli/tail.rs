//! `chinwag tail`

use super::{
    CliError, ServerArgs,
    output::{Output, escaped, tell},
    time::utc,
};
use chinwag_client::{ClientError, Event, Subscription, Update};
use clap::Args;
use futures_util::StreamExt as _;

const EXAMPLES: &str = "\
Examples:
  chinwag tail --as banana                what happens from now on, until Ctrl-C
  chinwag tail --as banana --watch apple  and when apple comes and goes
  chinwag tail --as banana --json         one JSON object a line";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct TailArgs {
    /// The user whose feed it is.
    #[arg(long = "as", value_name = "USER")]
    user: String,
    /// Begin after this place of the feed, which an earlier tail named, instead of now.
    #[arg(long, value_name = "ID")]
    since: Option<String>,
    /// Tell also when this user comes and goes; may be repeated.
    #[arg(long, value_name = "USER")]
    watch: Vec<String>,
    /// Print each event as a JSON object on a line of its own.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

pub(super) async fn run(args: TailArgs) -> Result<(), CliError> {
    let mut feed = args.server.client()?.subscribe(&args.user).watch(args.watch);
    if let Some(since) = &args.since {
        feed = feed.since(since);
    }
    let mut output = Output::new();
    let mut line = Line::default();
    let followed = tokio::select! {
        // Polled first, so that a signal is heard from before the first line is out.
        biased;
        _ = tokio::signal::ctrl_c() => Ok(()),
        followed = follow(&mut feed, &mut output, &mut line, args.json) => followed,
    };
    if let Some(last) = &line.last_id {
        tell(&format!("chinwag: go on with --since {}", escaped(last)));
    }
    match followed {
        Err(Failure::Feed(error)) => Err(CliError::of_client(&error, &args.server)),
        Err(Failure::Output(error)) => Err(error),
        Ok(()) => output.flush(),
    }
}

enum Failure {
    Feed(ClientError),
    Output(CliError),
}

impl From<CliError> for Failure {
    fn from(error: CliError) -> Self {
        Self::Output(error)
    }
}

async fn follow(
    feed: &mut Subscription,
    output: &mut Output,
    line: &mut Line,
    json: bool,
) -> Result<(), Failure> {
    while let Some(update) = feed.next().await {
        match line.news(update.map_err(Failure::Feed)?)? {
            Some(event) if json => output.json(&event)?,
            Some(event) => output.line(&sentence(&event))?,
            None => {}
        }
        output.flush()?;
    }
    Ok(())
}

/// Whether a feed's connection is up, told in words beside what the feed tells.
#[derive(Default)]
struct Line {
    /// The last id that came.
    last_id: Option<String>,
    /// Whether it is told that the connection is lost.
    lost: bool,
}

impl Line {
    /// Tells what is not an event, and gives the event. A server that can't be reached in the first place is an error.
    fn news(&mut self, update: Update) -> Result<Option<Event>, Failure> {
        match update {
            Update::Event(event) => {
                if let Some(id) = event.id() {
                    self.last_id = Some(id.to_owned());
                }
                return Ok(Some(event));
            }
            Update::Ready { id, .. } => {
                tell(&format!("chinwag: live after {}", escaped(&id)));
                (self.last_id, self.lost) = (Some(id), false);
            }
            Update::Gap => {
                tell("chinwag: not all that was missed can be told; read the chats with `chinwag pull`");
            }
            Update::Disconnected { error, .. } if self.last_id.is_none() => return Err(Failure::Feed(error)),
            Update::Disconnected { error, .. } if !self.lost => {
                tell(&format!("chinwag: not connected, trying again: {}", escaped(&error.to_string())));
                self.lost = true;
            }
            _ => {}
        }
        Ok(None)
    }
}

/// An event in words, on one line.
fn sentence(event: &Event) -> String {
    let now = " ".repeat("2023-06-10 15:22:38Z".len());
    match event {
        Event::Message { message, .. } => {
            let (time, chat, seq) = (utc(message.send_time), escaped(&message.chat), message.seq);
            format!("{time}  {chat}  {seq}  {}: {}", escaped(&message.sender), escaped(&message.text))
        }
        Event::Edit { message, .. } => {
            let (chat, seq, time) =
                (escaped(&message.chat), message.seq, message.edited_ts.map_or(message.ts, |ts| ts));
            let (time, sender) = (utc(time / 1_000_000), escaped(&message.sender));
            format!("{time}  {chat}  {seq}  {sender} has edited: {}", escaped(&message.text))
        }
        Event::Unsend { message, .. } => {
            format!(
                "{now}  {}  {}  {} took it back",
                escaped(&message.chat),
                message.seq,
                escaped(&message.sender)
            )
        }
        Event::Reaction { message, .. } => {
            format!(
                "{now}  {}  {}  {}",
                escaped(&message.chat),
                message.seq,
                escaped(&message.reactions_in_words())
            )
        }
        Event::Read { chat, user, seq, ts, .. } => {
            let time = utc(ts / 1_000_000);
            format!("{time}  {}  {} has read up to message {seq}", escaped(chat), escaped(user))
        }
        Event::Delivered { chat, user, seq, ts, .. } => {
            let time = utc(ts / 1_000_000);
            format!("{time}  {}  {} has received up to message {seq}", escaped(chat), escaped(user))
        }
        Event::Typing { chat, user } => format!("{now}  {}  {} is writing", escaped(chat), escaped(user)),
        Event::Presence { user, online: true, .. } => format!("{now}  {} is there", escaped(user)),
        Event::Presence { user, last_seen: Some(seen), .. } => {
            format!("{}  {} has gone", utc(seen / 1_000_000), escaped(user))
        }
        Event::Presence { user, .. } => format!("{now}  {} is not there", escaped(user)),
        _ => format!("{now}  something that this version does not know"),
    }
}
