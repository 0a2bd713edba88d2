//! Faults behind the store's seam.

use crate::{
    bench::{Asks, finds, history, seed},
    planted::Plant,
};
use chinwag_torture::{
    history::{Call, Record, Reply},
    judge::{Promise, judge},
};

/// Whether a record is of some kind.
type Is = fn(&Record) -> bool;

#[test]
fn a_sound_store_is_not_accused() {
    let records = history(Plant::Nothing, &Asks::Well, seed());
    assert_eq!(judge(&records), []);
    // And all was put to the test.
    let all: [(&str, Is); 11] = [
        ("a repeat", |record| matches!(record.reply, Reply::Stored { replayed: true, .. })),
        ("a page", |record| matches!(record.reply, Reply::Page { .. })),
        ("an inbox", |record| matches!(record.reply, Reply::Inbox { .. })),
        ("a revision", |record| matches!(record.reply, Reply::Stands { .. })),
        ("a marker that moved", |record| matches!(record.reply, Reply::Marker { .. })),
        ("a revision told", |record| matches!(record.reply, Reply::Revised { .. })),
        ("a resume", |record| {
            matches!(record.call, Call::Feed { since: Some(_), .. })
                && matches!(record.reply, Reply::Message { .. })
        }),
        (
            "a refusal for a block",
            |record| matches!(&record.reply, Reply::Refused { code, .. } if code == "blocked"),
        ),
        ("typing told", |record| matches!(record.reply, Reply::Typing { .. })),
        ("a stranger", |record| matches!(record.reply, Reply::Refused { status: 403, .. })),
        ("a token that had ended", |record| matches!(record.reply, Reply::Refused { status: 401, .. })),
    ];
    for (what, is) in all {
        let count = records.iter().filter(|record| is(record)).count();
        println!("{what}: {count}");
        assert!(count > 10, "{what}: {count}");
    }
}

#[test]
fn a_dropped_batch() {
    finds(Promise::NotLost, Plant::DropsABatch, &Asks::Well);
}

#[test]
fn a_doubled_seq() {
    finds(Promise::NotDoubled, Plant::DoublesASeq, &Asks::Well);
}

#[test]
fn two_swapped_messages() {
    finds(Promise::NotReordered, Plant::SwapsTwo, &Asks::Well);
}

#[test]
fn a_forgotten_key() {
    finds(Promise::Keys, Plant::ForgetsAKey, &Asks::Well);
}

#[test]
fn a_marker_that_goes_back() {
    finds(Promise::Markers, Plant::MovesAMarkerBack, &Asks::Well);
}

#[test]
fn messages_skipped_on_resume() {
    finds(Promise::FeedWhole, Plant::SkipsMessages, &Asks::Well);
}

#[test]
fn markers_skipped_on_resume() {
    finds(Promise::FeedWhole, Plant::SkipsMarkers, &Asks::Well);
}

#[test]
fn revisions_skipped_on_resume() {
    finds(Promise::FeedWhole, Plant::SkipsRevisions, &Asks::Well);
}

#[test]
fn a_lost_edit() {
    finds(Promise::Revisions, Plant::LosesEdits, &Asks::Well);
}

#[test]
fn a_lost_reaction() {
    finds(Promise::Revisions, Plant::LosesReactions, &Asks::Well);
}

#[test]
fn an_unsent_text_that_is_kept() {
    finds(Promise::Unsent, Plant::KeepsUnsentTexts, &Asks::Well);
}

#[test]
fn an_edit_by_another_than_the_sender() {
    finds(Promise::Senders, Plant::LetsAnyoneEdit, &Asks::Well);
}

#[test]
fn an_unread_count_with_what_was_unsent() {
    finds(Promise::Unread, Plant::CountsUnsent, &Asks::Well);
}

#[test]
fn an_inbox_that_misses_a_chat() {
    finds(Promise::Inbox, Plant::ForgetsAChat, &Asks::Well);
}

#[test]
fn a_send_let_through_a_block() {
    finds(Promise::Blocks, Plant::LetsThroughABlock, &Asks::Well);
}

#[test]
fn a_block_that_never_ends() {
    finds(Promise::Blocks, Plant::KeepsABlock, &Asks::Well);
}

#[test]
fn typing_told_through_a_block() {
    finds(Promise::Silence, Plant::TellsTypingThroughABlock, &Asks::Well);
}

#[test]
fn markers_shown_through_a_block() {
    finds(Promise::Silence, Plant::ShowsMarkersThroughABlock, &Asks::Well);
}
