//! What lives only for the moment: who is there, and who writes.

use crate::{
    actor::Actor,
    connection::Connection,
    follower::Follower,
    server::{Server, Setup},
    stream::{Face, Stream, Wanted},
    watch::within,
};
use serde_json::{Value, json};
use std::time::Duration;
use tempfile::TempDir;

/// A server whose users count as there for so long after they left.
async fn server(grace: Duration) -> (Server, TempDir) {
    let directory = tempfile::tempdir().expect("a directory");
    let mut setup = Setup::embedded(directory.path());
    setup.hub.presence_grace = grace;
    (setup.start().await, directory)
}

/// Long past what any test takes.
const NEVER: Duration = Duration::from_mins(10);
/// Short enough to wait for.
const SOON: Duration = Duration::from_millis(50);

async fn next(stream: &mut Stream) -> Value {
    within("an event", stream.next()).await.expect("an event")
}

/// A session of `carol` that watches some, and what it was told of them at its begin.
async fn watching(server: &Server, face: Face, watch: &[&str]) -> (Stream, Vec<Value>) {
    let watch: Vec<String> = watch.iter().map(|&user| user.to_owned()).collect();
    let count = watch.len();
    let mut stream = Stream::open(server.address, Wanted { watch, ..Wanted::new(face, "carol") }).await.expect("a stream");
    assert_eq!(next(&mut stream).await["type"], "ready");
    let mut told = Vec::new();
    for _ in 0..count {
        told.push(next(&mut stream).await);
    }
    (stream, told)
}

fn online(user: &str) -> Value {
    json!({"type": "presence", "user": user, "online": true})
}

#[tokio::test]
async fn those_who_watch_hear_who_comes_and_goes() {
    for face in [Face::WebSocket, Face::Sse] {
        let (server, _directory) = server(SOON).await;
        let (mut watcher, told) = watching(&server, face, &["apple", "banana"]).await;
        let away = |user: &str| json!({"type": "presence", "user": user, "online": false});
        assert_eq!(told, [away("apple"), away("banana")]);
        let first = Follower::new("apple").open_ready(server.address, Face::WebSocket).await;
        assert_eq!(next(&mut watcher).await, online("apple"));
        // A second session is no news, nor is the end of the first while the second is open.
        let second = Follower::new("apple").open_ready(server.address, Face::Sse).await;
        drop(first);
        let other = Follower::new("banana").open_ready(server.address, Face::Sse).await;
        assert_eq!(next(&mut watcher).await, online("banana"));
        drop(second);
        let left = next(&mut watcher).await;
        let last_seen = left["last_seen"].as_u64().expect("a time");
        assert_eq!(left, json!({"type": "presence", "user": "apple", "online": false, "last_seen": last_seen}));
        // Who asks is told the same, as is who comes later.
        let mut connection = Actor::connect(server.address).await;
        let users = connection.get("/api/presence?user=apple&user=banana&user=dill").await.expect("an answer");
        let apple = json!({"online": false, "last_seen": last_seen});
        let wanted = json!({"apple": apple, "banana": {"online": true}, "dill": {"online": false}});
        assert_eq!(users.ok()["users"], wanted);
        let (_, told) = watching(&server, face, &["apple", "banana"]).await;
        assert_eq!(told, [left, online("banana")]);
        drop(other);
        server.stop().await;
    }
}

#[tokio::test]
async fn a_reconnect_within_the_grace_is_not_seen() {
    let (server, _directory) = server(NEVER).await;
    let (mut watcher, _) = watching(&server, Face::WebSocket, &["apple", "banana"]).await;
    for face in [Face::WebSocket, Face::Sse, Face::Poll, Face::WebSocket] {
        drop(Follower::new("apple").open_ready(server.address, face).await);
    }
    let _apple = Follower::new("apple").open_ready(server.address, Face::Sse).await;
    let _banana = Follower::new("banana").open_ready(server.address, Face::Sse).await;
    // In order: whatever there was to hear of apple came before.
    assert_eq!(next(&mut watcher).await, online("apple"));
    assert_eq!(next(&mut watcher).await, online("banana"));
    server.stop().await;
}

#[tokio::test]
async fn typing_reaches_the_peer_alone_and_no_one_later() {
    let (server, _directory) = server(NEVER).await;
    let mut connection = Actor::connect(server.address).await;
    let mut own = Follower::new("apple").open_ready(server.address, Face::WebSocket).await;
    let mut peers = Vec::new();
    for face in [Face::WebSocket, Face::Sse, Face::Poll] {
        peers.push(Follower::new("banana").open_ready(server.address, face).await);
    }
    let mut stranger = Follower::new("cherry").open_ready(server.address, Face::WebSocket).await;
    // A poll hears of what lives for the moment only while it waits: its next one is asked before.
    let mut poll = peers.pop().expect("the poll");
    let poll = tokio::spawn(async move { next(&mut poll).await });
    let typing = json!({"type": "typing", "chat": "apple:banana", "user": "apple"});
    for (chat, user) in [("banana:apple", "apple"), ("apple:apple", "apple")] {
        let request = json!({"chat": chat, "user": user});
        assert_eq!(connection.post("/api/typing", &request).await.expect("an answer").status, 204);
    }
    for peer in &mut peers {
        assert_eq!(next(peer).await, typing);
    }
    let sent = send(&mut connection, "apple:banana").await;
    for peer in peers.iter_mut().chain([&mut own]) {
        assert_eq!(next(peer).await["message"], sent, "nothing comes before it that was not for this one");
    }
    let first = poll.await.expect("an event");
    assert!(first == typing || first["message"] == sent, "{first}");
    let sent = send(&mut connection, "apple:cherry").await;
    assert_eq!(next(&mut stranger).await["message"], sent);
    let mut later = Follower::new("banana");
    let mut late = later.open_ready(server.address, Face::Sse).await;
    let sent = send(&mut connection, "apple:banana").await;
    assert_eq!(next(&mut late).await["message"], sent);
    server.stop().await;
}

async fn send(connection: &mut Connection, chat: &str) -> Value {
    let request = json!({"chat": chat, "sender": "apple", "text": "a fence"});
    connection.post("/api/send", &request).await.expect("an answer").ok()
}
