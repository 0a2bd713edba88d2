//! The long tests: the real executable in a process of its own, killed, starved and cut off under load.
//!
//! They go through the front door alone, sockets, signals and files, and with a client of their own, so that a fault
//! which server and client share cannot hide. `CHINWAG_TEST_ROUNDS` says how often the random ones go round (5 unless
//! set), `CHINWAG_TEST_SEED` which way; `CHINWAG_TEST_FULL=1` makes what cannot run a failure.

#[path = "../feed/actor.rs"]
mod actor;
mod child;
mod clock;
#[path = "../feed/connection.rs"]
mod connection;
mod cuts;
mod disk;
mod expiry;
mod faults;
mod feed;
mod feed_memory;
#[expect(dead_code, reason = "the tests of the feed need more of it")]
#[path = "../feed/follower.rs"]
mod follower;
#[path = "../feed/frame.rs"]
mod frame;
mod http;
mod io_error;
mod kill;
mod ledger;
mod load;
mod memory;
mod net;
mod random;
mod readme;
mod small_disk;
mod stop;
#[expect(dead_code, reason = "the tests of the feed need more of it")]
#[path = "../feed/stream.rs"]
mod stream;
mod texts;
mod volatile;
#[path = "../feed/watch.rs"]
mod watch;
mod watchdog;
