//! The loads of the feed and of inboxes against the scripted server: what they count, and what they must notice.

use crate::{
    plan,
    server::{Fake, Fault},
};
use chinwag_bench::{
    BenchError, Chats, FanOut, Idle, Inbox, Load, Plan, ProcessId, Report, Server, Storm, Which, Work,
    fan_out, html, idle, inbox, report_table, storm,
};
use indicatif::ProgressBar;
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);

fn address(server: &Fake) -> Server {
    Server::parse(&server.url()).expect("an address")
}

async fn within<T>(what: &str, run: impl Future<Output = Result<T, BenchError>>) -> T {
    let ran = tokio::time::timeout(Duration::from_mins(1), run).await;
    ran.unwrap_or_else(|_| panic!("waited for {what}")).expect("it ran")
}

async fn fanned_out(server: &Fake) -> Report {
    let plan = Plan {
        load: Load::Open { rate: 1_000.0, connections: 8 },
        work: Work::Verbs { sends: 1.0, pulls: Which::Spread, form: chinwag_bench::Form::Post },
        duration: 400 * MS,
        ..plan(server)
    };
    let plan = FanOut { plan, chats: Chats::Numbered(5) };
    within("a fan-out", fan_out(plan, None, &ProgressBar::hidden())).await
}

async fn stormed(server: &Fake) -> Report {
    let plan = Storm { server: address(server), chats: 60, messages: 3, text_bytes: 40 };
    within("a storm", storm(plan, None, &ProgressBar::hidden())).await
}

async fn read_inboxes(server: &Fake, fill: bool) -> Report {
    let plan = Inbox { server: address(server), users: 3, chats: 60, fill, duration: 50 * MS, seed: 1 };
    within("inboxes", inbox(plan, None, &ProgressBar::hidden())).await
}

#[tokio::test]
async fn every_delivery_is_measured_and_verified() {
    let server = Fake::start(Fault::None).await;
    let report = fanned_out(&server).await;
    assert!(report.verified() && report.failed == 0, "{report:#?}");
    let deliveries = report.deliveries.as_ref().expect("sessions listened");
    assert_eq!((deliveries.sessions, deliveries.expected), (5, server.stored_by_load(false)));
    assert_eq!(report.verification.found, deliveries.delivered);
    let [delivery, send] = &report.ops[..] else { panic!("{report:#?}") };
    assert_eq!((delivery.name.as_str(), send.name.as_str()), ("delivery", "send"));
    assert_eq!((delivery.measured, send.measured), (400, 400), "what is due in the measured time");
    assert!(delivery.p50_ms > 0.0 && report.figures["deliveries_per_s"] > 0.0);
    assert!(report_table(&report).contains("each once and in order"));
    assert_eq!(html("t", &report).matches("<polyline").count(), 2);
}

#[tokio::test]
async fn each_wrong_delivery_is_noticed() {
    for (fault, expected) in [
        (Fault::DeliversNot(50), "was acknowledged and not delivered"),
        (Fault::DeliversTwice(50), "was delivered twice"),
        (Fault::DeliversAnother(50), "a message was delivered that was not so sent"),
        (Fault::ClosesSessions(50), "session closed with 4408"),
    ] {
        let server = Fake::start(fault).await;
        let report = fanned_out(&server).await;
        assert!(!report.verified(), "{fault:?} went unnoticed: {report:#?}");
        let table = report_table(&report);
        assert!(table.contains(expected), "{fault:?}: {table}");
        assert!(report.verification.passed(), "what is stored is right: {table}");
    }
}

#[tokio::test]
async fn all_come_back_to_what_they_missed() {
    let server = Fake::start(Fault::None).await;
    let report = stormed(&server).await;
    assert!(report.verified() && report.failed == 0, "{report:#?}");
    let deliveries = report.deliveries.as_ref().expect("sessions listened");
    assert_eq!((deliveries.sessions, deliveries.delivered), (120, 360));
    assert_eq!((report.ops[0].measured, report.verification.found), (120, 180));
    assert!(report.figures["all_caught_up_s"] * 1_000.0 >= report.ops[0].p99_ms, "{report:#?}");
}

