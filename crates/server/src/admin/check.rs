//! `GET /check`: reads the whole store as it is at one moment, and says what was found, a line each.

use super::{Answer, text};
use chinwag_model::Ts;
use chinwag_store::embedded::{CheckReport, Maintenance};
use hyper::StatusCode;
use std::fmt::Write as _;
use tokio::sync::oneshot;

/// Answers once all of it is read.
pub(super) async fn answer(store: &Maintenance) -> Answer {
    let (done, checked) = oneshot::channel();
    let store = store.clone();
    // A thread of its own: it may take hours, and the end of the process does not wait for it.
    let checking = std::thread::Builder::new()
        .name("chinwag-check".into())
        .spawn(move || drop(done.send(store.check(&mut |_| {}))));
    if let Err(error) = checking {
        return text(StatusCode::SERVICE_UNAVAILABLE, format!("the system gives no thread: {error}"));
    }
    match checked.await {
        Ok(report) => text(StatusCode::OK, write_report(&report)),
        Err(_) => text(StatusCode::INTERNAL_SERVER_ERROR, "the check could not be made"),
    }
}

/// A report as text: a name and a value a line, and then a line a problem.
pub fn write_report(report: &CheckReport) -> String {
    let mut text =
        format!("chats {}\nmessages {}\nchanges {}\n", report.chats, report.messages, report.changes);
    for (name, ts) in [("first_ts", report.first_ts), ("last_ts", report.last_ts)] {
        if let Some(ts) = ts {
            writeln!(text, "{name} {}", ts.0).expect("a string takes every write");
        }
    }
    for problem in &report.problems {
        writeln!(text, "problem {}", problem.escape_debug()).expect("a string takes every write");
    }
    text
}

/// Reads a report's text. `None` where it is none.
pub fn read_report(text: &str) -> Option<CheckReport> {
    let mut report = CheckReport::default();
    for line in text.lines() {
        let (name, value) = line.split_once(' ')?;
        match name {
            "chats" => report.chats = value.parse().ok()?,
            "messages" => report.messages = value.parse().ok()?,
            "changes" => report.changes = value.parse().ok()?,
            "first_ts" => report.first_ts = Some(Ts(value.parse().ok()?)),
            "last_ts" => report.last_ts = Some(Ts(value.parse().ok()?)),
            "problem" => report.problems.push(value.to_owned()),
            _ => return None,
        }
    }
    Some(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_comes_back_as_it_went() {
        let fine = CheckReport { chats: 1, messages: 2, changes: 3, ..CheckReport::default() };
        let problems = vec!["chat a:b: seq 3 stands where 2 belongs".to_owned(), "and 5 more".to_owned()];
        let wrong = CheckReport { first_ts: Some(Ts(7)), last_ts: Some(Ts(9)), problems, ..fine.clone() };
        for report in [fine, wrong] {
            assert_eq!(read_report(&write_report(&report)), Some(report));
        }
        assert_eq!(read_report("<html>"), None);
    }
}
