//! What is done to the server, by chance and on and on: killed, stopped, stalled, and its disk filled.

use super::server::Server;
use crate::torture::{Random, Round};
use std::{
    io, thread,
    time::{Duration, Instant},
};

/// How often each was done.
#[derive(Debug, Default)]
pub(super) struct Faults {
    pub(super) kills: u64,
    pub(super) stops: u64,
    pub(super) stalls: u64,
    pub(super) full: u64,
}

/// Does one after another until `time` is over.
pub(super) fn inflict(
    server: &mut Server,
    round: &Round,
    random: &mut Random,
    time: Duration,
) -> io::Result<Faults> {
    let (begin, mut faults) = (Instant::now(), Faults::default());
    let mut revoked = false;
    while begin.elapsed() < time {
        // The schedule of the faults is the torture itself.
        thread::sleep(Duration::from_millis(300 + random.below(3_000)));
        match (random.below(8), &server.filler) {
            (0, Some(filler)) => {
                filler.fill()?;
                thread::sleep(Duration::from_millis(500 + random.below(1_500)));
                filler.free()?;
                faults.full += 1;
            }
            (0 | 1, _) => {
                server.stalled(Duration::from_millis(200 + random.below(2_000)))?;
                faults.stalls += 1;
            }
            (2 | 3, _) => {
                server.stop()?;
                round.ended_process();
                server.start_again()?;
                faults.stops += 1;
            }
            _ => {
                server.kill()?;
                round.ended_process();
                server.start_again()?;
                faults.kills += 1;
            }
        }
        if !revoked && begin.elapsed() > time / 3 {
            round.revoke(|key| server.revoke(key))?;
            revoked = true;
        }
    }
    Ok(faults)
}
