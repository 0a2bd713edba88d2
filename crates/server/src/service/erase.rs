//! Erasing a user: all that the user sent, did to others' messages, and came to in chats.
//!
//! It is done in many small steps, each a change like any other, so that sends go on beside it, those who listen hear of
//! it, and one that is cut short is simply done again: what is done already is found so and left.

use super::{Act, Denied, Service, ServiceError};
use chinwag_model::{
    Block, BlocksQuery, Caller, Change, Chat, Direction, Erased, InboxQuery, Markers, Message, PageQuery,
    Place, Revise, Reviser, Side, UserId,
    limits::{ERASE_MAX_CHANGES, PAGE_MAX_MESSAGES},
};
use chinwag_store::{Store, StoreError};

impl Service {
    /// Erases a user, as much as one request may take; to be asked until it is done. The user's sessions end, and it is
    /// forgotten when the user was seen. Where it is only to be counted, nothing is changed.
    ///
    /// # Errors
    /// Those of [`super::permit`], [`Denied::Administrators`] for everyone of an open server, and those of
    /// [`chinwag_store::Store::revise`].
    pub async fn erase(
        &self,
        caller: &Caller,
        user: &UserId,
        only_count: bool,
    ) -> Result<Erased, ServiceError> {
        if only_count {
            Self::may_erase(caller, user)?;
            return Ok(self.erase_for_operator(user, true).await?);
        }
        let watched = self.watch_over(caller, "erase", user);
        let erased = match Self::may_erase(caller, user) {
            Ok(()) => self.erase_for_operator(user, false).await.map_err(ServiceError::from),
            Err(denied) => Err(denied),
        };
        watched.end(&erased, |_| None);
        erased
    }

    fn may_erase(caller: &Caller, user: &UserId) -> Result<(), ServiceError> {
        Self::permit(caller, Act::Over(user))?;
        if *caller == Caller::Anyone { Err(Denied::Administrators.into()) } else { Ok(()) }
    }

    /// The same for the operator, who is asked nothing.
    ///
    /// # Errors
    /// Those of [`chinwag_store::Store::revise`].
    pub async fn erase_for_operator(&self, user: &UserId, only_count: bool) -> Result<Erased, StoreError> {
        if only_count {
            return erase(&*self.shared.store, user, true).await;
        }
        self.shared.hub.forget(user);
        erase(&*self.shared.store, user, false).await
    }
}

/// Erases a user from a store: at most [`ERASE_MAX_CHANGES`] changes; or counts all that there is.
///
/// # Errors
/// Those of [`chinwag_store::Store::revise`].
pub async fn erase(store: &dyn Store, user: &UserId, only_count: bool) -> Result<Erased, StoreError> {
    let most = if only_count { u64::MAX } else { ERASE_MAX_CHANGES };
    let mut erasing = Erasing { store, only_count, most, erased: Erased::default() };
    let finished = erasing.blocks(user).await? && erasing.chats(user).await?;
    // A chat in which something happened meanwhile may have been passed over. So it takes one more look.
    erasing.erased.done = finished && (only_count || erasing.erased.changes() == 0);
    Ok(erasing.erased)
}

/// An erasure on its way. Each step says whether it came to its end.
struct Erasing<'a> {
    store: &'a dyn Store,
    only_count: bool,
    most: u64,
    erased: Erased,
}

impl Erasing<'_> {
    fn is_full(&self) -> bool {
        self.erased.changes() >= self.most
    }

    async fn blocks(&mut self, user: &UserId) -> Result<bool, StoreError> {
        let mut after = None;
        loop {
            let page = self.store.blocks(BlocksQuery::new(user.clone(), after, PAGE_MAX_MESSAGES)).await?;
            for (peer, _) in page.entries {
                if self.is_full() {
                    return Ok(false);
                }
                if !self.only_count {
                    let (chat, by) = Chat::of(user, &peer);
                    self.store.block(Block { chat, by, on: false }).await?;
                }
                self.erased.blocks += 1;
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(true),
            }
        }
    }

    async fn chats(&mut self, user: &UserId) -> Result<bool, StoreError> {
        let mut before = None;
        loop {
            let query = InboxQuery { user: user.clone(), before, limit: PAGE_MAX_MESSAGES, chat: None };
            let page = self.store.inbox(query).await?;
            for entry in page.entries {
                if !self.chat(entry.chat, entry.side, entry.markers).await? {
                    return Ok(false);
                }
            }
            match page.next {
                Some(next) => before = Some(next),
                None => return Ok(true),
            }
        }
    }

    async fn chat(&mut self, chat: Chat, side: Side, markers: [Markers; 2]) -> Result<bool, StoreError> {
        let mut from = Place::parse(0).expect("the natural start");
        loop {
            let query = PageQuery::new(chat.clone(), from, Direction::Forward, PAGE_MAX_MESSAGES);
            let page = self.store.page(query).await?;
            for message in page.messages {
                if !self.message(&message, side).await? {
                    return Ok(false);
                }
            }
            match page.next {
                Some(next) => from = next,
                None => break,
            }
        }
        if self.is_full() {
            return Ok(false);
        }
        let forgotten = if self.only_count {
            markers[side.index()] != Markers::START
        } else {
            self.store.forget(chat, side).await?
        };
        self.erased.markers += u64::from(forgotten);
        Ok(true)
    }

    async fn message(&mut self, message: &Message, side: Side) -> Result<bool, StoreError> {
        let (own, reactions) = what_is_of(message, side);
        if !own && reactions == 0 {
            return Ok(true);
        }
        if self.is_full() {
            return Ok(false);
        }
        if !self.only_count {
            let change = Change::Erase { of: side };
            let (chat, seq) = (message.chat.clone(), message.seq);
            match self.store.revise(Revise { chat, seq, by: Reviser::Admin, change }).await {
                // It expired meanwhile.
                Ok(_) | Err(StoreError::NoSuchMessage) => {}
                Err(error) => return Err(error),
            }
        }
        self.erased.messages += u64::from(own);
        self.erased.reactions += reactions;
        Ok(true)
    }
}

/// Whether a message is the user's own and still says anything of the user; else how many of its reactions are.
fn what_is_of(message: &Message, side: Side) -> (bool, u64) {
    if message.sender == side {
        return (!message.is_unsent() || message.key.is_some(), 0);
    }
    let reactions = message.revision.iter().flat_map(|revision| &revision.reactions);
    (false, reactions.filter(|reaction| reaction.by == side).count() as u64)
}
