//! The OpenAPI document: that it is the one which is committed, and tells of each route, and of no other.

use crate::{
    server::Setup,
    wire::{JSON, Reply, get, hello, post, request},
};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

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

/// Headers of HTTP itself and of what a browser may do with a reply, which docs/API.md tells once for all.
const COMMON: [&str; 8] = [
    "cache-control",
    "connection",
    "content-length",
    "content-security-policy",
    "content-type",
    "date",
    "referrer-policy",
    "x-content-type-options",
];

/// Checks that a reply has every header that the document promises of it, and none that it does not tell.
#[track_caller]
pub(crate) fn check_headers(document: &Value, method: &str, path: &str, reply: &Reply) {
    let method = method.to_ascii_lowercase();
    let told = &document["paths"][path][&method]["responses"][reply.status.to_string()];
    assert!(told.is_object(), "{method} {path}: {} is not in the document", reply.status);
    let told: BTreeMap<_, _> = told["headers"]
        .as_object()
        .expect("headers")
        .iter()
        .map(|(name, header)| {
            let resolved = header["$ref"].as_str().and_then(|place| document.pointer(&place[1..]));
            (name.to_ascii_lowercase(), resolved.unwrap_or(header)["required"] == true)
        })
        .collect();
    let given: BTreeSet<_> = reply
        .head
        .lines()
        .skip(1)
        .filter_map(|line| Some(line.split_once(':')?.0.to_ascii_lowercase()))
        .collect();
    for name in given.iter().filter(|name| !COMMON.contains(&name.as_str())) {
        assert!(
            told.contains_key(name),
            "{method} {path}: {name} of {} is not in the document",
            reply.status
        );
    }
    for (name, _) in told.iter().filter(|(_, required)| **required) {
        assert!(given.contains(name), "{method} {path}: {} has no {name}", reply.status);
    }
}

#[tokio::test]
async fn every_header_of_a_reply_is_in_the_document_and_every_promised_one_is_there() {
    let server = Setup::memory().start().await;
    let document = served().await;
    for (path, operations) in document["paths"].as_object().expect("paths") {
        for method in operations.as_object().expect("operations").keys() {
            let method = method.to_uppercase();
            let line = format!("{method} {path}");
            check_headers(&document, &method, path, &server.ask(request(&line, &[], "")).await);
            if method == "POST" {
                check_headers(&document, &method, path, &server.ask(request(&line, &[JSON], "{}")).await);
            }
        }
    }
    let mut send: Value = serde_json::from_str(&hello("x")).expect("JSON");
    send["key"] = "k".into();
    for replayed in [None, Some("true")] {
        let reply = server.ask(post("/api/send", send.to_string())).await;
        assert_eq!((reply.status, reply.header("idempotent-replayed")), (200, replayed));
        check_headers(&document, "POST", "/api/send", &reply);
    }
    let reply = server.ask(get("/api/ws?user=apple")).await;
    assert_eq!(reply.status, 426);
    check_headers(&document, "GET", "/api/ws", &reply);
    for request in [get("/no/such/path"), request("PATCH /ping", &[], "")] {
        let reply = server.ask(request).await;
        let code = reply.json()["code"].as_str().expect("a code").to_owned();
        let names: Vec<_> = document["components"]["responses"][&code]["headers"]
            .as_object()
            .expect("headers")
            .keys()
            .collect();
        assert!(names.iter().all(|name| reply.header(name).is_some()), "{code}: {names:?} {}", reply.head);
    }
    server.stop().await;
}

/// Every operation takes the headers that the server looks at.
#[tokio::test]
async fn the_headers_of_requests_are_in_the_document() {
    let document = served().await;
    let takes = |path: &str, method: &str, name: &str| {
        let parameters = document["paths"][path][method]["parameters"].as_array().expect("parameters");
        parameters.iter().any(|one| one["in"] == "header" && one["name"] == name)
    };
    for (path, operations) in document["paths"].as_object().expect("paths") {
        for method in operations.as_object().expect("operations").keys() {
            assert!(takes(path, method, "Traceparent"), "{method} {path}");
        }
    }
    assert!(takes("/api/send", "post", "Idempotency-Key"));
    assert!(takes("/api/events", "get", "Last-Event-ID"));
}

fn is_path(text: &str) -> bool {
    let name = |char: char| char.is_ascii_lowercase() || "/.-_".contains(char);
    text.strip_prefix('/').is_some_and(|rest| rest.starts_with(|char: char| char.is_ascii_lowercase()))
        && text.chars().all(name)
        && !text.starts_with("/bench/")
        && !text.ends_with('/')
}
