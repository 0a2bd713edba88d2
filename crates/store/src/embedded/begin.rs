//! Where a chat begins, found from what has expired and been removed by the moment of a view: nothing is written for that.

use super::{
    floors,
    head::{Begin, Head},
    messages::message_of,
    retained::Retained,
    tables::View,
};
use crate::{StoreError, retention::first_kept};
use chinwag_model::{Chat, Seq, Ts};

/// Where a chat with this head begins, by a view that was taken before, and so shows all that has not expired since.
pub(super) fn begin_of(
    view: &View,
    retained: &Retained,
    chat: &Chat,
    head: &Head,
) -> Result<Begin, StoreError> {
    let removed = head.standing.removed;
    if !retained.is_any() && removed == Seq(0) {
        return Ok(Begin::START);
    }
    let limits = retained.limits();
    let stands = floors::of(view, chat)?.map_or(Begin::START, |floor| floor.begin);
    let mut first = stands.first.max(Seq(removed.0 + 1)).max(limits.by_count(head.last));
    for rule in retained.rules().iter().filter(|rule| rule.upto < head.last_ts) {
        let later = first_from(view, chat, first, head.last, Ts(rule.upto.0 + 1))?;
        first = first.max(first_kept(rule.keep, Seq(later.0 - 1)));
    }
    for rule in retained.rules().iter().filter(|rule| rule.upto >= head.last_ts) {
        first = first.max(first_kept(rule.keep, head.last));
    }
    if limits.cut > head.last_ts {
        first = first.max(Seq(head.last.0 + 1));
    } else if limits.cut > Ts(0) {
        first = first_from(view, chat, first, head.last, limits.cut)?;
    }
    if first <= head.last {
        Ok(Begin::with(&message_of(view, chat, first)?))
    } else if first == stands.first {
        Ok(stands)
    } else {
        Ok(Begin { first, ts: Ts(0), first_sent: head.first_sent })
    }
}

/// The first message of `first..=last` that is not from before a time; one past the last where all are.
fn first_from(view: &View, chat: &Chat, first: Seq, last: Seq, ts: Ts) -> Result<Seq, StoreError> {
    let is_later = |seq| Ok::<_, StoreError>(message_of(view, chat, Seq(seq))?.ts >= ts);
    let (mut below, mut step) = (first.0 - 1, 1);
    let mut found = loop {
        let at = (below + step).min(last.0);
        if at <= below {
            return Ok(Seq(below + 1));
        }
        if is_later(at)? {
            break at;
        }
        (below, step) = (at, 2 * step);
    };
    while below + 1 < found {
        let middle = below + (found - below) / 2;
        if is_later(middle)? {
            found = middle;
        } else {
            below = middle;
        }
    }
    Ok(Seq(found))
}
