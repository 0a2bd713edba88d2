//! The judge of a history finds each planted fault, and accuses nobody in a sound one, whatever is unknown in it.

mod sound;

use chinwag_torture::{
    history::{self, Call, Marker, Record, Reply},
    judge::{Promise, judge},
};
use sound::{Sound, send};

/// Plants a fault in a sound history, and demands that the judge finds it.
fn finds(promise: Promise, plant: impl FnOnce(&mut Vec<Record>)) {
    let mut records = Sound::history(1);
    assert_eq!(judge(&records), []);
    plant(&mut records);
    let broken = judge(&records);
    assert!(broken.iter().any(|broken| broken.promise == promise), "{promise:?} is not among {broken:?}");
}

#[test]
fn sound_histories_are_not_accused() {
    for seed in 0..200 {
        let records = Sound::history(seed);
        assert_eq!(judge(&records), [], "seed {seed}");
        let unknown = records.iter().filter(|record| record.reply == Reply::Unknown).count();
        assert!(unknown > 0, "seed {seed}: every outcome is known");
    }
}

#[test]
fn a_history_is_read_as_it_was_written() {
    let records = Sound::history(3);
    let mut lines = Vec::new();
    for record in &records {
        history::write(&mut lines, record).expect("memory");
    }
    assert_eq!(history::read(lines.as_slice()).expect("records"), records);
    let error = history::read(&b"{}\n"[..]).expect_err("no record");
    assert!(error.to_string().starts_with("line 1: "), "{error}");
}

#[test]
fn a_dropped_batch_is_found() {
    // The last messages of a chat are acknowledged, and then nowhere.
    finds(Promise::NotLost, |records| {
        for record in records.iter_mut() {
            if let (Call::Pull { reverse: false, .. }, Reply::Page { messages, next: None }) =
                (&record.call, &mut record.reply)
            {
                messages.truncate(messages.len().saturating_sub(3));
            }
        }
    });
    // One in the middle.
    finds(Promise::Pages, |records| {
        let pages = records.iter_mut().filter_map(|record| match &mut record.reply {
            Reply::Page { messages, .. } if messages.len() > 4 => Some(messages),
            _ => None,
        });
        pages.last().expect("a page").remove(2);
    });
}

#[test]
fn a_doubled_seq_is_found() {
    finds(Promise::NotDoubled, |records| {
        let stored: Vec<_> = (0..records.len())
            .filter(|&at| matches!(&records[at].call, Call::Send { key: None, chat, .. } if chat == "a:b"))
            .filter(|&at| matches!(records[at].reply, Reply::Stored { .. }))
            .collect();
        let Reply::Stored { message: first, .. } = records[stored[0]].reply.clone() else { unreachable!() };
        let Reply::Stored { message, .. } = &mut records[stored[1]].reply else { unreachable!() };
        message.seq = first.seq;
    });
    // The same message twice.
    finds(Promise::NotDoubled, |records| {
        let page = records.iter_mut().rev().find_map(|record| match &mut record.reply {
            Reply::Page { messages, .. } if messages.len() > 1 => Some(messages),
            _ => None,
        });
        let page = page.expect("a page");
        let mut again = page.last().expect("a message").clone();
        (again.seq, again.ts) = (again.seq + 1, again.ts + 1);
        page.push(again);
    });
}

#[test]
fn two_swapped_messages_are_found() {
    finds(Promise::NotReordered, |records| {
        let mut messages: Vec<_> = records
            .iter()
            .filter_map(|record| match (&record.call, &record.reply) {
                (Call::Send { .. }, Reply::Stored { message, replayed: false }) if message.chat == "a:b" => {
                    Some(message.clone())
                }
                _ => None,
            })
            .collect();
        messages.truncate(2);
        let [one, two] = messages.try_into().expect("two sends");
        // Everywhere each stands at the other's place, and at its time.
        sound::each_message(records, |message| {
            let place = if *message == one {
                &two
            } else if *message == two {
                &one
            } else {
                return;
            };
            (message.seq, message.ts) = (place.seq, place.ts);
        });
    });
}

#[test]
fn an_altered_message_is_found() {
    finds(Promise::NotAltered, |records| {
        let mut left = 1;
        sound::each_message(records, |message| {
            if left > 0 {
                message.text.push('!');
                left -= 1;
            }
        });
    });
}

