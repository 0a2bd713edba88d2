//! What of a user goes beside the messages: where the user's markers stand, and whole chats once nobody is left in them.

use super::{
    EmbeddedStore,
    begin::begin_of,
    head::Standing,
    messages,
    queue::{Forgetting, Item, Order, Outcome, Reply},
    reader,
    retained::Retained,
    revisions,
    tables::{Tables, View},
    writer_has_ended,
};
use crate::StoreError;
use chinwag_model::{Chat, Markers, Seq, Side, Ts};

impl EmbeddedStore {
    pub(super) async fn forget_markers(&self, chat: Chat, side: Side) -> Result<bool, StoreError> {
        let inner = &self.inner;
        inner.check_open()?;
        inner.check_overlay()?;
        let permit = inner.queue.admit_mark()?;
        inner.look().await?;
        let cell = inner.cell(&chat, false).await?;
        let turn = cell.turn_to_revise().await;
        let head = cell.head();
        let standing = head.standing;
        let (of, retained, failure) = (chat.clone(), inner.retained.clone(), inner.failure.clone());
        let read = move |tables: &Tables| {
            let removable = removable(&tables.view(), &retained, &of, side, &standing)?;
            if removable.is_some() {
                retained.begin(tables).map_err(|error| {
                    failure.set(&format!("that a chat is removed could not be written: {error}"));
                    StoreError::Unavailable("the store has failed".into())
                })?;
            }
            Ok((removable, revisions::unsent_of(tables, &of, side.other())?))
        };
        let (removable, gone) = inner.read(read).await?;
        let stands = standing.markers[side.index()] == Markers::START
            && (head.last == Seq(0) || standing.erased[side.index()] > head.last_ts);
        if stands && removable.is_none() {
            return Ok(false);
        }
        let (reply, answer) = Reply::new(permit);
        let forgetting = Forgetting { chat, side, gone, removable, turn };
        inner.queue.push(Item { order: Order::Forget(forgetting), cell, reply });
        match answer.await.unwrap_or_else(writer_has_ended)? {
            Outcome::Forgotten(forgotten) => Ok(forgotten),
            _ => unreachable!("what is to be forgotten is answered as that"),
        }
    }
}

/// The last message of a chat that goes with the erasure of the user on `side`: the peer was erased before, and came to nothing since,
/// and nothing is left of any message. `None` where the chat stays.
fn removable(
    view: &View,
    retained: &Retained,
    chat: &Chat,
    side: Side,
    standing: &Standing,
) -> Result<Option<Seq>, StoreError> {
    let peer = side.other().index();
    let peer_is_erased = standing.erased[peer] > Ts(0) && standing.markers[peer] == Markers::START;
    if !peer_is_erased && !chat.is_note_to_self() {
        return Ok(None);
    }
    let Some(head) = reader::head(view, chat)?.filter(|head| !head.is_removed()) else { return Ok(None) };
    let first = begin_of(view, retained, chat, &head)?.first;
    for message in messages::backwards(view, chat, head.last) {
        let message = message?;
        if message.seq < first {
            break;
        }
        let is_back = message.sender != side && message.ts > standing.erased[peer];
        if is_back || !message.is_unsent() || message.key.is_some() {
            return Ok(None);
        }
    }
    Ok(Some(head.last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        contract::{START, draft},
        embedded::cell::{ChatCell, Loaded},
    };
    use chinwag_model::{Marker, MarkerKind};
    use std::collections::BTreeSet;

    #[test]
    fn what_comes_meanwhile_keeps_the_chat() {
        let cell = ChatCell::new(Loaded::default());
        for n in 0..2 {
            cell.assign(draft("a:b", "a", "x"), Ts(START.0 + n), None);
        }
        let forget = |side, last, n| cell.forget(side, BTreeSet::new(), Some(Seq(last)), Ts(START.0 + n)).1;
        assert_eq!(forget(Side::First, 1, 3), Seq(0), "a message came");
        cell.mark(Side::Second, MarkerKind::Read, Marker { seq: Seq(2), ts: Ts(START.0 + 4) }, 2);
        assert_eq!(forget(Side::First, 2, 5), Seq(0), "a marker moved");
        assert!(!cell.head().is_removed());
        assert_eq!(forget(Side::Second, 2, 6), Seq(2));
        assert!(cell.head().is_removed());
        cell.assign(draft("a:b", "a", "x"), Ts(START.0 + 7), None);
        assert!(!cell.head().is_removed(), "it goes on");
    }
}
