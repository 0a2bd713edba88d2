//! The durable store behind one trait, in the words of `chinwag-model`.
//!
//! **Architecture invariant:** this room knows neither JSON nor HTTP; only [`embedded`] knows fjall and files.
//! [`contract`] says in tests what every backend must do.

mod clock;
pub mod contract;
pub mod embedded;
mod error;
pub mod fault;
mod keys;
pub mod memory;
mod retention;
mod revise;
pub mod vitals;

pub use error::StoreError;
pub use keys::{KeyStore, StoredKey};
pub use retention::Retention;

use chinwag_model::{
    Block, Blocked, BlocksPage, BlocksQuery, Chat, Draft, Epoch, Event, InboxPage, InboxQuery, Mark, Marked,
    Message, Page, PageQuery, Revise, Side, Ts, UserId,
};
use std::{future::Future, pin::Pin, sync::Arc};
use vitals::{Observer, Vitals};

/// A future that a [`Store`] returns.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// What an append came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// The message as it stands.
    pub message: Arc<Message>,
    /// Whether an earlier send with the same key had stored it.
    pub replayed: bool,
}

/// What a user missed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatchUp {
    /// Up to when this tells everything: what happens later goes to the store's [`Outlet`], after this was asked for.
    pub upto: Ts,
    /// What happened to the user's chats since, as it stands at `upto`, in order of its time: each message that is new or
    /// was revised, once; each marker that moved, once. `None` where it is more than
    /// [`chinwag_model::limits::CATCH_UP_MAX_EVENTS`] or [`chinwag_model::limits::CATCH_UP_MAX_BYTES`], or nothing
    /// happened at just that time: the place is another store's, such as of this one before it was put back from a copy.
    pub events: Option<Vec<Event>>,
}

/// Where a store tells what has become durable.
pub trait Outlet: Send + Sync {
    /// Takes events in order of their time. Each is on disk, and every read shows it, [`Store::catch_up`] among them, before
    /// this is called; its caller is answered after it. It must not wait.
    fn committed(&self, events: Vec<Event>);
}

/// The durable store of messages and markers.
///
/// Every verb is safe to call from any number of tasks at once. A reply is given only for what has reached the disk
/// (or, in a cluster, a quorum); a future that is dropped may still take effect.
pub trait Store: Send + Sync {
    /// Appends a message at the end of its chat and gives it the next `seq` and a `ts` above all before it.
    ///
    /// Atomic. Where the draft has a key that the same sender used in the same chat within
    /// [`chinwag_model::limits::KEY_WINDOW`], nothing is stored: the reply is that message as it stands, `replayed`, also where it
    /// has expired.
    ///
    /// # Errors
    /// [`StoreError::KeyReused`] where that key came with another text or data. [`StoreError::Blocked`] where the peer blocks
    /// the sender: nothing was stored. [`StoreError::Busy`],
    /// [`StoreError::Full`], [`StoreError::Unavailable`]: nothing was stored. [`StoreError::OutcomeUnknown`]: it may
    /// have been; only a repeat with the same key can tell.
    fn append(&self, draft: Draft) -> StoreFuture<'_, Appended>;

    /// Reads one page. It shows only what is durable and has not expired, and every such message acknowledged before the call.
    ///
    /// # Errors
    /// [`StoreError::Busy`], [`StoreError::Unavailable`], [`StoreError::Damaged`].
    fn page(&self, query: PageQuery) -> StoreFuture<'_, Page>;

    /// Changes a message: edits it, takes it back, or puts or takes away a reaction. `seq` counts messages only.
    ///
    /// Atomic. A change has a time of its own; the reply is the message as it stands, also where it stood like that
    /// already, and then nothing is stored. What was taken back is in no reply and no event from then on, and counts as unread no
    /// more. A repeat of the key of a message that was changed is still known by what was first sent.
    ///
    /// # Errors
    /// [`StoreError::NoSuchMessage`], [`StoreError::Blocked`], [`StoreError::NotTheSender`], [`StoreError::Unsent`], [`StoreError::TooLate`],
    /// [`StoreError::TooManyReactions`], in this order; else those of [`Store::append`] but for the key's. After
    /// [`StoreError::OutcomeUnknown`] it may simply be repeated.
    fn revise(&self, revise: Revise) -> StoreFuture<'_, Arc<Message>>;

