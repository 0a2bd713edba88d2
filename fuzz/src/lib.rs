//! Fuzz targets: each takes any bytes, and panics where a promise is broken.
//!
//! They are plain functions, so that stable Rust runs them: the ordinary tests give each its saved corpus (`corpus/NAME/`)
//! and some thousands of mutations of it (`tests/corpus.rs`). Any fuzzer can call them; an input that it finds goes into
//! the corpus, and stays there.

use bytes::BytesMut;
use chinwag_model::{
    Chat, Direction, Message, Page, PageQuery, Place, Seq, Side, Ts, limits::PAGE_MAX_MESSAGES,
};
use chinwag_store::embedded::{changes, record};
use chinwag_wire::{PullRequest, SendRequest, WireMessage, encode_message, parse_header_key};
use std::{convert::Infallible, sync::Arc};

/// A target.
pub type Target = fn(&[u8]);

/// Every target, by the name of its corpus.
pub const TARGETS: [(&str, Target); 7] = [
    ("send", send),
    ("pull_json", pull_json),
    ("pull_query", pull_query),
    ("header_key", header_key),
    ("paging", paging),
    ("record", stored_record),
    ("change_row", change_row),
];

/// A send's body: what is taken is within the bounds, and its reply reads back as what was sent.
pub fn send(body: &[u8]) {
    let Ok(request) = SendRequest::parse(body) else { return };
    let Ok((draft, spelling)) = request.into_draft(None, 1_000) else { return };
    assert!((1..=1_000).contains(&draft.text.as_str().len()));
    assert!(draft.data.as_ref().is_none_or(|data| data.as_str().len() <= 4_096));
    let text = draft.text.as_str().to_owned();
    let message = Message {
        chat: draft.chat,
        seq: Seq(1),
        ts: Ts(1),
        sender: draft.sender,
        text: draft.text.into_boxed(),
        key: draft.key,
        data: draft.data,
        revision: None,
    };
    let json = encode_message(&message, spelling);
    let read: WireMessage<'_> = serde_json::from_slice(&json).expect("a reply is JSON");
    assert_eq!((&*read.text, &*read.chat), (&*text, &*message.chat.spelled(spelling)));
    assert_eq!(read.key.as_deref(), message.key.as_ref().map(chinwag_model::SendKey::as_str));
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

/// A cursor, a direction, a limit and a chat of some length: the page is the one that a plain list gives.
pub fn paging(bytes: &[u8]) {
    let [count, limit, direction, cursor @ ..] = bytes else { return };
    let Some(cursor) = cursor.first_chunk().map(|bytes| u64::from_le_bytes(*bytes)) else { return };
    let Ok(from) = Place::parse(cursor) else { return };
    let (chat, _) = Chat::parse("a:b").expect("valid");
    let count = u64::from(*count);
    let direction = if direction % 2 == 0 { Direction::Forward } else { Direction::Reverse };
    let query = PageQuery::new(chat.clone(), from, direction, usize::from(*limit));
    let (expected, left): (Vec<u64>, bool) = match direction {
        Direction::Forward => {
            let all: Vec<_> = (1..=count).filter(|&seq| seq > cursor).collect();
            (all.iter().copied().take(query.limit).collect(), all.len() > query.limit)
        }
        Direction::Reverse => {
            let all: Vec<_> = (1..=count).rev().filter(|&seq| cursor == 0 || seq <= cursor).collect();
            (all.iter().copied().take(query.limit).collect(), all.len() > query.limit)
        }
    };
    let (first, last) = (Seq(1), Seq(count));
    let message = |seq| Ok::<_, Infallible>(Arc::new(plain(&chat, Seq(seq))));
    let page = match query.begin(first, last) {
        None => Page::default(),
        Some(begin) if direction == Direction::Forward => {
            Page::fill(&query, first, last, (begin.0..=count).map(message)).expect("no error")
        }
        Some(begin) => Page::fill(&query, first, last, (1..=begin.0).rev().map(message)).expect("no error"),
    };
    let seqs: Vec<_> = page.messages.iter().map(|message| message.seq.0).collect();
    assert_eq!((seqs, page.next.is_some()), (expected.clone(), left), "{query:?} of {count}");
    if let (Some(next), Some(&end)) = (page.next, expected.last()) {
        let place = if direction == Direction::Forward { end } else { end - 1 };
        assert_eq!(next.get(), place);
    }
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

fn plain(chat: &Chat, seq: Seq) -> Message {
    Message {
        chat: chat.clone(),
        seq,
        ts: Ts(seq.0),
        sender: Side::First,
        text: "x".into(),
        key: None,
        data: None,
        revision: None,
    }
}
