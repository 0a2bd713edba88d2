use super::Denied;
use chinwag_store::StoreError;

/// Why a verb did nothing, or is not known to have done anything.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The caller may not.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The server is shutting down: it opens no feed any more.
    #[error("the server is shutting down")]
    Leaving,
    /// The store's word.
    #[error(transparent)]
    Store(#[from] StoreError),
}
