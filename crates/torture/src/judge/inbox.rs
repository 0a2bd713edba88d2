//! Inboxes: every chat, the one with the latest message first, each with its newest message and an exact unread count.

use super::{Facts, Promise, is_member};
use crate::history::{Call, InboxChat, Moment, Record, Reply};

pub(super) fn judge(facts: &mut Facts<'_>) {
    for record in facts.records {
        let (Call::Inbox { user }, Reply::Inbox { chats, unread_total }) = (&record.call, &record.reply)
        else {
            continue;
        };
        if chats.windows(2).any(|pair| pair[0].last.ts <= pair[1].last.ts) {
            let places: Vec<_> = chats.iter().map(|chat| (&chat.last.chat, chat.last.ts)).collect();
            facts.accuse(Promise::Inbox, format!("the inbox of {user} is not in order: {places:?}"));
        }
        let sum: u64 = chats.iter().map(|chat| chat.unread).sum();
        if sum != *unread_total {
            facts.accuse(
                Promise::Unread,
                format!("the inbox of {user} says {unread_total} in all, not {sum}"),
            );
        }
        missing(user, record.began, chats, facts);
        for chat in chats {
            let (name, last) = (chat.last.chat.as_str(), chat.last.seq);
            let highest = facts.highest(name, record.began);
            if last < highest {
                let how = format!("the inbox of {user} ends {name} at {last}, not at {highest}");
                facts.accuse(Promise::NotLost, how);
            }
            unread(user, record, chat, facts);
        }
    }
}

/// A chat that was heard of before is there.
fn missing(user: &str, began: Moment, chats: &[InboxChat], facts: &mut Facts<'_>) {
    for name in facts.chats() {
        let is_there = || chats.iter().any(|chat| chat.last.chat == name);
        if is_member(name, user) && facts.highest(name, began) > 0 && !is_there() {
            facts.accuse(Promise::Inbox, format!("the inbox of {user} misses {name}"));
        }
    }
}

/// The count lies between what must be unread and what may be.
fn unread(user: &str, record: &Record, chat: &InboxChat, facts: &mut Facts<'_>) {
    let name = chat.last.chat.as_str();
    let read = chat.read.get(user).copied().unwrap_or_default();
    let (mut least, mut most) = (0, 0);
    for seq in read + 1..=chat.last.seq {
        let Some(known) = facts.messages.get(&(name, seq)) else {
            // Nobody ever read that place.
            most += 1;
            continue;
        };
        if known.message.sender == *user {
            continue;
        }
        let unsent = facts.unsent.get(&(name, seq)).copied().unwrap_or_default();
        most += u64::from(!unsent.surely_by(record.began));
        least += u64::from(!unsent.maybe_by(record.ended));
    }
    if !(least..=most).contains(&chat.unread) {
        let how = format!(
            "the inbox of {user} says that {} of {name} are unread above {read}; {least} to {most} are",
            chat.unread
        );
        facts.accuse(Promise::Unread, how);
    }
}
