//! The OpenAPI document: that it is the one which is committed, and tells of each route, and of no other.

use crate::{
    server::Setup,
    wire::{get, request},
};
use serde_json::Value;
use std::{collections::BTreeSet, fs, path::Path};

/// The document, as the server serves it.
async fn served() -> Value {
    let server = Setup::memory().start().await;
    let reply = server.ask(get("/openapi.json")).await;
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/json")));
    server.stop().await;
    serde_json::from_slice(&reply.body).expect("JSON")
}

#[tokio::test]
async fn the_committed_document_is_the_one_that_is_served() {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi/openapi.json");
    let committed = fs::read_to_string(committed).expect("the committed document");
    assert!(
        serde_json::from_str::<Value>(&committed).expect("JSON") == served().await,
        "chinwag openapi > docs/openapi/openapi.json makes it anew"
    );
}

#[tokio::test]
async fn each_path_takes_the_methods_that_the_document_has_and_no_other() {
    let server = Setup::memory().start().await;
    for (path, operations) in served().await["paths"].as_object().expect("paths") {
        let mut told: BTreeSet<_> =
            operations.as_object().expect("operations").keys().map(|method| method.to_uppercase()).collect();
        let reply = server.ask(request(&format!("PATCH {path}"), &[], "")).await;
        let allowed: BTreeSet<_> =
            reply.header("allow").expect("the path's methods").split(", ").map(str::to_owned).collect();
        if allowed.contains("HEAD") {
            told.insert("HEAD".into());
        }
        assert_eq!((reply.status, allowed), (405, told), "{path}");
    }
    server.stop().await;
}

/// Every path that the routes name in the code is in the document, but for those that only a benchmark opens.
#[tokio::test]
async fn each_path_of_the_code_is_in_the_document() {
    let code = include_str!("../../src/http/mod.rs");
    let document = served().await;
    let named: BTreeSet<_> = code.split('"').filter(|text| is_path(text)).collect();
    assert!(named.len() > 15, "the paths were not found in the code: {named:?}");
    for path in named {
        assert!(document["paths"].get(path).is_some(), "{path} is not in the document");
    }
}

fn is_path(text: &str) -> bool {
    let name = |char: char| char.is_ascii_lowercase() || "/.-_".contains(char);
    text.strip_prefix('/').is_some_and(|rest| rest.starts_with(|char: char| char.is_ascii_lowercase()))
        && text.chars().all(name)
        && !text.starts_with("/bench/")
        && !text.ends_with('/')
}
