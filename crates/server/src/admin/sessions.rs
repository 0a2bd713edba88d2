//! The sessions of a running server: `POST /sessions/end?user=…` ends those of a user.

use super::{Answer, keys::value, text};
use crate::http::App;
use chinwag_model::UserId;
use hyper::StatusCode;

pub(super) fn end(query: &str, app: &App) -> Answer {
    let name = value(query, "user").unwrap_or_default();
    match UserId::parse("user", &name) {
        Ok(user) => {
            let sessions = app.end_sessions(&user);
            tracing::info!(sessions, "an operator ended the sessions of a user");
            text(StatusCode::OK, format!("{sessions} sessions ended\n"))
        }
        Err(invalid) => text(StatusCode::BAD_REQUEST, invalid.to_string()),
    }
}
