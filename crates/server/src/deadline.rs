//! Waiting for deadlines that move.

use std::{
    future::Future as _,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::time::{Instant, Sleep};

/// Ready once `deadline` has passed.
///
/// The timer is set earlier where it must be, and later only when it fires: a busy connection moves its deadline with
/// everything that passes, and its timer hardly ever.
pub(crate) fn poll_deadline(mut timer: Pin<&mut Sleep>, deadline: Instant, cx: &mut Context<'_>) -> Poll<()> {
    if deadline < timer.deadline() {
        timer.as_mut().reset(deadline);
    }
    while timer.as_mut().poll(cx).is_ready() {
        if deadline <= Instant::now() {
            return Poll::Ready(());
        }
        timer.as_mut().reset(deadline);
    }
    Poll::Pending
}
