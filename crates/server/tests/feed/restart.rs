//! A server that ends says so on every face, and the next takes each client on from where it stood.

use crate::{
    actor::Actor,
    follower::{Follower, State},
    server::Setup,
    stream::{End, FACES, Face},
    watch::within,
};
use serde_json::{Value, json};

#[tokio::test]
async fn every_face_is_told_of_a_restart_and_resumes() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = Setup::embedded(directory.path()).start().await;
    let mut tabs = Vec::new();
    for face in [Face::WebSocket, Face::Sse] {
        let mut follower = Follower::new("banana");
        let mut stream = follower.open_ready(server.address, face).await;
        tabs.push((follower, tokio::spawn(async move { stream.next().await })));
    }
    // A poll that waits is answered: with nothing, and from where to come back.
    let mut poller = Follower::new("banana");
    drop(poller.open_ready(server.address, Face::Poll).await);
    let place = poller.last_id.clone().expect("an id");
    let mut connection = Actor::connect(server.address).await;
    let path = format!("/api/poll?user=banana&since={place}&timeout=50");
    let poll = tokio::spawn(async move { connection.get(&path).await });
    // It was written before these requests: once they are answered, it waits.
    State::of(&mut Actor::connect(server.address).await, "banana").await;
    server.stop().await;
    for (_, end) in &mut tabs {
        let end = within("the end of a stream", end).await.expect("no panic");
        assert_eq!(end, Err(End::Closed(1012)));
    }
    let reply = within("the answer of a poll", poll).await.expect("no panic");
    let reply: Value = reply.expect("an answer").ok();
    assert_eq!(reply, json!({"events": [], "since": place, "recovered": true}));

    let server = Setup::embedded(directory.path()).start().await;
    let mut connection = Actor::connect(server.address).await;
    let request = json!({"chat": "apple:banana", "sender": "apple", "text": "after the restart"});
    connection.post("/api/send", &request).await.expect("an answer").ok();
    let wanted = State::of(&mut connection, "banana").await;
    for (mut follower, face) in tabs.into_iter().map(|(follower, _)| follower).chain([poller]).zip(FACES) {
        drop(follower.open_ready(server.address, face).await);
        follower.assert_knows(&wanted);
    }
    server.stop().await;
}
