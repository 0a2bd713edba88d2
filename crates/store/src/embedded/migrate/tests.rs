//! A store of format 1, made here as the program before wrote it, is opened, also where it was killed on the way.

use super::*;
use crate::{
    Appended, Store,
    contract::{START, draft, inbox, keyed, mark, query, user},
    embedded::{
        EmbeddedStore, Options,
        changes::{self, Change, Kind},
        check,
        codec::{put_checksum, put_varint},
        head::DERIVED_KEY,
    },
};
use bytes::BufMut;
use chinwag_model::{Direction, Event, ManualClock, MarkerKind, Seq, Ts};
use std::{collections::HashMap, sync::Arc};

const CHATS: [&str; 5] = ["a:a", "a:b", "a:b!", "a:bb", "b:c"];
const EACH: u64 = 40;

/// The messages that the store holds, each with the `nth` that it must get.
fn messages() -> Vec<Message> {
    let mut counts = HashMap::new();
    let mut messages = Vec::new();
    for seq in 1..=EACH {
        for chat in CHATS {
            let sender = chat.split(':').nth(usize::from(seq % 3 == 0)).expect("two users");
            let text = format!("{chat} {seq}");
            let sent = if seq % 4 == 0 {
                keyed(chat, sender, &text, &format!("k{seq}"))
            } else {
                draft(chat, sender, &text)
            };
            let nth: &mut u64 = counts.entry((chat, sent.sender)).or_default();
            *nth += 1;
            messages.push(Message {
                chat: sent.chat,
                seq: Seq(seq),
                ts: Ts(START.0 + messages.len() as u64),
                sender: sent.sender,
                nth: *nth,
                text: text.into(),
                key: sent.key,
                data: (seq % 5 == 0).then(|| chinwag_model::Data::from_compact(r#"{"n":1}"#).expect("small")),
                revision: None,
            });
        }
    }
    messages
}

/// A row of version 1.
fn encode_1(message: &Message) -> (Vec<u8>, Vec<u8>) {
    let mut row = BytesMut::from(&record::key(&message.chat, message.seq)[..]);
    let key_len = row.len();
    row.put_u8(1);
    let bit = |set, bit| if set { bit } else { 0_u8 };
    row.put_u8(
        bit(message.sender == Side::Second, 1)
            | bit(message.key.is_some(), 2)
            | bit(message.data.is_some(), 4),
    );
    row.put_u64(message.ts.0);
    if let Some(key) = &message.key {
        row.put_u8(u8::try_from(key.as_str().len()).expect("short"));
        row.put_slice(key.as_str().as_bytes());
    }
    if let Some(data) = &message.data {
        row.put_u16(u16::try_from(data.as_str().len()).expect("short"));
        row.put_slice(data.as_str().as_bytes());
    }
    row.put_slice(message.text.as_bytes());
    put_checksum(&mut row, 0..key_len, key_len);
    let value = row.split_off(key_len);
    (row.to_vec(), value.to_vec())
}

/// A row of the change log, which has not changed.
fn log_row(message: &Message) -> (Vec<u8>, Vec<u8>) {
    let mut row = BytesMut::new();
    row.put_u64(message.ts.0);
    row.put_u8(1);
    put_varint(&mut row, 0);
    row.put_u8(0);
    put_varint(&mut row, message.seq.0);
    row.put_u16(u16::try_from(message.chat.as_str().len()).expect("short"));
    row.put_slice(message.chat.as_str().as_bytes());
    put_checksum(&mut row, 0..8, 8);
    let value = row.split_off(8);
    let change = Change { ts: message.ts, kind: Kind::Message, chat: message.chat.clone(), seq: message.seq };
    assert_eq!(changes::decode(&row, &value), Ok(vec![change]));
    (row.to_vec(), value.to_vec())
}

fn tables(root: &Path) -> Tables {
    Tables::open(&root.join("db"), &Options::default()).expect("opened")
}

fn make(root: &Path, messages: &[Message]) {
    let tables = tables(root);
    let mut batch = tables.batch(2 * messages.len());
    for message in messages {
        let (key, value) = encode_1(message);
        batch.insert(&tables.messages, key, value);
        let (key, value) = log_row(message);
        batch.insert(&tables.changes, key, value);
    }
    Tables::commit(batch).expect("written");
    let format = "chinwag store\nformat 1\nepoch 00000000000000ab\nstate ready\n";
    std::fs::write(root.join("FORMAT"), format).expect("written");
}

fn open(root: &Path) -> EmbeddedStore {
    let options = Options { disk_reserve_bytes: 0, ..Options::default() };
    EmbeddedStore::open(root, &options, Arc::new(ManualClock::at(START))).expect("opened")
}

/// Everything that was there is there, and what format 2 adds is right.
async fn verify(root: &Path, messages: &[Message]) {
    let store = open(root);
    assert_eq!(store.epoch().0, 0xab);
    for chat in CHATS {
        let page = store.page(query(chat, 0, Direction::Forward, 1_000)).await.expect("a page");
        let expected = messages.iter().filter(|message| message.chat.as_str() == chat);
        assert!(page.messages.iter().map(|message| &**message).eq(expected), "{chat}");
    }
    let page = store.inbox(inbox("a", 0, 10, None)).await.expect("an inbox");
    let chats: Vec<_> = page.entries.iter().map(|entry| (entry.chat.as_str(), entry.unread)).collect();
    assert_eq!(chats, [("a:bb", 13), ("a:b!", 13), ("a:b", 13), ("a:a", 0)]);
    assert_eq!(page.unread_total, 39);
    let of_b = store.catch_up(user("b"), Some(Ts(0))).await.expect("caught up").events.expect("not too much");
    assert_eq!(of_b.len() as u64, 2 * EACH);
    assert!(of_b.iter().all(|event| matches!(event, Event::Message(_))));

    let again = store.append(keyed("a:b", "a", "a:b 4", "k4")).await.expect("replayed");
    let first = messages.iter().find(|message| message.seq == Seq(4) && message.chat.as_str() == "a:b");
    assert_eq!(again, Appended { message: Arc::new(first.expect("there").clone()), replayed: true });
    let next = store.append(draft("a:b", "b", "on")).await.expect("stored").message;
    assert_eq!((next.seq, next.nth), (Seq(EACH + 1), 14));
    store.mark(mark("a:b", "a", MarkerKind::Read, 30)).await.expect("marked");
    let one = store.inbox(inbox("a", 0, 10, Some("a:b"))).await.expect("an inbox");
    assert_eq!(one.entries[0].unread, 4);
    store.close().await.expect("closed");
    drop(store);
    assert_eq!(check(root, &mut |_| {}).expect("checked").problems, Vec::<String>::new());
    let format = std::fs::read_to_string(root.join("FORMAT")).expect("read");
    assert_eq!(format, "chinwag store\nformat 4\nepoch 00000000000000ab\nstate ready\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_of_format_1_is_migrated() {
    let dir = tempfile::tempdir().expect("a directory");
    let messages = messages();
    make(dir.path(), &messages);
    verify(dir.path(), &messages).await;
}

/// After each of its batches.
#[tokio::test(flavor = "multi_thread")]
async fn a_migration_that_was_stopped_begins_again() {
    let messages = messages();
    let mut stopped = 0;
    loop {
        let dir = tempfile::tempdir().expect("a directory");
        make(dir.path(), &messages);
        let mut batches = 0;
        let before = tables(dir.path());
        let ended = run(&before, 30, &mut || {
            batches += 1;
            batches <= stopped
        });
        assert_eq!(before.inbox.contains_key(DERIVED_KEY).expect("read"), ended.is_ok());
        drop(before);
        verify(dir.path(), &messages).await;
        if ended.is_ok() {
            break;
        }
        stopped += 1;
    }
    assert!(stopped >= 5, "{stopped}");
}

/// Damage is told, not migrated; the store stays of format 1.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_store_is_not_migrated() {
    let dir = tempfile::tempdir().expect("a directory");
    let messages = messages();
    make(dir.path(), &messages);
    {
        let tables = tables(dir.path());
        let (key, mut value) = encode_1(&messages[77]);
        value[12] ^= 1;
        tables.messages.insert(key, value).expect("written");
        tables.sync().expect("synced");
    }
    let opened = EmbeddedStore::open(dir.path(), &Options::default(), Arc::new(ManualClock::at(START)));
    let error = opened.err().expect("damaged").to_string();
    assert!(error.contains("the checksum does not match"), "{error}");
    assert!(std::fs::read_to_string(dir.path().join("FORMAT")).expect("read").contains("format 1"));
}
