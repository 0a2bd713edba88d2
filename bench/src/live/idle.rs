//! Sessions that are open and hear nothing: what one costs the server.

use super::{
    apart::apart,
    session::{Listener, Opened, Session, make_room, open_all},
};
use crate::{
    BenchError, Content, Failure, Report, Server, Usage,
    content::{Chats, Senders, TEXT_MIN_BYTES},
    numbers::float,
    process::ProcessId,
    report::{op_report, process_report},
    tally::OpTally,
};
use chinwag_model::Side;
use indicatif::ProgressBar;
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{task::JoinSet, time::timeout_at};

/// Sessions that are opened and held.
#[derive(Debug, Clone)]
pub struct Idle {
    /// Where they go.
    pub server: Server,
    /// How many, each of another user.
    pub sessions: u32,
    /// How many are being opened at once.
    pub at_once: usize,
    /// How long all of them lie idle before the memory is measured.
    pub hold: Duration,
}

/// Opens the sessions, waits until each is live, holds them, and compares the server's memory with what it was.
///
/// # Errors
/// [`BenchError`] where it could not be run; sessions that did not open or did not stay are counted as failed.
pub async fn idle(plan: Idle, server: Option<ProcessId>, bar: &ProgressBar) -> Result<Report, BenchError> {
    if plan.sessions == 0 || plan.at_once == 0 {
        return Err(BenchError::Plan("there must be at least one session".into()));
    }
    make_room(plan.sessions as usize)?;
    let content =
        Content::new(&plan.server, Chats::Numbered(plan.sessions), TEXT_MIN_BYTES, false, Senders::First)?;
    let load = format!("{} idle sessions, held for {:.0} s", plan.sessions, plan.hold.as_secs_f64());
    bar.set_length(plan.sessions.into());
    bar.set_message("opening sessions");
    let before = server.map(ProcessId::usage).transpose()?;
    let bar = bar.clone();
    let held = apart(move || hold(plan, Arc::new(content), server, bar))?.await;
    let after = held.after?;
    let opened = held.opens.succeeded;
    let mut figures = BTreeMap::from([
        ("sessions_opened", float(opened)),
        ("opened_per_s", float(opened) / held.opening.as_secs_f64()),
    ]);
    if let (Some(before), Some(after)) = (before, after)
        && opened > 0
    {
        let grown = after.rss_bytes.saturating_sub(before.rss_bytes);
        figures.insert("connection_bytes", float(grown) / float(opened));
    }
    let failed: u64 = held.failures.values().sum();
    Ok(Report {
        load,
        seconds: held.opening.as_secs_f64(),
        ops: vec![op_report("open", &held.opens, held.opening.as_secs_f64())],
        failed,
        wrong: held.failures.iter().filter(|(failure, _)| failure.is_wrong()).map(|(_, count)| count).sum(),
        failures: held.failures.iter().map(|(failure, count)| (failure.to_string(), *count)).collect(),
        process: before.zip(after).map(|usage| process_report(usage, opened, 0)),
        figures,
        ..Report::default()
    })
}

/// What came of the sessions.
struct Held {
    /// How long it took to open them all.
    opening: Duration,
    opens: OpTally,
    failures: BTreeMap<Failure, u64>,
    /// What the server uses while all of them are open.
    after: Result<Option<Usage>, BenchError>,
}

async fn hold(plan: Idle, content: Arc<Content>, server: Option<ProcessId>, bar: ProgressBar) -> Held {
    let chat = |chat| Listener { user: content.user(chat, Side::First), chat };
    let listeners: Arc<[Listener]> = (0..plan.sessions).map(chat).collect();
    let start = Instant::now();
    let results = open_all(&plan.server, &content, &listeners, plan.at_once, &bar).await;
    let opening = start.elapsed();
    let mut opens = OpTally::new();
    let mut failures = BTreeMap::new();
    let mut fail = |failure: Failure| *failures.entry(failure).or_default() += 1;
    let mut watching = JoinSet::new();
    bar.set_message("holding them");
    let until = Instant::now() + plan.hold;
    for result in results {
        match result {
            Ok(Opened { session, took, .. }) => {
                opens.succeed(took, true, true);
                watching.spawn(watch(session, content.clone(), until));
            }
            Err(failure) => fail(failure),
        }
    }
    let mut still_open = Vec::with_capacity(watching.len());
    while let Some(watched) = watching.join_next().await {
        match watched.expect("watching does not panic") {
            Ok(session) => still_open.push(session),
            Err(failure) => fail(failure),
        }
    }
    let after = server.map(ProcessId::usage).transpose();
    drop(still_open);
    Held { opening, opens, failures, after }
}

/// Gives the session back where it stays open and is told nothing.
async fn watch(mut session: Session, content: Arc<Content>, until: Instant) -> Result<Session, Failure> {
    let mut scratch = Vec::new();
    match timeout_at(until.into(), session.next(&content, &mut scratch)).await {
        Err(_) => Ok(session),
        Ok(Err(failure)) => Err(failure),
        Ok(Ok(_)) => Err(Failure::Wrong("an idle session was told something")),
    }
}
