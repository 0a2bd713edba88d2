//! The wire contract as an OpenAPI 3.1 document, made from the types and bounds that the server itself uses.
//!
//! Every status and code comes from [`ProblemCode`], every bound from `chinwag_model::limits`. That each route of the server
//! is here, and nothing else, and that replies keep to these schemas, is what the server's tests hold.

mod headers;
mod operations;
mod problems;
mod schemas;
mod verbs;

use crate::ProblemCode;
use operations::Operation;
use serde_json::{Map, Value, json};

/// The document. `version` is that of the program which serves it.
pub fn document(version: &str) -> Value {
    let mut paths = Map::new();
    for operation in verbs::OPERATIONS {
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        path[operation.method] = describe(operation);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Chinwag",
            "version": version,
            "summary": "An instant-messaging server that runs beside your application.",
            "description": DESCRIPTION,
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}, {}],
        "tags": operations::TAGS.map(|(name, description)| json!({"name": name, "description": description})),
        "paths": paths,
        "components": {
            "schemas": schemas::all(),
            "examples": problems::examples(),
            "headers": headers::all(),
            "responses": problems::everywhere(),
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A JSON Web Token that the application signs, or an API key of its back end. An open server asks for neither.",
                },
            },
        },
    })
}

const DESCRIPTION: &str = "Two users make a chat, `apple:banana`. A message is on the disk before its reply; each chat's \
messages are numbered 1, 2, 3, … with no gap.\n\nReplies may gain keys; none is renamed or taken away. Unknown keys in a \
request are ignored. `null` for an optional key is the same as leaving it out.\n\nEvery refusal is a problem document (RFC 9457). \
An error means that nothing was stored, but for `outcome_unknown`. Beside what is here are the files of the page (`/`, `/page/…`, `/client/…`). Any other path is 404 `no_such_path`, any other method 405 \
`method_not_allowed`.";

fn describe(operation: &Operation) -> Value {
    let mut responses = problems::responses(&operation.refusals(), operation.body.is_some());
    responses.extend(operation.reply.responses());
    for (_, response) in &mut responses {
        headers::tell(response, operation.is_guarded());
    }
    let mut described = json!({
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": operation.description,
        "responses": responses,
    });
    let parameters = operation.parameters();
    if !parameters.is_empty() {
        described["parameters"] = parameters.into();
    }
    if let Some(body) = operation.body {
        described["requestBody"] = json!({
            // A pull may come as a query string instead.
            "required": operation.query.is_empty(),
            "content": {"application/json": {"schema": schemas::reference(body)}},
        });
    }
    if !operation.is_guarded() {
        described["security"] = json!([]);
    }
    described
}

/// Where in the document a code is explained by an example, of a request that has a body or can have none.
fn example(code: ProblemCode, has_body: bool) -> Value {
    let name = match code {
        ProblemCode::Malformed if !has_body => problems::MALFORMED_QUERY,
        code => code.as_str(),
    };
    json!({"$ref": format!("#/components/examples/{name}")})
}
