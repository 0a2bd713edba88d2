//! Who may do what, and how long: a guarded server through its front door.

mod audit;
mod erase;
mod expiry;
mod keys;
mod observers;
mod rates;
mod table;
mod tickets;

use crate::server::{NOW, Server, Setup};
use chinwag::identity::{ApiKeys, Door, Expectations, KeySet, SigningKey};
use chinwag_model::{ManualClock, Scope};
use chinwag_store::{Store, memory::MemoryStore};
use serde_json::{Value, json};
use std::sync::Arc;

const SECRET: &[u8] = b"a secret of tests, of 32 bytes or more";
/// The test's moment in whole seconds.
const NOW_S: u64 = NOW.0 / 1_000_000;

/// A server that asks for tokens, and what a test does with it.
struct Guarded {
    server: Server,
    clock: Arc<ManualClock>,
    api_keys: ApiKeys,
}

impl Guarded {
    async fn start() -> Self {
        let clock = Arc::new(ManualClock::at(NOW));
        let keys = KeySet::open(Some(SECRET), None, None, clock.clone()).await.expect("a secret");
        Self::with(keys, clock).await
    }

    async fn with(keys: KeySet, clock: Arc<ManualClock>) -> Self {
        Self::on(keys, clock, chinwag::rates::Options::NONE, |store| store).await
    }

    /// The same on what is made of the store, whose API keys are those of the store itself.
    async fn on(
        keys: KeySet,
        clock: Arc<ManualClock>,
        rates: chinwag::rates::Options,
        make: impl FnOnce(Arc<MemoryStore>) -> Arc<dyn Store>,
    ) -> Self {
        let store = Arc::new(MemoryStore::new(clock.clone()));
        let api_keys = ApiKeys::open(store.clone()).await.expect("none yet");
        let expectations =
            Expectations { audience: Some("chat".into()), issuer: Some("https://host.example".into()) };
        let door = Door::guarded(keys, api_keys.clone(), expectations, clock.clone());
        let mut setup = Setup { clock: clock.clone(), door, ..Setup::on(make(store)) };
        setup.http.rates = rates;
        let server = setup.start().await;
        Self { server, clock, api_keys }
    }

    async fn key(&self, scope: Scope) -> String {
        self.api_keys.create("of a test", scope, NOW).await.expect("made").secret
    }
}

/// The claims of a good token, for ten minutes.
fn claims(sub: &str) -> Value {
    json!({"sub": sub, "exp": NOW_S + 600, "iat": NOW_S, "aud": ["chat", "other"], "iss": "https://host.example"})
}

/// The same with some changed; `null` takes one away.
fn claims_but(sub: &str, change: &Value) -> Value {
    let mut claims = claims(sub);
    for (name, value) in change.as_object().expect("an object") {
        claims[name] = value.clone();
    }
    claims
}

fn sign(claims: &Value) -> String {
    SigningKey::of_secret(SECRET).expect("long enough").sign(None, claims).expect("signed")
}

fn token(sub: &str) -> String {
    sign(&claims(sub))
}

/// The header that carries a token.
fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}")
}
