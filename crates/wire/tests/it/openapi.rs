//! The OpenAPI document by itself: that it is whole, and breaks nothing that the last release promised.

mod breaks;

use chinwag_wire::{ProblemCode, openapi};
use serde_json::Value;
use std::{fs, path::Path};

/// Calls `look` with every value in it.
fn walk<'a>(value: &'a Value, look: &mut impl FnMut(&'a Value)) {
    look(value);
    match value {
        Value::Array(items) => items.iter().for_each(|item| walk(item, look)),
        Value::Object(fields) => fields.values().for_each(|field| walk(field, look)),
        _ => {}
    }
}

#[test]
fn every_reference_leads_somewhere() {
    let document = openapi("1.2.3");
    let mut references = 0;
    walk(&document, &mut |value| {
        if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
            references += 1;
            let pointer = reference.strip_prefix('#').expect("a reference within the document");
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
    });
    assert!(references > 100, "{references}");
    assert_eq!(document["info"]["version"], "1.2.3");
}

#[test]
fn every_code_is_told_by_some_response_with_an_example_of_it() {
    let document = openapi("0");
    let mut told = Vec::new();
    walk(&document, &mut |value| {
        let Some(codes) = value.pointer("/schema/properties/code/enum") else { return };
        for code in codes.as_array().expect("codes") {
            assert!(value["examples"].get(code.as_str().expect("a code")).is_some(), "{code}");
            told.push(code.as_str().expect("a code"));
        }
    });
    for code in ProblemCode::ALL {
        assert!(told.contains(&code.as_str()), "{code:?} is in no response");
        let example = &document["components"]["examples"][code.as_str()]["value"];
        assert_eq!((&example["code"], &example["status"]), (&code.as_str().into(), &code.status().into()));
        assert!(example["detail"].as_str().is_some_and(|detail| !detail.is_empty()));
    }
}

/// Where a request can have no body, what can't be read is its query string.
#[test]
fn what_can_not_be_read_is_named_as_what_the_request_has() {
    let document = openapi("0");
    let (mut bodies, mut queries) = (0, 0);
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            let examples = &operation["responses"]["400"]["content"]["application/problem+json"]["examples"];
            let Some(example) = examples["malformed_json"]["$ref"].as_str() else { continue };
            let problem = &document.pointer(&example[1..]).expect("an example")["value"];
            let has_body = operation.get("requestBody").is_some();
            let field = if has_body { "body" } else { "query" };
            assert_eq!(
                (&problem["field"], &problem["code"]),
                (&field.into(), &"malformed_json".into()),
                "{method} {path}"
            );
            assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(field)), "{problem}");
            *if has_body { &mut bodies } else { &mut queries } += 1;
        }
    }
    assert!(bodies > 5 && queries > 3, "{bodies} {queries}");
}

#[test]
fn nothing_is_broken_that_the_last_release_promised() {
    let released = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi/released.json");
    let released = fs::read_to_string(released).expect("the document of the last release");
    let released = serde_json::from_str(&released).expect("JSON");
    assert_eq!(breaks::between(&released, &openapi("0")), Vec::<String>::new());
}
