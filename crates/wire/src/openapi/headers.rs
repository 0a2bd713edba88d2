//! Headers of requests and replies, whatever the verb.

use super::operations::{Kind, Parameter, parameter};
use chinwag_model::limits::RATE_WINDOW;
use serde_json::{Value, json};

/// Of every request.
pub(super) const TRACEPARENT: Parameter = parameter(
    "Traceparent",
    false,
    Kind::Opaque,
    "W3C Trace Context; the trace id of a good one names the request. A bad one refuses nothing.",
);

/// Of every reply.
const OF_ALL: [&str; 1] = ["X-Request-Id"];
/// Of every reply to a caller who has a quota.
const OF_QUOTAS: [&str; 2] = ["RateLimit-Policy", "RateLimit"];

/// What the replies refer to.
pub(super) fn all() -> Value {
    json!({
        "X-Request-Id": {
            "required": true,
            "description": "Names the request in the server's log: the trace id of its `Traceparent`, else a new one.",
            "schema": {"type": "string", "pattern": "^[0-9a-f]{32}$", "examples": ["4bf92f3577b34da6a3ce929d0e0e4736"]},
        },
        "RateLimit-Policy": {
            "required": false,
            "description": format!(
                "Where the caller has a quota of such requests: which, and how many `q` within `w` = {} seconds.",
                RATE_WINDOW.as_secs()
            ),
            "schema": {"type": "string", "examples": ["\"sends\";q=200;w=10"]},
        },
        "RateLimit": {
            "required": false,
            "description": "Where the caller has a quota: `r` requests may come now, and after `t` seconds the whole quota again.",
            "schema": {"type": "string", "examples": ["\"sends\";r=187;t=1"]},
        },
    })
}

/// Tells them of a response, beside those of its own.
pub(super) fn tell(response: &mut Value, has_quotas: bool) {
    let quotas: &[&str] = if has_quotas { &OF_QUOTAS } else { &[] };
    for name in OF_ALL.iter().chain(quotas) {
        response["headers"][*name] = json!({"$ref": format!("#/components/headers/{name}")});
    }
}
