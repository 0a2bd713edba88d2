//! `chinwag torture`: seeded clients on every face torment a server of its own, which is killed, stopped and starved meanwhile, and a
//! judge decides from their history alone whether each promise held.
//!
//! Each minute is a round with users of its own, judged at its end; the store goes on from round to round.

mod faults;
mod filler;
mod server;

use super::{CliError, output::Output};
use crate::{
    identity::SigningKey,
    torture::{Gate, Pace, Random, Setting, torment},
};
use chinwag_model::SystemClock;
use chinwag_torture::{
    history::{self, Call, Record, Reply},
    judge::{Broken, judge},
};
use clap::Args;
use data_encoding::HEXLOWER;
use faults::{Faults, inflict};
use filler::Filler;
use server::Server;
use std::{
    fs::File,
    io::{self, BufWriter, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// Clients that send, pull, mark and revise.
const CLIENTS: u64 = 8;
/// How long a round lasts.
const ROUND: Duration = Duration::from_mins(1);
/// How fast the clients go about it.
const PACE: Pace = Pace { rest: Duration::from_millis(12), follow: Duration::from_millis(2_500) };

#[derive(Debug, Args)]
#[command(after_help = "\
It starts a server of its own on a free port of loopback, with its data below DIR, and ends it. In every other round, from
the first on, the server asks for tokens. The history of each round stays in DIR, one JSON object a line.

What is done to the server: it is killed, stopped, held for up to 2 s, and its disk filled up to the reserve by a file of 320 MiB
in DIR, where the file system gives one. That anybody hears of presence and typing is not judged.

Exit codes: 0 every promise held, 1 one was broken, 2 wrong use or it could not run.")]
pub(super) struct TortureArgs {
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=100_000), help = "How many rounds of a minute")]
    minutes: u64,
    #[arg(
        long,
        value_name = "NUMBER",
        help = "What is random comes again with its seed [default: a random one, which is printed]"
    )]
    seed: Option<u64>,
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath, help = "An empty directory, or one to be made")]
    data: PathBuf,
}

pub(super) fn run(args: &TortureArgs) -> Result<(), CliError> {
    let failed = |error: io::Error| CliError::Usage(format!("{}: {error}", args.data.display()));
    std::fs::create_dir_all(&args.data).map_err(failed)?;
    if std::fs::read_dir(&args.data).map_err(failed)?.next().is_some() {
        return Err(CliError::Usage(format!("{} is not empty", args.data.display())));
    }
    let seed = match args.seed {
        Some(seed) => seed,
        None => Random::seed().map_err(failed)?,
    };
    let mut output = Output::new();
    output.line(&format!("seed {seed}; --seed {seed} repeats what is random"))?;
    let filler = Filler::on(&args.data);
    if let Err(why) = &filler {
        output.line(&format!("skipped: no full disk, for {why}"))?;
    }
    output.flush()?;
    let secret = make_secret(&args.data.join("secret")).map_err(failed)?;
    let mut server = Server::new(&args.data.join("data"), filler.ok()).map_err(failed)?;
    let mut broken = 0;
    for minute in 0..args.minutes {
        let mut random = Random::new(seed.wrapping_add(minute));
        let (records, faults) = one_round(&mut server, minute, &secret, &mut random).map_err(failed)?;
        keep(&args.data.join(format!("history-{minute}.ndjson")), &records).map_err(failed)?;
        let found = judge(&records);
        output.line(&summary(minute, &records, &faults, &found))?;
        for one in found.iter().take(20) {
            output.line(&format!("  {one}"))?;
        }
        output.flush()?;
        broken += found.len();
    }
    server.stop().map_err(failed)?;
    if broken == 0 {
        output.line("every promise held")?;
        return output.flush();
    }
    output.flush()?;
    Err(CliError::Refused(format!(
        "{broken} times a promise was broken; the histories are in {}",
        args.data.display()
    )))
}

/// A secret of this run, in a file; the file, and what signs with it.
fn make_secret(path: &Path) -> io::Result<(PathBuf, String)> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    let secret = HEXLOWER.encode(&bytes);
    std::fs::write(path, &secret)?;
    Ok((path.to_owned(), secret))
}

/// One round: clients, faults, and at its end a look at all of it in quiet.
fn one_round(
    server: &mut Server,
    minute: u64,
    (secret_file, secret): &(PathBuf, String),
    random: &mut Random,
) -> io::Result<(Vec<Record>, Faults)> {
    let guarded = minute.is_multiple_of(2);
    server.restart(guarded.then_some(secret_file))?;
    let gate = if guarded {
        let signer = SigningKey::of_secret(secret.as_bytes()).map_err(io::Error::other)?;
        let (lasting, doomed) = (server.create_key()?, server.create_key()?);
        Some(Gate { signer, clock: Arc::new(SystemClock::default()), lasting, doomed })
    } else {
        None
    };
    let setting = Setting {
        address: server.address(),
        users: ["apple", "banana", "cherry", "dill"].map(|name| format!("{name}-{minute}")).to_vec(),
        gate,
        clients: CLIENTS,
        pace: PACE,
    };
    let mut schedule = random.fork();
    torment(setting, random, |round| inflict(server, round, &mut schedule, ROUND))
}

fn keep(path: &std::path::Path, records: &[Record]) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    records.iter().try_for_each(|record| history::write(&mut file, record))?;
    file.flush()
}

fn summary(minute: u64, records: &[Record], faults: &Faults, broken: &[Broken]) -> String {
    let count = |is: fn(&Record) -> bool| records.iter().filter(|record| is(record)).count();
    let Faults { kills, stops, stalls, full } = faults;
    format!(
        "round {minute}: {} calls and events ({} stored, {} pages, {} marks, {} revised, {} blocks begun or ended, {} inboxes, {} told by feeds, {} refused \
         for who asked, {} for a block, {} for want of room, {} unknown), {kills} kills, {stops} stops, {stalls} stalls, {full} times a full disk: {}",
        records.len(),
        count(|record| matches!(record.reply, Reply::Stored { .. })),
        count(|record| matches!(record.reply, Reply::Page { .. })),
        count(|record| matches!(record.reply, Reply::Marked { .. })),
        count(|record| matches!(record.reply, Reply::Stands { .. })),
        count(|record| matches!(record.reply, Reply::Blocked { .. })),
        count(|record| matches!(record.reply, Reply::Inbox { .. })),
        count(|record| matches!(record.call, Call::Feed { .. })),
        count(
            |record| matches!(&record.reply, Reply::Refused { status: 401 | 403, code } if code != "blocked")
        ),
        count(|record| matches!(&record.reply, Reply::Refused { code, .. } if code == "blocked")),
        count(|record| matches!(record.reply, Reply::Refused { status: 507, .. })),
        count(|record| record.reply == Reply::Unknown),
        if broken.is_empty() { "held".to_owned() } else { format!("{} broken", broken.len()) },
    )
}
