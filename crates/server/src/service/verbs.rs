use super::Service;
use chinwag_model::{
    Chat, Draft, Event, InboxPage, InboxQuery, Mark, Marked, Message, Page, PageQuery, Presence, Revise,
    Side, UserId,
};
use chinwag_store::{Appended, StoreError};
use std::sync::Arc;

impl Service {
    /// Sends a message: it is durable once this returns, and those who are connected hear of it.
    ///
    /// # Errors
    /// Those of [`chinwag_store::Store::append`].
    pub async fn send(&self, draft: Draft) -> Result<Appended, StoreError> {
        self.shared.store.append(draft).await
    }

    /// Pulls one page of a chat; a chat without a message has an empty one.
    ///
    /// # Errors
    /// Those of [`chinwag_store::Store::page`].
    pub async fn pull(&self, query: PageQuery) -> Result<Page, StoreError> {
        self.shared.store.page(query).await
    }

    /// Reads one page of a user's inbox.
    ///
    /// # Errors
    /// Those of [`chinwag_store::Store::inbox`].
    pub async fn inbox(&self, query: InboxQuery) -> Result<InboxPage, StoreError> {
        self.shared.store.inbox(query).await
    }

    /// Edits a message, takes it back or reacts to it: it is durable once this returns, and both users hear of it.
    ///
    /// # Errors
    /// Those of [`chinwag_store::Store::revise`].
    pub async fn revise(&self, revise: Revise) -> Result<Arc<Message>, StoreError> {
        self.shared.store.revise(revise).await
    }

    /// Moves a marker forward: it is durable once this returns, and both users hear of it.
    ///
    /// # Errors
    /// Those of [`chinwag_store::Store::mark`].
    pub async fn mark(&self, mark: Mark) -> Result<Marked, StoreError> {
        self.shared.store.mark(mark).await
    }

    /// Tells the peer, if connected, that a user writes.
    pub fn typing(&self, chat: Chat, by: Side) {
        self.shared.hub.bus().publish(Event::Typing { chat, by });
    }

    /// Whether users are there.
    pub fn presence(&self, users: &[UserId]) -> Vec<Presence> {
        users.iter().map(|user| self.shared.hub.presence(user)).collect()
    }
}
