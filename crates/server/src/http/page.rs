//! The page for people at `/`, the reference of the API at `/docs`, and what a client may know of the server before it has a token.
//!
//! The files of the pages and of the JavaScript client are a part of the executable, as they stand in `web/`; nothing
//! builds them. Each is kept by browsers and asked for again by its `ETag`, so that a newer server is seen at once.
//!
//! **Architecture invariant:** nothing here reads a disk, knows a user or depends on who asks.

use super::{Content, Options, Reply, reply::ok};
use bytes::Bytes;
use chinwag_wire::encode_about;
use hyper::{
    Response, StatusCode,
    header::{
        CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, IF_NONE_MATCH,
    },
    http::request::Parts,
};
use ring::digest::{SHA256, digest};
use std::{collections::HashMap, fmt::Write as _, sync::LazyLock};

macro_rules! files {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../web", $path)))),*]
    };
}

/// The pages, by the path of each.
const PAGES: [(&str, &[u8]); 2] = [
    ("/", include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../web/page/index.html"))),
    ("/docs", include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../web/reference/index.html"))),
];

/// Every other file that is served, by its path, which is its place in `web/` too.
const FILES: &[(&str, &[u8])] = files![
    "/page/app.js",
    "/page/blocks.js",
    "/page/composer.js",
    "/page/dom.js",
    "/page/emoji.js",
    "/page/history.js",
    "/page/icon.svg",
    "/page/inbox.js",
    "/page/inbox_view.js",
    "/page/kept.js",
    "/page/main.js",
    "/page/marks.js",
    "/page/names.js",
    "/page/notify.js",
    "/page/person.js",
    "/page/row.js",
    "/page/session.js",
    "/page/settings.js",
    "/page/signin.js",
    "/page/style/base.css",
    "/page/style/inbox.css",
    "/page/style/row.css",
    "/page/style/talk.css",
    "/page/talk.js",
    "/page/text.js",
    "/page/time.js",
    "/page/timeline.js",
    "/page/words.js",
    "/reference/reference.css",
    "/reference/reference.js",
    "/client/src/client.js",
    "/client/src/errors.js",
    "/client/src/http.js",
    "/client/src/index.js",
    "/client/src/leader.js",
    "/client/src/outbox.js",
    "/client/src/outbox_store.js",
    "/client/src/poll.js",
    "/client/src/retry.js",
    "/client/src/seen.js",
    "/client/src/socket.js",
    "/client/src/stream.js",
    "/client/src/subscription.js",
    "/client/src/token.js",
    "/client/src/types.js",
];

/// What the page may do: run, show and ask what comes from this server, and nothing else. No script or style stands inline,
/// no text becomes markup, and no other site frames it.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
     trusted-types 'none'",
);
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const SAME_ORIGIN: HeaderValue = HeaderValue::from_static("same-origin");
/// Kept, and never used without asking whether it is still the same.
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("no-cache");

struct File {
    bytes: &'static [u8],
    kind: HeaderValue,
    etag: HeaderValue,
}

static SERVED: LazyLock<HashMap<&'static str, File>> = LazyLock::new(|| {
    let pages = PAGES.iter().map(|&(path, bytes)| (path, File::new(bytes, "html")));
    let others = FILES.iter().map(|&(path, bytes)| {
        let ending = path.rsplit_once('.').map_or("", |(_, ending)| ending);
        (path, File::new(bytes, ending))
    });
    pages.chain(others).collect()
});

impl File {
    fn new(bytes: &'static [u8], ending: &str) -> Self {
        let kind = HeaderValue::from_static(match ending {
            "html" => "text/html; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            "svg" => "image/svg+xml",
            _ => "text/javascript; charset=utf-8",
        });
        let mut etag = String::from("\"");
        for byte in &digest(&SHA256, bytes).as_ref()[..16] {
            write!(etag, "{byte:02x}").expect("a string takes all");
        }
        etag.push('"');
        Self { bytes, kind, etag: HeaderValue::try_from(etag).expect("hexadecimal digits") }
    }
}

/// Whether a file is served at a path.
pub(super) fn is_at(path: &str) -> bool {
    SERVED.contains_key(path)
}

/// The file at the path of a request, or 304 where the client has it; `None` where there is none.
pub(super) fn file(head: &Parts) -> Option<Reply> {
    let file = SERVED.get(head.uri.path())?;
    let is_known = head.headers.get_all(IF_NONE_MATCH).iter().any(|known| has(known.as_bytes(), &file.etag));
    let bytes = if is_known { &[] } else { file.bytes };
    let mut reply = Response::new(Content::from(Bytes::from_static(bytes)));
    if is_known {
        *reply.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, file.kind.clone());
    headers.insert(ETAG, file.etag.clone());
    headers.insert(CACHE_CONTROL, ASK_AGAIN);
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(OPENER_POLICY, SAME_ORIGIN);
    headers.insert(RESOURCE_POLICY, SAME_ORIGIN);
    Some(reply)
}

/// Whether a list of `If-None-Match` has a tag, by the weak comparison of RFC 9110, section 13.1.2.
fn has(list: &[u8], etag: &HeaderValue) -> bool {
    list.split(|&byte| byte == b',')
        .map(<[u8]>::trim_ascii)
        .any(|listed| listed == b"*" || listed.strip_prefix(b"W/").unwrap_or(listed) == etag.as_bytes())
}

/// `GET /about`: whether the server asks for tokens, and the bounds that a client shows to people.
pub(super) fn about(is_open: bool, options: &Options) -> Reply {
    ok(encode_about(is_open, options.text_max_bytes, options.revise_window.as_secs()))
}
