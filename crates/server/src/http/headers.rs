use super::{Content, Reply};
use crate::request::RequestId;
use data_encoding::HEXLOWER;
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};
use std::time::Duration;

/// What a browser is told with every reply: to take it for what it says it is, to render and frame nothing of it, to keep no
/// copy, and to tell no other site its address, which names users.
const ALWAYS: [(HeaderName, HeaderValue); 4] = [
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
];

/// Adds what every reply carries that does not say it otherwise, as the files of the page do. The reply after which a
/// connection is a WebSocket is none that a browser shows or keeps.
///
/// `transport_security`: what [`transport_security`] made, where the reply goes through TLS.
pub(super) fn secure(reply: &mut Reply, transport_security: Option<&HeaderValue>) {
    if matches!(reply.body(), Content::WebSocket(_)) {
        return;
    }
    for (name, value) in ALWAYS {
        reply.headers_mut().entry(name).or_insert(value);
    }
    if let Some(value) = transport_security {
        reply.headers_mut().insert(STRICT_TRANSPORT_SECURITY, value.clone());
    }
}

/// What tells a browser to come to this host through TLS only, for a time (RFC 6797). It speaks of no other host.
pub(super) fn transport_security(max_age: Duration) -> HeaderValue {
    HeaderValue::try_from(format!("max-age={}", max_age.as_secs())).expect("it is ASCII")
}

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Adds the request's id, that of a WebSocket's handshake too.
pub(super) fn name(reply: &mut Reply, id: RequestId) {
    let mut digits = [0; 32];
    HEXLOWER.encode_mut(&id.0.to_be_bytes(), &mut digits);
    let id = HeaderValue::from_bytes(&digits).expect("hexadecimal digits");
    reply.headers_mut().insert(X_REQUEST_ID, id);
}
