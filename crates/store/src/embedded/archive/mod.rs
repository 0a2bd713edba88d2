//! History that goes out of a store in the words of the model, and comes into one with its numbers and times kept.
//!
//! Imported history is not news: it is not in the change log, so no feed tells it. Instead the store gets a new epoch with
//! the first row, and whoever comes back loads the inbox.

mod export;
mod import;
mod sort;

pub use import::{Fate, ImportError, Imported, Importer};
pub use sort::{Sorted, Sorter};

use chinwag_model::{Chat, Hold, Markers, Message, Side};

/// A part of a store's history, as it goes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// A message. Those of a chat come one after the other, in order.
    Message(Message),
    /// Where the markers of a chat's first and second user stand, after its messages.
    Markers(Chat, [Markers; 2]),
    /// That the user on a side of a chat blocks the other. After all messages and markers.
    Block(Chat, Side, Hold),
}
