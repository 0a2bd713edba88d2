//! Blocks in histories of a few calls: what comes through one is found, and what overlaps with one proves nothing.

use crate::sound::Sound;
use chinwag_torture::{
    history::{By, Call, Change, Marker, Record, Reply},
    judge::{Promise, judge},
};

/// A history in which banana's block of apple was answered, and then this.
fn blocked(then: impl FnOnce(&mut Sound)) -> Vec<Record> {
    let mut sound = Sound::new(4);
    sound.stored("apple:banana", "apple", "one", None);
    sound.stored("apple:banana", "apple", "two", None);
    sound.mark(Marker::Read, "apple:banana", "banana", 1);
    sound.open("apple", None);
    sound.open("banana", None);
    sound.block("apple:banana", "banana", true);
    then(&mut sound);
    assert_eq!(judge(&sound.records), []);
    sound.records
}

fn finds(promise: Promise, records: &[Record]) {
    let broken = judge(records);
    assert!(broken.iter().any(|broken| broken.promise == promise), "{promise:?} is not among {broken:?}");
}

/// A server that forgets its block: what it then does is what it should not have.
fn forgetful(then: impl FnOnce(&mut Sound)) -> Vec<Record> {
    let mut records = blocked(|sound| {
        sound.block("apple:banana", "banana", false);
        then(sound);
    });
    records.retain(|record| !matches!(record.call, Call::Block { on: false, .. }));
    records
}

fn place(records: &[Record], is: impl Fn(&Call) -> bool) -> usize {
    records.iter().rposition(|record| is(&record.call)).expect("such a call")
}

#[test]
fn what_comes_through_a_block_is_found() {
    let send = |sound: &mut Sound| sound.stored("apple:banana", "apple", "three", Some("key"));
    finds(Promise::Blocks, &forgetful(send));
    // Told by a page alone, and its own call without an answer.
    let unheard = |sound: &mut Sound| {
        sound.unknown("apple:banana", "apple", "three", true);
        sound.pull("apple:banana", false);
    };
    finds(Promise::Blocks, &forgetful(unheard));
    let edit = |change: Change| forgetful(|sound| sound.revise("apple:banana", 1, "apple", change));
    finds(Promise::Blocks, &edit(Change::Edit { text: "changed".into() }));
    finds(Promise::Blocks, &edit(Change::React { emoji: "🥝".into(), remove: false }));
    assert_eq!(judge(&edit(Change::Unsend)), [], "what is taken back is done");
    assert_eq!(judge(&forgetful(|sound| sound.stored("apple:banana", "banana", "mine", None))), []);
}

#[test]
fn a_refusal_without_a_block_is_found() {
    let mut records = blocked(|sound| sound.stored("apple:banana", "apple", "three", None));
    let at = place(&records, |call| matches!(call, Call::Block { .. }));
    assert!(
        matches!(&records.last().expect("a refusal").reply, Reply::Refused { code, .. } if code == "blocked")
    );
    // Nobody ever asked for one.
    let block = records.remove(at);
    finds(Promise::Blocks, &records);
    // Only the other did.
    let call = Call::Block { user: "apple".into(), peer: "banana".into(), on: true };
    records.insert(at, Record { call, ..block.clone() });
    finds(Promise::Blocks, &records);
    // One whose outcome nobody knows may be the reason.
    records[at] = Record { reply: Reply::Unknown, ..block.clone() };
    assert_eq!(judge(&records), []);
    records[at] = Record { reply: Reply::Refused { status: 507, code: "full".into() }, ..block };
    finds(Promise::Blocks, &records);
    // And a block that had ended.
    let mut records = blocked(|sound| {
        sound.block("apple:banana", "banana", false);
        sound.stored("apple:banana", "banana", "three", None);
    });
    let call =
        Call::Send { chat: "apple:banana".into(), sender: "apple".into(), text: "x".into(), key: None };
    let began = records.last().expect("a send").ended + 1;
    let reply = Reply::Refused { status: 403, code: "blocked".into() };
    records.push(Record { began, ended: began + 1, by: By::Anyone, call, reply });
    finds(Promise::Blocks, &records);
}

#[test]
fn calls_that_overlap_prove_nothing() {
    let mut records = forgetful(|sound| sound.stored("apple:banana", "apple", "three", None));
    let send = place(&records, |call| matches!(call, Call::Send { text, .. } if text == "three"));
    let block = place(&records, |call| matches!(call, Call::Block { .. }));
    // The end of the block was asked for, and nobody knows what came of it.
    let call = Call::Block { user: "banana".into(), peer: "apple".into(), on: false };
    let (began, ended) = (records[send].began - 1, records[send].began);
    let unknown = Record { began, ended, by: By::Anyone, call, reply: Reply::Unknown };
    let mut overlapped = records.clone();
    overlapped.insert(send, unknown.clone());
    assert_eq!(judge(&overlapped), []);
    // One that was given up before the block was asked for may still be done, unless its process has ended.
    let early = records[block].began - 3;
    let mut late = records.clone();
    late.insert(0, Record { began: early, ended: early + 1, ..unknown });
    assert_eq!(judge(&late), []);
    let end =
        Record { began: early + 2, ended: early + 2, call: Call::End, reply: Reply::Done, by: By::Anyone };
    late.insert(1, end);
    finds(Promise::Blocks, &late);
    // The send was asked for before the block was answered, and its time is the earlier one.
    records[send].began = records[block].ended - 1;
    let Reply::Blocked { since: Some(since) } = &mut records[block].reply else { unreachable!() };
    *since += 1_000;
    assert_eq!(judge(&records), []);
}

#[test]
fn what_a_block_should_keep_to_itself_is_found() {
    finds(Promise::Silence, &forgetful(|sound| sound.typing("apple:banana", "apple")));
    finds(Promise::Silence, &forgetful(|sound| sound.typing("apple:banana", "banana")));
    finds(Promise::Silence, &forgetful(|sound| sound.mark(Marker::Read, "apple:banana", "banana", 2)));
    // Nobody's own markers stand still.
    let own = blocked(|sound| {
        sound.mark(Marker::Delivered, "apple:banana", "banana", 2);
        sound.inbox("banana");
        sound.inbox("apple");
    });
    let mut shown = own.clone();
    let Some(Record { reply: Reply::Inbox { chats, .. }, .. }) = shown.last_mut() else { unreachable!() };
    assert_eq!(chats[0].delivered["banana"], 1, "it is held");
    *chats[0].delivered.get_mut("banana").expect("a marker") = 2;
    finds(Promise::Silence, &shown);
    // Held back from its owner is a marker that goes back.
    let mut held = own;
    let at = held.len() - 2;
    let Reply::Inbox { chats, .. } = &mut held[at].reply else { unreachable!() };
    *chats[0].delivered.get_mut("banana").expect("a marker") = 1;
    finds(Promise::Markers, &held);
}

#[test]
fn a_block_with_another_time_or_state_is_found() {
    let again = |change: fn(&mut Option<u64>)| {
        let mut records = blocked(|sound| sound.block("apple:banana", "banana", true));
        let Some(Record { reply: Reply::Blocked { since }, .. }) = records.last_mut() else { unreachable!() };
        change(since);
        records
    };
    finds(Promise::Blocks, &again(|since| *since = None));
    finds(Promise::Blocks, &again(|since| *since = since.map(|since| since + 1)));
}
