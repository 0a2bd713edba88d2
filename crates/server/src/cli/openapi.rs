//! `chinwag openapi`: the wire contract as an OpenAPI document, as `GET /openapi.json` serves it.

use super::{CliError, Output};

/// Prints it, for people to read and for `docs/openapi.json`.
pub(super) fn run() -> Result<(), CliError> {
    let document = chinwag_wire::openapi(env!("CARGO_PKG_VERSION"));
    let mut json = serde_json::to_string_pretty(&document).expect("a value always serializes");
    json.push('\n');
    Output::new().bytes(json.as_bytes())
}
