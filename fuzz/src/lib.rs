//! Fuzz targets: each takes any bytes, and panics where a promise is broken.
//!
//! They are plain functions, so that stable Rust runs them: the ordinary tests give each its saved corpus (`corpus/NAME/`)
//! and some thousands of mutations of it (`tests/corpus.rs`). Any fuzzer can call them; an input that it finds goes into
//! the corpus, and stays there.

mod peer;
mod wire;

use bytes::BytesMut;
use chinwag_model::{
    Chat, Direction, Message, Page, PageQuery, Place, Seq, Side, Ts,
    limits::{PAGE_MAX_BYTES, PAGE_MAX_MESSAGES, TEXT_HARD_MAX_BYTES},
};
use chinwag_store::embedded::{changes, record};
use chinwag_wire::{PullRequest, SendRequest, WireMessage, encode_message, parse_header_key};
use serde_json::Value;
use std::{convert::Infallible, sync::Arc};

/// A target.
pub type Target = fn(&[u8]);

/// Every target, by the name of its corpus.
pub const TARGETS: [(&str, Target); 15] = [
    ("send", send),
    ("pull_json", pull_json),
    ("pull_query", pull_query),
    ("header_key", header_key),
    ("up_frame", wire::up_frame),
    ("feed_query", wire::feed_query),
    ("inbox_json", wire::inbox_json),
    ("inbox_query", wire::inbox_query),
    ("mark", wire::mark),
    ("feed_id", wire::feed_id),
    ("paging", paging),
    ("preface", peer::preface),
    ("forwarding", peer::forwarding),
    ("record", stored_record),
    ("change_row", change_row),
];

/// A send's body: what is taken is within the bounds, and its reply reads back as what was sent.
pub fn send(body: &[u8]) {
    let Ok(request) = SendRequest::parse(body) else { return };
    let sent_data = request.data.map(|data| serde_json::from_str::<Value>(data.get()));
    let Ok((draft, spelling)) = request.into_draft(None, 1_000) else { return };
    assert!((1..=1_000).contains(&draft.text.as_str().len()));
    assert!(draft.data.as_ref().is_none_or(|data| data.as_str().len() <= 4_096));
    let sent = Message {
        sender: draft.sender,
        key: draft.key,
        data: draft.data,
        ..message(&draft.chat, draft.text.as_str().to_owned())
    };
    let json = encode_message(&sent, spelling);
    let read: WireMessage<'_> = serde_json::from_slice(&json).expect("a reply is JSON");
    assert_eq!((&*read.text, &*read.chat), (&*sent.text, &*sent.chat.spelled(spelling)));
    assert_eq!(read.key.as_deref(), sent.key.as_ref().map(chinwag_model::SendKey::as_str));
    // Data that is taken is data that every reader can take.
    let read_data = read.data.map(|data| serde_json::from_str(data.get()).expect("data is JSON"));
    assert_eq!(read_data, sent_data.map(|data| data.expect("what was sent is JSON")));
}

/// A pull's body.
pub fn pull_json(body: &[u8]) {
    if let Ok(request) = PullRequest::parse_json(body) {
        within_bounds(request);
    }
}

/// A pull's query string.
pub fn pull_query(query: &[u8]) {
    let Ok(query) = str::from_utf8(query) else { return };
    if let Ok(request) = PullRequest::parse_query(query) {
        within_bounds(request);
    }
}

fn within_bounds(request: PullRequest<'_>) {
    let Ok((query, _)) = request.into_query() else { return };
    assert!((1..=PAGE_MAX_MESSAGES).contains(&query.limit) && query.from.get() < 1 << 53);
}

/// The header `Idempotency-Key`.
pub fn header_key(value: &[u8]) {
    if let Ok(key) = parse_header_key(value) {
        assert!(
            (1..=64).contains(&key.as_str().len())
                && key.as_str().bytes().all(|b| (0x21..=0x7e).contains(&b))
        );
    }
}

