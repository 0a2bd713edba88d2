//! Far more than a server can do, and what becomes of what it takes on: quiet, overloaded, quiet again.

use crate::{
    BenchError, Content, Failure, Load, Plan, Report,
    content::{Chats, Senders},
    load::{Measured, load},
    numbers::float,
    process::ProcessId,
    report::{op_report, process_report},
    tally::{Op, SecondTally},
    verify::verify,
};
use indicatif::ProgressBar;
use serde::Serialize;
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// How the top rate is found, where it is not given: so many connections, for so long that flushes are in it.
const TOP_CONNECTIONS: usize = 200;
const TOP_LASTS: Duration = Duration::from_secs(15);
/// How long a request may wait for a connection that is free: a few ticks of the pace.
const PATIENCE: Duration = Duration::from_millis(1);
/// So many seconds of an overload are its beginning.
const ONSET_SECONDS: usize = 2;
/// Latencies of the quiet time after it that are no more than so many times those before it say that it is over.
const RECOVERED_FACTOR: f64 = 3.0;

/// An overload.
#[derive(Debug, Clone)]
pub struct Overload {
    /// What is sent, and where; its load and its times are not used.
    pub plan: Plan,
    /// The top rate, in requests a second; `None` to measure it first.
    pub top: Option<f64>,
    /// The quiet rate, as a share of the top.
    pub quiet: f64,
    /// The overload, as so many times the top.
    pub factor: f64,
    /// Most requests in flight at once; one that finds no connection free is given up.
    pub connections: usize,
    /// How long each quiet time lasts.
    pub quiet_lasts: Duration,
    /// How long the overload lasts.
    pub lasts: Duration,
}

/// One second of a run, for its drawing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Second {
    /// Requests that were offered, as planned.
    pub offered_per_s: f64,
    /// Requests answered well.
    pub good_per_s: f64,
    /// Requests refused as too many.
    pub refused_per_s: f64,
    /// 99 of 100 of those answered well were quicker, in milliseconds; 0 where there was none.
    pub p99_ms: f64,
}

/// Runs it, and verifies what was acknowledged.
///
/// # Errors
/// [`BenchError`] where it could not be run; what failed is in the report.
pub async fn overload(
    overload: Overload,
    chats: Chats,
    server: Option<ProcessId>,
    bar: &ProgressBar,
) -> Result<Report, BenchError> {
    let plan = &overload.plan;
    let content = Arc::new(Content::new(&plan.server, chats, plan.text_bytes, plan.keyed, Senders::Both)?);
    let mut acked = Vec::new();
    let mut run = async |load_: Load, lasts| {
        let plan = Plan {
            load: load_,
            duration: lasts,
            warm_up: Duration::ZERO,
            patience: Some(PATIENCE),
            timeline: true,
            ..plan.clone()
        };
        let mut measured = load(&Arc::new(plan), &content, None, server, bar).await?;
        acked.append(&mut measured.take_acked());
        Ok::<_, BenchError>(measured)
    };
    let top = match overload.top {
        Some(top) => top,
        None => run(Load::Closed { connections: TOP_CONNECTIONS }, TOP_LASTS).await?.rate(),
    };
    let connections = overload.connections;
    let quiet_rate = (top * overload.quiet).max(1.0);
    let quiet = || Load::Open { rate: quiet_rate, connections };
    let before = run(quiet(), overload.quiet_lasts).await?;
    let rate = top * overload.factor;
    let during = run(Load::Open { rate, connections }, overload.lasts).await?;
    let after = run(quiet(), overload.quiet_lasts).await?;
    bar.set_message("reading back what was acknowledged");
    let verification = verify(&plan.server, &content, acked, bar).await?;
    let mut report = summary(&overload, top, [(quiet_rate, &before), (rate, &during), (quiet_rate, &after)]);
    report.verification = verification;
    Ok(report)
}

