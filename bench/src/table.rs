//! Reports as tables for people.

use crate::{Comparison, Deliveries, Report, Verification};
use std::fmt::Write as _;

/// A report as lines of text.
pub fn report_table(report: &Report) -> String {
    let mut out = format!("{}\n\n", report.load);
    let head = ["", "requests", "per second", "p50 ms", "p90 ms", "p95 ms", "p99 ms", "p99.9 ms", "max ms"];
    let _ = writeln!(
        out,
        "{:<10}{:>10}{:>12}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}",
        head[0], head[1], head[2], head[3], head[4], head[5], head[6], head[7], head[8]
    );
    for op in &report.ops {
        let _ = writeln!(
            out,
            "{:<6}{:>12}{:>12.0}{:>10.2}{:>10.2}{:>10.2}{:>10.2}{:>10.2}{:>10.2}",
            op.name,
            op.measured,
            op.rate_per_s,
            op.p50_ms,
            op.p90_ms,
            op.p95_ms,
            op.p99_ms,
            op.p999_ms,
            op.max_ms
        );
    }
    if let Some(process) = &report.process {
        let _ = write!(
            out,
            "\nserver: {:.1} MiB resident before, {:.1} MiB after; {:.1} µs of processor a request",
            process.rss_before_mib, process.rss_after_mib, process.cpu_us_per_request
        );
        if let Some(bytes) = process.written_bytes_per_send {
            let _ = write!(out, "; {bytes:.0} bytes written a send");
        }
        out.push('\n');
    }
    let _ = writeln!(out, "\nfailed: {}", report.failed);
    for (kind, count) in &report.failures {
        let _ = writeln!(out, "  {count:>8}  {kind}");
    }
    for (name, figure) in &report.figures {
        let _ = writeln!(out, "{}: {figure:.1}", name.replace('_', " "));
    }
    write_verification(&mut out, &report.verification);
    if let Some(deliveries) = &report.deliveries {
        write_deliveries(&mut out, deliveries);
    }
    out
}

/// A comparison as lines of text.
pub fn comparison_table(comparison: &Comparison) -> String {
    let (load, reference) = (comparison.load_median_per_s, comparison.reference_median_per_s);
    let cpu = |us: Option<f64>| {
        us.map(|us| format!(", {us:.1} µs of the server's processor each")).unwrap_or_default()
    };
    let mut out = String::new();
    let _ = writeln!(out, "load       {load:>10.0}/s  {}{}", comparison.load, cpu(comparison.load_cpu_us));
    let _ = writeln!(
        out,
        "reference  {reference:>10.0}/s  {}{}",
        comparison.reference,
        cpu(comparison.reference_cpu_us)
    );
    let _ = writeln!(
        out,
        "ratio of the medians {:.3} (single rounds {:.3} to {:.3}, {} rounds)",
        comparison.ratio,
        comparison.ratio_min,
        comparison.ratio_max,
        comparison.load_per_s.len()
    );
    let _ = writeln!(out, "failed: {}", comparison.failed);
    write_verification(&mut out, &comparison.verification);
    out
}

fn write_verification(out: &mut String, verification: &Verification) {
    if verification.acknowledged == 0 {
        return;
    }
    let word = if verification.passed() { "verified" } else { "VERIFICATION FAILED" };
    let _ = writeln!(
        out,
        "{word}: {} of {} acknowledged sends found in their place in {} chats; {} more stored without an \
         acknowledgement; {} faults",
        verification.found,
        verification.acknowledged,
        verification.chats,
        verification.unacknowledged_found,
        verification.faults
    );
    for fault in &verification.first_faults {
        let _ = writeln!(out, "  {fault}");
    }
}

fn write_deliveries(out: &mut String, deliveries: &Deliveries) {
    let word = if deliveries.passed() { "verified" } else { "VERIFICATION FAILED" };
    let _ = writeln!(
        out,
        "{word}: {} of {} deliveries to {} sessions came, each once and in order; {} more without an \
         acknowledgement; {} faults",
        deliveries.delivered,
        deliveries.expected,
        deliveries.sessions,
        deliveries.unacknowledged_delivered,
        deliveries.faults
    );
    for fault in &deliveries.first_faults {
        let _ = writeln!(out, "  {fault}");
    }
}
