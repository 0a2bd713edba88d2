//! What a check must notice of markers, counts and inbox rows.

use super::*;
use crate::{
    Store,
    contract::{START, UNSEND, draft, edit, mark, react, revise},
    embedded::{
        EmbeddedStore,
        head::{Head, Standing, encode_head, encode_standing, inbox_key},
    },
};
use bytes::BytesMut;
use chinwag_model::{Chat, ManualClock, Marker, MarkerKind, Side};
use std::sync::Arc;

/// A store with five messages of one chat, of which both users have read some, changed by `change` behind its back.
async fn problems(change: impl FnOnce(&Tables, &Chat)) -> Vec<String> {
    let dir = tempfile::tempdir().expect("a directory");
    let options = Options { disk_reserve_bytes: 0, ..Options::default() };
    let store = EmbeddedStore::open(dir.path(), &options, Arc::new(ManualClock::at(START))).expect("opened");
    for sender in ["a", "b", "a", "a", "b"] {
        store.append(draft("a:b", sender, "x")).await.expect("stored");
    }
    store.mark(mark("a:b", "a", MarkerKind::Read, 2)).await.expect("marked");
    store.mark(mark("a:b", "b", MarkerKind::Delivered, 5)).await.expect("marked");
    store.close().await.expect("closed");
    drop(store);
    let tables = Tables::open(&dir.path().join("db"), &options).expect("opened");
    change(&tables, &Chat::parse("a:b").expect("a chat").0);
    tables.sync().expect("synced");
    drop(tables);
    check(dir.path(), &mut |_| {}).expect("checked").problems
}

fn put_standing(tables: &Tables, chat: &Chat, standing: &Standing) {
    let mut row = BytesMut::new();
    let place = encode_standing(chat, standing, &mut row);
    tables.markers.insert(&row[place.key], &row[place.value]).expect("written");
}

fn put_head(tables: &Tables, chat: &Chat, side: Side, head: &Head) {
    let mut row = BytesMut::new();
    let place = encode_head(chat, side, head, &mut row);
    tables.inbox.insert(&row[place.key], &row[place.value]).expect("written");
}

