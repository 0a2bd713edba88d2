//! The live feed through its front doors: every face, cut anywhere, against what the store then holds.
//!
//! The clients here are written by hand, in bytes. Nothing sleeps: a test waits for an event, under a watchdog that says
//! for which. `CHINWAG_TEST_SEED` repeats a run.

mod actor;
mod connection;
mod epochs;
#[expect(dead_code, reason = "the long tests need more of it")]
mod follower;
mod frame;
mod moments;
#[expect(dead_code, reason = "the long tests need more of it")]
#[path = "../long/random.rs"]
mod random;
mod restart;
mod schedules;
mod seam;
mod server;
mod service;
mod slow;
mod stream;
mod tabs;
mod unread;
mod watch;
