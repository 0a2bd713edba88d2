//! The bus: carries events from the node where they happen to every node where someone hears of them.
//!
//! It is **lossy by contract**. What it loses is never lost to a user, since every stored event is in the store too: a bus
//! that may have lost something says so, and the node reads its sessions up to date again from the store.
//!
//! **Architecture invariant:** this room knows neither the store nor who listens, neither JSON nor HTTP. [`contract`] says
//! in tests what every bus must do.

pub mod contract;
mod local;

pub use local::LocalBus;

use chinwag_model::{Event, UserId};
use std::{future::Future, pin::Pin, sync::Arc};

/// What a node wants to hear.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Topic {
    /// What belongs in a user's feed: messages and markers of the user's chats, and the peers' typing.
    Feed(UserId),
    /// A user's coming and going.
    Presence(UserId),
}

/// Where a bus delivers on this node.
pub trait Listener: Send + Sync {
    /// Takes an event of a topic that this node follows; perhaps also of one that it does not, or no longer. It must not
    /// wait.
    ///
    /// The stored events that one node published come in the order in which it published them, unless [`Listener::lost`]
    /// is called in between.
    fn deliver(&self, event: &Event);

    /// Hears that events of some followed topics may have been lost, up to now.
    fn lost(&self);
}

/// A future that a [`Bus`] returns.
pub type BusFuture<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Fan-out between nodes.
pub trait Bus: Send + Sync {
    /// Names the one listener of this node. To be called once, before anything else.
    fn listen(&self, listener: Arc<dyn Listener>);

    /// Hands an event to every node that follows one of its topics. It never waits and may lose the event.
    fn publish(&self, event: Event);

    /// Follows a topic. Once this returns, what anyone publishes from then on is delivered, or [`Listener::lost`] is called.
    /// Topics are counted, from the call on: followed twice, one must be left twice.
    fn follow(&self, topic: Topic) -> BusFuture<'_>;

    /// Leaves a topic.
    fn leave(&self, topic: &Topic);
}
