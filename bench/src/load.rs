//! Runs a load: makes the connections, starts the generator's threads, gathers what they counted.

use crate::{
    BenchError, Content, Load, Plan, Rng, Usage,
    choice::Chooser,
    connection::Connection,
    content::Buffer,
    dues::{Dues, Window},
    ledger::Acked,
    pace::Arrivals,
    process::ProcessId,
    tally::Tally,
    worker::Worker,
};
use indicatif::ProgressBar;
use parking_lot::Mutex;
use std::{
    net::TcpStream as StdStream,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use tokio::{net::TcpStream, sync::oneshot, task::JoinSet};

/// How often the progress bar moves.
const TICK: Duration = Duration::from_millis(200);
/// Time for the threads to start before the load does.
const HEAD_START: Duration = Duration::from_millis(20);
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// What a load came to.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) tally: Tally,
    /// How long it was measured.
    pub(crate) lasted: Duration,
    /// What the server's process used, from before the warm-up to the last reply.
    pub(crate) usage: Option<(Usage, Usage)>,
}

impl Measured {
    /// Requests answered well a second, of all kinds, within the measured time.
    pub(crate) fn rate(&self) -> f64 {
        let completed: u64 = self.tally.ops.iter().map(|op| op.completed).sum();
        #[expect(clippy::cast_precision_loss, reason = "exact below 2^53")]
        let completed = completed as f64;
        completed / self.lasted.as_secs_f64()
    }

    /// Requests that failed, of every kind.
    pub(crate) fn failed(&self) -> u64 {
        self.tally.failures.values().sum()
    }

    /// How many of these were answered with something that is not true.
    pub(crate) fn wrong(&self) -> u64 {
        self.tally.failures.iter().filter(|(failure, _)| failure.is_wrong()).map(|(_, count)| count).sum()
    }

    /// Requests answered well, the warm-up's among them.
    pub(crate) fn succeeded(&self) -> u64 {
        self.tally.ops.iter().map(|op| op.succeeded).sum()
    }

    /// Processor time of the server a request that was answered well, in microseconds, where it was watched.
    pub(crate) fn cpu_us_per_request(&self) -> Option<f64> {
        let (before, after) = self.usage?;
        Some(after.cpu_us_per_request(&before, self.succeeded()))
    }

    /// What was acknowledged, given up for the verification.
    pub(crate) fn take_acked(&mut self) -> Vec<Acked> {
        std::mem::take(&mut self.tally.ledger.acked)
    }
}

/// Puts the planned load on the server. `dues` are told when each send was to start, for those who wait for what it
/// sends; `bar` is moved along; a hidden one shows nothing.
///
/// # Errors
/// [`BenchError`] where the load could not begin. What fails later is counted.
pub(crate) async fn load(
    plan: &Arc<Plan>,
    content: &Arc<Content>,
    dues: Option<&Arc<Dues>>,
    server: Option<ProcessId>,
    bar: &ProgressBar,
) -> Result<Measured, BenchError> {
    plan.check()?;
    let streams = connect_all(plan).await?;
    let before = server.map(ProcessId::usage).transpose()?;
    let start = Instant::now() + HEAD_START;
    let measured_from = start + plan.warm_up;
    let window = Window { start, measured_from, end: measured_from + plan.measured() };
    if let Some(dues) = dues {
        dues.begin(window);
    }
    let done = Arc::new(AtomicU64::new(0));
    let mut results = JoinSet::new();
    for (thread, streams) in split(streams, plan.threads).into_iter().enumerate() {
        let (to_us, result) = oneshot::channel();
        let part = Part {
            plan: plan.clone(),
            content: content.clone(),
            dues: dues.cloned(),
            window,
            thread,
            streams,
            done: done.clone(),
        };
        std::thread::Builder::new()
            .name("bench-load".into())
            .spawn(move || drop(to_us.send(part.run())))
            .map_err(|why| BenchError::Io { what: "starting a thread".into(), why })?;
        results.spawn(result);
    }
    let mut tally = Tally::new(0);
    let mut tick = tokio::time::interval(TICK);
    bar.set_length(millis(window.end - window.start));
    loop {
        tokio::select! {
            result = results.join_next() => match result {
                None => break,
                Some(part) => {
                    let part = part.expect("never cancelled").expect("a thread of the generator panicked");
                    tally.add(part?);
                }
            },
            _ = tick.tick() => {
                bar.set_position(millis(Instant::now().saturating_duration_since(window.start)));
                bar.set_message(format!("{} requests", done.load(Relaxed)));
            }
        }
    }
    let after = server.map(ProcessId::usage).transpose()?;
    Ok(Measured { tally, lasted: plan.measured(), usage: before.zip(after) })
}

