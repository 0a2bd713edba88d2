//! `POST /clock/confirm`: the operator's word that the clock is right, after a jump forward that held all expiry.

use super::{Answer, text};
use chinwag_store::embedded::Maintenance;
use hyper::StatusCode;

/// Answers whether it was in doubt, and what it says, in microseconds.
pub(super) fn confirm(store: &Maintenance) -> Answer {
    let (was_held, now) = store.confirm_clock();
    if was_held {
        tracing::info!(now_us = now.0, "the clock was confirmed: what is over expires");
    }
    text(StatusCode::OK, format!("{} {}\n", if was_held { "confirmed" } else { "trusted" }, now.0))
}
