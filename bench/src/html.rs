//! A report as one page that needs nothing else: the figures, and the latencies by percentile as a drawing.

use crate::{OpReport, Report, report_table, timeline};
use std::fmt::Write as _;

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 400.0;
/// Room for the words left of and below the curves.
const LEFT: f64 = 80.0;
const BOTTOM: f64 = 40.0;
const COLOURS: [&str; 3] = ["#0b6e4f", "#c1440e", "#3a5fcd"];

/// The page.
pub fn html(title: &str, report: &Report) -> String {
    let mut out = String::from(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <style>body{font:16px sans-serif;max-width:60em;margin:2em auto;padding:0 1em}\
         pre{overflow-x:auto}svg{width:100%;height:auto;font:12px sans-serif}</style>\n",
    );
    let title = escaped(title);
    let _ = writeln!(out, "<title>{title}</title>\n<h1>{title}</h1>");
    let _ = writeln!(out, "<pre>{}</pre>", escaped(&report_table(report)));
    out.push_str("<h2>Latency by percentile</h2>\n");
    if report.ops.is_empty() {
        out.push_str("<p>No request was answered.</p>\n");
    } else {
        draw(&mut out, &report.ops);
    }
    if !report.timeline.is_empty() {
        out.push_str("<h2>Second by second</h2>\n");
        timeline::draw(&mut out, &report.timeline);
    }
    out.push_str("</html>\n");
    out
}

/// Both axes are logarithmic: each step to the right is ten times fewer requests, each step up ten times the time.
fn draw(out: &mut String, ops: &[OpReport]) {
    let points = || ops.iter().flat_map(|op| &op.curve);
    let nines = points().map(|&(percentile, _)| nines(percentile)).fold(1.0, f64::max).ceil();
    let low = points().map(|&(_, ms)| ms.max(0.001)).fold(f64::INFINITY, f64::min).log10().floor();
    let high = points().map(|&(_, ms)| ms).fold(0.001, f64::max).log10().ceil().max(low + 1.0);
    let x = |nines_at: f64| LEFT + nines_at / nines * (WIDTH - LEFT - 20.0);
    let y = |ms: f64| {
        let share = (ms.max(0.001).log10() - low) / (high - low);
        HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - 20.0)
    };
    let _ = writeln!(
        out,
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"latency by percentile\">"
    );
    let names = ["0", "90", "99", "99.9", "99.99", "99.999", "99.9999", "99.99999", "99.999999"];
    for (at, name) in (0_u32..).zip(names).take_while(|&(at, _)| f64::from(at) <= nines) {
        let x = x(f64::from(at));
        let (top, floor) = (20.0, HEIGHT - BOTTOM);
        let _ = writeln!(
            out,
            "<path d=\"M{x:.1} {top}V{floor}\" stroke=\"#ddd\"/><text x=\"{x:.1}\" y=\"{:.1}\" \
             text-anchor=\"middle\">{name} %</text>",
            floor + 18.0
        );
    }
    let mut decade = low;
    while decade <= high {
        let ms = 10_f64.powf(decade);
        let y = y(ms);
        let _ = writeln!(
            out,
            "<path d=\"M{LEFT} {y:.1}H{:.1}\" stroke=\"#ddd\"/><text x=\"{:.1}\" y=\"{:.1}\" \
             text-anchor=\"end\">{ms} ms</text>",
            WIDTH - 20.0,
            LEFT - 8.0,
            y + 4.0
        );
        decade += 1.0;
    }
    for (op, colour) in ops.iter().zip(COLOURS.into_iter().cycle()) {
        let line: Vec<String> = op
            .curve
            .iter()
            .map(|&(percentile, ms)| format!("{:.1},{:.1}", x(self::nines(percentile)), y(ms)))
            .collect();
        let _ = writeln!(
            out,
            "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" points=\"{}\"><title>{}</title></polyline>",
            line.join(" "),
            escaped(&op.name)
        );
    }
    for ((at, op), colour) in (0_u32..).zip(ops).zip(COLOURS.into_iter().cycle()) {
        let y = 34.0 + 18.0 * f64::from(at);
        let _ = writeln!(
            out,
            "<text x=\"{:.1}\" y=\"{y:.1}\" fill=\"{colour}\">{}</text>",
            LEFT + 12.0,
            escaped(&op.name)
        );
    }
    out.push_str("</svg>\n");
}

/// How many nines a percentile has: 0 for 0, 1 for 90, 2 for 99, and so on.
fn nines(percentile: f64) -> f64 {
    -((1.0 - percentile / 100.0).max(1e-9).log10())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
