//! What every reply carries, whatever it says.

use crate::{
    server::Setup,
    stream::Stream,
    wire::{Reply, get, hello, post, request},
};

#[track_caller]
fn assert_secure(reply: &Reply) {
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-store"),
        ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ] {
        assert_eq!(reply.header(name), Some(value), "{name}: {reply:?}");
    }
}

#[tokio::test]
async fn every_reply_tells_a_browser_to_render_and_keep_nothing() {
    let server = Setup::memory().start().await;
    for bytes in [
        post("/api/send", hello("x")),
        get("/api/pull?chat=apple:banana"),
        get("/api/poll?user=apple&timeout=0"),
        get("/ping"),
        get("/nowhere"),
        post("/api/send", "{"),
        request("GET /api/ws?user=apple", &[], ""),
        request("GET /ping", &["Origin: https://evil.example"], ""),
        request("PUT /api/send", &[], ""),
    ] {
        assert_secure(&server.ask(bytes).await);
    }
    let stream = Stream::open(&server, "user=apple", &[]).await;
    assert_secure(&stream.reply);
    drop(stream);
    server.stop().await;
}
