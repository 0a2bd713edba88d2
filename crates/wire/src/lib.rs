//! The JSON shapes of the wire contract, and their conversion to and from `chinwag-model`.
//!
//! A request comes in as bytes or a query string and leaves as a `Draft` or a `PageQuery`, or as an `Invalid` that
//! names its field; a message or a page goes out as one buffer of JSON; a refusal goes out as a [`Problem`].
//!
//! **Architecture invariant:** the only room that knows JSON; it does no I/O and knows no HTTP library, only the
//! numbers of the statuses.

mod data;
mod encode;
mod fields;
mod key;
mod message;
mod problem;
mod pull;
mod query;
mod send;

pub use encode::{encode_message, encode_page};
pub use key::parse_header_key;
pub use message::{PullReply, WireMessage};
pub use problem::{Problem, ProblemCode};
pub use pull::PullRequest;
pub use send::SendRequest;
