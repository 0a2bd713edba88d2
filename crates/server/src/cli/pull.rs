//! `chinwag pull`

use super::{
    CliError, ServerArgs,
    output::{Output, escaped, tell},
    time::utc,
};
use chinwag_client::{Message, Page};
use chinwag_model::limits::PAGE_MAX_MESSAGES;
use clap::Args;
use futures_util::StreamExt as _;
use unicode_width::UnicodeWidthStr as _;

const EXAMPLES: &str = "\
Examples:
  chinwag pull apple:banana                       the first messages
  chinwag pull apple:banana --reverse --limit 20  the newest 20, newest first
  chinwag pull apple:banana --cursor 40           what came after message 40
  chinwag pull apple:banana --all --json          the whole chat, one JSON object a line";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct PullArgs {
    /// The two users, in either order, such as apple:banana.
    chat: String,
    /// Most messages on a page, at most 1000 [default: 10; with --all 1000].
    #[arg(long, value_name = "NUMBER")]
    limit: Option<u64>,
    /// The place to begin at: after message NUMBER, or with --reverse at message NUMBER.
    #[arg(long, value_name = "NUMBER")]
    cursor: Option<u64>,
    /// Newest first.
    #[arg(long)]
    reverse: bool,
    /// Read on, page by page, to the end of the chat.
    #[arg(long)]
    all: bool,
    /// Print each message as a JSON object on a line of its own.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

pub(super) async fn run(args: PullArgs) -> Result<(), CliError> {
    let mut pull = args.server.client()?.pull(&args.chat).reverse(args.reverse);
    if let Some(limit) = args.limit.or(args.all.then_some(PAGE_MAX_MESSAGES as u64)) {
        pull = pull.limit(limit);
    }
    if let Some(cursor) = args.cursor {
        pull = pull.cursor(cursor);
    }
    let mut printer =
        Printer { output: Output::new(), json: args.json, sender_columns: sender_columns(&args.chat) };
    let refused = |error| CliError::of_client(&error, &args.server);
    if args.all {
        let mut pages = pull.pages();
        let mut any = false;
        while let Some(page) = pages.next().await {
            any |= printer.page(&page.map_err(refused)?, !any)?;
        }
        printer.end(any);
    } else {
        let page = pull.page().await.map_err(refused)?;
        let any = printer.page(&page, true)?;
        printer.end(any);
        if let Some(next) = page.next_cursor.filter(|_| page.has_more && !args.json) {
            let reverse = if args.reverse { " --reverse" } else { "" };
            tell(&format!("More: go on with{reverse} --cursor {next}, or read all with --all."));
        }
    }
    Ok(())
}

/// The width of the wider name, in columns of a terminal; the names are known before the first page.
fn sender_columns(chat: &str) -> usize {
    chat.split(':').map(|name| escaped(name).width()).max().unwrap_or(0).max("SENDER".len())
}

struct Printer {
    output: Output,
    json: bool,
    sender_columns: usize,
}

impl Printer {
    /// Prints a page, and says whether it held anything.
    fn page(&mut self, page: &Page, first: bool) -> Result<bool, CliError> {
        if first && !self.json && !page.messages.is_empty() {
            self.row("SEQ", "TIME", "SENDER", "TEXT")?;
        }
        for message in &page.messages {
            if self.json {
                self.output.json(message)?;
            } else {
                self.message(message)?;
            }
        }
        // Whoever reads along sees each page as it comes, and a reader that has gone ends the paging.
        self.output.flush()?;
        Ok(!page.messages.is_empty())
    }

    fn message(&mut self, message: &Message) -> Result<(), CliError> {
        let mut text = escaped(&message.text);
        if let Some(data) = &message.data {
            text.push_str("  ");
            text.push_str(&escaped(data.as_str()));
        }
        self.row(&message.seq.to_string(), &utc(message.send_time), &escaped(&message.sender), &text)
    }

    fn row(&mut self, seq: &str, time: &str, sender: &str, text: &str) -> Result<(), CliError> {
        let pad = " ".repeat(self.sender_columns.saturating_sub(sender.width()));
        self.output.line(&format!("{seq:>6}  {time:<20}  {sender}{pad}  {text}"))
    }

    fn end(&self, any: bool) {
        if !any && !self.json {
            tell("No messages.");
        }
    }
}
