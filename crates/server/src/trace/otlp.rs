//! Spans as OTLP has them, in its JSON encoding: ids in hexadecimal, integers of 64 bits as texts.

use super::{Served, Span};
use serde_json::{Value, json};

/// `SPAN_KIND_SERVER`: what was asked for from outside.
const SERVER: u8 = 2;
/// `SPAN_KIND_INTERNAL`.
const INTERNAL: u8 = 1;
/// `STATUS_CODE_ERROR`.
const ERROR: u8 = 2;

/// An `ExportTraceServiceRequest`.
pub(super) fn encode(spans: &[Box<Span>]) -> Vec<u8> {
    let version = env!("CARGO_PKG_VERSION");
    let request = json!({"resourceSpans": [{
        "resource": {"attributes": [text("service.name", "chinwag"), text("service.version", version)]},
        "scopeSpans": [{
            "scope": {"name": "chinwag", "version": version},
            "spans": spans.iter().map(|span| one(span)).collect::<Vec<_>>(),
        }],
    }]});
    serde_json::to_vec(&request).expect("texts and numbers always serialize")
}

fn one(span: &Span) -> Value {
    let end_ns = u128::from(span.end.0) * 1_000;
    let start_ns = end_ns.saturating_sub(span.took.as_nanos());
    let mut value = json!({
        "traceId": span.trace.to_string(),
        "spanId": format!("{:016x}", span.id),
        "name": span.name,
        "kind": if span.served.is_some() { SERVER } else { INTERNAL },
        "startTimeUnixNano": start_ns.to_string(),
        "endTimeUnixNano": end_ns.to_string(),
    });
    if let Some(parent) = span.parent {
        value["parentSpanId"] = format!("{parent:016x}").into();
    }
    if let Some(Served { face, verb, status, code }) = span.served {
        let mut attributes = vec![
            text("chinwag.face", face.as_str()),
            text("chinwag.verb", verb.as_str()),
            json!({"key": "http.response.status_code", "value": {"intValue": status.to_string()}}),
        ];
        attributes.extend(code.map(|code| text("chinwag.code", code.as_str())));
        value["attributes"] = attributes.into();
        if status >= 500 {
            value["status"] = json!({"code": ERROR});
        }
    }
    value
}

fn text(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}
