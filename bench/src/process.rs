//! What a process uses, as Linux tells it under `/proc`.

use crate::{BenchError, numbers::float};
use serde::Serialize;
use std::time::Duration;

/// A process of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessId(pub u32);

/// What a process has used so far.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Usage {
    /// Processor time, of user and system.
    pub cpu: Duration,
    /// Bytes that it caused to be written to disk.
    pub written_bytes: u64,
    /// Resident memory now.
    pub rss_bytes: u64,
}

impl Usage {
    /// Processor time since an earlier look, in microseconds a request.
    pub(crate) fn cpu_us_per_request(&self, before: &Self, requests: u64) -> f64 {
        self.cpu.saturating_sub(before.cpu).as_secs_f64() * 1e6 / float(requests.max(1))
    }
}

impl ProcessId {
    /// Reads what the process uses.
    ///
    /// # Errors
    /// [`BenchError::Io`] where there is no such process, or this system does not tell.
    pub fn usage(self) -> Result<Usage, BenchError> {
        let stat = self.read("stat")?;
        // The second field is the name in parentheses, which may hold anything; the times are the 14th and the 15th.
        let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let mut times = after_name.split_whitespace().skip(11).map_while(|field| field.parse::<u64>().ok());
        let ticks = times.next().zip(times.next()).map(|(user, system)| user + system);
        let ticks = ticks.ok_or_else(|| unreadable("stat"))?;
        let milliseconds = ticks * 1_000 / rustix::param::clock_ticks_per_second();
        let rss = field(&self.read("status")?, "VmRSS:").ok_or_else(|| unreadable("status"))?;
        let written = field(&self.read("io")?, "write_bytes:").ok_or_else(|| unreadable("io"))?;
        Ok(Usage { cpu: Duration::from_millis(milliseconds), written_bytes: written, rss_bytes: rss * 1024 })
    }

    fn read(self, what: &str) -> Result<String, BenchError> {
        let path = format!("/proc/{}/{what}", self.0);
        std::fs::read_to_string(&path).map_err(|why| BenchError::Io { what: path, why })
    }
}

fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

fn unreadable(what: &str) -> BenchError {
    BenchError::Unfit(format!("this system's /proc/PID/{what} reads otherwise than Linux's"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_process_that_works_uses_more() {
        let me = ProcessId(std::process::id());
        let before = me.usage().expect("this process is there");
        assert!(before.rss_bytes > 100_000);
        let mut rng = crate::Rng::new(1);
        let mut spent = before.cpu;
        while spent < before.cpu + Duration::from_millis(30) {
            std::hint::black_box((0..100_000).fold(0, |sum: u64, _| sum.wrapping_add(rng.next_u64())));
            spent = me.usage().expect("this process is there").cpu;
        }
    }

    #[test]
    fn no_such_process_is_an_error() {
        assert!(ProcessId(u32::MAX).usage().is_err());
    }
}
