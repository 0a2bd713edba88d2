//! `chinwag bench fill`: messages straight into the store, as many at once as its queue takes.

use super::bar;
use crate::cli::{CliError, output::Output, serve::why_not_opened};
use chinwag_bench::{Chats, Rng};
use chinwag_model::{Chat, Clock, Draft, SendKey, Side, SystemClock, Text};
use chinwag_store::{
    Store, StoreError,
    embedded::{EmbeddedStore, Options},
};
use clap::Args;
use indicatif::ProgressBar;
use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

/// Sends in flight: enough for batches in the thousands, below what the queue takes.
const IN_FLIGHT: u16 = 4_096;
/// Chats that are written at once: what the cache of hot chats holds with ease.
const WINDOW_CHATS: u32 = 20_000;

const MORE: &str = "\
The messages of each chat are spread over time, among those of many chats, as a server would get them. The chats are
named as those of `chinwag bench run`, which can then use the store.

Example:
  chinwag bench fill --data ./big --chats 1000000 --messages 10000000";

#[derive(Debug, Args)]
#[command(after_help = MORE)]
pub(super) struct FillArgs {
    /// Data directory; no server may have it open.
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    data: PathBuf,
    /// How many chats.
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    chats: u32,
    /// How many messages, the same for each chat (rounded up).
    #[arg(long, value_name = "N", default_value_t = 10_000_000)]
    messages: u64,
    /// Bytes of each text.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=16_384))]
    text_bytes: u16,
    /// Send without keys.
    #[arg(long)]
    no_keys: bool,
}

pub(super) async fn run(args: FillArgs) -> Result<(), CliError> {
    let clock = Arc::new(SystemClock::default());
    // Another filling of the same store has other keys and texts.
    let filling = Arc::new(Filling::new(&args, clock.read().wall.0));
    let store = EmbeddedStore::open(&args.data, &Options::default(), clock)
        .map_err(|error| CliError::Usage(why_not_opened(&error)))?;
    let store = Arc::new(store);
    let bar = bar();
    bar.set_length(args.messages);
    let start = Instant::now();
    let mut stored = 0;
    for window in filling.windows() {
        let mut writing = JoinSet::new();
        for first in 0..u64::from(IN_FLIGHT) {
            let (store, filling, bar) = (store.clone(), filling.clone(), bar.clone());
            writing.spawn(async move { filling.write(&*store, window, first, &bar).await });
        }
        while let Some(written) = writing.join_next().await {
            stored += written.expect("a writer panicked")?;
        }
    }
    store.close().await.map_err(|error| CliError::Refused(error.to_string()))?;
    bar.finish_and_clear();
    let seconds = start.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "exact below 2^53")]
    let rate = stored as f64 / seconds;
    let mut output = Output::new();
    output.line(&format!(
        "stored {stored} messages in {} chats in {seconds:.1} s: {rate:.0} messages/s",
        args.chats
    ))?;
    output.flush()
}

/// Some of the chats, which are written at once.
#[derive(Debug, Clone, Copy)]
struct Window {
    first: u32,
    count: u32,
}

struct Filling {
    chats: u32,
    /// Messages of each chat.
    each: u64,
    text_bytes: usize,
    keyed: bool,
    /// Chat number i of the order of writing is the chat i times this: neighbours in time are none in the store.
    stride: u64,
    run: u64,
}

impl Filling {
    fn new(args: &FillArgs, run: u64) -> Self {
        let chats = u64::from(args.chats);
        let start = chats / 2 + chats / 8;
        // 2n - 1 has no factor in common with n, so the search ends.
        let stride = (start.max(1)..2 * chats).find(|&stride| gcd(stride, chats) == 1).unwrap_or(1);
        Self {
            chats: args.chats,
            each: args.messages.div_ceil(chats),
            text_bytes: args.text_bytes.into(),
            keyed: !args.no_keys,
            stride,
            run,
        }
    }

    fn windows(&self) -> impl Iterator<Item = Window> + use<> {
        let chats = self.chats;
        (0..chats)
            .step_by(WINDOW_CHATS as usize)
            .map(move |first| Window { first, count: WINDOW_CHATS.min(chats - first) })
    }

    /// Writes every [`IN_FLIGHT`]th message of a window, from `first` on, one after the other.
    async fn write(
        &self,
        store: &dyn Store,
        window: Window,
        first: u64,
        bar: &ProgressBar,
    ) -> Result<u64, CliError> {
        let count = u64::from(window.count);
        let mut stored = 0;
        for at in (first..count * self.each).step_by(IN_FLIGHT.into()) {
            let place = u64::from(window.first) + at % count;
            let chat =
                u32::try_from(place * self.stride % u64::from(self.chats)).expect("below the count of chats");
            let draft = self.draft(chat, at / count);
            append(store, draft).await?;
            stored += 1;
            bar.inc(1);
        }
        Ok(stored)
    }

    fn draft(&self, chat: u32, round: u64) -> Draft {
        let number = u64::from(chat) << 32 | round;
        let (chat, _) = Chat::parse(&Chats::Numbered(self.chats).name(chat)).expect("a sound name");
        let mut rng = Rng::new(number ^ self.run);
        let letters = std::iter::repeat_with(|| {
            char::from(b"abcdefghijklmnopqrstuvwxyz      "[(rng.next_u64() >> 59) as usize])
        });
        let text: String = letters.take(self.text_bytes).collect();
        Draft {
            chat,
            sender: if round.is_multiple_of(2) { Side::First } else { Side::Second },
            text: Text::parse(text, self.text_bytes).expect("letters"),
            key: self
                .keyed
                .then(|| SendKey::parse(&format!("{:08x}-{number:016x}", self.run)).expect("visible")),
            data: None,
        }
    }
}

/// Appends, and waits where the store has as much as it takes.
async fn append(store: &dyn Store, draft: Draft) -> Result<(), CliError> {
    loop {
        match store.append(draft.clone()).await {
            Ok(_) => return Ok(()),
            Err(StoreError::Busy { retry_after }) => {
                tokio::time::sleep(retry_after.min(Duration::from_millis(50))).await;
            }
            Err(error) => return Err(CliError::Refused(error.to_string())),
        }
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}
