//! Places that the store can't take a client on from: `ready` says so, and nothing old is told.

use crate::{
    actor::Actor,
    connection::Connection,
    follower::{Follower, State},
    server::{Server, Setup},
    stream::{FACES, Stream, Wanted},
    watch::within,
};
use chinwag_model::limits::{CATCH_UP_MAX_BYTES, CATCH_UP_MAX_EVENTS};
use chinwag_store::{Store, contract::draft};
use serde_json::{Value, json};
use std::{fs, sync::Arc};
use tokio::task::JoinSet;

async fn send(connection: &mut Connection, sender: &str, text: &str) -> Value {
    let request = json!({"chat": "apple:banana", "sender": sender, "text": text});
    connection.post("/api/send", &request).await.expect("an answer").ok()
}

/// A client that comes from `since` hears nothing old, on any face, and of what happens next.
async fn assert_begins_anew(server: &Server, since: &str) {
    let mut connection = Actor::connect(server.address).await;
    for face in FACES {
        let stream = Stream::open(server.address, Wanted::new(face, "banana").since(since)).await;
        let mut stream = stream.expect("a stream");
        let ready = within("ready", stream.next()).await.expect("ready");
        assert_eq!(
            (&ready["type"], &ready["recovered"]),
            (&json!("ready"), &json!(false)),
            "{face:?}: {ready}"
        );
        assert_ne!(ready["id"], since, "{face:?}");
        let sent = send(&mut connection, "apple", "what happens next").await;
        let next = within("what happens next", stream.next()).await.expect("an event");
        assert_eq!(next["message"], sent, "{face:?}");
        // From there on it is a feed like any other.
        let id = next["id"].as_str().expect("an id");
        let sent = send(&mut connection, "apple", "while it was away").await;
        let stream = Stream::open(server.address, Wanted::new(face, "banana").since(id)).await;
        let mut stream = stream.expect("a stream");
        let missed = within("what was missed", stream.next()).await.expect("an event");
        assert_eq!(missed["message"], sent, "{face:?}");
        let ready = within("ready", stream.next()).await.expect("ready");
        assert_eq!(
            (&ready["type"], &ready["recovered"]),
            (&json!("ready"), &json!(true)),
            "{face:?}: {ready}"
        );
    }
}

/// Where a client stands that has seen three messages.
async fn last_id_after_three(server: &Server) -> String {
    let mut follower = Follower::new("banana");
    let mut stream = follower.open_ready(server.address, FACES[0]).await;
    let mut connection = Actor::connect(server.address).await;
    for text in ["one", "two", "three"] {
        send(&mut connection, "apple", text).await;
    }
    let wanted = State::of(&mut connection, "banana").await;
    follower.follow_to(&mut stream, &wanted).await;
    follower.last_id.expect("an id")
}

#[tokio::test]
async fn an_id_of_another_store_is_not_recovered_from() {
    let [first, second] = [(); 2].map(|()| tempfile::tempdir().expect("a directory"));
    let server = Setup::embedded(first.path()).start().await;
    let id = last_id_after_three(&server).await;
    server.stop().await;
    let server = Setup::embedded(second.path()).start().await;
    last_id_after_three(&server).await;
    assert_begins_anew(&server, &id).await;
    server.stop().await;
}

#[tokio::test]
async fn nor_is_one_from_before_the_store_was_restored() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = Setup::embedded(directory.path()).start().await;
    let id = last_id_after_three(&server).await;
    server.stop().await;
    // What a restored store has of its own is its epoch.
    let path = directory.path().join("FORMAT");
    let format = fs::read_to_string(&path).expect("a file");
    let (epoch, _) = id.split_once('-').expect("an id");
    let turned: String = epoch.chars().rev().collect();
    assert!(format.contains(epoch) && turned != epoch, "{format}");
    fs::write(&path, format.replace(epoch, &turned)).expect("written");
    let server = Setup::embedded(directory.path()).start().await;
    assert_begins_anew(&server, &id).await;
    server.stop().await;
}