    /// Forgets where a user's markers stand in a chat, as if they had never moved; nobody is told of it. Whether they had.
    ///
    /// With [`chinwag_model::Change::Erase`] of each message this erases a user from a chat. Both change nothing where
    /// there is nothing left, so an erasure that was cut short is simply done again.
    ///
    /// Where the peer was erased before, has no marker and sent nothing since, and each message is unsent and without its key, the
    /// chat is removed, as a note to self is: all of it has expired from then on, it is in nobody's catch-up, and no marker moves
    /// in it until something is sent. Its numbers go on.
    ///
    /// # Errors
    /// Those of [`Store::mark`].
    fn forget(&self, chat: Chat, side: Side) -> StoreFuture<'_, bool>;

    /// Moves a user's marker in a chat, forward only, and at most to the chat's last message. Read raises delivered.
    ///
    /// Each marker that moves gets a time of its own. The reply is the marker as it stands, whether or not it moved.
    ///
    /// # Errors
    /// Those of [`Store::append`], but for the key's; after [`StoreError::OutcomeUnknown`] it may simply be repeated.
    fn mark(&self, mark: Mark) -> StoreFuture<'_, Marked>;

    /// Blocks a user, or blocks one no longer. What stands so already stores nothing and keeps its time.
    ///
    /// One order holds for blocks and sends: once this has answered, no later send of the blocked user to the blocker is
    /// stored, nor an edit or a reaction, but for one that is taken back. What was stored with a key before is still
    /// answered as such. While either of two users blocks the other, neither sees the other's markers go further than they
    /// stood at the block; the events of those that move are [`Event::OwnMarker`].
    ///
    /// # Errors
    /// [`StoreError::TooManyBlocks`]; else those of [`Store::mark`].
    fn block(&self, block: Block) -> StoreFuture<'_, Blocked>;

    /// Reads one page of the users whom a user blocks.
    ///
    /// # Errors
    /// Those of [`Store::page`].
    fn blocks(&self, query: BlocksQuery) -> StoreFuture<'_, BlocksPage>;

    /// Of each of some users, whether that user and another block one another, in either direction.
    ///
    /// # Errors
    /// Those of [`Store::page`].
    fn silent(&self, user: UserId, peers: Vec<UserId>) -> StoreFuture<'_, Vec<bool>>;

    /// Reads one page of a user's inbox. It shows all that was acknowledged before the call, and nothing that is not
    /// durable.
    ///
    /// # Errors
    /// Those of [`Store::page`].
    fn inbox(&self, query: InboxQuery) -> StoreFuture<'_, InboxPage>;

    /// Reads what a user missed since a time; without one, only where the store stands. Its cost grows with what was
    /// missed.
    ///
    /// Whoever is told by the [`Outlet`] from before this call, and drops what is not later than [`CatchUp::upto`], misses
    /// nothing and gets nothing twice.
    ///
    /// # Errors
    /// Those of [`Store::page`].
    fn catch_up(&self, user: UserId, since: Option<Ts>) -> StoreFuture<'_, CatchUp>;

    /// Whether a send or a mark that begins now would find a place. It costs next to nothing, so that who has to be refused is
    /// refused before anything is read. `_waited`: whoever asks was not told just before to come back later, or has waited as
    /// long; of those who have not, few find a place as long as others have to be refused.
    ///
    /// # Errors
    /// [`StoreError::Busy`].
    fn admits(&self, _waited: bool) -> Result<(), StoreError> {
        Ok(())
    }

    /// Names the one place that is told of what becomes durable. To be called once, before the first write.
    fn publish_to(&self, outlet: Arc<dyn Outlet>);

    /// Names the one who is told of each batch. To be called once, before the first write.
    fn observe(&self, observer: Arc<dyn Observer>);

    /// How the store does. It waits for the disk for two seconds at most, and for nothing else.
    fn vitals(&self) -> Pin<Box<dyn Future<Output = Vitals> + Send + '_>>;

    /// Which life of the store this is; a new or a restored store has another.
    fn epoch(&self) -> Epoch;

    /// Whether the store takes writes now; the error says why not.
    ///
    /// # Errors
    /// [`StoreError::Full`] or [`StoreError::Unavailable`].
    fn ready(&self) -> Result<(), StoreError>;

    /// Whether nothing expires, since the clock is in doubt.
    fn expiry_held(&self) -> bool {
        false
    }

    /// Resolves once the store has failed for good, with the reason. The process must then end.
    fn failed(&self) -> Pin<Box<dyn Future<Output = String> + Send + '_>>;

    /// Ends the store: what was accepted is finished, what comes later is [`StoreError::Unavailable`].
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where the store had failed.
    fn close(&self) -> StoreFuture<'_, ()>;
}
