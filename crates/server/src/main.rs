//! The executable `chinwag`: the server and its command line.

use std::process::ExitCode;

/// The system's allocator is slower under many threads, and glibc's keeps more memory than it needs.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Threads for what blocks: the store's reads, of which it bounds the number itself, and a few besides.
const BLOCKING_THREADS_MAX: usize = 48;

fn main() -> ExitCode {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    match runtime.enable_all().max_blocking_threads(BLOCKING_THREADS_MAX).build() {
        Ok(runtime) => runtime.block_on(chinwag::cli::run()),
        Err(error) => {
            eprintln!("chinwag: the system gives no threads: {error}");
            ExitCode::from(2)
        }
    }
}