#[tokio::test]
async fn nor_is_one_that_a_copy_put_back_does_not_know() {
    let [directory, copy] = [(); 2].map(|()| tempfile::tempdir().expect("a directory"));
    let server = Setup::embedded(directory.path()).start().await;
    let id = last_id_after_three(&server).await;
    server.stop().await;
    let copied =
        std::process::Command::new("cp").arg("-a").arg(directory.path().join(".")).arg(copy.path()).status();
    assert!(copied.expect("cp").success());
    let server = Setup::embedded(directory.path()).start().await;
    let fourth = send(&mut Actor::connect(server.address).await, "apple", "four").await;
    server.stop().await;
    let (epoch, _) = id.split_once('-').expect("an id");
    let id = format!("{epoch}-{:014x}", fourth["ts"].as_u64().expect("a time"));
    // The copy has the same epoch, and goes on from before that id.
    let server = Setup::embedded(copy.path()).start().await;
    let text = "another fourth";
    send(&mut Actor::connect(server.address).await, "apple", text).await;
    assert_begins_anew(&server, &id).await;
    server.stop().await;
}

#[tokio::test]
async fn a_restart_alone_takes_nothing_from_a_client() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = Setup::embedded(directory.path()).start().await;
    let id = last_id_after_three(&server).await;
    let sent = send(&mut Actor::connect(server.address).await, "apple", "before the end").await;
    server.stop().await;
    let server = Setup::embedded(directory.path()).start().await;
    for face in FACES {
        let stream = Stream::open(server.address, Wanted::new(face, "banana").since(&id)).await;
        let mut stream = stream.expect("a stream");
        let missed = within("what was missed", stream.next()).await.expect("an event");
        assert_eq!(missed["message"], sent);
        let ready = within("ready", stream.next()).await.expect("ready");
        assert_eq!((&ready["type"], &ready["recovered"]), (&json!("ready"), &json!(true)));
    }
    server.stop().await;
}

#[tokio::test]
async fn an_id_ahead_of_the_store_is_not_recovered_from() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = Setup::embedded(directory.path()).start().await;
    let id = last_id_after_three(&server).await;
    let (epoch, ts) = id.split_once('-').expect("an id");
    let ts = u64::from_str_radix(ts, 16).expect("digits");
    // A day: whatever happens in this test lies before it.
    assert_begins_anew(&server, &format!("{epoch}-{:014x}", ts + 86_400_000_000)).await;
    server.stop().await;
}

/// Stores many messages at once.
async fn store_all(store: &Arc<dyn Store>, count: usize, text: &str) {
    let mut sends = JoinSet::new();
    for _ in 0..count {
        let (store, draft) = (store.clone(), draft("apple:banana", "apple", text));
        sends.spawn(async move { store.append(draft).await.expect("stored") });
        if sends.len() == 1_000 {
            sends.join_next().await;
        }
    }
    sends.join_all().await;
}

/// A client that missed `count` messages of this text; whether it was told them.
async fn recovers(count: usize, text: &str) -> bool {
    let directory = tempfile::tempdir().expect("a directory");
    let setup = Setup::embedded(directory.path());
    let store = setup.store.clone();
    let server = setup.start().await;
    let mut follower = Follower::new("banana");
    drop(follower.open_ready(server.address, FACES[0]).await);
    store_all(&store, count, text).await;
    let mut heard = Vec::new();
    for face in FACES {
        let mut stream = follower.open(server.address, face, None).await.expect("a stream");
        let mut told = 0;
        let recovered = loop {
            let event = within("ready", stream.next()).await.expect("an event");
            match event["type"].as_str() {
                Some("ready") => break event["recovered"].as_bool().expect("whether it recovered"),
                _ => told += 1,
            }
        };
        assert_eq!(told, if recovered { count } else { 0 }, "{face:?}");
        heard.push(recovered);
    }
    server.stop().await;
    assert!(heard.iter().all(|recovered| *recovered == heard[0]), "{heard:?}");
    heard[0]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn as_many_events_as_the_bound_are_told_and_one_more_is_not() {
    assert!(recovers(CATCH_UP_MAX_EVENTS, "x").await);
    assert!(!recovers(CATCH_UP_MAX_EVENTS + 1, "x").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_more_bytes_than_their_bound() {
    let text = "x".repeat(16_000);
    assert!(recovers(CATCH_UP_MAX_BYTES / 17_000, &text).await);
    assert!(!recovers(CATCH_UP_MAX_BYTES / 16_000 + 1, &text).await);
}
