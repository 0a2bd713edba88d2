//! The settings of `auth`, read and checked; each error names its setting.

use super::CliError;
use crate::{
    config::{Auth, Settings},
    identity::{ApiKeys, Door, Expectations, KeySet, SetError, Source},
    lifecycle::SUPERVISOR_VARIABLE,
};
use chinwag_model::Clock;
use chinwag_store::KeyStore;
use std::{env, fs, path::Path, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep};

/// So long a start under a supervisor tries to reach the URL of a key set: what serves it may be starting too. A supervisor
/// counts how often a start fails, and gives up.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long it waits before it tries again.
const TRY_AGAIN: Duration = Duration::from_secs(2);

/// What `auth = "token"` needs before the store is open.
pub(super) struct Keys {
    keys: KeySet,
    expectations: Expectations,
}

/// Reads the keys that the settings name; `None` in an open server.
pub(super) async fn read(settings: &Settings, clock: Arc<dyn Clock>) -> Result<Option<Keys>, CliError> {
    let Auth { is_open, secret_file, key_file, jwks, audience, issuer } = &settings.auth;
    if *is_open {
        return Ok(None);
    }
    if secret_file.is_none() && key_file.is_none() && jwks.is_none() {
        return Err(CliError::Usage(
            "auth: \"token\" needs a key that verifies tokens: set auth_secret_file, auth_key_file or auth_jwks".into(),
        ));
    }
    let wrong =
        |key: &str, path: &str, why: &dyn std::fmt::Display| CliError::Usage(format!("{key}: {path}: {why}"));
    let secret = secret_file.as_deref().map(|path| secret(path).map(|secret| (path, secret))).transpose()?;
    if let Some((path, secret)) = &secret {
        KeySet::check_secret(secret).map_err(|error| wrong("auth_secret_file", path, &error))?;
    }
    let pem = match key_file.as_deref() {
        Some(path) => {
            let pem = fs::read_to_string(path).map_err(|error| wrong("auth_key_file", path, &error))?;
            KeySet::check_pem(&pem).map_err(|error| wrong("auth_key_file", path, &error))?;
            Some(pem)
        }
        None => None,
    };
    let is_url = |place: &str| place.starts_with("http://") || place.starts_with("https://");
    let source = jwks.as_deref().map(|place| {
        if is_url(place) { Source::Url(place.to_owned()) } else { Source::File(Path::new(place).to_owned()) }
    });
    let secret = secret.as_ref().map(|(_, secret)| secret.as_slice());
    let patience = if env::var_os(SUPERVISOR_VARIABLE).is_some() { PATIENCE } else { Duration::ZERO };
    let until = Instant::now() + patience;
    let keys = loop {
        match KeySet::open(secret, pem.as_deref(), source.clone(), clock.clone()).await {
            Err(error @ SetError::Fetch(_)) if Instant::now() < until => {
                tracing::warn!(%error, "the key set of auth_jwks can't be had yet; trying again");
                sleep(TRY_AGAIN).await;
            }
            opened => break opened,
        }
    };
    let keys = keys.map_err(|error| wrong("auth_jwks", jwks.as_deref().unwrap_or_default(), &error))?;
    let expectations = Expectations { audience: audience.clone(), issuer: issuer.clone() };
    Ok(Some(Keys { keys, expectations }))
}

/// The bytes of the file `auth_secret_file`, without the end of its last line.
pub(super) fn secret(path: &str) -> Result<Vec<u8>, CliError> {
    let mut secret =
        fs::read(path).map_err(|error| CliError::Usage(format!("auth_secret_file: {path}: {error}")))?;
    while secret.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
        secret.pop();
    }
    Ok(secret)
}

/// The door, with the API keys of a store.
pub(super) async fn hang(
    keys: Option<Keys>,
    store: Arc<dyn KeyStore>,
    clock: Arc<dyn Clock>,
) -> Result<Door, CliError> {
    let Some(Keys { keys, expectations }) = keys else { return Ok(Door::OPEN) };
    let api_keys = ApiKeys::open(store)
        .await
        .map_err(|error| CliError::Usage(format!("the API keys can't be read: {error}")))?;
    Ok(Door::guarded(keys, api_keys, expectations, clock))
}
