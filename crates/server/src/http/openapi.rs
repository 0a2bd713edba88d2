//! The wire contract as a document that programs read.

use super::{Reply, reply::ok};
use bytes::Bytes;
use std::sync::LazyLock;

/// Made once: it is the same for every request.
static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| {
    let document = chinwag_wire::openapi(env!("CARGO_PKG_VERSION"));
    serde_json::to_vec(&document).expect("a value always serializes").into()
});

/// `GET /openapi.json`.
pub(super) fn document() -> Reply {
    ok(DOCUMENT.clone())
}
