//! Faults planted behind the seams of a running server, each found by the clients and the judge of `chinwag torture`.
//!
//! The judge's own tests plant faults in histories that were made up. Here the histories are those of a real server over
//! the embedded store, of which one thing is wrong; that a sound one with the same seed is not accused shows that it is
//! the fault which is found. `CHINWAG_TEST_SEED` takes another seed.

mod bench;
mod doors;
mod planted;
#[path = "../feed/server.rs"]
#[expect(dead_code, reason = "the tests of the feed need more of it")]
mod server;
mod store;
#[path = "../feed/watch.rs"]
mod watch;
