//! Markers never go back, never pass what was asked for, and read raises delivered.
//!
//! A peer may see one stand still behind a block, and then sees it no lower than before.

use super::{Facts, Promise, is_member};
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
    // Of each marker, and of what the peer alone saw of it.
    let mut all: BTreeMap<(Which<'_>, bool), Looks> = BTreeMap::new();
    for record in facts.records {
        let (began, ended) = (record.began, record.ended);
        let mut look = |marker, chat, user, seq, by| {
            let is_peer = by != user && is_member(chat, by);
            let maybe_held = is_peer && facts.blocks.maybe_silent(user, by, began, ended);
            // However it is held, it has stood there.
            all.entry(((marker, chat, user), false)).or_default().look(!maybe_held, began, ended, seq);
            if is_peer {
                all.entry(((marker, chat, user), true)).or_default().look(true, began, ended, seq);
            }
        };
        match (&record.call, &record.reply) {
            (Call::Mark { marker, chat, user, .. }, Reply::Marked { seq, .. }) => {
                look(*marker, chat.as_str(), user.as_str(), *seq, user.as_str());
            }
            // What a feed catches up with is the present value, told at any time after it began.
            (Call::Feed { user: by, .. }, Reply::Marker { marker, chat, user, seq, .. }) => {
                look(*marker, chat.as_str(), user.as_str(), *seq, by.as_str());
            }
            (Call::Inbox { user: by }, Reply::Inbox { chats, .. }) => {
                for chat in chats {
                    for (marker, stands) in [(Marker::Read, &chat.read), (Marker::Delivered, &chat.delivered)]
                    {
                        for (user, seq) in stands {
                            look(marker, chat.last.chat.as_str(), user.as_str(), *seq, by.as_str());
                        }
                    }
                }
            }
            _ => {}
        }
        if let Call::Mark { marker, chat, user, seq } = &record.call {
            let raised = [*marker, Marker::Delivered];
            for which in &raised[..if *marker == Marker::Read { 2 } else { 1 }] {
                for of_peer in [false, true] {
                    let looks = all.entry(((*which, chat, user), of_peer)).or_default();
                    if !matches!(record.reply, Reply::Refused { .. }) {
                        looks.asked.push((began, *seq));
                    }
                    if let Reply::Marked { seq, .. } = record.reply
                        && !of_peer
                    {
                        looks.floors.push((ended, seq));
                    }
                }
            }
        }
    }
    for (((marker, chat, user), of_peer), mut looks) in all {
        let seen = if of_peer { ", as the peer saw it," } else { "" };
        for how in looks.judge() {
            facts.accuse(Promise::Markers, format!("{marker:?} of {user} in {chat}{seen} {how}"));
        }
    }
}

impl Looks {
    /// Takes in where it stood, `current` where that was no older than the look.
    fn look(&mut self, current: bool, began: Moment, ended: Moment, seq: u64) {
        if current {
            self.seen.push((began, ended, seq));
        }
        self.floors.push((ended, seq));
    }

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
