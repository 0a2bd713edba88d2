//! The executable `chinwag`: the server and its command line.

use std::process::ExitCode;

/// musl's own allocator, which a static binary would get, is several times slower under many threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    chinwag::cli::run().await
}
