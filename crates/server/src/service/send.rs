use chinwag_model::Draft;
use chinwag_store::{Appended, Store, StoreError};
use std::sync::Arc;

/// Sends a message: it is durable once this returns.
///
/// # Errors
/// Those of [`Store::append`].
pub async fn send(store: &Arc<dyn Store>, draft: Draft) -> Result<Appended, StoreError> {
    store.append(draft).await
}
