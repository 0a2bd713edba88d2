//! Every session is cut at once, is sent messages meanwhile, and comes back at once with all the others.

use super::{
    apart::apart,
    session::{Listener, Session, Told, all_open, make_room, open_all},
};
use crate::{
    BenchError, Content, Deliveries, Failure, Report, Server, Usage,
    connection::Connection,
    content::{Buffer, Chats, Senders},
    deliveries::Received,
    ledger::{Acked, of_chat},
    numbers::float,
    process::ProcessId,
    reply,
    report::{op_report, process_report},
    tally::OpTally,
    verify::verify,
};
use chinwag_model::Side;
use indicatif::ProgressBar;
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{task::JoinSet, time::timeout_at};

/// Sessions that are being opened at once before the storm.
const OPENING_AT_ONCE: usize = 64;
/// Connections that send while the sessions are cut.
const SENDERS: u32 = 64;
/// How long a session waits after it could not connect.
const RECONNECT_WAIT: Duration = Duration::from_millis(50);
/// When a session gives up.
const CATCH_UP_MAX: Duration = Duration::from_mins(2);

/// A storm.
#[derive(Debug, Clone)]
pub struct Storm {
    /// Where it goes.
    pub server: Server,
    /// How many chats; both users of each have a session.
    pub chats: u32,
    /// How many messages are sent into each chat while the sessions are cut.
    pub messages: u32,
    /// Bytes of each text.
    pub text_bytes: usize,
}

/// Opens the sessions, cuts them all, sends, lets all come back with their last id, and verifies that each was given
/// all that it missed, once and in order, before its `ready`.
///
/// # Errors
/// [`BenchError`] where it could not be run; what failed and what was not delivered is in the report.
pub async fn storm(plan: Storm, server: Option<ProcessId>, bar: &ProgressBar) -> Result<Report, BenchError> {
    if plan.chats == 0 {
        return Err(BenchError::Plan("there must be at least one chat".into()));
    }
    let sessions = 2 * plan.chats as usize;
    make_room(sessions)?;
    let chats = Chats::Numbered(plan.chats);
    let content = Arc::new(Content::new(&plan.server, chats, plan.text_bytes, true, Senders::Both)?);
    let listeners: Arc<[Listener]> = (0..plan.chats)
        .flat_map(|chat| [Side::First, Side::Second].map(|side| (chat, side)))
        .map(|(chat, side)| Listener { user: content.user(chat, side), chat })
        .collect();
    bar.set_length(sessions as u64);
    bar.set_message("opening sessions");
    let ids = cut(&plan.server, &content, &listeners, bar).await?;
    bar.set_message("sending to those who are gone");
    let mut sent = send_all(&plan, &content).await?;
    sent.acked.sort_unstable();
    bar.set_message("all come back");
    bar.set_position(0);
    let before = server.map(ProcessId::usage).transpose()?;
    let returned = return_all(&plan.server, &content, &listeners, ids, server, bar).await?;
    let after = returned.after?;
    bar.set_message("reading back what was acknowledged");
    let mut outcome = Outcome::new(returned.lasted, before.zip(after));
    for (listener, result) in listeners.iter().zip(returned.results) {
        outcome.session(listener, result, of_chat(&sent.acked, listener.chat));
    }
    sent.failures.into_iter().for_each(|failure| outcome.fail(failure));
    let verification = verify(&plan.server, &content, sent.acked, bar).await?;
    let mut report = outcome.report();
    report.verification = verification;
    report.load = format!(
        "storm: {sessions} sessions come back at once, each has missed {} messages of its chat",
        plan.messages
    );
    Ok(report)
}

/// Opens every session, waits until each is live, and cuts them all; the id at which each stood.
async fn cut(
    server: &Server,
    content: &Arc<Content>,
    listeners: &Arc<[Listener]>,
    bar: &ProgressBar,
) -> Result<Vec<String>, BenchError> {
    let (server, content, listeners, bar) = (server.clone(), content.clone(), listeners.clone(), bar.clone());
    let cut = apart(move || async move {
        let opened = all_open(open_all(&server, &content, &listeners, OPENING_AT_ONCE, &bar).await)?;
        let (ids, sessions): (Vec<_>, Vec<_>) =
            opened.into_iter().map(|opened| (opened.id, opened.session)).unzip();
        drop(sessions);
        Ok(ids)
    })?;
    cut.await
}

/// What became of the sends.
#[derive(Default)]
struct Sent {
    acked: Vec<Acked>,
    failures: Vec<Failure>,
}

/// Sends the planned messages into each chat, in each one after the other.
async fn send_all(plan: &Storm, content: &Arc<Content>) -> Result<Sent, BenchError> {
    let mut sending = JoinSet::new();
    for first in 0..SENDERS.min(plan.chats) {
        let (plan, content) = (plan.clone(), content.clone());
        sending.spawn(async move {
            let mut connection = Connection::open(&plan.server).await?;
            let (mut request, mut scratch, mut sent) = (Buffer::default(), Vec::new(), Sent::default());
            for chat in (first..plan.chats).step_by(SENDERS as usize) {
                let mut floor = 0;
                for _ in 0..plan.messages {
                    let number = content.number();
                    content.write_send(&mut request, "/api/send", chat, number);
                    let result = match connection.exchange(request.bytes()).await {
                        Ok(reply) => reply::accepted(&reply).and_then(|body| {
                            reply::sent(body, &content, (chat, number), floor, &mut scratch)
                        }),
                        Err(failure) => Err(failure),
                    };
                    match result {
                        Ok(seq) => {
                            floor = seq;
                            sent.acked.push(Acked { chat, seq, number });
                        }
                        Err(failure) => {
                            sent.failures.push(failure);
                            connection = Connection::open(&plan.server).await?;
                        }
                    }
                }
            }
            Ok::<_, BenchError>(sent)
        });
    }
    let mut total = Sent::default();
    while let Some(part) = sending.join_next().await {
        let part = part.expect("a sender panicked")?;
        total.acked.extend(part.acked);
        total.failures.extend(part.failures);
    }
    Ok(total)
}

