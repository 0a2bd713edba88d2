use super::{Act, Service, ServiceError};
use chinwag_model::{
    Block, Blocked, BlocksPage, BlocksQuery, Caller, Change, Chat, Draft, Event, InboxPage, InboxQuery, Mark,
    Marked, MarkerKind, Message, Page, PageQuery, Presence, Revise, Reviser, Scope, Side, UserId,
};
use chinwag_store::Appended;
use std::sync::Arc;

fn verb_of(change: &Change) -> &'static str {
    match change {
        Change::Edit { .. } => "edit",
        Change::Unsend { .. } => "unsend",
        Change::React { .. } => "react",
        Change::Erase { .. } => "erase",
    }
}

/// Every verb says who asks for it, and asks [`super::permit`] before anything else.
impl Service {
    /// Sends a message: it is durable once this returns, and those who are connected hear of it.
    ///
    /// # Errors
    /// Those of [`super::permit`] and of [`chinwag_store::Store::append`].
    pub async fn send(&self, caller: &Caller, draft: Draft) -> Result<Appended, ServiceError> {
        let watched = self.watch(caller, "send", &draft.chat, Some(draft.sender), None);
        let sent = async {
            Self::permit(caller, Act::In(&draft.chat, draft.sender))?;
            Ok(self.by_store("store.append", self.shared.store.append(draft)).await?)
        }
        .await;
        watched.end(&sent, |sent| Some(sent.message.seq));
        sent
    }

    /// Pulls one page of a chat; a chat without a message has an empty one.
    ///
    /// # Errors
    /// Those of [`super::permit`] and of [`chinwag_store::Store::page`].
    pub async fn pull(&self, caller: &Caller, query: PageQuery) -> Result<Page, ServiceError> {
        Self::permit(caller, Act::See(&query.chat))?;
        Ok(self.by_store("store.page", self.shared.store.page(query)).await?)
    }

    /// Reads one page of a user's inbox.
    ///
    /// # Errors
    /// Those of [`super::permit`] and of [`chinwag_store::Store::inbox`].
    pub async fn inbox(&self, caller: &Caller, query: InboxQuery) -> Result<InboxPage, ServiceError> {
        Self::permit(caller, Act::SeeOwn(&query.user))?;
        Ok(self.by_store("store.inbox", self.shared.store.inbox(query)).await?)
    }

    /// Edits a message, takes it back or reacts to it: it is durable once this returns, and both users hear of it.
    ///
    /// # Errors
    /// Those of [`super::permit`] and of [`chinwag_store::Store::revise`].
    pub async fn revise(&self, caller: &Caller, mut revise: Revise) -> Result<Arc<Message>, ServiceError> {
        let side = match revise.by {
            Reviser::User(side) => Some(side),
            Reviser::Admin => None,
        };
        let watched = self.watch(caller, verb_of(&revise.change), &revise.chat, side, Some(revise.seq));
        let revised = async {
            if let Some(side) = side {
                Self::permit(caller, Act::In(&revise.chat, side))?;
            }
            // An administrator's key takes any message back, at any time.
            if matches!(caller, Caller::Key { scope: Scope::Admin, .. })
                && matches!(revise.change, Change::Unsend { .. })
            {
                revise.by = Reviser::Admin;
            }
            Ok(self.by_store("store.revise", self.shared.store.revise(revise)).await?)
        }
        .await;
        watched.end(&revised, |_| None);
        revised
    }

    /// Moves a marker forward: it is durable once this returns, and both users hear of it.
    ///
    /// # Errors
    /// Those of [`super::permit`] and of [`chinwag_store::Store::mark`].
    pub async fn mark(&self, caller: &Caller, mark: Mark) -> Result<Marked, ServiceError> {
        let verb = match mark.kind {
            MarkerKind::Read => "read",
            MarkerKind::Delivered => "delivered",
        };
        let watched = self.watch(caller, verb, &mark.chat, Some(mark.side), Some(mark.seq));
        let marked = async {
            Self::permit(caller, Act::In(&mark.chat, mark.side))?;
            Ok(self.by_store("store.mark", self.shared.store.mark(mark)).await?)
        }
        .await;
        watched.end(&marked, |marked| Some(marked.marker.seq));
        marked
    }

    /// Blocks a user, or blocks one no longer: no send that begins after this returned reaches the one who blocks.
    ///
    /// # Errors
    /// Those of [`super::permit`] and of [`chinwag_store::Store::block`].
    pub async fn block(&self, caller: &Caller, block: Block) -> Result<Blocked, ServiceError> {
        let verb = if block.on { "block" } else { "unblock" };
        let watched = self.watch(caller, verb, &block.chat, Some(block.by), None);
        let blocked = async {
            Self::permit(caller, Act::Own(&block.user()))?;
            Ok(self.by_store("store.block", self.shared.store.block(block)).await?)
        }
        .await;
        watched.end(&blocked, |_| None);
        blocked
    }

    /// Reads one page of the users whom a user blocks.
    ///
    /// # Errors
    /// Those of [`super::permit`] and of [`chinwag_store::Store::blocks`].
    pub async fn blocks(&self, caller: &Caller, query: BlocksQuery) -> Result<BlocksPage, ServiceError> {
        Self::permit(caller, Act::SeeOwn(&query.user))?;
        Ok(self.by_store("store.blocks", self.shared.store.blocks(query)).await?)
    }

    /// Ends all sessions of a user; how many there were.
    ///
    /// # Errors
    /// Those of [`super::permit`].
    pub fn end_sessions(&self, caller: &Caller, user: &UserId) -> Result<usize, ServiceError> {
        let watched = self.watch_over(caller, "end_sessions", user);
        let ended = Self::permit(caller, Act::Over(user)).map(|()| self.shared.hub.end(user));
        watched.end(&ended, |_| None);
        ended
    }

    /// Tells the peer, if connected, that a user writes, unless one of the two blocks the other.
    ///
    /// # Errors
    /// Those of [`super::permit`] and of [`chinwag_store::Store::silent`].
    pub async fn typing(&self, caller: &Caller, chat: Chat, by: Side) -> Result<(), ServiceError> {
        Self::permit(caller, Act::In(&chat, by))?;
        let peer = vec![chat.user_id(by.other())];
        if self.shared.store.silent(chat.user_id(by), peer).await?.contains(&true) {
            return Ok(());
        }
        self.shared.hub.bus().publish(Event::Typing { chat, by });
        Ok(())
    }

    /// Whether users are there. To a user who asks, one with whom there is a block is one who was never seen.
    ///
    /// # Errors
    /// Those of [`super::permit`] and of [`chinwag_store::Store::silent`].
    pub async fn presence(&self, caller: &Caller, users: &[UserId]) -> Result<Vec<Presence>, ServiceError> {
        Self::permit(caller, Act::SeeOthers)?;
        let silent = match caller {
            Caller::User(asks) => self.shared.store.silent(asks.clone(), users.to_vec()).await?,
            Caller::Anyone | Caller::Key { .. } => vec![false; users.len()],
        };
        let one = |(user, silent): (&UserId, bool)| {
            if silent { Presence::unknown(user) } else { self.shared.hub.presence(user) }
        };
        Ok(users.iter().zip(silent).map(one).collect())
    }
}
