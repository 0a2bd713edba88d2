use rustix::{
    process::{Resource, getrlimit},
    time::{ClockId, clock_gettime},
};
use std::fs;

/// What the system says of this process. What it does not say is missing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Machine {
    pub(super) resident_bytes: Option<u64>,
    pub(super) fds: Option<u64>,
    pub(super) fds_max: Option<u64>,
    pub(super) cpu_s: Option<f64>,
    pub(super) start_s: Option<f64>,
}

impl Machine {
    /// Asks the system. It may take a while where very many files are open.
    pub fn read() -> Self {
        Self {
            resident_bytes: resident_bytes(),
            // The folder itself is open while it is read.
            fds: fs::read_dir("/proc/self/fd").ok().map(|fds| (fds.count() as u64).saturating_sub(1)),
            fds_max: getrlimit(Resource::Nofile).current,
            cpu_s: Some(seconds(ClockId::ProcessCPUTime)),
            start_s: start_s(),
        }
    }
}

fn resident_bytes() -> Option<u64> {
    let pages = fs::read_to_string("/proc/self/statm").ok()?.split(' ').nth(1)?.parse::<u64>().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

/// When the process began, since the Unix epoch: when the machine did, and how long after it.
fn start_s() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program, in brackets, may hold anything.
    let ticks = stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse::<u64>().ok()?;
    let boot = fs::read_to_string("/proc/stat").ok()?;
    let boot_s = boot.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse::<u64>().ok()?;
    Some(as_f64(boot_s) + as_f64(ticks) / as_f64(rustix::param::clock_ticks_per_second()))
}

fn seconds(clock: ClockId) -> f64 {
    let time = clock_gettime(clock);
    as_f64(time.tv_sec.unsigned_abs()) + as_f64(time.tv_nsec.unsigned_abs()) / 1e9
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a metric is a float; what it loses is below anything that it tells"
)]
pub(super) fn as_f64(number: u64) -> f64 {
    number as f64
}
