//! A load and a reference side by side: short rounds in turn, so that whatever else the machine does meets both.

use crate::{
    BenchError, Content, Plan, Verification,
    content::{Chats, Senders},
    load::load,
    process::ProcessId,
    report::prepare,
    verify::verify,
};
use indicatif::ProgressBar;
use serde::Serialize;
use std::sync::Arc;

/// What a comparison came to. Rates are requests answered well a second.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    /// The load, in a sentence.
    pub load: String,
    /// The reference, in a sentence.
    pub reference: String,
    /// The load's rate in each round.
    pub load_per_s: Vec<f64>,
    /// The reference's rate in each round.
    pub reference_per_s: Vec<f64>,
    /// The median of the load's rates.
    pub load_median_per_s: f64,
    /// The median of the reference's rates.
    pub reference_median_per_s: f64,
    /// The load's median over the reference's.
    pub ratio: f64,
    /// The least ratio of one round.
    pub ratio_min: f64,
    /// The greatest ratio of one round.
    pub ratio_max: f64,
    /// Processor time of the server a request of the load, in microseconds.
    pub load_cpu_us: Option<f64>,
    /// Processor time of the server a request of the reference, in microseconds.
    pub reference_cpu_us: Option<f64>,
    /// Requests that failed, of both.
    pub failed: u64,
    /// How many of these were answered with something that is not true.
    pub wrong: u64,
    /// What was found of the sends that were acknowledged.
    pub verification: Verification,
}

/// Runs the load and the reference in turn, `rounds` times each, and verifies what was sent.
///
/// # Errors
/// [`BenchError`] where they could not be run.
pub async fn compare(
    (measured, reference): (Plan, Plan),
    chats: Chats,
    rounds: u32,
    server: Option<ProcessId>,
    bar: &ProgressBar,
) -> Result<Comparison, BenchError> {
    if rounds == 0 {
        return Err(BenchError::Plan("there must be at least one round".into()));
    }
    let content =
        Arc::new(Content::new(&measured.server, chats, measured.text_bytes, measured.keyed, Senders::Both)?);
    let sides = [Arc::new(measured), Arc::new(reference)];
    let mut rates = [Vec::new(), Vec::new()];
    let mut cpu_us = [Vec::new(), Vec::new()];
    let mut acked = Vec::new();
    let (mut failed, mut wrong) = (0, 0);
    for side in &sides {
        side.check()?;
        prepare(side, &content).await?;
    }
    for round in 0..rounds {
        for (at, side) in sides.iter().enumerate() {
            let mut side = Plan::clone(side);
            side.seed = side.seed.wrapping_add(u64::from(round));
            bar.set_prefix(format!("round {} of {rounds}", round + 1));
            let mut result = load(&Arc::new(side), &content, None, server, bar).await?;
            rates[at].push(result.rate());
            failed += result.failed();
            wrong += result.wrong();
            acked.append(&mut result.take_acked());
            cpu_us[at].extend(result.cpu_us_per_request());
        }
    }
    bar.set_prefix("");
    bar.set_message("reading back what was acknowledged");
    let verification = verify(&sides[0].server, &content, acked, bar).await?;
    let ratios = || rates[0].iter().zip(&rates[1]).map(|(load, reference)| load / reference);
    Ok(Comparison {
        load: sides[0].describe(),
        reference: sides[1].describe(),
        load_median_per_s: median(&rates[0]),
        reference_median_per_s: median(&rates[1]),
        ratio: median(&rates[0]) / median(&rates[1]),
        ratio_min: ratios().fold(f64::INFINITY, f64::min),
        ratio_max: ratios().fold(0.0, f64::max),
        load_cpu_us: (!cpu_us[0].is_empty()).then(|| median(&cpu_us[0])),
        reference_cpu_us: (!cpu_us[1].is_empty()).then(|| median(&cpu_us[1])),
        failed,
        wrong,
        verification,
        load_per_s: std::mem::take(&mut rates[0]),
        reference_per_s: std::mem::take(&mut rates[1]),
    })
}

impl Comparison {
    /// Whether what the server said and kept is true.
    pub fn verified(&self) -> bool {
        self.wrong == 0 && self.verification.passed()
    }
}

/// The middle of a list that is not empty.
fn median(of: &[f64]) -> f64 {
    let mut sorted = of.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) }
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    #[expect(clippy::float_cmp, reason = "exact values")]
    fn medians() {
        assert_eq!(median(&[3.0]), 3.0);
        assert_eq!(median(&[9.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 100.0]), 3.0);
    }
}
