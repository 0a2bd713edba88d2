//! A whole run: prepare, load, verify, and what it came to.

use crate::{
    BenchError, Content, Deliveries, Plan, Second, Usage, Verification, Which, Work,
    connection::Connection,
    content::{Buffer, Chats, Senders},
    load::{Measured, load},
    numbers::{float, ms},
    process::ProcessId,
    reply,
    tally::{Op, OpTally},
    verify::verify,
};
use chinwag_model::limits::PAGE_DEFAULT_MESSAGES;
use indicatif::ProgressBar;
use serde::Serialize;
use std::{collections::BTreeMap, sync::Arc};

/// What a run came to.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// The load, in a sentence.
    pub load: String,
    /// Seconds that were measured.
    pub seconds: f64,
    /// Each kind of request.
    pub ops: Vec<OpReport>,
    /// Requests that failed, the warm-up's among them, by kind.
    pub failures: BTreeMap<String, u64>,
    /// How many requests failed.
    pub failed: u64,
    /// How many of these were answered with something that is not true.
    pub wrong: u64,
    /// What was found of the sends that were acknowledged.
    pub verification: Verification,
    /// What was found of the deliveries that were due; `None` where nobody listened.
    pub deliveries: Option<Deliveries>,
    /// What the server's process used.
    pub process: Option<ProcessReport>,
    /// Figures of this kind of run alone, by name, the unit last in it.
    pub figures: BTreeMap<&'static str, f64>,
    /// Second by second, of a run that is drawn so.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub timeline: Vec<Second>,
}

/// One kind of request. Latencies are in milliseconds.
#[derive(Debug, Clone, Serialize)]
pub struct OpReport {
    /// What was asked for, such as `send`.
    pub name: String,
    /// Requests whose latency was measured.
    pub measured: u64,
    /// Requests answered well a second.
    pub rate_per_s: f64,
    /// The mean.
    pub mean_ms: f64,
    /// The median.
    pub p50_ms: f64,
    /// 90 of 100 are below.
    pub p90_ms: f64,
    /// 95 of 100 are below.
    pub p95_ms: f64,
    /// 99 of 100 are below.
    pub p99_ms: f64,
    /// 999 of 1000 are below.
    pub p999_ms: f64,
    /// The longest.
    pub max_ms: f64,
    /// The curve: percentile (0 to 100) and latency, closer together towards 100.
    pub curve: Vec<(f64, f64)>,
}

/// What the server's process used from before the warm-up to the last reply.
#[derive(Debug, Clone, Serialize)]
pub struct ProcessReport {
    /// Resident memory before, in MiB.
    pub rss_before_mib: f64,
    /// Resident memory after, in MiB.
    pub rss_after_mib: f64,
    /// Processor time a request that was answered well, in microseconds.
    pub cpu_us_per_request: f64,
    /// Bytes written to disk a send that was acknowledged; absent where there was none.
    pub written_bytes_per_send: Option<f64>,
}

impl Report {
    /// Whether what the server said and kept is true. Failures to serve are told apart, in `failed`.
    pub fn verified(&self) -> bool {
        let delivered = self.deliveries.as_ref().is_none_or(Deliveries::passed);
        self.wrong == 0 && self.verification.passed() && delivered
    }
}

/// Runs a plan to its end: hot chats are given messages first, then the load, then the verification.
///
/// # Errors
/// [`BenchError`] where it could not be run; failed requests and a failed verification are in the report.
pub async fn run(
    plan: Plan,
    chats: Chats,
    server: Option<ProcessId>,
    bar: &ProgressBar,
) -> Result<Report, BenchError> {
    plan.check()?;
    let content = Arc::new(Content::new(&plan.server, chats, plan.text_bytes, plan.keyed, Senders::Both)?);
    prepare(&plan, &content).await?;
    let plan = Arc::new(plan);
    let mut measured = load(&plan, &content, None, server, bar).await?;
    let acked = measured.take_acked();
    bar.set_message("reading back what was acknowledged");
    let verification = verify(&plan.server, &content, acked, bar).await?;
    Ok(report(&plan, &measured, verification))
}