/// One thread's share of a load.
struct Part {
    plan: Arc<Plan>,
    content: Arc<Content>,
    dues: Option<Arc<Dues>>,
    window: Window,
    thread: usize,
    streams: Vec<Option<StdStream>>,
    done: Arc<AtomicU64>,
}

impl Part {
    fn run(self) -> Result<Tally, BenchError> {
        let io = |what: &str| {
            let what = what.to_owned();
            move |why| BenchError::Io { what, why }
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(io("starting a runtime"))?;
        let tally = Arc::new(Mutex::new(Tally::new(self.content.chats().count())));
        let workers = self.streams.len();
        let arrivals = self.arrivals();
        let pacer = arrivals.as_ref().map(|arrivals| arrivals.release(workers)).transpose();
        let pacer = pacer.map_err(io("starting a thread"))?;
        runtime.block_on(async {
            tokio::time::sleep_until(self.window.start.into()).await;
            let mut running = JoinSet::new();
            let (plan, threads) = (self.plan.clone(), self.plan.threads);
            for (at, stream) in self.streams.into_iter().enumerate() {
                let connection = stream.map(TcpStream::from_std).transpose().map_err(io("using a socket"))?;
                let rank = at * threads + self.thread;
                let worker = Worker {
                    plan: plan.clone(),
                    content: self.content.clone(),
                    dues: self.dues.clone(),
                    tally: tally.clone(),
                    window: self.window,
                    chooser: Chooser::new(self.content.chats().count(), plan.skew),
                    rng: Rng::new(Rng::new(plan.seed ^ ((rank as u64) << 32)).next_u64()),
                    connection: connection.map(Connection::new),
                    request: Buffer::default(),
                    scratch: Vec::new(),
                    done: self.done.clone(),
                };
                match (&plan.load, &arrivals) {
                    (Load::Staged(stages), _) => {
                        running.spawn(worker.staged(stages.as_slice().into(), rank));
                    }
                    (_, Some(arrivals)) => {
                        running.spawn(worker.open(arrivals.clone()));
                    }
                    (_, None) => {
                        running.spawn(worker.closed());
                    }
                }
            }
            while let Some(ended) = running.join_next().await {
                ended.expect("a connection's task panicked");
            }
            Ok(())
        })?;
        if let Some(pacer) = pacer {
            pacer.join().expect("the pacing thread panicked");
        }
        Ok(Arc::into_inner(tally).expect("every worker has ended").into_inner())
    }

    /// This thread's share of an open loop's arrivals.
    fn arrivals(&self) -> Option<Arc<Arrivals>> {
        let Load::Open { rate, .. } = self.plan.load else { return None };
        let threads = f64::from(u32::try_from(self.plan.threads).expect("far fewer threads"));
        let lasts = self.window.end - self.window.start;
        Some(Arc::new(Arrivals::new(self.window.start, rate / threads, lasts)))
    }
}

/// Makes the connections of the load; those of stages are made when their time comes.
async fn connect_all(plan: &Arc<Plan>) -> Result<Vec<Option<StdStream>>, BenchError> {
    let staged = matches!(plan.load, Load::Staged(_));
    let plan = plan.clone();
    let connecting = tokio::task::spawn_blocking(move || {
        let connect = |_| {
            let stream = StdStream::connect_timeout(&plan.server.address(), CONNECT_MAX)?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            Ok(stream)
        };
        let failed = |why| BenchError::Connect { server: plan.server.authority().to_owned(), why };
        if staged {
            connect(0).map_err(failed)?;
            return Ok((0..plan.connections()).map(|_| None).collect());
        }
        (0..plan.connections()).map(|at| connect(at).map(Some).map_err(failed)).collect()
    });
    connecting.await.expect("connecting does not panic")
}

/// Deals the connections out to the threads.
fn split(streams: Vec<Option<StdStream>>, threads: usize) -> Vec<Vec<Option<StdStream>>> {
    let mut parts: Vec<_> = (0..threads.min(streams.len())).map(|_| Vec::new()).collect();
    let count = parts.len();
    for (at, stream) in streams.into_iter().enumerate() {
        parts[at % count].push(stream);
    }
    parts
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
