//! The keys that verify tokens: from files, read once, and from a key set, which its owner changes.

use super::{
    Unidentified,
    jwt::Parsed,
    verifier::{KeyError, Verifier},
};
use chinwag_model::Clock;
use parking_lot::Mutex;
use std::{io, path::PathBuf, sync::Arc, time::Duration};
use tokio::sync::MutexGuard;

/// The key set is not read again sooner than this, whatever tokens come.
const REFETCH_AFTER: Duration = Duration::from_secs(30);
/// A key set that is older is read again though all keys are known: one may have been taken off it.
const OLD_AFTER: Duration = Duration::from_hours(1);

/// Where a key set is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// An `http` or `https` URL.
    Url(String),
}

/// Why a key set can't be had.
#[derive(Debug, thiserror::Error)]
pub enum SetError {
    /// The file can't be read.
    #[error(transparent)]
    File(#[from] io::Error),
    /// The URL gave none.
    #[error("{0}")]
    Fetch(String),
    /// What was read is none.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// All keys that verify.
pub struct KeySet {
    /// From files that are read once.
    fixed: Vec<Arc<Verifier>>,
    source: Option<Source>,
    current: Mutex<Current>,
    /// Held by whoever reads the set again.
    reading: tokio::sync::Mutex<()>,
    clock: Arc<dyn Clock>,
}

#[derive(Default)]
struct Current {
    keys: Vec<Arc<Verifier>>,
    /// Counts the sets that differ.
    generation: u64,
    /// On the steady clock.
    asked: Duration,
}

impl KeySet {
    /// Reads the set that `source` names; `secret` and `pem` are what the files hold.
    ///
    /// # Errors
    /// [`SetError`] of the source. The others have been checked by [`KeySet::check_secret`] and [`KeySet::check_pem`] or are
    /// an error here.
    pub async fn open(
        secret: Option<&[u8]>,
        pem: Option<&str>,
        source: Option<Source>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SetError> {
        let mut fixed = Vec::new();
        if let Some(secret) = secret {
            fixed.push(Arc::new(Verifier::of_secret(secret)?));
        }
        if let Some(pem) = pem {
            fixed.push(Arc::new(Verifier::of_pem(pem)?));
        }
        let keys = match &source {
            Some(source) => read(source).await?,
            None => Vec::new(),
        };
        let current = Mutex::new(Current { keys, generation: 1, asked: clock.read().steady });
        Ok(Self { fixed, source, current, reading: tokio::sync::Mutex::default(), clock })
    }

    /// Whether that is a secret.
    ///
    /// # Errors
    /// [`KeyError::ShortSecret`].
    pub fn check_secret(secret: &[u8]) -> Result<(), KeyError> {
        Verifier::of_secret(secret).map(drop)
    }

    /// Whether that is a public key.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn check_pem(pem: &str) -> Result<(), KeyError> {
        Verifier::of_pem(pem).map(drop)
    }

    /// Reads a set again that is old. While one request waits for that, which may take long where the source hangs, the others
    /// go by what is known.
    pub(super) async fn keep_fresh(&self) {
        if self.source.is_none() || self.age() < OLD_AFTER {
            return;
        }
        if let Ok(reading) = self.reading.try_lock() {
            self.read_again(OLD_AFTER, reading).await;
        }
    }

    /// Changes whenever a key may have gone.
    pub(super) fn generation(&self) -> u64 {
        self.current.lock().generation
    }

    /// The key for a token, and the generation of the set that it is of. A token names its key by `kid`, or there is one key
    /// of its algorithm.
    pub(super) async fn find(&self, token: &Parsed<'_>) -> Result<(u64, Arc<Verifier>), Unidentified> {
        if let Some(found) = self.look_up(token) {
            return Ok(found);
        }
        self.read_again(REFETCH_AFTER, self.reading.lock().await).await;
        self.look_up(token).ok_or(Unidentified::Invalid("no key of this server's is of its alg and kid"))
    }

    fn look_up(&self, token: &Parsed<'_>) -> Option<(u64, Arc<Verifier>)> {
        let current = self.current.lock();
        let of_alg = |key: &&Arc<Verifier>| key.algorithm() == token.algorithm;
        let mut all = current.keys.iter().filter(of_alg);
        let of_set = if let Some(kid) = &token.kid {
            all.find(|key| key.kid.as_ref() == Some(kid))
        } else {
            all.next().filter(|_| all.next().is_none())
        };
        let key = of_set.or_else(|| self.fixed.iter().find(of_alg))?;
        Some((current.generation, key.clone()))
    }

    fn age(&self) -> Duration {
        self.clock.read().steady.saturating_sub(self.current.lock().asked)
    }

    /// Reads the set again, unless that was tried a moment ago. Where it can't be had, the old one stays.
    async fn read_again(&self, after: Duration, _reading: MutexGuard<'_, ()>) {
        let Some(source) = &self.source else { return };
        if self.age() < after {
            return;
        }
        let read = read(source).await;
        let mut current = self.current.lock();
        current.asked = self.clock.read().steady;
        match read {
            Ok(keys) => {
                current.keys = keys;
                current.generation += 1;
            }
            Err(error) => {
                tracing::warn!(%error, "the key set of auth_jwks can't be read again; the old one stays");
            }
        }
    }
}

async fn read(source: &Source) -> Result<Vec<Arc<Verifier>>, SetError> {
    let json = match source {
        Source::File(path) => {
            let path = path.clone();
            let read = tokio::task::spawn_blocking(move || std::fs::read(path)).await;
            read.unwrap_or_else(|error| Err(io::Error::other(error)))?
        }
        Source::Url(url) => crate::fetch::get(url).await.map_err(SetError::Fetch)?,
    };
    Ok(Verifier::of_key_set(&json)?.into_iter().map(Arc::new).collect())
}