#[tokio::test]
async fn each_wrong_catch_up_is_noticed() {
    for (fault, expected) in [
        (Fault::DeliversNot(50), "was acknowledged and not delivered"),
        (Fault::DeliversTwice(50), "was delivered twice"),
        (Fault::DeliversAnother(50), "a message was delivered that was not so sent"),
        (Fault::Forgets, "told that not all is recovered"),
    ] {
        let server = Fake::start(fault).await;
        let report = stormed(&server).await;
        assert!(!report.verified(), "{fault:?} went unnoticed: {report:#?}");
        let table = report_table(&report);
        assert!(table.contains(expected), "{fault:?}: {table}");
    }
}

#[tokio::test]
async fn idle_sessions_are_opened_held_and_weighed() {
    let server = Fake::start(Fault::None).await;
    let plan = Idle { server: address(&server), sessions: 200, at_once: 8, hold: 20 * MS };
    // The scripted server is a part of this process.
    let me = cfg!(target_os = "linux").then(|| ProcessId(std::process::id()));
    let report = within("idle sessions", idle(plan, me, &ProgressBar::hidden())).await;
    assert!(report.verified() && report.failed == 0, "{report:#?}");
    assert_eq!(report.ops[0].measured, 200);
    assert_eq!(report.figures["sessions_opened"].to_string(), "200");
    assert_eq!(report.figures.contains_key("connection_bytes"), me.is_some());
}

#[tokio::test]
async fn a_load_without_sense_is_refused() {
    let server = Fake::start(Fault::None).await;
    let bar = ProgressBar::hidden();
    let nobody = Idle { server: address(&server), sessions: 0, at_once: 1, hold: MS };
    assert!(matches!(idle(nobody, None, &bar).await, Err(BenchError::Plan(_))));
    let closed = FanOut { plan: plan(&server), chats: Chats::Numbered(1) };
    assert!(matches!(fan_out(closed, None, &bar).await, Err(BenchError::Plan(_))));
    let storms = Storm { server: address(&server), chats: 0, messages: 1, text_bytes: 40 };
    assert!(matches!(storm(storms, None, &bar).await, Err(BenchError::Plan(_))));
    if cfg!(target_os = "linux") {
        let more = Idle { server: address(&server), sessions: u32::MAX, at_once: 1, hold: MS };
        let refused = idle(more, None, &bar).await;
        assert!(
            matches!(&refused, Err(BenchError::Plan(why)) if why.contains("file descriptors")),
            "{refused:?}"
        );
    }
}

#[tokio::test]
async fn inboxes_are_measured_and_verified() {
    let server = Fake::start(Fault::None).await;
    let filled = read_inboxes(&server, true).await;
    assert!(filled.verified() && filled.failed == 0, "{filled:#?}");
    let names: Vec<&str> = filled.ops.iter().map(|op| op.name.as_str()).collect();
    assert_eq!(names, ["first", "page", "after send"]);
    assert_eq!(filled.ops[0].measured, 3, "one a user");
    assert!(filled.ops[1..].iter().all(|op| op.measured > 0), "{filled:#?}");
    let again = read_inboxes(&server, false).await;
    assert!(again.verified() && again.failed == 0, "{again:#?}");
}

#[tokio::test]
async fn each_wrong_inbox_is_noticed() {
    for (fault, expected) in [
        (Fault::MiscountsUnread, "an inbox miscounts all that is unread"),
        (Fault::ShowsOldestFirst, "a page of an inbox is not in order"),
        (Fault::HidesChats, "an inbox misses a chat"),
    ] {
        let server = Fake::start(fault).await;
        let report = read_inboxes(&server, true).await;
        assert!(!report.verified(), "{fault:?} went unnoticed: {report:#?}");
        let table = report_table(&report);
        assert!(table.contains(expected), "{fault:?}: {table}");
    }
}
