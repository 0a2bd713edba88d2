//! The page at `/`: its files, how they may be kept, and what they may do.

use crate::{
    server::Setup,
    wire::{get, request},
};
use serde_json::json;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// Every file under a folder of `web/`, as the path at which it is served.
fn files(folder: &str) -> BTreeSet<String> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).expect("the folder is there") {
            let path = entry.expect("an entry").path();
            if path.is_dir() { walk(&path, found) } else { found.push(path) }
        }
    }
    let web = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web");
    let mut found = Vec::new();
    walk(&web.join(folder), &mut found);
    let served = |path: PathBuf| format!("/{}", path.strip_prefix(&web).expect("within").display());
    found
        .into_iter()
        .map(served)
        .filter(|path| Path::new(path).extension().is_some_and(|ending| ending != "json"))
        .collect()
}

#[tokio::test]
async fn every_file_is_served_as_it_is_with_a_policy_of_its_own() {
    let server = Setup::memory().start().await;
    let all: BTreeSet<_> = ["page", "reference", "client/src"].into_iter().flat_map(files).collect();
    assert!(all.len() > 30, "{all:?}");
    for path in all {
        let on_disk = fs::read(format!("{}/../../web{path}", env!("CARGO_MANIFEST_DIR"))).expect("a file");
        let at = match &*path {
            "/page/index.html" => "/",
            "/reference/index.html" => "/docs",
            path => path,
        };
        let reply = server.ask(get(at)).await;
        assert_eq!((reply.status, &reply.body), (200, &on_disk), "{path}");
        let kind = match path.rsplit_once('.').expect("an ending").1 {
            "html" => "text/html; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            "js" => "text/javascript; charset=utf-8",
            "svg" => "image/svg+xml",
            other => panic!("what is {other}?"),
        };
        assert_eq!(reply.header("content-type"), Some(kind), "{path}");
        if kind.starts_with("text/html") {
            // A proxy may serve it all under a path of its own.
            let text = String::from_utf8(on_disk).expect("UTF-8");
            assert!(!text.contains("=\"/"), "{path} names a file from the root");
        }
        let policy = reply.header("content-security-policy").expect("a policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'; "), "{policy}");
        for never in ["unsafe", "http:", "https:", "data:", "*"] {
            assert!(!policy.contains(never), "{never} in {policy}");
        }
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(reply.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(reply.header("cache-control"), Some("no-cache"));
    }
    server.stop().await;
}

#[tokio::test]
async fn a_file_is_asked_for_again_by_its_tag() {
    let server = Setup::memory().start().await;
    let whole = server.ask(get("/")).await;
    let tag = whole.header("etag").expect("a tag").to_owned();
    for list in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".into()] {
        let reply = server.ask(request("GET /", &[&format!("If-None-Match: {list}")], "")).await;
        assert_eq!((reply.status, reply.body.len()), (304, 0), "{list}");
        assert_eq!(reply.header("etag"), Some(&*tag));
        assert_eq!(reply.header("content-security-policy"), whole.header("content-security-policy"));
    }
    for list in ["\"other\"", "", "other"] {
        let reply = server.ask(request("GET /", &[&format!("If-None-Match: {list}")], "")).await;
        assert_eq!(reply.status, 200, "{list}");
    }
    let other = server.ask(get("/page/main.js")).await;
    assert_ne!(other.header("etag"), Some(&*tag));
    server.stop().await;
}

#[tokio::test]
async fn only_what_is_a_file_is_there_and_only_to_be_read() {
    let server = Setup::memory().start().await;
    for path in [
        "/page",
        "/page/",
        "/page/index.html",
        "/page/tsconfig.json",
        "/page/../page/main.js",
        "/client/package.json",
    ] {
        server.ask(get(path)).await.refused(404, "no_such_path", "");
    }
    for path in ["/", "/page/main.js", "/about"] {
        let reply = server.ask(request(&format!("POST {path}"), &[], "")).await;
        assert_eq!((reply.status, reply.header("allow")), (405, Some("GET, HEAD")), "{path}");
        let mut connection = server.connect().await;
        connection.write(request(&format!("HEAD {path}"), &[], "")).await;
        let head = connection.head().await;
        assert_eq!(head.status, 200, "{path}");
        let length = server.ask(get(path)).await.body.len();
        assert_eq!(head.header("content-length"), Some(&*length.to_string()), "{path}");
    }
    let foreign = server.ask(request("GET /", &["Host: evil.example"], "")).await;
    assert_eq!(foreign.status, 403, "another host's name is no way in");
    server.stop().await;
}

#[tokio::test]
async fn whoever_comes_learns_what_is_asked_for() {
    let mut setup = Setup::memory();
    setup.http.text_max_bytes = 99;
    setup.http.revise_window = Duration::from_hours(24);
    let server = setup.start().await;
    let about = server.ask(get("/about")).await.ok();
    assert_eq!(about, json!({"auth": "open", "text_max_bytes": 99, "revise_window_s": 86_400}));
    server.stop().await;
}
