//! More than one session of a user.

use crate::{
    actor::Actor,
    connection::Connection,
    follower::{Follower, State},
    server::Setup,
    stream::{End, FACES, Face, Stream},
    watch::within,
};
use serde_json::json;
use std::net::SocketAddr;

async fn one_message_more(address: SocketAddr) -> (Connection, State) {
    let mut connection = Actor::connect(address).await;
    let request = json!({"chat": "apple:banana", "sender": "apple", "text": "to all of them"});
    connection.post("/api/send", &request).await.expect("an answer").ok();
    let state = State::of(&mut connection, "banana").await;
    (connection, state)
}

#[tokio::test]
async fn every_session_of_a_user_hears_the_same() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = Setup::embedded(directory.path()).start().await;
    let mut tabs: Vec<(Follower, Stream)> = Vec::new();
    for face in [FACES, FACES].concat() {
        let mut follower = Follower::new("banana");
        let stream = follower.open_ready(server.address, face).await;
        tabs.push((follower, stream));
    }
    let (mut connection, _) = one_message_more(server.address).await;
    // What one of them does, the others hear of.
    let read = json!({"chat": "apple:banana", "user": "banana", "seq": 1});
    connection.post("/api/read", &read).await.expect("an answer").ok();
    let wanted = State::of(&mut connection, "banana").await;
    assert!(wanted.unread.is_empty() && wanted.markers.len() == 2, "{wanted:?}");
    for (follower, stream) in &mut tabs {
        follower.follow_to(stream, &wanted).await;
    }
    server.stop().await;
}

#[tokio::test]
async fn one_session_too_many_closes_the_oldest_and_no_other() {
    for oldest in FACES {
        let directory = tempfile::tempdir().expect("a directory");
        let mut setup = Setup::embedded(directory.path());
        setup.hub.sessions_per_user_max = 2;
        let server = setup.start().await;
        let mut first = Follower::new("banana");
        let mut replaced = first.open_ready(server.address, oldest).await;
        if oldest == Face::Poll {
            // Between two polls there is no session: the next must wait before others come.
            let (_, wanted) = one_message_more(server.address).await;
            first.follow_to(&mut replaced, &wanted).await;
        }
        let mut waits = tokio::spawn(async move { replaced.next().await });
        if oldest == Face::Poll {
            await_online(server.address, "banana").await;
        }
        let mut others = Vec::new();
        for face in [Face::WebSocket, Face::Sse] {
            assert!(!waits.is_finished(), "{oldest:?}: two are not too many");
            let mut follower = Follower::new("banana");
            let stream = follower.open_ready(server.address, face).await;
            others.push((follower, stream));
        }
        let end = within("the oldest to be closed", &mut waits).await.expect("it waits");
        let told = if oldest == Face::Poll { End::Refused(409) } else { End::Closed(4409) };
        assert_eq!(end, Err(told), "{oldest:?}");
        let mut connection = Actor::connect(server.address).await;
        let request = json!({"chat": "apple:banana", "sender": "apple", "text": "to those who stayed"});
        let sent = connection.post("/api/send", &request).await.expect("an answer").ok();
        for (_, stream) in &mut others {
            let event = within("a message", stream.next()).await.expect("an event");
            assert_eq!(event["message"], sent, "{oldest:?}");
        }
        server.stop().await;
    }
}

/// Asks until a user is told to be there: a poll that was written has then been taken up.
async fn await_online(address: SocketAddr, user: &str) {
    let mut connection = Actor::connect(address).await;
    within("a user to be there", async {
        loop {
            let users = connection.get(&format!("/api/presence?user={user}")).await.expect("an answer").ok();
            if users["users"][user]["online"] == true {
                return;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
}