/// Gives a chat that is pulled by all enough messages to fill the page: an empty chat would flatter the server. It is
/// also the first look at whether the server answers as it must.
pub(crate) async fn prepare(plan: &Plan, content: &Content) -> Result<(), BenchError> {
    if !matches!(plan.work, Work::Verbs { pulls: Which::Hot, sends, .. } if sends < 1.0) {
        return Ok(());
    }
    let mut connection = Connection::open(&plan.server).await?;
    let (mut request, mut scratch) = (Buffer::default(), Vec::new());
    for _ in 0..=PAGE_DEFAULT_MESSAGES {
        let number = content.number();
        content.write_send(&mut request, "/api/send", 0, number);
        let answer = match connection.exchange(request.bytes()).await {
            Ok(reply) => reply::accepted(&reply)
                .and_then(|body| reply::sent(body, content, (0, number), 0, &mut scratch).map(drop)),
            Err(failure) => Err(failure),
        };
        answer.map_err(|failure| BenchError::Unfit(format!("preparing the chat to pull: {failure}")))?;
    }
    Ok(())
}

pub(crate) fn report(plan: &Plan, measured: &Measured, verification: Verification) -> Report {
    let tally = &measured.tally;
    let seconds = measured.lasted.as_secs_f64();
    let sends = tally.ops[Op::Send as usize].succeeded;
    let used = Op::ALL.into_iter().filter(|&op| tally.ops[op as usize].succeeded > 0);
    Report {
        load: plan.describe(),
        seconds,
        ops: used.map(|op| op_report(op.name(), &tally.ops[op as usize], seconds)).collect(),
        failures: tally.failures.iter().map(|(failure, count)| (failure.to_string(), *count)).collect(),
        failed: measured.failed(),
        wrong: measured.wrong(),
        verification,
        process: measured.usage.map(|usage| process_report(usage, measured.succeeded(), sends)),
        ..Report::default()
    }
}

pub(crate) fn op_report(name: &str, tally: &OpTally, seconds: f64) -> OpReport {
    let at = |percentile| ms(tally.latencies.value_at_percentile(percentile));
    // Ten points for each factor of ten by which fewer requests are slower, as far as there are requests.
    let steps = f64::from(u32::try_from(tally.latencies.len()).unwrap_or(u32::MAX)).max(1.0).log10() * 10.0;
    let curve = (0..)
        .map(|step| (step, f64::from(step)))
        .take_while(|&(step, tenths)| step == 0 || tenths <= steps)
        .map(|(_, tenths)| 100.0 * (1.0 - 10_f64.powf(-tenths / 10.0)))
        .map(|percentile| (percentile, at(percentile)));
    OpReport {
        name: name.into(),
        measured: tally.latencies.len(),
        rate_per_s: float(tally.completed) / seconds,
        mean_ms: tally.latencies.mean() / 1_000.0,
        p50_ms: at(50.0),
        p90_ms: at(90.0),
        p95_ms: at(95.0),
        p99_ms: at(99.0),
        p999_ms: at(99.9),
        max_ms: ms(tally.latencies.max()),
        curve: curve.collect(),
    }
}

/// What a process used for so many requests, so many of them sends.
pub(crate) fn process_report((before, after): (Usage, Usage), requests: u64, sends: u64) -> ProcessReport {
    let written = float(after.written_bytes.saturating_sub(before.written_bytes));
    ProcessReport {
        rss_before_mib: float(before.rss_bytes) / f64::from(1 << 20),
        rss_after_mib: float(after.rss_bytes) / f64::from(1 << 20),
        cpu_us_per_request: after.cpu_us_per_request(&before, requests),
        written_bytes_per_send: (sends > 0).then(|| written / float(sends)),
    }
}
