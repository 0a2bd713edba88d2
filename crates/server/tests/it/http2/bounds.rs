//! The bounds of a connection of HTTP/2 and of its streams.

use super::{
    frames::{
        CANCEL, DATA, END_HEADERS, Frames, HEADERS, REFUSED_STREAM, RST_STREAM, WINDOW_UPDATE, frame,
        get as get_frame, head, header,
    },
    library::{Http2, get, post, slow_request},
};
use crate::{
    server::{Server, Setup},
    tls::Certificate,
    wire::{JSON, hello, within},
};
use chinwag_model::limits::STREAMS_MAX;
use std::time::Duration;

const SHORT: Duration = Duration::from_millis(50);

async fn fill(certificate: &Certificate, server: &Server) {
    let mut http2 = Http2::open(certificate, server).await;
    for _ in 0..60 {
        http2.ask(post("/api/send", hello(&"x".repeat(16_384)))).await.ok();
    }
}

const PAGE: &str = "/api/pull?chat=apple:banana&limit=1000";

#[tokio::test]
async fn one_stream_too_many_is_refused_and_the_others_go_on() {
    let certificate = Certificate::new();
    let server = Setup::memory().with(&certificate).start().await;
    let mut frames = Frames::open(&certificate, &server, &[]).await;
    let stream = |at: u32| 2 * at + 1;
    for at in 0..STREAMS_MAX {
        frames.write(get_frame(stream(at), &format!("/api/events?user=user{at}"))).await;
        assert_eq!(frames.until(HEADERS, stream(at)).await.status(), 200);
    }
    frames.write(get_frame(stream(STREAMS_MAX), "/ping")).await;
    assert_eq!(frames.until(RST_STREAM, stream(STREAMS_MAX)).await.code(), REFUSED_STREAM);
    frames.write(frame(RST_STREAM, 0, 1, CANCEL.to_be_bytes())).await;
    assert_eq!(frames.ask(stream(STREAMS_MAX + 1), "/ping").await, 200);
    drop(frames);
    server.stop().await;
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_while_it_is_sent() {
    let certificate = Certificate::new();
    let server = Setup::memory().with(&certificate).start().await;
    let mut http2 = Http2::open(&certificate, &server).await;
    let (pieces, request) = slow_request("POST /api/send", &[JSON]);
    let reply = tokio::spawn(http2.sender.send_request(request));
    // The server stops asking for more; then the library stops taking it.
    within("the body to be refused", async { while pieces.send(vec![b'x'; 10_000].into()).await.is_ok() {} })
        .await;
    let reply = within("the reply", reply).await.expect("no panic").expect("a reply");
    super::library::whole(reply).await.refused(413, "body_too_large");
    let announced = "Content-Length: 131073";
    let (_pieces, request) = slow_request("POST /api/send", &[JSON, announced]);
    http2.ask(request).await.refused(413, "body_too_large");
    http2.ask(post("/api/send", hello("the connection goes on"))).await.ok();
    drop(http2);
    server.stop().await;
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_refused_and_harms_no_other_stream() {
    let certificate = Certificate::new();
    let mut setup = Setup::memory().with(&certificate);
    setup.http.body_timeout = SHORT;
    let server = setup.start().await;
    let mut http2 = Http2::open(&certificate, &server).await;
    let (pieces, request) = slow_request("POST /api/send", &[JSON]);
    let reply = tokio::spawn(http2.sender.send_request(request));
    pieces.send("{".into()).await.expect("taken");
    http2.ask(post("/api/send", hello("beside it"))).await.ok();
    let reply = within("the reply", reply).await.expect("no panic").expect("a reply");
    super::library::whole(reply).await.refused(408, "timeout");
    http2.ask(get("/ping")).await.ok();
    drop((http2, pieces));
    server.stop().await;
}

#[tokio::test]
async fn a_body_of_many_pieces_and_a_page_of_many_frames() {
    let certificate = Certificate::new();
    let server = Setup::memory().with(&certificate).start().await;
    fill(&certificate, &server).await;
    let mut http2 = Http2::open(&certificate, &server).await;
    let page = http2.ask(get(PAGE)).await.ok();
    assert_eq!(page["messages"].as_array().map(Vec::len), Some(60));
    let (pieces, request) = slow_request("POST /api/send", &[JSON]);
    let reply = tokio::spawn(http2.sender.send_request(request));
    let body = hello(&"y".repeat(10_000)).into_bytes();
    for piece in body.chunks(777) {
        within("a piece to be taken", pieces.send(piece.to_vec().into())).await.expect("taken");
    }
    drop(pieces);
    let reply = within("the reply", reply).await.expect("no panic").expect("a reply");
    assert_eq!(super::library::whole(reply).await.ok()["text"].as_str().map(str::len), Some(10_000));
    drop(http2);
    server.stop().await;
}

/// The client leaves room for the other streams on its connection, and none for this one.
#[tokio::test]
async fn a_client_that_takes_nothing_of_one_stream_loses_that_one() {
    let certificate = Certificate::new();
    let mut setup = Setup::memory().with(&certificate);
    setup.life.write_timeout = SHORT;
    let server = setup.start().await;
    fill(&certificate, &server).await;
    let mut frames = Frames::open(&certificate, &server, &[]).await;
    frames.write(frame(WINDOW_UPDATE, 0, 0, (1_u32 << 24).to_be_bytes())).await;
    frames.write(get_frame(1, PAGE)).await;
    assert_eq!(frames.until(HEADERS, 1).await.status(), 200);
    assert_eq!(frames.ask(3, "/ping").await, 200);
    assert_eq!(frames.until(RST_STREAM, 1).await.code(), CANCEL);
    assert_eq!(frames.ask(5, "/ping").await, 200);
    drop(frames);
    server.stop().await;
}

/// The client takes a little at a time: slow, but alive.
#[tokio::test]
async fn a_client_that_takes_a_little_at_a_time_gets_all() {
    let certificate = Certificate::new();
    let mut setup = Setup::memory().with(&certificate);
    setup.life.write_timeout = Duration::from_secs(5);
    let server = setup.start().await;
    fill(&certificate, &server).await;
    // A window of 4 KB.
    let mut frames = Frames::open(&certificate, &server, &[(0x4, 4_096)]).await;
    frames.write(get_frame(1, PAGE)).await;
    assert_eq!(frames.until(HEADERS, 1).await.status(), 200);
    let mut bytes = 0;
    loop {
        let data = frames.until(DATA, 1).await;
        bytes += data.payload.len();
        if data.ends() {
            break;
        }
        let taken = u32::try_from(data.payload.len()).expect("small").to_be_bytes();
        let mut updates = frame(WINDOW_UPDATE, 0, 0, taken);
        updates.extend(frame(WINDOW_UPDATE, 0, 1, taken));
        frames.write(updates).await;
    }
    assert!(bytes > 60 * 16_384, "{bytes}");
    drop(frames);
    server.stop().await;
}

#[tokio::test]
async fn replies_that_wait_are_bounded_over_all_connections() {
    let certificate = Certificate::new();
    let mut setup = Setup::memory().with(&certificate);
    setup.http.bodies_max_bytes = 1_500_000;
    let server = setup.start().await;
    fill(&certificate, &server).await;
    let mut slow = Frames::open(&certificate, &server, &[]).await;
    slow.write(get_frame(1, PAGE)).await;
    assert_eq!(slow.until(HEADERS, 1).await.status(), 200);
    let mut other = Http2::open(&certificate, &server).await;
    let refused = other.ask(get(PAGE)).await;
    refused.refused(503, "overloaded");
    assert!(refused.headers.contains_key("retry-after"));
    // What changes something is answered in any case, and so is what is short.
    other.ask(post("/api/send", hello(&"x".repeat(16_384)))).await.ok();
    other.ask(get("/api/pull?chat=apple:banana&limit=1&cursor=60")).await;
    drop(slow);
    within("the page of the client that went away to be let go", async {
        while other.ask(get(PAGE)).await.status != 200 {}
    })
    .await;
    drop(other);
    server.stop().await;
}

#[tokio::test]
async fn heads_are_bounded() {
    let certificate = Certificate::new();
    let server = Setup::memory().with(&certificate).start().await;
    let mut frames = Frames::open(&certificate, &server, &[]).await;
    let long = |bytes: usize| {
        let mut block = head("GET", "/ping");
        for at in 0..bytes / 1_000 {
            block.extend(header(&format!("x-{at:03}"), &"v".repeat(963)));
        }
        block
    };
    let send = |stream, block: &[u8]| {
        let (first, rest) = block.split_at(block.len().min(16_000));
        let mut bytes = frame(HEADERS, 0x1 | if rest.is_empty() { END_HEADERS } else { 0 }, stream, first);
        let mut pieces = rest.chunks(16_000).peekable();
        while let Some(piece) = pieces.next() {
            let last = if pieces.peek().is_none() { END_HEADERS } else { 0 };
            bytes.extend(frame(super::frames::CONTINUATION, last, stream, piece));
        }
        bytes
    };
    frames.write(send(1, &long(60_000))).await;
    assert_eq!(frames.until(HEADERS, 1).await.status(), 200);
    frames.write(send(3, &long(80_000))).await;
    assert_eq!(frames.until(HEADERS, 3).await.status(), 431);
    assert_eq!(frames.ask(5, "/ping").await, 200);
    drop(frames);
    server.stop().await;
}
