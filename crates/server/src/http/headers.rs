use super::{Content, Reply};
use crate::request::RequestId;
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};

/// What a browser is told with every reply: to take it for what it says it is, to render and frame nothing of it, to keep no
/// copy, and to tell no other site its address, which names users.
const ALWAYS: [(HeaderName, HeaderValue); 4] = [
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
];

/// Adds what every reply carries that does not say it otherwise, as the files of the page do. The reply after which a connection is a WebSocket is none that a browser shows or keeps.
pub(super) fn secure(reply: &mut Reply) {
    if matches!(reply.body(), Content::WebSocket(_)) {
        return;
    }
    for (name, value) in ALWAYS {
        reply.headers_mut().entry(name).or_insert(value);
    }
}

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Adds the request's id, that of a WebSocket's handshake too.
pub(super) fn name(reply: &mut Reply, id: RequestId) {
    let id = HeaderValue::try_from(id.to_string()).expect("hexadecimal digits");
    reply.headers_mut().insert(X_REQUEST_ID, id);
}
