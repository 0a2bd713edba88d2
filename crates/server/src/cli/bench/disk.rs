//! `chinwag bench disk`

use super::args::seconds;
use crate::cli::{CliError, output::Output};
use chinwag_bench::disk::sync_latency;
use clap::Args;
use std::{path::PathBuf, time::Duration};

#[derive(Debug, Args)]
pub(super) struct DiskArgs {
    /// A directory on the disk.
    #[arg(value_hint = clap::ValueHint::DirPath, default_value = ".")]
    directory: PathBuf,
    /// Seconds to measure.
    #[arg(long, value_name = "S", default_value = "2", value_parser = seconds)]
    duration: Duration,
}

pub(super) fn run(args: &DiskArgs) -> Result<(), CliError> {
    let latencies = sync_latency(&args.directory, args.duration)?;
    let at = |quantile| latencies.value_at_quantile(quantile);
    let mut output = Output::new();
    output.line(&format!(
        "4 KiB written and synced (fdatasync), one after the other, {} times: p50 {} µs, p99 {} µs, max {} µs",
        latencies.len(),
        at(0.5),
        at(0.99),
        latencies.max()
    ))?;
    output.flush()
}
