//! The JSON shapes of the wire contract, and their conversion to and from `chinwag-model`.
//!
//! A request comes in as bytes or a query string and leaves as a type of the model, or as an `Invalid` that names its
//! field; a message, a page, an event goes out as one buffer of JSON; a refusal goes out as a [`Problem`].
//!
//! **Architecture invariant:** the only room that knows JSON; it does no I/O and knows no HTTP library, only the
//! numbers of the statuses.

mod archive;
mod auth;
mod block;
pub mod close_code;
mod data;
mod encode;
mod erase;
mod event;
mod feed;
mod fields;
mod frame;
mod inbox;
mod key;
mod mark;
mod message;
mod openapi;
mod presence;
mod problem;
mod pull;
mod query;
mod revise;
mod send;

pub use archive::{
    ArchiveBlock, ArchiveHead, ArchiveLine, ArchiveMarkers, ArchiveMessage, TableRow, encode_archive_block,
    encode_archive_end, encode_archive_head, encode_archive_markers, encode_archive_message,
};
pub use auth::{AuthRequest, TicketReply, encode_about, encode_auth, encode_ticket};
pub use block::{
    BlockReply, BlockRequest, BlocksRequest, EndSessionsRequest, encode_blocked, encode_blocks, encode_ended,
};
pub use encode::{encode_message, encode_page};
pub use erase::{EraseReply, EraseRequest, encode_erased};
pub use event::{
    MarkEvent, MessageEvent, PollReply, PresenceEvent, ReadyEvent, TypingEvent, WireEvent, encode_event,
    encode_poll, encode_ready, event_name,
};
pub use feed::FeedRequest;
pub use frame::{BadFrame, Op, UpFrame, encode_reply};
pub use inbox::{InboxReply, InboxRequest, WireInboxEntry, encode_inbox};
pub use key::parse_header_key;
pub use mark::{MarkReply, MarkRequest, TypingRequest, encode_marked};
pub use message::{PullReply, WireMessage};
pub use openapi::document as openapi;
pub use presence::{PresenceReply, PresenceRequest, WirePresence, encode_presence};
pub use problem::{Problem, ProblemCode};
pub use pull::PullRequest;
pub use query::encode_query;
pub use revise::{EditRequest, ReactRequest, UnsendRequest};
pub use send::SendRequest;
