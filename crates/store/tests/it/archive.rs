//! History out of one store and into another.

use crate::backends::Embedded;
use chinwag_model::{Chat, Direction, ManualClock, MarkerKind, Message, Revision, SendKey, Seq, Side, Ts};
use chinwag_store::{
    Store, StoreError,
    contract::{START, block, draft, inbox, keyed, mark, query},
    embedded::{
        Maintenance,
        archive::{Fate, ImportError, Imported, Importer, Piece, Sorter},
        check,
    },
};
use proptest::prelude::*;
use std::{path::Path, sync::Arc, time::Duration};

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(START))
}

fn exported(data: &Path) -> Vec<Piece> {
    let store = Maintenance::open(data, clock()).expect("opened");
    let mut pieces = Vec::new();
    store
        .export(None, &mut |piece| {
            pieces.push(piece);
            Ok::<_, StoreError>(())
        })
        .expect("exported");
    pieces
}

fn imported(message: &Message) -> Imported {
    let Message { chat, seq, ts, sender, text, key, data, revision, .. } = message.clone();
    Imported { chat, seq, ts, sender, text, key, data, revision }
}

fn import(data: &Path, pieces: &[Piece]) -> Result<Vec<Fate>, ImportError> {
    let mut importer = Importer::open(data, &*clock())?;
    let fates = pieces
        .iter()
        .map(|piece| match piece {
            Piece::Message(message) => importer.message(imported(message)),
            Piece::Markers(chat, markers) => importer.markers(chat, *markers),
            Piece::Block(chat, by, hold) => importer.block(chat, *by, hold),
        })
        .collect::<Result<_, _>>()?;
    importer.finish()?;
    Ok(fates)
}

fn message(chat: &str, seq: u64, ts: u64) -> Imported {
    Imported {
        chat: Chat::parse(chat).expect("a chat").0,
        seq: Seq(seq),
        ts: Ts(ts),
        sender: Side::First,
        text: "x".into(),
        key: None,
        data: None,
        revision: None,
    }
}

async fn epoch_of(backend: &Embedded) -> u64 {
    let store = backend.store(clock());
    store.close().await.expect("closed");
    store.epoch().0
}

#[derive(Debug, Clone)]
enum Step {
    Send(usize, bool, Option<u8>),
    Mark(usize, bool, bool, u64),
    Block(usize, bool),
}

const CHATS: [&str; 4] = ["a:b", "a:c", "b:c", "me:me"];

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..CHATS.len(), any::<bool>(), prop::option::of(0..200_u8))
            .prop_map(|(chat, second, key)| Step::Send(chat, second, key)),
        1 => (0..CHATS.len(), any::<bool>(), any::<bool>(), 1..60_u64)
            .prop_map(|(chat, second, read, seq)| Step::Mark(chat, second, read, seq)),
        1 => (0..CHATS.len() - 1, any::<bool>()).prop_map(|(chat, second)| Step::Block(chat, second)),
    ]
}

