//! Who makes a request: tokens that the host application signs, its API keys, and tickets for what can't set a header.
//!
//! Reading order: `jwt` (one token), `verifier` (one key that verifies), `key_set` (all of them, and their rotation),
//! `api_keys`, `tickets`, and here [`Door`], which every face asks.
//!
//! **Architecture invariant:** this room knows no verb and decides nothing about what a caller may do; it takes the text of
//! a token and the time, and no secret leaves it, neither in an error nor in a log.

mod api_keys;
mod jwt;
mod key_set;
mod tickets;
mod verifier;

pub use api_keys::{ApiKeys, NewKey};
pub use jwt::{Expectations, SigningKey};
pub use key_set::{KeySet, SetError, Source};
pub use verifier::KeyError;

use crate::hub::Identity;
use chinwag_model::{Clock, Ts};
use quick_cache::sync::Cache;
use ring::digest::{SHA256, digest};
use std::{sync::Arc, time::Duration};
use tickets::Tickets;

/// How far the clock of whoever signs may be off.
pub const LEEWAY: Duration = Duration::from_mins(1);
/// Verified tokens that are remembered, so that the signature of each is verified once.
const VERIFIED_MAX_TOKENS: usize = 10_000;
/// Longest token that is looked at, in bytes.
const TOKEN_MAX_BYTES: usize = 8 * 1024;

/// Why it is not known who makes a request. The words may go to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unidentified {
    /// Nothing was said.
    #[error("the header Authorization: Bearer must carry a token or an API key")]
    Missing,
    /// The header is there and is no `Bearer`, or stands twice.
    #[error("the header Authorization must stand once and say Bearer and a token")]
    NotBearer,
    /// The token is none that is taken: its form, signature, key, issuer or audience.
    #[error("the token is not valid: {0}")]
    Invalid(&'static str),
    /// Its time is over.
    #[error("the token has expired; get a new one")]
    Expired,
    /// Its `sub` is no user name.
    #[error(
        "the token's sub must be a user name: 1 to 128 bytes of UTF-8 without a colon or control characters"
    )]
    BadSubject,
}

/// What finds out who makes a request. Clones share it.
#[derive(Clone)]
pub struct Door(Option<Arc<Guard>>);

struct Guard {
    keys: KeySet,
    api_keys: ApiKeys,
    tickets: Tickets,
    expectations: Expectations,
    clock: Arc<dyn Clock>,
    /// By the digest of a token: who it is, and the generation of the key set that verified it.
    verified: Cache<[u8; 32], (jwt::Claims, u64)>,
}

impl Door {
    /// Everyone may come in.
    pub const OPEN: Self = Self(None);

    /// Only who is known may.
    pub fn guarded(
        keys: KeySet,
        api_keys: ApiKeys,
        expectations: Expectations,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self(Some(Arc::new(Guard {
            keys,
            api_keys,
            tickets: Tickets::default(),
            expectations,
            clock,
            verified: Cache::new(VERIFIED_MAX_TOKENS),
        })))
    }

    /// Whether everyone may come in.
    pub fn is_open(&self) -> bool {
        self.0.is_none()
    }

    /// Who a token or an API key belongs to.
    ///
    /// # Errors
    /// [`Unidentified`].
    pub async fn identify(&self, token: Option<&str>) -> Result<Identity, Unidentified> {
        let Some(guard) = &self.0 else { return Ok(Identity::ANYONE) };
        guard.identify(token.ok_or(Unidentified::Missing)?).await
    }

    /// Gives a ticket for one who is known; and when it ends.
    ///
    /// # Errors
    /// The system's, where it gives no randomness.
    pub fn give_ticket(&self, identity: Identity) -> Result<Option<(String, Ts)>, getrandom::Error> {
        let Some(guard) = &self.0 else { return Ok(None) };
        guard.tickets.give(identity, guard.clock.read().wall).map(Some)
    }

    /// Who a ticket was given to. It is of no use after that.
    ///
    /// # Errors
    /// [`Unidentified::Invalid`] for one that was used, has ended or never was.
    pub fn take_ticket(&self, ticket: &str) -> Result<Identity, Unidentified> {
        let Some(guard) = &self.0 else { return Ok(Identity::ANYONE) };
        let now = guard.clock.read().wall;
        let identity = guard.tickets.take(ticket, now);
        let identity = identity.ok_or(Unidentified::Invalid("the ticket was used, or its time is over"))?;
        if identity.until.is_some_and(|until| until <= now) {
            Err(Unidentified::Expired)
        } else {
            Ok(identity)
        }
    }

    /// The API keys, to be made, listed and revoked; `None` in an open server.
    pub fn api_keys(&self) -> Option<&ApiKeys> {
        self.0.as_ref().map(|guard| &guard.api_keys)
    }
}

impl Guard {
    async fn identify(&self, token: &str) -> Result<Identity, Unidentified> {
        if token.len() > TOKEN_MAX_BYTES {
            return Err(Unidentified::Invalid("it is too long"));
        }
        if ApiKeys::is_one(token) {
            let caller = self.api_keys.verify(token).ok_or(Unidentified::Invalid("no such API key"))?;
            return Ok(Identity { caller, until: None });
        }
        let now = self.clock.read().wall;
        let digest: [u8; 32] = digest(&SHA256, token.as_bytes()).as_ref().try_into().expect("32 bytes");
        self.keys.keep_fresh().await;
        if let Some((claims, generation)) = self.verified.get(&digest)
            && generation == self.keys.generation()
        {
            return claims.identity(now);
        }
        let parsed = jwt::Parsed::read(token)?;
        let (set, verifier) = self.keys.find(&parsed).await?;
        verifier.verify(parsed.signed, &parsed.signature)?;
        let claims = parsed.claims(&self.expectations)?;
        let identity = claims.identity(now)?;
        self.verified.insert(digest, (claims, set));
        Ok(identity)
    }
}
