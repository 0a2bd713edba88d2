//! API keys: a port of their own, since they are few, rarely written, and no part of any chat.

use crate::StoreFuture;
use chinwag_model::{KeyId, Scope, Ts};
use std::fmt;

/// An API key as it is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// What it is called.
    pub id: KeyId,
    /// What its maker says it is for; empty where nothing was said.
    pub name: Box<str>,
    /// What it may do.
    pub scope: Scope,
    /// The SHA-256 of its secret.
    pub hash: [u8; 32],
    /// When it was made.
    pub created: Ts,
    /// When it was revoked.
    pub revoked: Option<Ts>,
}

/// Without the hash.
impl fmt::Debug for StoredKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, name, scope, created, revoked, hash: _ } = self;
        f.debug_struct("StoredKey")
            .field("id", id)
            .field("name", name)
            .field("scope", scope)
            .field("created", created)
            .field("revoked", revoked)
            .finish_non_exhaustive()
    }
}

/// The durable table of API keys.
pub trait KeyStore: Send + Sync {
    /// Every key that was ever made, the oldest first.
    ///
    /// # Errors
    /// [`crate::StoreError::Damaged`], [`crate::StoreError::Unavailable`].
    fn keys(&self) -> StoreFuture<'_, Vec<StoredKey>>;

    /// Adds a key: it is durable once this returns. One of that id is replaced.
    ///
    /// # Errors
    /// [`crate::StoreError::Unavailable`]: nothing was stored. [`crate::StoreError::OutcomeUnknown`].
    fn add_key(&self, key: StoredKey) -> StoreFuture<'_, ()>;

    /// Marks a key as revoked, durably; whether there is such a key. One that was revoked keeps its time.
    ///
    /// # Errors
    /// As [`KeyStore::add_key`].
    fn revoke_key(&self, id: KeyId, at: Ts) -> StoreFuture<'_, bool>;
}

/// Puts a key among others, in order of their making.
pub(crate) fn put(keys: &mut Vec<StoredKey>, key: StoredKey) {
    keys.retain(|other| other.id != key.id);
    keys.push(key);
    keys.sort_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
}

/// Revokes one of them; whether it is there.
pub(crate) fn revoke(keys: &mut [StoredKey], id: &KeyId, at: Ts) -> bool {
    let found = keys.iter_mut().find(|key| key.id == *id);
    found.is_some_and(|key| {
        key.revoked.get_or_insert(at);
        true
    })
}
