//! What of a user goes beside the messages.

use super::{History, MemoryStore};
use crate::StoreError;
use chinwag_model::{Chat, Markers, Message, Seq, Side, Ts};
use std::sync::Arc;

impl History {
    /// Whether nothing is left of a chat of which the user on a side is erased, and the peer was before.
    fn is_over(&self, chat: &Chat, side: Side) -> bool {
        let peer = side.other().index();
        let peer_is_erased = self.erased[peer] > Ts(0) && self.markers[peer] == Markers::START;
        let gone = |message: &Arc<Message>| {
            let was_before = message.sender == side || message.ts <= self.erased[peer];
            was_before && message.is_unsent() && message.key.is_none()
        };
        self.removed < self.last()
            && (peer_is_erased || chat.is_note_to_self())
            && self.kept().iter().all(gone)
    }
}

impl MemoryStore {
    pub(super) fn forget_now(&self, chat: &Chat, side: Side) -> Result<bool, StoreError> {
        let state = &mut *self.state.lock();
        state.look(&self.watch)?;
        let Some(history) = state.chats.get_mut(chat) else { return Ok(false) };
        let had = std::mem::replace(&mut history.markers[side.index()], Markers::START) != Markers::START;
        let is_over = history.is_over(chat, side);
        let known = history.messages.last().is_none_or(|last| history.erased[side.index()] > last.ts);
        if known && !had && !is_over {
            return Ok(false);
        }
        if is_over {
            history.removed = history.last();
            history.first = Seq(history.removed.0 + 1);
            state.keys.retain(|(of, ..), _| of != chat);
        }
        let ts = state.take_ts(&self.watch);
        state.chats.get_mut(chat).expect("it is there").erased[side.index()] = ts;
        Ok(had)
    }
}
