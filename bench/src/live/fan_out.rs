//! From a send to the peer's socket: an open loop of sends, and the sessions that are to be given them.

use super::{
    audience::{Audience, Heard},
    session::make_room,
};
use crate::{
    BenchError, Content, Deliveries, Load, Plan, Report, Work,
    content::{Chats, Senders},
    dues::Dues,
    ledger::{Acked, of_chat},
    load::load,
    process::ProcessId,
    report::{op_report, report},
    verify::verify,
};
use chinwag_model::Side;
use indicatif::ProgressBar;
use std::sync::Arc;

/// Sends in an open loop, from the first user of each chat to the second, who listens.
#[derive(Debug, Clone)]
pub struct FanOut {
    /// The load: open, and of sends alone.
    pub plan: Plan,
    /// The chats, each with a session.
    pub chats: Chats,
}

/// Opens the sessions, puts the load on the server, waits until what was acknowledged has come, and verifies that each
/// session was given each message once and in order.
///
/// # Errors
/// [`BenchError`] where it could not be run; what failed and what was not delivered is in the report.
pub async fn fan_out(
    FanOut { plan, chats }: FanOut,
    server: Option<ProcessId>,
    bar: &ProgressBar,
) -> Result<Report, BenchError> {
    plan.check()?;
    let sends = matches!(plan.work, Work::Verbs { sends, .. } if sends >= 1.0);
    let Load::Open { rate, .. } = plan.load else {
        return Err(BenchError::Plan("deliveries are measured in an open loop".into()));
    };
    if !sends {
        return Err(BenchError::Plan("deliveries are measured with sends alone".into()));
    }
    make_room(chats.count() as usize + plan.connections())?;
    let content = Arc::new(Content::new(&plan.server, chats, plan.text_bytes, plan.keyed, Senders::First)?);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of requests")]
    let count = (rate * (plan.warm_up + plan.duration).as_secs_f64()) as usize + plan.threads + 1;
    let dues = Arc::new(Dues::new(count));
    let audience = Audience::gather(&plan.server, &content, &dues, bar).await?;
    let plan = Arc::new(plan);
    let mut measured = load(&plan, &content, Some(&dues), server, bar).await?;
    let mut acked = measured.take_acked();
    acked.sort_unstable();
    bar.set_message("waiting for what is on its way");
    let late = audience.wait(&acked).await;
    let (tally, heard) = audience.dismiss().await;
    let deliveries = compare(&content, &heard, &acked);
    bar.set_message("reading back what was acknowledged");
    let verification = verify(&plan.server, &content, acked, bar).await?;
    let mut report = report(&plan, &measured, verification);
    report.load = format!("{}, to {} sessions", report.load, deliveries.sessions);
    let delivery = op_report("delivery", &tally, report.seconds);
    report.figures.insert("deliveries_per_s", delivery.rate_per_s);
    report.figures.insert("last_delivery_after_last_reply_s", late.as_secs_f64());
    report.ops.insert(0, delivery);
    report.deliveries = Some(deliveries);
    Ok(report)
}

/// Compares what the session of each chat heard with what was acknowledged, sorted.
fn compare(content: &Content, heard: &[Heard], acked: &[Acked]) -> Deliveries {
    let mut deliveries = Deliveries::default();
    for (chat, heard) in (0..).zip(heard) {
        let user = content.user(chat, Side::Second);
        if let Some(failure) = &heard.deaf {
            deliveries.fault(format!("{user}: {failure}"));
        }
        deliveries.session(&user, of_chat(acked, chat), &heard.received);
    }
    deliveries
}
