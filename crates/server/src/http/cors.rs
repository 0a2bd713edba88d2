//! Which sites' pages may call this server, and read what it answers: the exact origins that the operator names.
//!
//! The protocol is CORS, as the [Fetch standard](https://fetch.spec.whatwg.org/#http-cors-protocol) has it. Credentials in
//! its sense, such as cookies, are never asked for: a token is set by the page itself, and so is one of the headers that a
//! preflight allows.

use super::{Content, Reply, reply::no_content};
use hyper::{
    Method,
    header::{
        ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
        ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, HeaderValue,
        ORIGIN, VARY,
    },
    http::request::Parts,
};

/// Headers of a request that a page may set.
const MAY_SET: HeaderValue =
    HeaderValue::from_static("Authorization, Content-Type, Idempotency-Key, Last-Event-ID, Traceparent");
/// Headers of a reply that a page may read, besides those that every page may.
const MAY_READ: HeaderValue =
    HeaderValue::from_static("Idempotent-Replayed, RateLimit, RateLimit-Policy, Retry-After, X-Request-Id");
/// How long a browser may keep the answer to a preflight, in seconds: the longest that the common ones take.
const MAX_AGE_S: HeaderValue = HeaderValue::from_static("7200");

/// The origins whose pages may call.
pub(super) struct Cors {
    origins: Vec<String>,
}

impl Cors {
    /// `origins`: as a browser names them.
    pub(super) fn new(origins: &[String]) -> Self {
        Self { origins: origins.to_vec() }
    }

    /// Whether pages of an origin may call.
    pub(super) fn permits(&self, origin: &[u8]) -> bool {
        self.origins.iter().any(|permitted| permitted.as_bytes() == origin)
    }

    /// Whether a browser asks, before a request, whether a page that may call may make it.
    pub(super) fn is_preflight(&self, head: &Parts) -> bool {
        head.method == Method::OPTIONS
            && head.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
            && self.permitted_origin(head).is_some()
    }

    /// Says in a reply that the page which asked may read it. The reply after which a connection is a WebSocket is read by
    /// no page.
    pub(super) fn open(&self, head: &Parts, reply: &mut Reply) {
        if self.origins.is_empty() || matches!(reply.body(), Content::WebSocket(_)) {
            return;
        }
        let headers = reply.headers_mut();
        headers.insert(VARY, HeaderValue::from_static("Origin"));
        if let Some(origin) = self.permitted_origin(head) {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, MAY_READ);
        }
    }

    /// The origin of a request, where it has one, and one that may call.
    fn permitted_origin<'a>(&self, head: &'a Parts) -> Option<&'a HeaderValue> {
        let mut origins = head.headers.get_all(ORIGIN).iter();
        let origin = origins.next().filter(|origin| self.permits(origin.as_bytes()))?;
        origins.next().is_none().then_some(origin)
    }
}

/// The answer to a preflight for a path that takes these methods.
///
/// A browser asks without the token. It hears no more than what the description of the API says of the path.
pub(super) fn preflight(methods: &'static str) -> Reply {
    let mut reply = no_content();
    let headers = reply.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(methods));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, MAY_SET);
    headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE_S);
    reply
}
