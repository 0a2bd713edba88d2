//! The words that every other room speaks: users, chats, messages, places in a chat, inboxes,
//! markers, events, and the bounds on each.
//!
//! **Architecture invariant:** this room does no I/O, is not async and knows neither JSON nor HTTP. A value of
//! one of its types cannot be wrong: raw input becomes a type here, once, or an [`Invalid`] that names the field.

mod block;
mod caller;
mod chat;
mod clock;
mod draft;
mod erase;
mod event;
mod inbox;
mod invalid;
pub mod limits;
mod marker;
mod message;
mod page;
mod revise;
mod user;

pub use block::{Block, Blocked, BlocksPage, BlocksQuery, Hold};
pub use caller::{Caller, KeyId, Scope};
pub use chat::{Chat, Side, Spelling};
pub use clock::{Clock, ManualClock, Reading, SystemClock};
pub use draft::{Data, Draft, SendKey, Text};
pub use erase::Erased;
pub use event::{Epoch, Event, FeedId, Presence};
pub use inbox::{InboxEntry, InboxPage, InboxQuery};
pub use invalid::{Code, Invalid};
pub use marker::{Mark, Marked, Marker, MarkerKind, Markers};
pub use message::{Message, Reaction, Revision, Seq, Ts};
pub use page::{Direction, Page, PageQuery, Place};
pub use revise::{Change, Emoji, Revise, Reviser, RevisionKind};
pub use user::UserId;
