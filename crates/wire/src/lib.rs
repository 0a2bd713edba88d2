//! The JSON shapes of the wire contract, and their conversion to and from `chinwag-model`.
//!
//! **Architecture invariant:** the only room that knows JSON; it does no I/O and knows no HTTP library.

mod message;

pub use message::WireMessage;
