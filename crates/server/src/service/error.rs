use super::Denied;
use crate::hub::NotOpened;
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
    /// All sessions together watch as many users as they may.
    #[error("all sessions together watch as many users as they may")]
    TooManyWatched,
    /// The store's word.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<NotOpened> for ServiceError {
    fn from(why: NotOpened) -> Self {
        match why {
            NotOpened::Leaving => Self::Leaving,
            NotOpened::TooManyWatched => Self::TooManyWatched,
        }
    }
}
