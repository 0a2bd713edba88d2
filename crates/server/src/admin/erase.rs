//! `POST /erase?user=…`: erases a user, a step at a time; `count=true` only counts. It is asked until it is done.

use super::{Answer, keys::value, text};
use crate::http::App;
use chinwag_model::UserId;
use chinwag_wire::encode_erased;
use hyper::StatusCode;

pub(super) async fn answer(query: &str, app: &App) -> Answer {
    let name = value(query, "user").unwrap_or_default();
    let user = match UserId::parse("user", &name) {
        Ok(user) => user,
        Err(invalid) => return text(StatusCode::BAD_REQUEST, invalid.to_string()),
    };
    let only_count = value(query, "count").is_some_and(|count| count == "true");
    match app.erase(&user, only_count).await {
        Ok(erased) => {
            if erased.done && !only_count {
                tracing::info!("a user was erased");
            }
            text(StatusCode::OK, encode_erased(&user, &erased))
        }
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}
