//! What a hostile client can do with the protocol alone, while good requests are served beside it.

use super::{
    frames::{
        ACK, CANCEL, CONTINUATION, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, Frames, HEADERS, PING,
        RST_STREAM, SETTINGS, WINDOW_UPDATE, frame, get as get_frame, head, kept_header,
    },
    library::{Http2, get, post},
};
use crate::{
    server::{Server, Setup},
    tls::Certificate,
    wire::hello,
};

async fn start(certificate: &Certificate) -> Server {
    Setup::memory().with(certificate).start().await
}

/// Another client is served as if nothing were.
async fn serves(good: &mut Http2) {
    good.ask(get("/ping")).await.ok();
    good.ask(post("/api/send", hello("beside it"))).await.ok();
}

/// CVE-2023-44487.
#[tokio::test]
async fn streams_that_are_reset_at_once_end_the_connection() {
    let certificate = Certificate::new();
    let server = start(&certificate).await;
    let mut good = Http2::open(&certificate, &server).await;
    let mut hostile = Frames::open(&certificate, &server, &[]).await;
    let mut flood = Vec::new();
    for stream in (1..6_000).step_by(2) {
        flood.extend(get_frame(stream, "/api/pull?chat=apple:banana"));
        flood.extend(frame(RST_STREAM, 0, stream, CANCEL.to_be_bytes()));
    }
    let _ended_midway = hostile.try_write(flood).await;
    assert_eq!(hostile.farewell().await, Some(ENHANCE_YOUR_CALM));
    serves(&mut good).await;
    drop((good, hostile));
    server.stop().await;
}

/// A head that never ends, each piece of it small.
#[tokio::test]
async fn a_head_of_endless_pieces_ends_the_connection() {
    let certificate = Certificate::new();
    let server = start(&certificate).await;
    let mut good = Http2::open(&certificate, &server).await;
    let mut hostile = Frames::open(&certificate, &server, &[]).await;
    hostile.write(frame(HEADERS, END_STREAM, 1, head("GET", "/ping"))).await;
    let mut flood = Vec::new();
    for at in 0..5_000 {
        flood.extend(frame(CONTINUATION, 0, 1, super::frames::header(&format!("x-{at}"), "v")));
    }
    let _ended_midway = hostile.try_write(flood).await;
    assert!(hostile.farewell().await.is_some_and(|code| code != 0), "a farewell that says why");
    serves(&mut good).await;
    drop((good, hostile));
    server.stop().await;
}

/// A few bytes that stand for many: one long header, named again and again.
#[tokio::test]
async fn a_head_that_unfolds_ends_the_connection() {
    let certificate = Certificate::new();
    let server = start(&certificate).await;
    let mut good = Http2::open(&certificate, &server).await;
    let mut hostile = Frames::open(&certificate, &server, &[]).await;
    let mut bomb = head("GET", "/ping");
    bomb.extend(kept_header("x-bomb", &"v".repeat(3_900)));
    // The newest entry of the table, ten thousand times: 39 MB.
    bomb.extend(std::iter::repeat_n(0xBE, 10_000));
    hostile.write(frame(HEADERS, END_STREAM | END_HEADERS, 1, bomb)).await;
    assert_eq!(hostile.farewell().await, Some(ENHANCE_YOUR_CALM));
    serves(&mut good).await;
    drop((good, hostile));
    server.stop().await;
}

/// Frames that ask for an answer each, and of which the answers are not read at first.
#[tokio::test]
async fn floods_of_control_frames_cost_no_memory() {
    let certificate = Certificate::new();
    let server = start(&certificate).await;
    let mut good = Http2::open(&certificate, &server).await;
    for one in [
        frame(PING, 0, 0, [7; 8]),
        frame(SETTINGS, 0, 0, []),
        frame(SETTINGS, 0, 0, [0, 4, 0, 0, 0xFF, 0xFF]),
        frame(WINDOW_UPDATE, 0, 0, 1_u32.to_be_bytes()),
        // PRIORITY, of a stream that there is not.
        frame(2, 0, 9_999, [0, 0, 0, 0, 16]),
    ] {
        let mut hostile = Frames::open(&certificate, &server, &[]).await;
        let mut taken = true;
        for _ in 0..20 {
            taken = taken && hostile.try_write(one.repeat(100)).await;
        }
        if taken {
            // All were answered, and the connection serves: a reply comes after them.
            hostile.write(frame(SETTINGS, ACK, 0, [])).await;
            assert_eq!(hostile.ask(1, "/ping").await, 200, "{one:?}");
        }
        serves(&mut good).await;
    }
    drop(good);
    server.stop().await;
}

#[tokio::test]
async fn empty_pieces_of_a_body_without_end_end_the_connection() {
    let certificate = Certificate::new();
    let server = start(&certificate).await;
    let mut good = Http2::open(&certificate, &server).await;
    let mut hostile = Frames::open(&certificate, &server, &[]).await;
    let mut block = head("POST", "/api/send");
    block.extend(super::frames::header("content-type", "application/json"));
    hostile.write(frame(HEADERS, END_HEADERS, 1, block)).await;
    let _ended_midway = hostile.try_write(frame(super::frames::DATA, 0, 1, []).repeat(1_000)).await;
    assert_eq!(hostile.farewell().await, Some(ENHANCE_YOUR_CALM));
    serves(&mut good).await;
    drop((good, hostile));
    server.stop().await;
}
