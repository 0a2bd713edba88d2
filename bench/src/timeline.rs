//! A run second by second, as a drawing: what was offered, what was answered well, what was refused, and how long it took.

use crate::Second;
use std::fmt::Write as _;

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 80.0;
const RIGHT: f64 = 80.0;
const BOTTOM: f64 = 40.0;
const TOP: f64 = 20.0;

/// A line: its name, its colour, its value of a second, and the most on its axis.
type Line = (&'static str, &'static str, fn(&Second) -> f64, f64);

/// Draws it: requests a second against the left axis, the latency against the right one.
pub(crate) fn draw(out: &mut String, seconds: &[Second]) {
    let most = |value: fn(&Second) -> f64| seconds.iter().map(value).fold(1.0, f64::max);
    let (rate_most, ms_most) = (most(|one| one.offered_per_s.max(one.refused_per_s)), most(|one| one.p99_ms));
    let count = u32::try_from(seconds.len()).unwrap_or(u32::MAX).max(2);
    let x = |at: u32| LEFT + f64::from(at) / f64::from(count - 1) * (WIDTH - LEFT - RIGHT);
    let y = |share: f64| HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP);
    let _ =
        writeln!(out, "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"second by second\">");
    for quarter in 0..=4 {
        let share = f64::from(quarter) / 4.0;
        let at = y(share);
        let _ = writeln!(
            out,
            "<path d=\"M{LEFT} {at:.1}H{:.1}\" stroke=\"#ddd\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{:.0}/s</text>\
             <text x=\"{:.1}\" y=\"{:.1}\">{:.1} ms</text>",
            WIDTH - RIGHT,
            LEFT - 8.0,
            at + 4.0,
            rate_most * share,
            WIDTH - RIGHT + 8.0,
            at + 4.0,
            ms_most * share
        );
    }
    for at in (0..count).step_by(5) {
        let _ = writeln!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{at} s</text>",
            x(at),
            HEIGHT - BOTTOM + 18.0
        );
    }
    let lines: [Line; 4] = [
        ("offered", "#999", |one| one.offered_per_s, rate_most),
        ("answered well", "#0b6e4f", |one| one.good_per_s, rate_most),
        ("refused", "#c1440e", |one| one.refused_per_s, rate_most),
        ("p99, right", "#3a5fcd", |one| one.p99_ms, ms_most),
    ];
    for (at, (name, colour, value, most)) in (0_u32..).zip(lines) {
        let points = (0..).zip(seconds).map(|(at, one)| format!("{:.1},{:.1}", x(at), y(value(one) / most)));
        let _ = writeln!(
            out,
            "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" points=\"{}\"><title>{name}</title></polyline>\
             <text x=\"{:.1}\" y=\"{:.1}\" fill=\"{colour}\">{name}</text>",
            points.collect::<Vec<_>>().join(" "),
            LEFT + 12.0 + 130.0 * f64::from(at),
            HEIGHT - 6.0
        );
    }
    out.push_str("</svg>\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_has_a_point_a_second() {
        let second = |offered, good, refused, p99_ms| Second {
            offered_per_s: offered,
            good_per_s: good,
            refused_per_s: refused,
            p99_ms,
        };
        let seconds =
            [second(10.0, 10.0, 0.0, 1.0), second(90.0, 30.0, 60.0, 4.0), second(10.0, 10.0, 0.0, 2.0)];
        let mut out = String::new();
        draw(&mut out, &seconds);
        let lines: Vec<_> = out.lines().filter(|line| line.contains("<polyline")).collect();
        assert_eq!(lines.len(), 4);
        for line in lines {
            let points =
                line.split("points=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("points");
            assert_eq!(points.split(' ').count(), 3, "{line}");
        }
        // The offered rate is at the top in the second second, and the refusals two thirds up.
        assert!(out.contains("430.0,20.0"), "{out}");
        assert!(out.contains("430.0,100.0"), "{out}");
    }
}