async fn round_trip(steps: Vec<Step>, before: usize) {
    let (from, into) = (Embedded::new(), Embedded::new());
    let store = from.store(clock());
    let user = |chat: usize, second: bool| CHATS[chat].split(':').nth(usize::from(second)).expect("two");
    for (n, step) in steps.iter().enumerate() {
        match *step {
            Step::Send(chat, second, key) => {
                let (chat, user) = (CHATS[chat], user(chat, second));
                let draft = match key {
                    Some(key) => keyed(chat, user, &format!("{key}"), &format!("k{key}")),
                    None => draft(chat, user, &format!("text {n}")),
                };
                match store.append(draft).await {
                    Ok(_) | Err(StoreError::Blocked) => {}
                    Err(error) => panic!("{error}"),
                }
            }
            Step::Block(chat, second) => {
                store.block(block(user(chat, second), user(chat, !second), true)).await.expect("blocked");
            }
            Step::Mark(chat, second, read, seq) => {
                let kind = if read { MarkerKind::Read } else { MarkerKind::Delivered };
                store.mark(mark(CHATS[chat], user(chat, second), kind, seq)).await.expect("marked");
            }
        }
    }
    store.close().await.expect("closed");
    drop(store);
    let pieces = exported(from.path());
    // A part first, as one that was cut short.
    let part = &pieces[..before.min(pieces.len())];
    assert!(import(into.path(), part).expect("imported").iter().all(|fate| *fate == Fate::Added));
    let fates = import(into.path(), &pieces).expect("imported");
    assert!(fates[..part.len()].iter().all(|fate| *fate == Fate::There));
    assert_eq!(check(into.path(), &mut |_| {}).expect("checked").problems, Vec::<String>::new());
    assert_eq!(exported(into.path()), pieces);
    let epoch = epoch_of(&into).await;
    assert!(import(into.path(), &pieces).expect("imported").iter().all(|fate| *fate == Fate::There));
    assert_eq!(epoch_of(&into).await, epoch, "importing twice changes nothing");
    let (left, right) = (from.store(clock()), into.store(clock()));
    for name in ["a", "b", "c", "me"] {
        let query = || inbox(name, 0, 10, None);
        assert_eq!(left.inbox(query()).await, right.inbox(query()).await, "{name}");
    }
    for chat in CHATS {
        let draft = || keyed(chat, chat.split(':').next().expect("two"), "7", "k7");
        let (left, right) = (left.append(draft()).await, right.append(draft()).await);
        let known = |answer: Result<chinwag_store::Appended, StoreError>| {
            answer.map(|appended| (appended.replayed, appended.message.seq))
        };
        assert_eq!(known(left), known(right), "{chat}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, max_shrink_iters: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_exported_and_imported_is_the_same(
        steps in prop::collection::vec(step(), 0..150), before in 0..200_usize
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        runtime.expect("a runtime").block_on(round_trip(steps, before));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn imported_history_is_no_news_and_what_comes_after_it_is_later() {
    let backend = Embedded::new();
    let store = backend.store(clock());
    let old = store.append(draft("a:b", "a", "here")).await.expect("stored").message;
    let epoch = store.epoch();
    store.close().await.expect("closed");
    drop(store);
    let mut importer = Importer::open(backend.path(), &*clock()).expect("opened");
    // Of one time in three chats of one user, and one that is later than anything here, and than this machine's clock.
    for chat in ["a:x", "a:y", "a:z"] {
        for seq in 1..=5 {
            importer.message(message(chat, seq, seq * 1_000_000)).expect("imported");
        }
    }
    let late = START.0 + 60_000_000;
    importer.message(message("a:late", 1, late)).expect("imported");
    let hour_us = 3_600_000_000;
    let error = importer.message(message("a:late", 2, START.0 + hour_us + 1)).expect_err("too late");
    assert!(error.to_string().contains("an hour ahead"), "{error}");
    importer.finish().expect("finished");
    assert_eq!(check(backend.path(), &mut |_| {}).expect("checked").problems, Vec::<String>::new());

    let store = backend.store(clock());
    assert_ne!(store.epoch(), epoch);
    let caught = store.catch_up(chinwag_store::contract::user("a"), None).await.expect("answered");
    assert_eq!(caught.upto, Ts(late));
    // Every page but the last ends between two times, and none skips a chat.
    let mut before = 0;
    let mut seen = Vec::new();
    loop {
        let page = store.inbox(inbox("a", before, 1, None)).await.expect("read");
        seen.push(page.entries.iter().map(|entry| entry.chat.to_string()).collect::<Vec<_>>());
        let Some(next) = page.next else { break };
        before = next.0;
    }
    for page in &mut seen {
        page.sort();
    }
    assert_eq!(seen, [vec!["a:late"], vec!["a:b"], vec!["a:x", "a:y", "a:z"]]);
    let next = store.append(draft("a:late", "a", "on")).await.expect("stored").message;
    assert!(next.ts.0 > late && next.seq.0 == 2);
    let page = store.page(query("a:b", 0, Direction::Forward, 10)).await.expect("a page");
    assert_eq!(page.messages, [old]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_go_with_what_is_there_is_refused_by_its_field() {
    let backend = Embedded::new();
    let mut importer = Importer::open(backend.path(), &*clock()).expect("opened");
    for seq in 1..=3 {
        importer.message(message("a:b", seq, seq * 100)).expect("imported");
    }
    let mut refuse = |imported: Imported, field: &str| match importer.message(imported) {
        Err(ImportError::Refused { field: told, .. }) => assert_eq!(told, field),
        other => panic!("{field}: {other:?}"),
    };
    refuse(message("a:b", 5, 900), "seq");
    refuse(message("a:b", 4, 300), "ts");
    refuse(message("a:b", 2, 201), "ts");
    refuse(Imported { text: "y".into(), ..message("a:b", 2, 200) }, "text");
    refuse(Imported { sender: Side::Second, ..message("a:b", 2, 200) }, "sender");
    let marker = |seq| chinwag_model::Marker { seq: Seq(seq), ts: Ts(400) };
    let mut markers = [chinwag_model::Markers::START; 2];
    markers[1].delivered = marker(4);
    let chat = Chat::parse("a:b").expect("a chat").0;
    let error = importer.markers(&chat, markers).expect_err("past the end");
    assert!(matches!(error, ImportError::Refused { field: "delivered", .. }), "{error}");
    importer.finish().expect("finished");
    assert_eq!(check(backend.path(), &mut |_| {}).expect("checked").messages, 3);
}

#[test]
fn rows_are_sorted_by_chat_and_time_and_leave_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let scratch = dir.path().join("scratch");
    let mut sorter = Sorter::new(&scratch).expect("made");
    let chat = |n: u64| Chat::parse(&format!("a:b{}", n % 3)).expect("a chat").0;
    for n in 0..10_000_u64 {
        sorter.add(&chat(n), (n * 7_919) % 1_000, n, n.to_string().into_bytes()).expect("taken");
    }
    let mut rows = Vec::new();
    let took = sorter.each(&mut |row| {
        assert_eq!(row.content, row.number.to_string().into_bytes());
        rows.push((row.chat, row.time_us, row.number));
        Ok::<_, ImportError>(())
    });
    took.expect("sorted");
    assert!(rows.is_sorted() && rows.len() == 10_000);
    assert!(!scratch.exists());
}

/// Messages that the sends of a day may repeat are known by their keys after an import too.
#[tokio::test(flavor = "multi_thread")]
async fn the_keys_of_the_last_day_are_known_after_an_import() {
    let (from, into) = (Embedded::new(), Embedded::new());
    let moving = clock();
    let store = from.store(moving.clone());
    store.append(keyed("a:b", "a", "old", "old")).await.expect("stored");
    moving.advance(Duration::from_hours(23));
    store.append(keyed("a:b", "a", "new", "new")).await.expect("stored");
    store.close().await.expect("closed");
    drop(store);
    let mut importer = Importer::open(into.path(), &*moving).expect("opened");
    for piece in exported(from.path()) {
        if let Piece::Message(message) = piece {
            importer.message(imported(&message)).expect("imported");
        }
    }
    importer.finish().expect("finished");
    moving.advance(Duration::from_hours(2));
    let store = into.store(moving);
    let sent = |key| store.append(keyed("a:b", "a", key, key));
    assert!(sent("new").await.expect("answered").replayed);
    assert!(!sent("old").await.expect("answered").replayed);
}

/// A later state of a message is taken, an earlier one is not, and another of the same time is refused.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_states_of_a_message_the_later_stays() {
    let backend = Embedded::new();
    let keyed = Imported { key: Some(SendKey::parse("k").expect("a key")), ..message("a:b", 1, 100) };
    let revised = |ts, text: &str, unsent: bool| Imported {
        text: text.into(),
        revision: Some(Box::new(Revision {
            ts: Ts(ts),
            edited_ts: (!unsent).then_some(Ts(ts)),
            unsent,
            reactions: Vec::new(),
            first_digest: Some([7; 16]),
        })),
        ..keyed.clone()
    };
    let mut importer = Importer::open(backend.path(), &*clock()).expect("opened");
    let mut import = |imported: &Imported| importer.message(imported.clone());
    assert_eq!(import(&keyed).expect("new"), Fate::Added);
    assert_eq!(import(&revised(200, "edited", false)).expect("later"), Fate::Revised);
    assert_eq!(import(&keyed).expect("earlier"), Fate::There);
    assert_eq!(import(&revised(200, "edited", false)).expect("the same"), Fate::There);
    let error = import(&revised(200, "other", false)).expect_err("of the same time");
    assert!(matches!(error, ImportError::Refused { field: "text", .. }), "{error}");
    assert_eq!(import(&revised(300, "", true)).expect("later"), Fate::Revised);
    assert_eq!(importer.message(message("a:b", 2, 400)).expect("new"), Fate::Added);
    importer.finish().expect("finished");
    assert_eq!(check(backend.path(), &mut |_| {}).expect("checked").problems, Vec::<String>::new());
    let pieces = exported(backend.path());
    let Some(Piece::Message(first)) = pieces.first() else { panic!("{pieces:?}") };
    assert_eq!(imported(first), revised(300, "", true));
}
