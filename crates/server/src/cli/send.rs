//! `chinwag send`

use super::{
    CliError, ServerArgs,
    output::{Output, escaped, tell},
    time::utc,
};
use clap::Args;
use serde_json::value::RawValue;
use std::io::{self, Read as _};

/// A text longer than any that a server takes; reading on would only fill the memory.
const STDIN_MAX_BYTES: u64 = 1 << 20;

const EXAMPLES: &str = "\
Examples:
  chinwag send apple:banana 'Hello how are you?' --as apple
  date | chinwag send apple:banana - --as banana
  chinwag send apple:banana 'On its way' --as apple --key order-12 --data '{\"order\":12}'";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct SendArgs {
    /// The two users, in either order, such as apple:banana.
    chat: String,
    /// What to say; - reads it from standard input, without its last line break.
    #[arg(allow_hyphen_values = true)]
    text: String,
    /// The user who sends it: one of the two.
    #[arg(long = "as", value_name = "USER")]
    sender: String,
    /// Your own id of this send: repeated with the same key, it is stored once.
    #[arg(long)]
    key: Option<String>,
    /// A JSON object of your application's, stored with the message.
    #[arg(long, value_name = "JSON", value_parser = json)]
    data: Option<Box<RawValue>>,
    /// Print the stored message as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

fn json(text: &str) -> Result<Box<RawValue>, String> {
    serde_json::from_str(text).map_err(|error| format!("it is no JSON: {error}"))
}

pub(super) async fn run(args: SendArgs) -> Result<(), CliError> {
    let text = if args.text == "-" { read_stdin()? } else { args.text };
    let client = args.server.client()?;
    let mut request = client.send(&args.chat, &args.sender, &text);
    if let Some(key) = &args.key {
        request = request.key(key);
    }
    if let Some(data) = &args.data {
        request = request.data(data);
    }
    let sent = request.await.map_err(|error| CliError::of_client(&error, &args.server))?;
    let message = &sent.message;
    // With a key of the sender's own a replay is news; with the client's it is only that the first reply was lost.
    if sent.replayed && args.key.is_some() {
        tell("chinwag: a send with this key had stored it before; nothing was added");
    }
    let mut output = Output::new();
    if args.json {
        output.json(message)?;
    } else {
        let (seq, chat, time) = (message.seq, escaped(&message.chat), utc(message.send_time));
        output.line(&format!("message {seq} of {chat}, stored {time}"))?;
    }
    output.flush()
}

fn read_stdin() -> Result<String, CliError> {
    let mut text = String::new();
    let read = io::stdin().lock().take(STDIN_MAX_BYTES + 1).read_to_string(&mut text);
    read.map_err(|error| CliError::Usage(format!("the text on standard input can't be read: {error}")))?;
    if text.len() as u64 > STDIN_MAX_BYTES {
        return Err(CliError::Usage("the text on standard input is longer than any message may be".into()));
    }
    let end = text.strip_suffix("\r\n").or_else(|| text.strip_suffix('\n')).map_or(text.len(), str::len);
    text.truncate(end);
    Ok(text)
}