/// A session that has caught up.
struct CaughtUp {
    received: Vec<Received>,
    recovered: bool,
    /// From the storm's begin to its `ready`.
    took: Duration,
    /// How often it had to try again.
    refused: u64,
    /// Held until all are back.
    _session: Session,
}

/// What came of the storm.
struct Returned {
    results: Vec<Result<CaughtUp, Failure>>,
    lasted: Duration,
    /// What the server uses while all of them are open.
    after: Result<Option<Usage>, BenchError>,
}

async fn return_all(
    server: &Server,
    content: &Arc<Content>,
    listeners: &Arc<[Listener]>,
    ids: Vec<String>,
    process: Option<ProcessId>,
    bar: &ProgressBar,
) -> Result<Returned, BenchError> {
    let (server, content, listeners, bar) = (server.clone(), content.clone(), listeners.clone(), bar.clone());
    let returning = apart(move || async move {
        let start = Instant::now();
        let mut returning = JoinSet::new();
        for (rank, since) in ids.into_iter().enumerate() {
            let (server, content, listeners, bar) =
                (server.clone(), content.clone(), listeners.clone(), bar.clone());
            returning.spawn(async move {
                let back = come_back(&server, &content, &listeners[rank], rank, &since, start);
                let result = timeout_at((start + CATCH_UP_MAX).into(), back).await;
                bar.inc(1);
                (rank, result.unwrap_or(Err(Failure::Timeout)))
            });
        }
        let mut results = returning.join_all().await;
        let lasted = start.elapsed();
        let after = process.map(ProcessId::usage).transpose();
        results.sort_unstable_by_key(|&(rank, _)| rank);
        Returned { results: results.into_iter().map(|(_, result)| result).collect(), lasted, after }
    })?;
    Ok(returning.await)
}

/// Connects until it is let in, and listens until it is told that it has missed nothing more.
async fn come_back(
    server: &Server,
    content: &Content,
    listener: &Listener,
    rank: usize,
    since: &str,
    start: Instant,
) -> Result<CaughtUp, Failure> {
    let mut refused = 0;
    let mut session = loop {
        match Session::open(server, rank, &listener.user, listener.chat, Some(since)).await {
            Ok(session) => break session,
            Err(Failure::Connect(_) | Failure::Broken(_) | Failure::Status { status: 503, .. }) => {
                refused += 1;
                tokio::time::sleep(RECONNECT_WAIT).await;
            }
            Err(failure) => return Err(failure),
        }
    };
    let (mut received, mut scratch) = (Vec::new(), Vec::new());
    loop {
        match session.next(content, &mut scratch).await? {
            (Told::Message(message), _) => received.push(message),
            (Told::Ready { recovered, .. }, at) => {
                let took = at.duration_since(start);
                return Ok(CaughtUp { received, recovered, took, refused, _session: session });
            }
            (Told::Other, _) => {}
        }
    }
}

/// What is counted of the sessions that came back.
struct Outcome {
    lasted: Duration,
    usage: Option<(Usage, Usage)>,
    tally: OpTally,
    deliveries: Deliveries,
    failures: BTreeMap<Failure, u64>,
    refused: u64,
}

impl Outcome {
    fn new(lasted: Duration, usage: Option<(Usage, Usage)>) -> Self {
        let (tally, deliveries) = (OpTally::new(), Deliveries::default());
        Self { lasted, usage, tally, deliveries, failures: BTreeMap::new(), refused: 0 }
    }

    fn fail(&mut self, failure: Failure) {
        *self.failures.entry(failure).or_default() += 1;
    }

    fn session(&mut self, listener: &Listener, result: Result<CaughtUp, Failure>, acked: &[Acked]) {
        match result {
            Ok(back) => {
                self.tally.succeed(back.took, true, true);
                self.refused += back.refused;
                if !back.recovered {
                    self.deliveries.fault(format!("{}: told that not all is recovered", listener.user));
                }
                self.deliveries.session(&listener.user, acked, &back.received);
            }
            Err(failure) => {
                self.deliveries.session(&listener.user, acked, &[]);
                self.fail(failure);
            }
        }
    }

    fn report(self) -> Report {
        let seconds = self.lasted.as_secs_f64();
        let delivered = float(self.deliveries.delivered);
        Report {
            seconds,
            failed: self.failures.values().sum(),
            wrong: self
                .failures
                .iter()
                .filter(|(failure, _)| failure.is_wrong())
                .map(|(_, count)| count)
                .sum(),
            failures: self.failures.iter().map(|(failure, count)| (failure.to_string(), *count)).collect(),
            ops: vec![op_report("catch-up", &self.tally, seconds)],
            process: self.usage.map(|usage| process_report(usage, self.tally.succeeded, 0)),
            figures: BTreeMap::from([
                ("all_caught_up_s", seconds),
                ("deliveries_per_s", delivered / seconds),
                ("connections_refused", float(self.refused)),
            ]),
            deliveries: Some(self.deliveries),
            ..Report::default()
        }
    }
}
