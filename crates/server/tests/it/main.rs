//! The server through its front door: a real one on a port of its own, and raw bytes, so that nothing in a client
//! library tidies up what is sent.
//!
//! Nothing here sleeps: a test waits for an event, and a watchdog says what it waited for in vain.

mod bodies;
mod faults;
mod founding;
mod keys;
mod life;
mod limits;
mod raw;
mod refusals;
mod server;
mod time;