/// What the three came to.
fn summary(overload: &Overload, top: f64, runs: [(f64, &Measured); 3]) -> Report {
    let [(_, before), (rate, during), (_, after)] = runs;
    let names = ["quiet", "over", "after"];
    let sends = |measured: &Measured| measured.tally.ops[Op::Send as usize].clone();
    let ops = names
        .into_iter()
        .zip(runs)
        .map(|(name, (_, measured))| op_report(name, &sends(measured), measured.lasted.as_secs_f64()));
    let ops: Vec<_> = ops.collect();
    let timeline: Vec<_> = runs.iter().flat_map(|(rate, measured)| seconds(*rate, measured)).collect();
    let failed = |failure: &Failure| float(during.tally.failures.get(failure).copied().unwrap_or(0));
    let over_s = during.lasted.as_secs_f64();
    let settled = p99_ms(during.tally.seconds.iter().skip(ONSET_SECONDS));
    let recovered = after
        .tally
        .seconds
        .iter()
        .take_while(|second| second.p99_ms() > RECOVERED_FACTOR * ops[0].p99_ms)
        .count();
    let mut figures = BTreeMap::from([
        ("top_per_s", top),
        ("offered_per_s", rate),
        ("goodput_per_s", during.rate()),
        ("goodput_of_top", during.rate() / top),
        ("refused_per_s", failed(&overloaded()) / over_s),
        ("no_connection_per_s", failed(&Failure::NoConnection) / over_s),
        ("p99_over_quiet", ops[1].p99_ms / ops[0].p99_ms.max(0.001)),
        ("settled_p99_over_quiet", settled / ops[0].p99_ms.max(0.001)),
        ("recovered_after_s", float(recovered as u64)),
    ]);
    if let (Some((first, _)), Some((_, last))) = (before.usage, after.usage) {
        let mib = |bytes: u64| float(bytes) / f64::from(1 << 20);
        figures.insert("memory_before_mib", mib(first.rss_bytes));
        figures.insert("memory_after_mib", mib(last.rss_bytes));
    }
    if let Some((_, peak)) = during.usage {
        figures.insert("memory_over_mib", float(peak.rss_bytes) / f64::from(1 << 20));
    }
    let mut failures: BTreeMap<String, u64> = BTreeMap::new();
    for (_, measured) in runs {
        for (failure, count) in &measured.tally.failures {
            *failures.entry(failure.to_string()).or_default() += count;
        }
    }
    Report {
        load: format!(
            "overload: {:.0}/s for {} s, {rate:.0}/s for {} s, and as before; sends over at most {} connections",
            runs[0].0,
            overload.quiet_lasts.as_secs(),
            overload.lasts.as_secs(),
            overload.connections
        ),
        seconds: runs.iter().map(|(_, measured)| measured.lasted.as_secs_f64()).sum(),
        ops,
        failures,
        failed: runs.iter().map(|(_, measured)| measured.failed()).sum(),
        wrong: runs.iter().map(|(_, measured)| measured.wrong()).sum(),
        process: during.usage.map(|usage| process_report(usage, during.succeeded(), during.succeeded())),
        figures,
        timeline,
        ..Report::default()
    }
}

/// 99 of 100 that were answered well in these seconds were quicker, in milliseconds.
fn p99_ms<'a>(seconds: impl Iterator<Item = &'a SecondTally>) -> f64 {
    let mut all = SecondTally::new();
    seconds.for_each(|second| all.add(second));
    all.p99_ms()
}

/// How a server says that it is offered too much.
fn overloaded() -> Failure {
    Failure::Status { status: 503, code: "overloaded".into() }
}

fn seconds(rate: f64, measured: &Measured) -> impl Iterator<Item = Second> {
    let lasted = measured.lasted.as_secs();
    measured.tally.seconds.iter().take(usize::try_from(lasted).unwrap_or(usize::MAX)).map(move |second| {
        Second {
            offered_per_s: rate,
            good_per_s: float(second.latencies.len()),
            refused_per_s: float(second.refused),
            p99_ms: second.p99_ms(),
        }
    })
}
