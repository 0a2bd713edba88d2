//! What of a user goes beside the messages: where the user's markers stand.

use super::{
    EmbeddedStore,
    queue::{Forgetting, Item, Order, Outcome, Reply},
    revisions, writer_has_ended,
};
use crate::StoreError;
use chinwag_model::{Chat, Markers, Side};

impl EmbeddedStore {
    pub(super) async fn forget_markers(&self, chat: Chat, side: Side) -> Result<bool, StoreError> {
        let inner = &self.inner;
        inner.check_open()?;
        inner.check_overlay()?;
        let permit = inner.queue.admit_mark()?;
        inner.look().await?;
        let cell = inner.cell(&chat, false).await?;
        let turn = cell.turn_to_revise().await;
        if cell.markers(side) == Markers::START {
            return Ok(false);
        }
        let of = chat.clone();
        let gone = inner.read(move |tables| revisions::unsent_of(tables, &of, side.other())).await?;
        let (reply, answer) = Reply::new(permit);
        inner.queue.push(Item { order: Order::Forget(Forgetting { chat, side, gone, turn }), cell, reply });
        match answer.await.unwrap_or_else(writer_has_ended)? {
            Outcome::Forgotten(forgotten) => Ok(forgotten),
            _ => unreachable!("what is to be forgotten is answered as that"),
        }
    }
}
