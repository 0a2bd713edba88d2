//! How long the disk takes to make a small write durable: the floor of every durable send.

use crate::{BenchError, tally};
use hdrhistogram::Histogram;
use std::{
    fs::File,
    io::Write,
    path::Path,
    time::{Duration, Instant},
};

/// Bytes of each write.
const WRITE_BYTES: usize = 4096;

/// Appends 4 KiB and syncs it (`fdatasync`), again and again for `lasts`, in a file that is removed at the end.
/// The latencies are in microseconds.
///
/// # Errors
/// [`BenchError::Io`].
pub fn sync_latency(directory: &Path, lasts: Duration) -> Result<Histogram<u64>, BenchError> {
    let path = directory.join(format!("chinwag-bench-disk-{}", std::process::id()));
    let failed = |why| BenchError::Io { what: path.display().to_string(), why };
    let mut file = File::create_new(&path).map_err(failed)?;
    let measured = measure(&mut file, lasts);
    std::fs::remove_file(&path).map_err(failed)?;
    measured.map_err(failed)
}

fn measure(file: &mut File, lasts: Duration) -> std::io::Result<Histogram<u64>> {
    let mut latencies = tally::latencies();
    let start = Instant::now();
    while start.elapsed() < lasts {
        let began = Instant::now();
        file.write_all(&[0x5a; WRITE_BYTES])?;
        file.sync_data()?;
        latencies.saturating_record(u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX));
    }
    Ok(latencies)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measures_and_leaves_nothing_behind() {
        let directory = tempfile::tempdir().expect("a directory");
        let latencies = sync_latency(directory.path(), Duration::from_millis(20)).expect("a disk");
        assert!(!latencies.is_empty());
        let told = Duration::from_micros(latencies.len()).mul_f64(latencies.mean());
        assert!(told > Duration::from_millis(10), "the latencies add up to the time: {told:?}");
        assert_eq!(directory.path().read_dir().expect("readable").count(), 0);
        assert!(sync_latency(&directory.path().join("none"), Duration::ZERO).is_err());
    }
}
