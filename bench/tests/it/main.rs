//! The load generator against a scripted server: what it counts, and what it must notice.

mod feed;
mod inbox;
mod live;
mod server;

use chinwag_bench::{
    BenchError, Chats, Form, Load, Plan, Report, Server, Skew, Stage, Which, Work, compare, html,
    report_table, run,
};
use indicatif::ProgressBar;
use server::{Fake, Fault};
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);

fn plan(server: &Fake) -> Plan {
    Plan {
        server: Server::parse(&server.url()).expect("an address"),
        load: Load::Closed { connections: 8 },
        work: Work::Verbs { sends: 0.5, pulls: Which::Hot, form: Form::GetBody },
        skew: Skew::Uniform,
        text_bytes: 100,
        keyed: true,
        warm_up: 20 * MS,
        duration: 200 * MS,
        request_timeout: Duration::from_mins(1),
        threads: 2,
        seed: 1,
        patience: None,
        timeline: false,
    }
}

async fn report(plan: Plan) -> Report {
    let bar = ProgressBar::hidden();
    let ran = run(plan, Chats::Numbered(5), None, &bar);
    tokio::time::timeout(Duration::from_mins(1), ran).await.expect("waited for a run").expect("it ran")
}

/// The verification's first fault, or the kind of the failures.
async fn what_is_wrong(fault: Fault) -> String {
    let server = Fake::start(fault).await;
    let report = report(plan(&server)).await;
    assert!(!report.verified(), "{fault:?} went unnoticed: {report:#?}");
    let failures = report.failures.keys().cloned();
    report.verification.first_faults.into_iter().chain(failures).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn a_server_that_is_right_is_verified() {
    for form in [Form::GetBody, Form::Post, Form::Query] {
        for pulls in [Which::Hot, Which::Spread] {
            for keyed in [true, false] {
                let server = Fake::start(Fault::None).await;
                let work = Work::Verbs { sends: 0.3, pulls, form };
                let report = report(Plan { work, keyed, ..plan(&server) }).await;
                assert!(report.verified(), "{report:#?}");
                assert_eq!(report.failed, 0, "{report:#?}");
                assert_eq!(report.verification.found, server.stored_by_load(pulls == Which::Hot));
                assert_eq!(report.ops.len(), 2);
                assert!(report.ops.iter().all(|op| op.rate_per_s > 0.0 && op.p50_ms <= op.p999_ms));
            }
        }
    }
}

#[tokio::test]
async fn each_lie_is_noticed() {
    for (fault, expected) in [
        (Fault::LosesEvery(50), " belongs"),
        (Fault::LosesTheLast, "acknowledged and lost"),
        (Fault::StoresTwice(50), "stored twice"),
        (Fault::AltersStored(50), "not the message that was sent"),
        (Fault::AcknowledgesAnother(50), "a send's reply is another message"),
        (Fault::RepeatsSeq(50), "a send got a place before one acknowledged earlier"),
        (Fault::PagesWithGaps, "a pull's page has gaps or another size"),
        (Fault::AnswersPullsWith("[]"), "a pull's reply is no page"),
    ] {
        let told = what_is_wrong(fault).await;
        assert!(told.contains(expected), "{fault:?}: {told}");
    }
}

#[tokio::test]
async fn a_failure_to_serve_is_counted_and_is_no_lie() {
    for (fault, expected) in [
        (Fault::Refuses(20), "status 503 overloaded"),
        (Fault::Disconnects(20), "connection broken: unexpected end of file"),
        (Fault::StoresAndDisconnects(20), "connection broken: unexpected end of file"),
    ] {
        let server = Fake::start(fault).await;
        let report = report(plan(&server)).await;
        assert!(report.verified(), "{fault:?}: {report:#?}");
        assert!(report.failures.contains_key(expected), "{fault:?}: {report:#?}");
        assert_eq!(report.failures.len(), 1, "{fault:?}: {report:#?}");
        assert_eq!(report.failed, report.failures.values().sum::<u64>());
        if matches!(fault, Fault::StoresAndDisconnects(_)) {
            assert!(report.verification.unacknowledged_found > 0, "{report:#?}");
        }
    }
}

#[tokio::test]
async fn an_open_loop_shows_a_stall_in_every_request_that_waits() {
    let stall = 400 * MS;
    let stalled = |load| async move {
        let server = Fake::start(Fault::StallsOnce { after: 50, lasts: stall }).await;
        let work = Work::Verbs { sends: 1.0, pulls: Which::Hot, form: Form::Post };
        report(Plan {
            load,
            work,
            warm_up: Duration::ZERO,
            duration: 1_000 * MS,
            threads: 1,
            ..plan(&server)
        })
        .await
    };
    let open = stalled(Load::Open { rate: 500.0, connections: 4 }).await;
    assert!(open.verified() && open.failed == 0, "{open:#?}");
    assert_eq!(open.ops[0].measured, 500, "each arrival is served, late or not");
    // 200 of the 500 arrive within the stall; on average they wait half of it.
    assert!(open.ops[0].p90_ms > 150.0, "{open:#?}");
    let closed = stalled(Load::Closed { connections: 4 }).await;
    assert!(closed.verified() && closed.failed == 0, "{closed:#?}");
    assert!(closed.ops[0].max_ms >= 400.0, "{closed:#?}");
    assert!(closed.ops[0].p90_ms < 150.0, "what a closed loop hides: {closed:#?}");
}

#[tokio::test]
async fn stages_open_and_close_connections() {
    let server = Fake::start(Fault::None).await;
    let load = Load::Staged(vec![Stage { lasts: 200 * MS, to: 6 }, Stage { lasts: 200 * MS, to: 0 }]);
    let report = report(Plan { load, warm_up: Duration::ZERO, ..plan(&server) }).await;
    assert!(report.verified() && report.failed == 0, "{report:#?}");
    assert!((report.seconds - 0.4).abs() < 1e-9);
    assert!(report.ops.iter().all(|op| op.measured > 0), "{report:#?}");
}

#[tokio::test]
async fn a_comparison_runs_both_sides_in_every_round() {
    let server = Fake::start(Fault::None).await;
    let sends =
        Plan { work: Work::Verbs { sends: 1.0, pulls: Which::Hot, form: Form::Post }, ..plan(&server) };
    let noop = Plan { work: Work::Noop, ..plan(&server) };
    let compared =
        compare((sends, noop), Chats::Numbered(5), 3, None, &ProgressBar::hidden()).await.expect("it ran");
    assert!(compared.verified() && compared.failed == 0, "{compared:#?}");
    assert_eq!((compared.load_per_s.len(), compared.reference_per_s.len()), (3, 3));
    assert_eq!(compared.verification.found, server.stored_by_load(false));
    assert!(compared.ratio_min <= compared.ratio_max && compared.ratio > 0.0);
}

#[tokio::test]
async fn a_plan_without_sense_is_refused() {
    let server = Fake::start(Fault::None).await;
    let good = plan(&server);
    for bad in [
        Plan { load: Load::Closed { connections: 0 }, ..good.clone() },
        Plan { load: Load::Open { rate: 0.0, connections: 1 }, ..good.clone() },
        Plan { load: Load::Staged(Vec::new()), ..good.clone() },
        Plan { text_bytes: 31, ..good.clone() },
        Plan { text_bytes: 20_481, ..good.clone() },
        Plan { duration: Duration::ZERO, ..good.clone() },
        Plan { threads: 0, ..good.clone() },
        Plan { skew: Skew::Zipf { exponent: 0.0 }, ..good.clone() },
        Plan { work: Work::Verbs { sends: 1.1, pulls: Which::Hot, form: Form::Post }, ..good.clone() },
    ] {
        let refused = run(bad.clone(), Chats::Numbered(1), None, &ProgressBar::hidden()).await;
        assert!(matches!(refused, Err(BenchError::Plan(_))), "{bad:?}: {refused:?}");
    }
    for url in ["", "localhost:8080", "https://localhost", "http://", "http://a/b", "http://a b"] {
        assert!(matches!(Server::parse(url), Err(BenchError::Plan(_))), "{url}");
    }
    let free =
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port");
    let nobody = Plan { server: Server::parse(&format!("http://{free}")).expect("an address"), ..good };
    let refused = run(nobody, Chats::Numbered(1), None, &ProgressBar::hidden()).await;
    assert!(matches!(refused, Err(BenchError::Connect { .. })), "{refused:?}");
}

#[tokio::test]
async fn the_page_needs_nothing_else_and_the_table_tells_the_faults() {
    let server = Fake::start(Fault::Refuses(20)).await;
    let report = report(plan(&server)).await;
    let page = html("a <b> & c", &report);
    assert!(page.contains("<title>a &lt;b&gt; &amp; c</title>"));
    assert_eq!(page.matches("<polyline").count(), 2);
    for foreign in ["http:", "https:", "<script", "<link", "NaN", "inf,"] {
        assert!(!page.contains(foreign), "{foreign}");
    }
    let table = report_table(&report);
    assert!(table.contains("status 503 overloaded") && table.contains("verified: "), "{table}");
    serde_json::to_string(&report).expect("JSON");
}
