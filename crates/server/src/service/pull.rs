use chinwag_model::{Page, PageQuery};
use chinwag_store::{Store, StoreError};
use std::sync::Arc;

/// Pulls one page of a chat; a chat without a message has an empty one.
///
/// # Errors
/// Those of [`Store::page`].
pub async fn pull(store: &Arc<dyn Store>, query: PageQuery) -> Result<Page, StoreError> {
    store.page(query).await
}
