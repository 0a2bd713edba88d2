//! Tokens and keys that the clients show.

use crate::identity::SigningKey;
use chinwag_model::Clock;
use chinwag_torture::history::By;
use serde_json::json;
use std::sync::Arc;

/// One who is in no chat.
pub(super) const STRANGER: &str = "mallory";

/// What a server that asks for tokens takes.
pub struct Gate {
    /// Signs the users' tokens.
    pub signer: SigningKey,
    /// The wall clock, by which they end.
    pub clock: Arc<dyn Clock>,
    /// A key that may act for any user.
    pub lasting: ApiKey,
    /// Another, which is revoked on the way.
    pub doomed: ApiKey,
}

/// An API key.
#[derive(Debug, Clone)]
pub struct ApiKey {
    /// Its id.
    pub id: String,
    /// What is shown.
    pub secret: String,
}

impl ApiKey {
    pub(super) fn shown(&self) -> (By, Option<String>) {
        (By::Key { id: self.id.clone() }, Some(self.secret.clone()))
    }
}

impl Gate {
    /// A user's token for so many seconds from now, which is `moment` on the clients' clock; less than none: it has ended.
    pub(super) fn token(&self, user: &str, seconds: i64, moment: u64) -> (By, Option<String>) {
        let now_us = self.clock.read().wall.0;
        let end_s = (now_us / 1_000_000).saturating_add_signed(seconds);
        let until = (moment + end_s * 1_000_000).saturating_sub(now_us);
        let claims = json!({ "sub": user, "exp": end_s });
        let token = self.signer.sign(None, &claims).expect("a secret signs");
        (By::User { name: user.to_owned(), until: if seconds < 0 { 0 } else { until } }, Some(token))
    }
}
