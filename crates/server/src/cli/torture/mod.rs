//! `chinwag torture`: seeded clients on every face torment a server of its own, which is killed and stopped meanwhile, and a
//! judge decides from their history alone whether each promise held.
//!
//! Each minute is a round with users of its own, judged at its end; the store goes on from round to round.

mod clients;
mod feeds;
mod http;
mod random;
mod server;

use super::{CliError, output::Output};
use chinwag_torture::{
    history::{self, Call, Record, Reply},
    judge::{Broken, judge},
};
use clap::Args;
use parking_lot::Mutex;
use random::Random;
use server::Server;
use std::{
    fs::File,
    io::{self, BufWriter, Write as _},
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

/// Clients that send, pull and mark.
const CLIENTS: u64 = 8;
/// How long a round lasts.
const ROUND: Duration = Duration::from_mins(1);

#[derive(Debug, Args)]
#[command(after_help = "\
It starts a server of its own on a free port of loopback, with its data below DIR, and ends it.
The history of each round stays in DIR, one JSON object a line.

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

/// What all clients of a round share.
struct Round {
    address: SocketAddr,
    users: Vec<String>,
    began: Instant,
    stop: AtomicBool,
    records: Mutex<Vec<Record>>,
}

impl Round {
    /// The moment on the clock of all clients, in microseconds.
    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn ended(&self) -> bool {
        self.stop.load(Relaxed)
    }

    fn record(&self, began: u64, call: Call, reply: Reply) {
        let ended = self.now();
        self.records.lock().push(Record { began, ended, call, reply });
    }

    /// The chats of all pairs of users.
    fn chats(&self) -> Vec<[&str; 2]> {
        let users = self.users.iter().enumerate();
        users
            .flat_map(|(at, one)| self.users[at + 1..].iter().map(move |two| [one.as_str(), two.as_str()]))
            .collect()
    }
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
    output.flush()?;
    let mut broken = 0;
    let mut server = Server::start(&args.data.join("data")).map_err(failed)?;
    for minute in 0..args.minutes {
        let mut random = Random::new(seed.wrapping_add(minute));
        let (round, faults) = torment(&mut server, minute, &mut random).map_err(failed)?;
        let records = round.records.lock();
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

/// One round: clients, faults, and at its end a look at all of it in quiet.
fn torment(server: &mut Server, minute: u64, random: &mut Random) -> io::Result<(Arc<Round>, Faults)> {
    let round = Arc::new(Round {
        address: server.address(),
        users: ["apple", "banana", "cherry", "dill"].map(|name| format!("{name}-{minute}")).to_vec(),
        began: Instant::now(),
        stop: AtomicBool::new(false),
        records: Mutex::default(),
    });
    let mut threads = Vec::new();
    for number in 0..CLIENTS {
        let (round, random) = (round.clone(), random.fork());
        threads.push(thread::spawn(move || clients::run(&round, number, random)));
    }
    for (number, user) in round.users.clone().into_iter().enumerate() {
        let (round, random) = (round.clone(), random.fork());
        threads.push(thread::spawn(move || feeds::run(&round, &user, number as u64, random)));
    }
    let faulted = faults(server, random);
    round.stop.store(true, Relaxed);
    for thread in threads {
        // A client that has panicked has a defect, which must not pass for a promise held.
        thread.join().map_err(|_| io::Error::other("a client of the torture has panicked"))?;
    }
    let faulted = faulted?;
    clients::look_at_all(&round)?;
    Ok((round, faulted))
}

/// What was done to the server.
#[derive(Default)]
struct Faults {
    kills: u64,
    stops: u64,
}

/// Kills and stops the server, and starts it again, until the round is over.
fn faults(server: &mut Server, random: &mut Random) -> io::Result<Faults> {
    let (begin, mut faults) = (Instant::now(), Faults::default());
    while begin.elapsed() < ROUND {
        // The schedule of the faults is the torture itself.
        thread::sleep(Duration::from_millis(500 + random.below(4_500)));
        if random.below(3) == 0 {
            server.stop()?;
            faults.stops += 1;
        } else {
            server.kill()?;
            faults.kills += 1;
        }
        server.start_again()?;
    }
    Ok(faults)
}

fn keep(path: &std::path::Path, records: &[Record]) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    records.iter().try_for_each(|record| history::write(&mut file, record))?;
    file.flush()
}

fn summary(minute: u64, records: &[Record], faults: &Faults, broken: &[Broken]) -> String {
    let count = |is: fn(&Record) -> bool| records.iter().filter(|record| is(record)).count();
    format!(
        "round {minute}: {} calls and events ({} stored, {} pages, {} marks, {} told by feeds, {} unknown), {} kills, {} \
         stops: {}",
        records.len(),
        count(|record| matches!(record.reply, Reply::Stored { .. })),
        count(|record| matches!(record.reply, Reply::Page { .. })),
        count(|record| matches!(record.reply, Reply::Marked { .. })),
        count(|record| matches!(record.call, Call::Feed { .. })),
        count(|record| record.reply == Reply::Unknown),
        faults.kills,
        faults.stops,
        if broken.is_empty() { "held".to_owned() } else { format!("{} broken", broken.len()) },
    )
}