fn told(problems: &[String], what: &str) -> bool {
    problems.iter().any(|problem| problem.contains(what))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sound_store_has_no_problems() {
    assert_eq!(problems(|_, _| {}).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_count_is_noticed() {
    let problems = problems(|tables, chat| {
        let message = messages::message(tables, chat, Seq(4)).expect("there");
        let mut row = BytesMut::new();
        let place = record::encode(&Message { nth: 2, ..message }, &mut row);
        tables.messages.insert(&row[place.key], &row[place.value]).expect("written");
    });
    assert!(told(&problems.await, "seq 4 counts 2 of its sender's messages, not 3"));
}

#[tokio::test(flavor = "multi_thread")]
async fn markers_that_make_no_sense_are_noticed() {
    let far = Marker { seq: Seq(9), ts: Ts(START.0 + 5) };
    let beyond = problems(|tables, chat| {
        let mut standing = reader::standing(&tables.view(), chat).expect("read");
        standing.markers[0].delivered = far;
        put_standing(tables, chat, &standing);
    });
    assert!(told(&beyond.await, "markers stand at 2 and 9 of 5 messages"));
    let miscounted = problems(|tables, chat| {
        let mut standing = reader::standing(&tables.view(), chat).expect("read");
        standing.peers_read[0] = 2;
        put_standing(tables, chat, &standing);
    });
    assert!(told(&miscounted.await, "2 messages are counted as read up to 2, and they are 1"));
    let lost = problems(|tables, chat| tables.markers.remove(chat.as_str()).expect("removed"));
    assert!(told(&lost.await, "a marker of a:b came to 2 and does not stand there"));
    let foreign = problems(|tables, _| {
        put_standing(tables, &Chat::parse("c:d").expect("a chat").0, &Standing::START);
    });
    assert!(told(&foreign.await, "markers: 2 rows, and chats with messages have 1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn inbox_rows_that_do_not_show_the_chat_are_noticed() {
    let stale = problems(|tables, chat| {
        let head = reader::head(&tables.view(), chat).expect("read").expect("a chat");
        put_head(tables, chat, Side::Second, &Head { last: Seq(4), ..head });
    });
    assert!(told(&stale.await, "inbox of b: chat a:b is not shown as it stands"));
    let missing = problems(|tables, chat| {
        tables.inbox.remove(inbox_key("a", chat)).expect("removed");
    });
    assert!(told(&missing.await, "inbox of a: chat a:b is not shown"));
    let foreign = problems(|tables, chat| {
        let head = reader::head(&tables.view(), chat).expect("read").expect("a chat");
        put_head(tables, &Chat::parse("c:d").expect("a chat").0, Side::First, &head);
    });
    assert!(told(&foreign.await, "inbox: 3 rows, and chats with messages have 2"));
    let broken = problems(|tables, chat| {
        tables.inbox.insert(inbox_key("a", chat), b"\x01nonsense").expect("written");
    });
    assert!(told(&broken.await, "inbox of a, chat a:b: the checksum does not match"));
}

/// The same with three of its messages revised: the second edited, the third unsent, the fourth reacted to.
async fn problems_of_revised(change: impl FnOnce(&Tables, &[(Vec<u8>, Vec<u8>)])) -> Vec<String> {
    let dir = tempfile::tempdir().expect("a directory");
    let options = Options { disk_reserve_bytes: 0, ..Options::default() };
    let store = EmbeddedStore::open(dir.path(), &options, Arc::new(ManualClock::at(START))).expect("opened");
    for sender in ["a", "b", "a", "a"] {
        store.append(draft("a:b", sender, "x")).await.expect("stored");
    }
    for (user, seq, change) in [("b", 2, edit("y")), ("a", 3, UNSEND), ("b", 4, react("👍", false))] {
        store.revise(revise("a:b", user, seq, change)).await.expect("revised");
    }
    store.close().await.expect("closed");
    drop(store);
    let tables = Tables::open(&dir.path().join("db"), &options).expect("opened");
    let rows = tables.revised.iter().map(|row| {
        let (key, value) = row.into_inner().expect("read");
        (key.to_vec(), value.to_vec())
    });
    change(&tables, &rows.collect::<Vec<_>>());
    tables.sync().expect("synced");
    drop(tables);
    check(dir.path(), &mut |_| {}).expect("checked").problems
}

#[tokio::test(flavor = "multi_thread")]
async fn revisions_that_do_not_stand_are_noticed() {
    assert_eq!(problems_of_revised(|_, _| {}).await, Vec::<String>::new());
    // By time: the second, the third, the fourth; then the third, which is unsent.
    for (at, seq) in [(0, 2), (3, 3)] {
        let lacks = format!("seq {seq} was revised, and the revisions lack it as it stands");
        let lost = problems_of_revised(|tables, rows| {
            assert_eq!(rows.len(), 4);
            tables.revised.remove(&rows[at].0).expect("removed");
        });
        assert!(told(&lost.await, &lacks), "row {at} is lost");
        let broken = problems_of_revised(|tables, rows| {
            let mut value = rows[at].1.clone();
            *value.last_mut().expect("a checksum") ^= 1;
            tables.revised.insert(&rows[at].0, value).expect("written");
        });
        assert!(told(&broken.await, &lacks), "row {at} is broken");
    }
    // A sound row that names another message.
    let other = problems_of_revised(|tables, rows| {
        tables.revised.insert(&rows[0].0, &rows[1].1).expect("written");
    });
    assert!(told(&other.await, "seq 2 was revised, and the revisions lack it as it stands"));
    let foreign = problems_of_revised(|tables, rows| {
        let mut key = rows[3].0.clone();
        *key.last_mut().expect("a seq") = 1;
        tables.revised.insert(key, &rows[3].1).expect("written");
    });
    assert!(told(&foreign.await, "revised: 5 rows, and messages that were revised have 4"));
}
