//! The durable store behind one trait, in the words of `chinwag-model`.
//!
//! **Architecture invariant:** this room knows neither JSON nor HTTP; only [`embedded`] knows fjall and files.
//! [`contract`] says in tests what every backend must do.

pub mod contract;
pub mod embedded;
mod error;
pub mod fault;
pub mod memory;

pub use error::StoreError;

use chinwag_model::{Draft, Message, Page, PageQuery};
use std::{future::Future, pin::Pin, sync::Arc};

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

/// The durable store of messages.
///
/// Every verb is safe to call from any number of tasks at once. A reply is given only for what has reached the disk
/// (or, in a cluster, a quorum); a future that is dropped may still take effect.
pub trait Store: Send + Sync {
    /// Appends a message at the end of its chat and gives it the next `seq` and a `ts` above all before it.
    ///
    /// Atomic. Where the draft has a key that the same sender used in the same chat within
    /// [`chinwag_model::limits::KEY_WINDOW`], nothing is stored: the reply is that message as it stands, `replayed`.
    ///
    /// # Errors
    /// [`StoreError::KeyReused`] where that key came with another text or data. [`StoreError::Busy`],
    /// [`StoreError::Full`], [`StoreError::Unavailable`]: nothing was stored. [`StoreError::OutcomeUnknown`]: it may
    /// have been; only a repeat with the same key can tell.
    fn append(&self, draft: Draft) -> StoreFuture<'_, Appended>;

    /// Reads one page. It shows only what is durable, and every message acknowledged before the call.
    ///
    /// # Errors
    /// [`StoreError::Busy`], [`StoreError::Unavailable`], [`StoreError::Damaged`].
    fn page(&self, query: PageQuery) -> StoreFuture<'_, Page>;

    /// Whether the store takes writes now; the error says why not.
    ///
    /// # Errors
    /// [`StoreError::Full`] or [`StoreError::Unavailable`].
    fn ready(&self) -> Result<(), StoreError>;

    /// Resolves once the store has failed for good, with the reason. The process must then end.
    fn failed(&self) -> Pin<Box<dyn Future<Output = String> + Send + '_>>;

    /// Ends the store: what was accepted is finished, what comes later is [`StoreError::Unavailable`].
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where the store had failed.
    fn close(&self) -> StoreFuture<'_, ()>;
}
