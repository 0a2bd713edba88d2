//! `chinwag bench compare`

use super::{
    ResultArgs,
    args::{LoadArgs, seconds},
    bar,
};
use crate::cli::CliError;
use chinwag_bench::{Load, Work, comparison_table};
use clap::{Args, ValueEnum};
use std::time::Duration;

/// Part of each round that is left out, as connections are made and caches filled.
const WARM_UP: Duration = Duration::from_millis(500);

const EXAMPLES: &str = "\
Short rounds in turn, so that whatever else the machine does meets both; the ratio is that of the medians.

Example:
  chinwag bench compare --load pull --reference noop --connections 200 --rounds 10 --round 3";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct CompareArgs {
    #[command(flatten)]
    common: LoadArgs,
    /// What is measured.
    #[arg(long, value_enum)]
    load: Kind,
    /// What it is measured against.
    #[arg(long, value_enum, default_value_t = Kind::Noop)]
    reference: Kind,
    /// How many rounds of each.
    #[arg(long, value_name = "N", default_value_t = 10)]
    rounds: u32,
    /// Seconds of each round, its first half second left out.
    #[arg(long, value_name = "S", default_value = "3", value_parser = seconds)]
    round: Duration,
    #[command(flatten)]
    result: ResultArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    /// Sends.
    Send,
    /// Pulls of the newest 10.
    Pull,
    /// Posts to the server's no-op (`serve --bench-routes`).
    Noop,
}

pub(super) async fn run(args: CompareArgs) -> Result<(), CliError> {
    let plan = |kind| {
        let work = match kind {
            Kind::Send => args.common.verbs(1.0),
            Kind::Pull => args.common.verbs(0.0),
            Kind::Noop => Work::Noop,
        };
        let load = Load::Closed { connections: args.common.connections };
        let mut plan = args.common.plan(load, work, args.round.saturating_sub(WARM_UP))?;
        plan.warm_up = WARM_UP;
        Ok::<_, CliError>(plan)
    };
    let plans = (plan(args.load)?, plan(args.reference)?);
    let bar = bar();
    let compared =
        chinwag_bench::compare(plans, args.common.chats()?, args.rounds, args.common.process(), &bar).await;
    bar.finish_and_clear();
    let compared = compared?;
    args.result.give(&comparison_table(&compared), &compared, compared.verified(), compared.failed)
}
