//! Every wait of these tests ends here, and says what it waited for when it was in vain.

use std::{future::Future, time::Duration};

/// How long anything may take that a test waits for.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Waits for an event; after [`PATIENCE`] the test fails and says what it waited for.
pub(crate) async fn within<T>(what: &str, event: impl Future<Output = T>) -> T {
    let value = tokio::time::timeout(PATIENCE, event).await;
    value.unwrap_or_else(|_| panic!("waited for {PATIENCE:?} for {what}"))
}
