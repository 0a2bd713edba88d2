//! Clients that read slowly, or never: they fall behind, alone.

use crate::{
    actor::Actor,
    follower::{Follower, State},
    server::Setup,
    stream::{End, FACES, Face, Wanted},
    watch::within,
};
use chinwag_model::limits::OUTBOX_MAX_BYTES;
use chinwag_store::{Store, contract::draft};
use std::sync::Arc;

/// More than the sockets of a loopback connection hold, and an outbox, and some.
const BYTES: usize = 24 << 20;
/// Written before the others must have heard of it.
const BATCH: usize = 16;
const TEXT_BYTES: usize = 16_000;
/// Messages by which each round is longer than the one before: a mebibyte.
const ROUND: usize = 64;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_who_stops_reading_falls_behind_and_slows_nobody() {
    let directory = tempfile::tempdir().expect("a directory");
    let setup = Setup::embedded(directory.path());
    let store: Arc<dyn Store> = setup.store.clone();
    let server = setup.start().await;
    let mut stuck = Vec::new();
    for face in [Face::WebSocket, Face::Sse, Face::WebSocket, Face::Sse] {
        let mut follower = Follower::new("banana");
        let stream = follower.open_ready(server.address, face).await;
        stuck.push((face, follower, stream));
    }
    let mut others = Vec::new();
    for face in FACES {
        let mut follower = Follower::new("banana");
        let stream = follower.open_ready(server.address, face).await;
        others.push((follower, stream));
    }
    let text = "x".repeat(TEXT_BYTES);
    const { assert!(BATCH * (TEXT_BYTES + 300) < OUTBOX_MAX_BYTES, "those who read never fall behind") };
    let mut written = 0;
    while written * TEXT_BYTES < BYTES {
        for _ in 0..BATCH {
            store.append(draft("apple:banana", "apple", &text)).await.expect("stored");
        }
        written += BATCH;
        // Those who read have all of it, however long the others have read nothing.
        for (follower, stream) in &mut others {
            while follower.messages() < written {
                let event = within("a message, while others read nothing", stream.next()).await;
                follower.take(event.expect("an event"));
            }
        }
    }
    let mut connection = Actor::connect(server.address).await;
    let wanted = State::of(&mut connection, "banana").await;
    for (other, _) in &others {
        other.assert_knows(&wanted);
    }
    for (face, mut follower, mut stream) in stuck {
        // What it finds when it reads at last: what the sockets held, and why there is no more.
        let end = loop {
            match within("the end of one who fell behind", stream.next()).await {
                Ok(event) => follower.take(event),
                Err(end) => break end,
            }
        };
        assert!(follower.messages() < written, "{face:?}: it has read nothing");
        assert_eq!(end, End::Closed(4408), "{face:?}");
        // More was missed than is told at once: it may have to begin anew, but is never told that it has all of it.
        let mut back = follower.open_ready(server.address, face).await;
        if follower.recovered == Some(true) {
            follower.follow_to(&mut back, &wanted).await;
        }
        assert_eq!(follower.recovered, Some(false), "{face:?}: 4 MiB is all that is caught up on");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_who_reads_too_slowly_comes_back_and_has_lost_nothing() {
    for face in [Face::WebSocket, Face::Sse] {
        let directory = tempfile::tempdir().expect("a directory");
        let setup = Setup::embedded(directory.path());
        let store: Arc<dyn Store> = setup.store.clone();
        let server = setup.start().await;
        let mut slow = Follower::new("banana");
        let wanted = Wanted { narrow: true, ..Wanted::new(face, "banana") };
        let mut stream = slow.open_as(server.address, wanted).await.expect("a stream");
        slow.follow_to_ready(&mut stream).await.expect("ready");
        let text = "x".repeat(TEXT_BYTES);
        // Each round writes a little more before anything is read, until it is more than the sockets and the outbox hold: so
        // what is lost of it is less than is caught up on.
        let (mut written, mut end) = (0, None);
        for round in 1..=16 {
            for _ in 0..round * ROUND {
                store.append(draft("apple:banana", "apple", &text)).await.expect("stored");
            }
            written += round * ROUND;
            while end.is_none() && slow.messages() < written {
                match within("a message, or the end of one who fell behind", stream.next()).await {
                    Ok(event) => slow.take(event),
                    Err(why) => end = Some(why),
                }
            }
            if end.is_some() {
                break;
            }
        }
        assert_eq!(end, Some(End::Closed(4408)), "{face:?}");
        let wanted = State::of(&mut Actor::connect(server.address).await, "banana").await;
        let back = slow.open_ready(server.address, face).await;
        assert_eq!(slow.recovered, Some(true), "{face:?}");
        slow.assert_knows(&wanted);
        drop(back);
        server.stop().await;
    }
}
