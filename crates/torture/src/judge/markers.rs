//! Markers never go back, never pass what was asked for, and read raises delivered.

use super::{Facts, Promise};
use crate::history::{Call, Marker, Moment, Reply};
use std::collections::BTreeMap;

/// Which marker: its kind, its chat and its user.
type Which<'a> = (Marker, &'a str, &'a str);

/// What is known of a marker.
#[derive(Default)]
struct Looks {
    /// When a look at it began and ended, and where it stood.
    seen: Vec<(Moment, Moment, u64)>,
    /// From when on it cannot stand lower.
    floors: Vec<(Moment, u64)>,
    /// From when on it may stand so high.
    asked: Vec<(Moment, u64)>,
}

pub(super) fn judge(facts: &mut Facts<'_>) {
    let mut all: BTreeMap<Which<'_>, Looks> = BTreeMap::new();
    for record in facts.records {
        let (began, ended) = (record.began, record.ended);
        let mut look = |marker, chat, user, seq| {
            let looks = all.entry((marker, chat, user)).or_default();
            looks.seen.push((began, ended, seq));
            looks.floors.push((ended, seq));
        };
        match (&record.call, &record.reply) {
            // What a feed catches up with is the present value, told at any time after it began.
            (Call::Mark { marker, chat, user, .. }, Reply::Marked { seq, .. })
            | (Call::Feed { .. }, Reply::Marker { marker, chat, user, seq, .. }) => {
                look(*marker, chat.as_str(), user.as_str(), *seq);
            }
            (Call::Inbox { .. }, Reply::Inbox { chats, .. }) => {
                for chat in chats {
                    for (marker, stands) in [(Marker::Read, &chat.read), (Marker::Delivered, &chat.delivered)]
                    {
                        for (user, seq) in stands {
                            look(marker, chat.last.chat.as_str(), user.as_str(), *seq);
                        }
                    }
                }
            }
            _ => {}
        }
        if let Call::Mark { marker, chat, user, seq } = &record.call {
            let raised = [*marker, Marker::Delivered];
            for which in &raised[..if *marker == Marker::Read { 2 } else { 1 }] {
                let looks = all.entry((*which, chat, user)).or_default();
                if !matches!(record.reply, Reply::Refused { .. }) {
                    looks.asked.push((began, *seq));
                }
                if let Reply::Marked { seq, .. } = record.reply {
                    looks.floors.push((ended, seq));
                }
            }
        }
    }
    for ((marker, chat, user), mut looks) in all {
        for how in looks.judge() {
            facts.accuse(Promise::Markers, format!("{marker:?} of {user} in {chat} {how}"));
        }
    }
}

impl Looks {
    fn judge(&mut self) -> Vec<String> {
        self.seen.sort_unstable();
        self.floors.sort_unstable();
        self.asked.sort_unstable();
        let mut broken = Vec::new();
        let (mut floors, mut floor) = (self.floors.iter().peekable(), 0);
        for &(began, _, seq) in &self.seen {
            while let Some(&(_, stood)) = floors.next_if(|&&(ended, _)| ended < began) {
                floor = floor.max(stood);
            }
            if seq < floor {
                broken.push(format!("went back from {floor} to {seq}"));
            }
        }
        self.seen.sort_unstable_by_key(|&(_, ended, _)| ended);
        let (mut asked, mut ceiling) = (self.asked.iter().peekable(), 0);
        for &(_, ended, seq) in &self.seen {
            while let Some(&(_, to)) = asked.next_if(|&&(began, _)| began <= ended) {
                ceiling = ceiling.max(to);
            }
            if seq > ceiling {
                broken.push(format!("stands at {seq}, and nobody asked for more than {ceiling}"));
            }
        }
        broken
    }
}
