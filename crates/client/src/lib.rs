//! The typed Rust client of Chinwag: send with an automatic key and safe retry, pull and inbox as streams of pages, and
//! a user's feed as a stream that outlives its connections.
//!
//! ```no_run
//! # async fn example() -> Result<(), chinwag_client::ClientError> {
//! use futures_util::StreamExt;
//! let client = chinwag_client::Client::new("http://localhost:8080")?;
//! let sent = client.send("apple:banana", "apple", "Hello how are you?").await?;
//! println!("stored as message {}", sent.message.seq);
//! let mut pages = client.pull("apple:banana").reverse(true).pages();
//! while let Some(page) = pages.next().await {
//!     for message in page?.messages {
//!         println!("{}: {}", message.sender, message.text);
//!     }
//! }
//! let mut feed = client.subscribe("banana").watch(["apple"]);
//! while let Some(update) = feed.next().await {
//!     println!("{:?}", update?);
//! }
//! # Ok(()) }
//! ```
//!
//! **Architecture invariant:** this room knows the server only through the wire contract. The shapes of requests and
//! problems are `chinwag-wire`'s; what this room adds is owned replies, connections and retry.

mod client;
mod connect;
mod error;
mod event;
mod http;
mod inbox;
mod message;
mod pull;
mod retry;
mod seen;
mod send;
mod socket;
mod subscription;
mod token;
mod trust;
mod verbs;

pub use client::{Client, Options};
pub use error::ClientError;
pub use event::Event;
pub use inbox::{Inbox, InboxBuilder, InboxEntry};
pub use message::{Data, Message};
pub use pull::{Page, PullBuilder};
pub use retry::Retry;
pub use send::{SendBuilder, Sent, random_key};
pub use subscription::{Subscription, Update};
pub use token::{TokenFuture, Tokens};
pub use trust::Trust;
pub use verbs::{Blocked, BlockedPeer, Blocks, Erased, Marked, Presence};
