//! What a request hears whose handler met a defect of its own.

use super::reply::Refusal;
use hyper::http::request::Parts;
use std::any::Any;

/// A send or a mark that panicked may have reached the store.
pub(super) fn after_panic(head: &Parts, panic: &(dyn Any + Send)) -> Refusal {
    let path = head.uri.path();
    tracing::error!(method = %head.method, path, why = why_panicked(panic), "a handler panicked");
    Refusal::after_panic(changes(path))
}

/// Whether a request at a path may change what is stored, so that its outcome matters.
pub(super) fn changes(path: &str) -> bool {
    matches!(
        path,
        "/api/send"
            | "/api/read"
            | "/api/delivered"
            | "/api/edit"
            | "/api/unsend"
            | "/api/react"
            | "/api/block"
            | "/api/unblock"
            | "/api/erase"
    )
}

/// What a panic said.
pub(crate) fn why_panicked(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}
