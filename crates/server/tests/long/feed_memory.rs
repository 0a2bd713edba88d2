//! What clients that never read cost the real executable: no more than their bounds.

use crate::{
    child::Server,
    connection::{Connection, Reply},
    follower::Follower,
    stream::{Face, Stream, Wanted},
    watch::within,
};
use serde_json::json;
use std::net::SocketAddr;
use tokio::task::JoinSet;

const USERS: usize = 12;
const FACES: [Face; 2] = [Face::WebSocket, Face::Sse];
const TEXT_BYTES: usize = 16_000;
/// Messages to each user: several times what the sockets of a session and its outbox hold.
const MESSAGES: usize = 1_200;
/// What all sessions together may make the server grow by: a full outbox each, what their faces hold of a reply that is
/// not taken, and what the allocator keeps.
const GROWTH_MAX_BYTES: u64 = (USERS * FACES.len() * 4 * 1024 * 1024) as u64;

#[test]
fn readers_that_stop_reading_for_ever_do_not_fill_the_memory() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = Server::start(&directory.path().join("data"));
    let address = server.address();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    // The store's own memory is at its working size before anyone is measured.
    runtime.block_on(send_to_all(address, "quiet"));
    let before = server.resident_bytes();
    let stuck = runtime.block_on(async {
        let mut stuck = Vec::new();
        for user in 0..USERS {
            for face in FACES {
                let mut follower = Follower::new(&name("stuck", user));
                let wanted = Wanted { narrow: true, ..Wanted::new(face, &follower.user) };
                let mut stream = follower.open_as(address, wanted).await.expect("a stream");
                follower.follow_to_ready(&mut stream).await.expect("ready");
                stuck.push((follower, stream));
            }
        }
        stuck
    });
    let sent = runtime.block_on(send_to_all(address, "stuck"));
    let after = server.resident_bytes();
    println!(
        "{} MiB before, {} MiB with {} that read nothing of {} MiB",
        before >> 20,
        after >> 20,
        stuck.len(),
        sent >> 20
    );
    assert!(sent as u64 > 2 * GROWTH_MAX_BYTES, "what is sent would be seen, were it kept");
    assert!(after < before + GROWTH_MAX_BYTES, "{}", server.printed());
    runtime.block_on(async {
        for (follower, stream) in stuck {
            assert_behind(follower, stream).await;
        }
    });
    server.stop();
}

fn name(kind: &str, number: usize) -> String {
    format!("{kind}{number}")
}

/// Sends much to every user of this kind; how many bytes of text.
async fn send_to_all(address: SocketAddr, kind: &'static str) -> usize {
    let mut senders = JoinSet::new();
    for number in 0..USERS {
        senders.spawn(async move {
            let mut connection = Connection::open(address, None).await.expect("a connection");
            let chat = format!("sender:{}", name(kind, number));
            let request = json!({"chat": chat, "sender": "sender", "text": "x".repeat(TEXT_BYTES)});
            for _ in 0..MESSAGES {
                let reply: Reply =
                    within("an answer", connection.post("/api/send", &request)).await.expect("an answer");
                reply.ok();
            }
        });
    }
    senders.join_all().await;
    USERS * MESSAGES * TEXT_BYTES
}

/// Reads at last what the sockets held, and finds the end before all of it.
async fn assert_behind(mut follower: Follower, mut stream: Stream) {
    while let Ok(event) = within("the end of one who fell behind", stream.next()).await {
        follower.take(event);
    }
    assert!(follower.messages() < MESSAGES, "{} was sent all of it", follower.user);
}
