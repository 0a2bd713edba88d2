//! What is spoken first: versions, protocols, and what is no TLS.

use super::Certificate;
use crate::{
    server::Setup,
    wire::{get, hello, post, within},
};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::rustls::{
    ProtocolVersion,
    version::{TLS12, TLS13},
};

const SHORT: Duration = Duration::from_millis(50);

#[tokio::test]
async fn both_versions_and_what_is_spoken_within() {
    let certificate = Certificate::new();
    let server = Setup::memory().with(&certificate).start().await;
    for (versions, version) in [([&TLS12], ProtocolVersion::TLSv1_2), ([&TLS13], ProtocolVersion::TLSv1_3)] {
        for protocols in [&[][..], &["http/1.1"], &["http/1.0", "http/1.1"]] {
            let mut tunnel =
                certificate.connect_with(&server, &versions, protocols).await.expect("a handshake");
            assert_eq!(tunnel.stream.get_ref().1.protocol_version(), Some(version));
            tunnel.ask(get("/ping")).await.ok();
            tunnel.ask(post("/api/send", hello("through TLS"))).await.ok();
        }
        let tunnel = certificate.connect_with(&server, &versions, &["http/1.1", "h2"]).await.expect("h2");
        assert_eq!(tunnel.stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let none = certificate.connect_with(&server, &versions, &["spdy/3"]).await;
        assert!(none.is_err(), "nothing that both speak");
    }
    server.stop().await;
}

#[tokio::test]
async fn browsers_are_told_to_stay_with_tls_where_it_is_spoken() {
    let certificate = Certificate::new();
    let mut setup = Setup::memory().with(&certificate);
    setup.http.hsts_max_age = Some(Duration::from_hours(24));
    let server = setup.start().await;
    let mut tunnel = certificate.connect(&server).await;
    for path in ["/ping", "/api/pull?chat=apple:banana", "/nowhere"] {
        let reply = tunnel.ask(get(path)).await;
        assert_eq!(reply.header("strict-transport-security"), Some("max-age=86400"), "{path}");
    }
    // It is no secret that a page could read, and a reply without TLS must not carry it (RFC 6797, section 7.2).
    let plain = server.ask(get("/ping")).await;
    assert_eq!(plain.header("strict-transport-security"), None);
    server.stop().await;
    let server = Setup::memory().start().await;
    assert_eq!(server.ask(get("/ping")).await.header("strict-transport-security"), None);
    server.stop().await;
}

#[tokio::test]
async fn plain_http_at_a_port_of_tls_is_told_so() {
    let certificate = Certificate::new();
    let server = Setup::memory().with(&certificate).start().await;
    for request in [get("/ping"), post("/api/send", hello(&"x".repeat(100_000)))] {
        let mut plain = server.connect().await;
        let reply = plain.ask(request).await;
        reply.refused(400, "bad_request", "");
        assert!(String::from_utf8_lossy(&reply.body).contains("https://"), "{reply:?}");
        plain.ended().await;
    }
    assert!(
        certificate.connect(&server).await.ask(get("/api/pull?chat=apple:banana")).await.ok()["messages"]
            .as_array()
            .is_some_and(Vec::is_empty)
    );
    server.stop().await;
}

#[tokio::test]
async fn what_is_neither_ends_and_harms_nobody() {
    let certificate = Certificate::new();
    let server = Setup::memory().with(&certificate).start().await;
    let mut tunnel = certificate.connect(&server).await;
    for bytes in
        [&b"\x00\x01\x02\x03"[..], b"\x16\x03\x01\x00\x05hello", b"\x16\x03\x03\xff\xff", b"SSH-2.0-x\r\n"]
    {
        let mut raw = server.connect().await.stream;
        raw.write_all(bytes).await.expect("written");
        raw.shutdown().await.expect("ended");
        let mut rest = Vec::new();
        // An alert, a refusal of HTTP or nothing.
        let _reset_or_end = within("the connection to end", raw.read_to_end(&mut rest)).await;
        assert!(rest.len() < 2_000);
        tunnel.ask(get("/ping")).await.ok();
    }
    server.stop().await;
}

#[tokio::test]
async fn a_handshake_that_does_not_go_on_is_ended() {
    let certificate = Certificate::new();
    let mut setup = Setup::memory().with(&certificate);
    setup.life.head_timeout = SHORT;
    let server = setup.start().await;
    // Nothing, the beginning of a record, and a record that is never whole.
    for bytes in [&b""[..], b"\x16", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"] {
        let mut raw = server.connect().await;
        raw.write(bytes).await;
        raw.ended().await;
    }
    server.stop().await;
}

/// It has a place among the connections, and is the first to lose it.
#[tokio::test]
async fn a_handshake_under_way_leaves_where_there_is_no_room() {
    let certificate = Certificate::new();
    let mut setup = Setup::memory().with(&certificate);
    setup.life.connections_max = 2;
    let server = setup.start().await;
    let mut busy = certificate.connect(&server).await;
    busy.write(get("/api/events?user=apple")).await;
    assert_eq!(busy.head().await.status, 200);
    let mut slow = server.connect().await;
    slow.write(b"\x16").await;
    let mut newcomer = certificate.connect(&server).await;
    slow.cut().await;
    newcomer.ask(get("/ping")).await.ok();
    drop((busy, newcomer));
    server.stop().await;
}

#[tokio::test]
async fn the_end_does_not_wait_for_a_handshake() {
    let certificate = Certificate::new();
    let server = Setup::memory().with(&certificate).start().await;
    let mut slow = server.connect().await;
    slow.write(b"\x16").await;
    let mut tunnel = certificate.connect(&server).await;
    tunnel.ask(get("/ping")).await.ok();
    server.trigger.fire();
    slow.ended().await;
    tunnel.ended().await;
    assert_eq!(server.ended().await, Ok(()));
}
