//! A room of one's own: a thread on which thousands of sessions are driven, apart from whoever waits for them.

use crate::BenchError;
use std::future::Future;
use tokio::sync::oneshot;

/// Starts a thread with a runtime of its own that runs a future to its end; the answer is awaited where one likes.
pub(super) fn apart<F, T>(
    make: impl FnOnce() -> F + Send + 'static,
) -> Result<impl Future<Output = T>, BenchError>
where
    F: Future<Output = T>,
    T: Send + 'static,
{
    let io = |what: &str| {
        let what = what.to_owned();
        move |why| BenchError::Io { what, why }
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(io("starting a runtime"))?;
    let (to_us, answer) = oneshot::channel();
    std::thread::Builder::new()
        .name("bench-sessions".into())
        .spawn(move || drop(to_us.send(runtime.block_on(make()))))
        .map_err(io("starting a thread"))?;
    Ok(async move { answer.await.expect("the thread of the sessions panicked") })
}
