//! Loads of the live feed: sessions that lie idle, that listen while others send, and that all come back at once.
//!
//! A session is a WebSocket spoken by hand over a plain socket, as the generator speaks HTTP: thousands of them share
//! the machine with the server under test.

mod apart;
mod audience;
mod fan_out;
mod idle;
mod session;
mod socket;
mod storm;

pub use fan_out::{FanOut, fan_out};
pub use idle::{Idle, idle};
pub use storm::{Storm, storm};
