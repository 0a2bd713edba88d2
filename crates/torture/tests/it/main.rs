//! The judge of a history finds each planted fault, and accuses nobody in a sound one, whatever is unknown in it.

mod blocks;
mod sound;

use chinwag_torture::{
    history::{self, By, Call, Change, Marker, Message, Record, Reply},
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
        let is_keyed =
            |message: &&Message| message.key.is_some() && message.edited_ts.is_none() && !message.unsent;
        let page = records.iter_mut().rev().find_map(|record| match &mut record.reply {
            Reply::Page { messages, .. } if messages.iter().any(|message| is_keyed(&message)) => {
                Some(messages)
            }
            _ => None,
        });
        let page = page.expect("a page");
        let end = page.last().expect("a message").clone();
        let again = page.iter().rfind(is_keyed).expect("one with a key").clone();
        page.push(Message { seq: end.seq + 1, ts: end.ts + 1, ..again });
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
        back.reply = Reply::Marked { seq: 0, ts: 0 };
        records.push(back);
    });
    finds(Promise::Unread, |records| {
        let inbox = records.iter_mut().rev().find_map(|record| match &mut record.reply {
            Reply::Inbox { chats, .. } => chats.first_mut(),
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
        seen.by = user("mallory", u64::MAX);
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
    let call = send("a:b", "a", "no", None);
    sound.records.push(Record { began: 1, ended: 2, by: By::Anyone, call, reply: refused });
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

fn user(name: &str, until: u64) -> By {
    By::User { name: name.into(), until }
}

/// The last record that is like this.
fn last(records: &[Record], is: impl Fn(&Record) -> bool) -> usize {
    records.iter().rposition(is).expect("such a record")
}

/// The state that an answer showed last to a change, and to whom nothing was done later.
fn last_change(records: &[Record], is: impl Fn(&Change) -> bool) -> (String, u64) {
    let at = last(records, |record| {
        matches!(&record.call, Call::Revise { change, .. } if is(change))
            && matches!(record.reply, Reply::Stands { .. })
    });
    let Call::Revise { chat, seq, .. } = &records[at].call else { unreachable!() };
    (chat.clone(), *seq)
}

#[test]
fn a_lost_edit_is_found() {
    finds(Promise::Revisions, |records| {
        let (chat, seq) = last_change(records, |change| matches!(change, Change::Edit { .. }));
        // The last page shows what it was before.
        let before = records.iter().find_map(|record| match &record.reply {
            Reply::Stored { message, .. } if message.chat == chat && message.seq == seq => {
                Some(message.clone())
            }
            _ => None,
        });
        let before = before.expect("it was sent");
        let at = last(records, |record| matches!(&record.call, Call::Pull { chat: of, .. } if *of == chat));
        let Reply::Page { messages, .. } = &mut records[at].reply else { unreachable!() };
        messages
            .iter_mut()
            .filter(|message| message.seq == seq)
            .for_each(|message| *message = before.clone());
    });
    // One that nobody asked for.
    finds(Promise::Revisions, |records| {
        sound::each_message(records, |message| {
            if message.seq == 2 && !message.unsent {
                message.edited_ts = Some(message.edited_ts.unwrap_or(1));
                message.text = "nobody's".into();
            }
        });
    });
}

#[test]
fn a_lost_reaction_is_found() {
    finds(Promise::Revisions, |records| {
        let at = last(
            records,
            |record| matches!(&record.reply, Reply::Page { messages, .. } if messages.iter().any(|message| !message.reactions.is_empty())),
        );
        let Reply::Page { messages, .. } = &mut records[at].reply else { unreachable!() };
        for message in messages {
            message.reactions.clear();
        }
    });
}

#[test]
fn an_unsent_text_is_found() {
    finds(Promise::Unsent, |records| {
        let at = last(
            records,
            |record| matches!(&record.reply, Reply::Page { messages, .. } if messages.iter().any(|message| message.unsent)),
        );
        let Reply::Page { messages, .. } = &mut records[at].reply else { unreachable!() };
        messages.iter_mut().filter(|message| message.unsent).for_each(|message| message.text.push('x'));
    });
    finds(Promise::Unsent, |records| {
        let at = last(
            records,
            |record| matches!(&record.reply, Reply::Page { messages, .. } if messages.iter().any(|message| message.unsent)),
        );
        let Reply::Page { messages, .. } = &mut records[at].reply else { unreachable!() };
        for message in messages {
            message.unsent = false;
        }
    });
    // It counts as unread all the same.
    finds(Promise::Unread, |records| {
        for record in records.iter_mut() {
            if let Reply::Inbox { chats, unread_total } = &mut record.reply {
                *unread_total += chats.len() as u64;
                for chat in chats {
                    chat.unread += 1;
                }
            }
        }
    });
}

#[test]
fn a_change_by_another_than_the_sender_is_found() {
    finds(Promise::Senders, |records| {
        let at = last(records, |record| {
            matches!(&record.call, Call::Revise { change: Change::Unsend | Change::Edit { .. }, .. })
                && matches!(record.reply, Reply::Stands { .. })
        });
        let Call::Revise { user, .. } = &mut records[at].call else { unreachable!() };
        *user = "mallory".into();
    });
}

#[test]
fn revisions_and_markers_skipped_on_resume_are_found() {
    let is_revised = |reply: &Reply| matches!(reply, Reply::Revised { .. });
    let is_marker = |reply: &Reply| matches!(reply, Reply::Marker { .. });
    for is in [&is_revised as &dyn Fn(&Reply) -> bool, &is_marker] {
        let (mut skipped, mut found) = (0, 0);
        for records in (0..10).map(Sound::history) {
            for (at, record) in records.iter().enumerate() {
                if matches!(record.call, Call::Feed { since: Some(_), .. }) && is(&record.reply) {
                    let mut records = records.clone();
                    records.remove(at);
                    let broken = judge(&records);
                    skipped += 1;
                    found += u32::from(broken.iter().any(|broken| broken.promise == Promise::FeedWhole));
                }
            }
        }
        println!("{found} of {skipped}");
        // Not the last of a session, nor one of which another may have taken the place.
        assert!(found > 10 && found * 4 > skipped, "{found} of {skipped}");
    }
}

#[test]
fn an_inbox_that_misses_a_chat_or_the_order_is_found() {
    let inbox = |records: &[Record]| {
        last(records, |record| matches!(&record.reply, Reply::Inbox { chats, .. } if chats.len() > 1))
    };
    finds(Promise::Inbox, |records| {
        let at = inbox(records);
        let Reply::Inbox { chats, unread_total } = &mut records[at].reply else { unreachable!() };
        *unread_total -= chats.pop().expect("one").unread;
    });
    finds(Promise::Inbox, |records| {
        let at = inbox(records);
        let Reply::Inbox { chats, .. } = &mut records[at].reply else { unreachable!() };
        chats.reverse();
    });
    finds(Promise::Unread, |records| {
        let at = inbox(records);
        let Reply::Inbox { unread_total, .. } = &mut records[at].reply else { unreachable!() };
        *unread_total += 1;
    });
}

#[test]
fn read_that_does_not_raise_delivered_is_found() {
    let mut sound = Sound::new(4);
    sound.stored("a:b", "a", "one", None);
    sound.stored("a:b", "a", "two", None);
    sound.mark(Marker::Read, "a:b", "b", 2);
    sound.mark(Marker::Delivered, "a:b", "b", 1);
    assert_eq!(judge(&sound.records), []);
    let Some(Record { reply: Reply::Marked { seq, .. }, .. }) = sound.records.last_mut() else {
        unreachable!()
    };
    *seq = 1;
    let broken = judge(&sound.records);
    assert!(broken.iter().any(|broken| broken.promise == Promise::Markers), "{broken:?}");
    // And one that nobody moved.
    let Some(Record { reply: Reply::Marked { seq, .. }, .. }) = sound.records.last_mut() else {
        unreachable!()
    };
    *seq = 3;
    let broken = judge(&sound.records);
    assert!(broken.iter().any(|broken| broken.promise == Promise::Markers), "{broken:?}");
}

/// A history of one send and one pull of it, by these.
fn sent_and_pulled(sender: By, reader: By) -> Vec<Record> {
    let mut sound = Sound::new(4);
    sound.stored("a:b", "a", "one", None);
    sound.pull("a:b", false);
    sound.records[0].by = sender;
    sound.records[1].by = reader;
    sound.records
}

#[test]
fn who_may_not_and_is_let_in_is_found() {
    let late = u64::MAX / 2;
    assert_eq!(judge(&sent_and_pulled(user("a", late), user("b", late))), []);
    let finds = |records: &[Record]| {
        let broken = judge(records);
        assert!(broken.iter().any(|broken| broken.promise == Promise::Access), "{broken:?}");
    };
    // Another user, a member that acts as the other, a token that had ended, a key that was revoked.
    finds(&sent_and_pulled(user("mallory", late), user("b", late)));
    finds(&sent_and_pulled(user("b", late), user("b", late)));
    finds(&sent_and_pulled(user("a", late), user("b", 0)));
    let mut records = sent_and_pulled(user("a", late), user("b", 1));
    assert_eq!(judge(&records), [], "within the leeway");
    records[1].began += 100_000_000;
    records[1].ended += 100_000_000;
    finds(&records);
    let key = By::Key { id: "k".into() };
    let mut records = sent_and_pulled(key.clone(), key);
    assert_eq!(judge(&records), []);
    let (began, ended) = (records[0].ended + 1, records[0].ended + 2);
    let call = Call::Revoke { key: "k".into() };
    records.push(Record { began, ended, by: By::Anyone, call, reply: Reply::Done });
    records[1].began += 100;
    records[1].ended += 100;
    finds(&records);
    // While it is being revoked, it may be refused or not.
    records[1].reply = Reply::Refused { status: 401, code: "token_invalid".into() };
    let revoked = records.last_mut().expect("the revocation");
    (revoked.began, revoked.ended) = (1, 1_000);
    assert_eq!(judge(&records), []);
    // And who may, and is turned away.
    let mut records = sent_and_pulled(user("a", late), user("b", late));
    records[1].reply = Reply::Refused { status: 401, code: "token_invalid".into() };
    finds(&records);
}