/// A cursor, a direction, a limit and a chat: the page is the one that a plain list gives.
///
/// The third byte's lowest bit is the direction, its highest makes the messages so large that the bound on a page's bytes
/// is met, and the bits between say how many of the oldest messages retention has removed.
pub fn paging(bytes: &[u8]) {
    let [count, limit, shape, cursor @ ..] = bytes else { return };
    let Some(cursor) = cursor.first_chunk().map(|bytes| u64::from_le_bytes(*bytes)) else { return };
    let Ok(from) = Place::parse(cursor) else { return };
    let (chat, _) = Chat::parse("a:b").expect("valid");
    let (first, last) = (u64::from(shape >> 1 & 63) + 1, u64::from(*count));
    let direction = if shape % 2 == 0 { Direction::Forward } else { Direction::Reverse };
    let template = message(&chat, if *shape < 128 { "x".into() } else { "x".repeat(TEXT_HARD_MAX_BYTES) });
    let query = PageQuery::new(chat, from, direction, usize::from(*limit));

    let all: Vec<u64> = match direction {
        Direction::Forward => (first..=last).filter(|&seq| seq > cursor).collect(),
        Direction::Reverse => (first..=last).rev().filter(|&seq| cursor == 0 || seq <= cursor).collect(),
    };
    let held = all.len().min(query.limit).min(PAGE_MAX_BYTES / template.weight());
    let next = (held < all.len()).then(|| if shape % 2 == 0 { all[held - 1] } else { all[held - 1] - 1 });

    let stored = |seq| Ok::<_, Infallible>(Arc::new(Message { seq: Seq(seq), ..template.clone() }));
    let page = match query.begin(Seq(first), Seq(last)) {
        None => Ok(Page::default()),
        Some(Seq(begin)) if shape % 2 == 0 => {
            Page::fill(&query, Seq(first), Seq(last), (begin..=last).map(stored))
        }
        Some(Seq(begin)) => Page::fill(&query, Seq(first), Seq(last), (first..=begin).rev().map(stored)),
    }
    .expect("no error");
    let seqs: Vec<_> = page.messages.iter().map(|message| message.seq.0).collect();
    assert_eq!(
        (seqs, page.next.map(Place::get)),
        (all[..held].to_vec(), next),
        "{query:?} of {first}..={last}"
    );
}

/// A stored row, its key's length first: what is read is what would be written, and nothing else is taken.
pub fn stored_record(bytes: &[u8]) {
    let [key_len, rest @ ..] = bytes else { return };
    let (key, value) = rest.split_at(usize::from(*key_len).min(rest.len()));
    if let Ok(message) = record::decode(None, key, value) {
        let mut row = BytesMut::new();
        let place = record::encode(&message, &mut row);
        assert_eq!((&row[place.key], &row[place.value]), (key, value));
    }
    // The same bytes with the right checksum, so that what lies behind it is reached.
    let mut value = value.to_vec();
    let mut sum = crc32fast::Hasher::new();
    sum.update(key);
    sum.update(&value);
    value.extend_from_slice(&sum.finalize().to_be_bytes());
    if let Ok(message) = record::decode(None, key, &value) {
        let mut row = BytesMut::new();
        let place = record::encode(&message, &mut row);
        assert_eq!(record::decode(None, &row[place.key], &row[place.value]), Ok(message));
    }
}

/// A row of the change log, after the eight bytes of its key.
pub fn change_row(bytes: &[u8]) {
    let Some((key, value)) = bytes.split_first_chunk::<8>() else { return };
    let mut value = value.to_vec();
    let mut sum = crc32fast::Hasher::new();
    sum.update(key);
    sum.update(&value);
    value.extend_from_slice(&sum.finalize().to_be_bytes());
    let Ok(read) = changes::decode(key, &value) else { return };
    let mut row = BytesMut::new();
    // A writer's changes end with the one that the key is of.
    let Some(place) = changes::encode(&read, &mut row).filter(|place| row[place.key.clone()] == *key) else {
        return;
    };
    assert_eq!(changes::decode(key, &row[place.value]), Ok(read));
}

fn message(chat: &Chat, text: String) -> Message {
    Message {
        chat: chat.clone(),
        seq: Seq(1),
        ts: Ts(1),
        sender: Side::First,
        nth: 1,
        text: text.into(),
        key: None,
        data: None,
        revision: None,
    }
}
