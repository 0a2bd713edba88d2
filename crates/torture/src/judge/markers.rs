//! Markers never go back, and unread counts are exact.

use super::{Facts, Promise};
use crate::history::{Call, Marker, Reply};
use std::collections::BTreeMap;

/// When a look at a marker began and ended, and where it stood.
type Look = (u64, u64, u64);

pub(super) fn judge(facts: &mut Facts<'_>) {
    let mut looks: BTreeMap<(Marker, &str, &str), Vec<Look>> = BTreeMap::new();
    for record in facts.records {
        let (began, ended) = (record.began, record.ended);
        match (&record.call, &record.reply) {
            (Call::Mark { marker, chat, user, .. }, Reply::Marked { seq }) => {
                looks.entry((*marker, chat, user)).or_default().push((began, ended, *seq));
                // Read raises delivered; only a lower bound of it is known.
            }
            (Call::Inbox { user, .. }, Reply::Inbox { chats }) => {
                for chat in chats {
                    let look = (began, ended, chat.read);
                    looks.entry((Marker::Read, &chat.last.chat, user)).or_default().push(look);
                }
            }
            // What a feed catches up with is the present value, told at any time after it began.
            (Call::Feed { .. }, Reply::Marker { marker, chat, user, seq, .. }) => {
                looks.entry((*marker, chat, user)).or_default().push((began, ended, *seq));
            }
            _ => {}
        }
    }
    for ((marker, chat, user), mut looks) in looks {
        looks.sort_unstable();
        let mut ended: Vec<_> = looks.iter().map(|&(_, ended, seq)| (ended, seq)).collect();
        ended.sort_unstable();
        let mut ends = ended.into_iter().peekable();
        let mut highest = 0;
        for (began, _, seq) in looks {
            while let Some((_, seen)) = ends.next_if(|&(ended, _)| ended < began) {
                highest = highest.max(seen);
            }
            if seq < highest {
                let how = format!("{marker:?} of {user} in {chat} went back from {highest} to {seq}");
                facts.accuse(Promise::Markers, how);
            }
        }
    }
    unread(facts);
}

fn unread(facts: &mut Facts<'_>) {
    for record in facts.records {
        let (Call::Inbox { user, quiet: true }, Reply::Inbox { chats }) = (&record.call, &record.reply)
        else {
            continue;
        };
        for chat in chats {
            let name = chat.last.chat.as_str();
            let above =
                facts.messages.range((name, chat.read + 1)..=(name, chat.last.seq.max(chat.read + 1)));
            let counted = above.filter(|(_, known)| known.message.sender != *user).count() as u64;
            let highest = facts.highest(name, record.began);
            if chat.last.seq < highest {
                let how = format!("the inbox of {user} ends {name} at {}, not at {highest}", chat.last.seq);
                facts.accuse(Promise::NotLost, how);
            }
            if chat.unread != counted {
                let how = format!("the inbox of {user} says {} of {name}; {counted} are unread", chat.unread);
                facts.accuse(Promise::Unread, how);
            }
        }
    }
}
