//! What a client shows of who it is, and how it gets a new one.

use crate::ClientError;
use std::{
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
};

/// A future that [`Tokens`] returns.
pub type TokenFuture<'a> = Pin<Box<dyn Future<Output = Result<String, ClientError>> + Send + 'a>>;

/// Where a client gets its tokens.
pub trait Tokens: Send + Sync {
    /// A token, or an API key. Asked before the first request, and again when the server takes the last one no more.
    fn token(&self) -> TokenFuture<'_>;
}

/// What a client has.
#[derive(Default)]
pub(crate) struct Credentials {
    source: Option<Arc<dyn Tokens>>,
    current: Mutex<Option<Arc<str>>>,
}

/// Without the token.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials")
    }
}

impl Credentials {
    /// One token, for ever.
    pub(crate) fn fixed(token: &str) -> Self {
        Self { source: None, current: Mutex::new(Some(token.into())) }
    }

    /// Whatever a source gives.
    pub(crate) fn from(source: Arc<dyn Tokens>) -> Self {
        Self { source: Some(source), current: Mutex::default() }
    }

    /// The token to show, if any.
    pub(crate) async fn current(&self) -> Result<Option<Arc<str>>, ClientError> {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match (current, &self.source) {
            (None, Some(source)) => {
                let token: Arc<str> = source.token().await?.into();
                *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Some(token.clone());
                Ok(Some(token))
            }
            (current, _) => Ok(current),
        }
    }

    /// The server takes the current one no more; whether another can be had.
    pub(crate) fn discard(&self) -> bool {
        if self.source.is_some() {
            *self.current.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
        self.source.is_some()
    }
}
