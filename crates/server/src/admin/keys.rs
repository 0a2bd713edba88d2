//! The API keys of a running server: `GET /keys` lists them, `POST /keys?scope=…&name=…` makes one, `POST
//! /keys/revoke?id=…` revokes one.

use super::{Answer, text};
use crate::{http::App, identity::NewKey};
use chinwag_model::{KeyId, Scope};
use chinwag_store::{StoreError, StoredKey};
use hyper::StatusCode;
use percent_encoding::percent_decode_str;
use std::fmt::Write as _;

const OPEN: &str = "the server is open and asks for no key; keys are for --auth token";

pub(super) async fn list(app: &App) -> Answer {
    let Some(keys) = app.api_keys() else { return text(StatusCode::CONFLICT, OPEN) };
    match keys.list().await {
        Ok(keys) => text(StatusCode::OK, write_keys(&keys)),
        Err(error) => failed(&error),
    }
}

pub(super) async fn create(query: &str, app: &App) -> Answer {
    let Some(keys) = app.api_keys() else { return text(StatusCode::CONFLICT, OPEN) };
    let Some(scope) = value(query, "scope").and_then(|name| Scope::from_name(&name)) else {
        return text(StatusCode::BAD_REQUEST, "scope must be read, act or admin");
    };
    let name = value(query, "name").unwrap_or_default();
    match keys.create(&name, scope, app.now()).await {
        Ok(NewKey { id, secret }) => {
            tracing::info!(%id, scope = scope.as_str(), "an API key was made");
            let mut made = text(StatusCode::OK, format!("{id} {secret}\n"));
            made.extensions_mut().insert(id);
            made
        }
        Err(error) => failed(&error),
    }
}

pub(super) async fn revoke(query: &str, app: &App) -> Answer {
    if app.api_keys().is_none() {
        return text(StatusCode::CONFLICT, OPEN);
    }
    let Some(id) = value(query, "id").and_then(|id| KeyId::parse(&id).ok()) else {
        return text(StatusCode::BAD_REQUEST, "id must be the id of a key");
    };
    match app.revoke_key(&id).await {
        Ok(true) => {
            tracing::info!(%id, "an API key was revoked");
            text(StatusCode::OK, "")
        }
        Ok(false) => {
            text(StatusCode::NOT_FOUND, format!("there is no key {id}; `chinwag key list` lists them"))
        }
        Err(error) => failed(&error),
    }
}

/// Keys as text, a line each: id, scope, when it was made and revoked, in microseconds, and its name.
pub fn write_keys(keys: &[StoredKey]) -> String {
    let mut text = String::new();
    for StoredKey { id, name, scope, created, revoked, .. } in keys {
        let revoked = revoked.map_or("-".into(), |ts| ts.0.to_string());
        writeln!(text, "{id} {} {} {revoked} {name}", scope.as_str(), created.0).expect("a string takes all");
    }
    text
}

pub(super) fn value(query: &str, name: &str) -> Option<String> {
    let value = query.split('&').filter_map(|pair| pair.split_once('=')).find(|(found, _)| *found == name)?.1;
    Some(percent_decode_str(value).decode_utf8_lossy().into_owned())
}

fn failed(error: &StoreError) -> Answer {
    text(StatusCode::INTERNAL_SERVER_ERROR, format!("the API keys: {error}"))
}