#[test]
fn a_marker_that_goes_back_is_found() {
    finds(Promise::Markers, |records| {
        let marks: Vec<_> =
            records.iter().filter(|record| matches!(record.reply, Reply::Marked { .. })).collect();
        let mut back = (*marks.last().expect("a mark")).clone();
        let end = records.last().expect("a record").ended;
        (back.began, back.ended) = (end + 1, end + 2);
        back.reply = Reply::Marked { seq: 0 };
        records.push(back);
    });
    finds(Promise::Unread, |records| {
        let inbox = records.iter_mut().rev().find_map(|record| match &mut record.reply {
            Reply::Inbox { chats } => chats.first_mut(),
            _ => None,
        });
        inbox.expect("an inbox").unread += 1;
    });
}

#[test]
fn an_event_skipped_on_resume_is_found() {
    finds(Promise::FeedWhole, |records| {
        let skipped = records.iter().position(|record| {
            matches!(record.call, Call::Feed { since: Some(_), .. })
                && matches!(record.reply, Reply::Message { .. })
        });
        records.remove(skipped.expect("a resumed session that told something"));
    });
    finds(Promise::Recovered, |records| {
        for record in records.iter_mut() {
            if let Reply::Ready { recovered, .. } = &mut record.reply {
                *recovered = false;
            }
        }
    });
    finds(Promise::FeedOrder, |records| {
        let told = records.iter().rfind(|record| matches!(record.reply, Reply::Message { .. }));
        let again = told.expect("an event").clone();
        records.push(again);
    });
}

#[test]
fn a_forgotten_key_is_found() {
    finds(Promise::Keys, |records| {
        let replay = records.iter_mut().find_map(|record| match &mut record.reply {
            Reply::Stored { message, replayed } if *replayed => Some((message, replayed)),
            _ => None,
        });
        let (message, replayed) = replay.expect("a replay");
        (message.seq, *replayed) = (message.seq + 1_000, false);
    });
    finds(Promise::Keys, |records| {
        for record in records.iter_mut() {
            if let Reply::Stored { replayed, .. } = &mut record.reply {
                *replayed = false;
            }
        }
    });
}

#[test]
fn a_message_seen_by_a_stranger_is_found() {
    let told = |records: &[Record]| {
        records
            .iter()
            .rfind(|record| matches!(record.reply, Reply::Message { .. }))
            .expect("an event")
            .clone()
    };
    finds(Promise::Strangers, |records| {
        let mut seen = told(records);
        let Call::Feed { user, session, .. } = &mut seen.call else { unreachable!() };
        (*user, *session) = ("mallory".into(), 1_000);
        records.push(seen);
    });
    finds(Promise::Strangers, |records| {
        let page = records
            .iter()
            .rfind(|record| matches!(&record.reply, Reply::Page { messages, .. } if !messages.is_empty()));
        let mut seen = page.expect("a page").clone();
        let Call::Pull { caller, .. } = &mut seen.call else { unreachable!() };
        *caller = Some("mallory".into());
        records.push(seen);
    });
}

#[test]
fn what_nobody_knows_accuses_nobody_and_covers_nothing() {
    // A send without an answer may be there, or not.
    let mut sound = Sound::new(9);
    sound.stored("a:b", "a", "one", None);
    sound.unknown("a:b", "a", "two", true);
    sound.unknown("a:b", "a", "three", false);
    sound.stored("a:b", "b", "four", None);
    sound.pull("a:b", false);
    assert_eq!(judge(&sound.records), []);
    // But not twice.
    sound.plant("a:b", "a", "two", None);
    sound.pull("a:b", false);
    let broken = judge(&sound.records);
    assert!(broken.iter().any(|broken| broken.promise == Promise::NotDoubled), "{broken:?}");
    // What was refused is not there.
    let mut sound = Sound::new(9);
    let refused = Reply::Refused { status: 503, code: "busy".into() };
    sound.records.push(Record { began: 1, ended: 2, call: send("a:b", "a", "no", None), reply: refused });
    sound.plant("a:b", "a", "no", None);
    sound.pull("a:b", true);
    let broken = judge(&sound.records);
    assert!(broken.iter().any(|broken| broken.promise == Promise::NotDoubled), "{broken:?}");
}

#[test]
fn markers_are_told_apart_by_their_kind() {
    let mut sound = Sound::new(4);
    for text in ["one", "two", "three"] {
        sound.stored("a:b", "a", text, None);
    }
    sound.mark(Marker::Delivered, "a:b", "b", 3);
    sound.mark(Marker::Read, "a:b", "b", 1);
    assert_eq!(judge(&sound.records), []);
}
