//! The one-way door: a store that has failed stays so until its process is started again.

use crate::StoreError;
use tokio::sync::watch;

/// Whether the store has failed, and why.
#[derive(Clone)]
pub(super) struct Failure(watch::Sender<Option<String>>);

impl Failure {
    pub(super) fn none() -> Self {
        Self(watch::Sender::new(None))
    }

    /// Fails the store. The first reason stays.
    pub(super) fn set(&self, reason: &str) {
        let first = self.0.send_if_modified(|now| {
            let first = now.is_none();
            if first {
                *now = Some(reason.to_owned());
            }
            first
        });
        if first {
            tracing::error!(reason, "the store has failed; the process must end");
        }
    }

    /// # Errors
    /// [`StoreError::Unavailable`] once the store has failed.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        match &*self.0.borrow() {
            None => Ok(()),
            Some(reason) => Err(StoreError::Unavailable(reason.clone())),
        }
    }

    /// Whether the store has failed.
    pub(super) fn is_set(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// Waits until the store fails, and says why.
    pub(super) async fn wait(&self) -> String {
        let mut watch = self.0.subscribe();
        loop {
            if let Some(reason) = watch.borrow_and_update().clone() {
                return reason;
            }
            // The sender lives in self, so the channel stays open.
            if watch.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}
