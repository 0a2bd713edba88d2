//! The API keys of the application's own back end, in memory as the store has them.
//!
//! A key is `cwk_`, its id and 256 random bits. Only the SHA-256 of those is stored: nothing can be guessed that a slow hash
//! would protect.

use chinwag_model::{Caller, KeyId, Scope, Ts};
use chinwag_store::{KeyStore, StoreError, StoredKey};
use data_encoding::BASE32_NOPAD;
use parking_lot::RwLock;
use ring::digest;
use std::{collections::HashMap, sync::Arc};
use subtle::ConstantTimeEq;

/// What every key begins with, so that it is known for one wherever it is found.
const PREFIX: &str = "cwk_";
/// Random bytes of a key.
const SECRET_BYTES: usize = 32;
/// Random bytes of its id.
const ID_BYTES: usize = 10;

/// The keys that are valid. Clones share them.
#[derive(Clone)]
pub struct ApiKeys {
    store: Arc<dyn KeyStore>,
    valid: Arc<RwLock<HashMap<KeyId, StoredKey>>>,
}

/// A key that was just made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    /// Its id.
    pub id: KeyId,
    /// The key itself; it is told this once.
    pub secret: String,
}

impl ApiKeys {
    /// The keys of a store.
    ///
    /// # Errors
    /// Those of [`KeyStore::keys`].
    pub async fn open(store: Arc<dyn KeyStore>) -> Result<Self, StoreError> {
        let keys = store.keys().await?;
        let valid = keys.into_iter().filter(|key| key.revoked.is_none());
        let valid = valid.map(|key| (key.id.clone(), key)).collect();
        Ok(Self { store, valid: Arc::new(RwLock::new(valid)) })
    }

    /// Whether a token has the form of a key rather than that of a signed token.
    pub(super) fn is_one(token: &str) -> bool {
        token.starts_with(PREFIX)
    }

    /// Whose key it is, if it is valid.
    pub(super) fn verify(&self, token: &str) -> Option<Caller> {
        let (id, secret) = token.strip_prefix(PREFIX)?.split_once('_')?;
        let valid = self.valid.read();
        let key = valid.get(id)?;
        let hash = digest::digest(&digest::SHA256, secret.as_bytes());
        let same = bool::from(hash.as_ref().ct_eq(&key.hash));
        same.then(|| Caller::Key { id: key.id.clone(), scope: key.scope })
    }

    /// Makes a key; it is stored once this returns.
    ///
    /// # Errors
    /// Those of [`KeyStore::add_key`]; [`StoreError::Unavailable`] where the system gives no randomness.
    pub async fn create(&self, name: &str, scope: Scope, now: Ts) -> Result<NewKey, StoreError> {
        let mut random = [0; ID_BYTES + SECRET_BYTES];
        getrandom::fill(&mut random).map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let (id, secret) = random.split_at(ID_BYTES);
        let text = |bytes| BASE32_NOPAD.encode(bytes).to_ascii_lowercase();
        let (id, secret) = (KeyId::parse(&text(id)).expect("16 letters and digits"), text(secret));
        let hash = digest::digest(&digest::SHA256, secret.as_bytes()).as_ref().try_into().expect("32 bytes");
        let key = StoredKey { id: id.clone(), name: name.into(), scope, hash, created: now, revoked: None };
        self.store.add_key(key.clone()).await?;
        self.valid.write().insert(id.clone(), key);
        Ok(NewKey { secret: format!("{PREFIX}{id}_{secret}"), id })
    }

    /// Every key, revoked ones too, the oldest first.
    ///
    /// # Errors
    /// Those of [`KeyStore::keys`].
    pub async fn list(&self) -> Result<Vec<StoredKey>, StoreError> {
        self.store.keys().await
    }

    /// Revokes a key, at once; whether there was such a key. The caller then ends its sessions.
    ///
    /// # Errors
    /// Those of [`KeyStore::revoke_key`]; the key is not taken any more nevertheless.
    pub async fn revoke(&self, id: &KeyId, now: Ts) -> Result<bool, StoreError> {
        self.valid.write().remove(id);
        self.store.revoke_key(id.clone(), now).await
    }
}
