//! Revisions: a message stands as it was last revised, everywhere, and what was unsent says nothing any more.

use super::{At, Facts, Promise, Sighting};
use crate::history::{Call, Change, Message, Moment, Reply};
use std::collections::BTreeMap;

/// A change that was not refused. One without an answer may be done until the end of time.
struct Asked<'a> {
    began: Moment,
    ended: Moment,
    user: &'a str,
    change: &'a Change,
    reply: &'a Reply,
}

pub(super) fn judge(facts: &mut Facts<'_>) {
    let mut all: BTreeMap<At<'_>, Vec<Asked<'_>>> = BTreeMap::new();
    for record in facts.records {
        let Call::Revise { chat, seq, user, change } = &record.call else { continue };
        let ended = match &record.reply {
            Reply::Refused { .. } => continue,
            Reply::Unknown => Moment::MAX,
            _ => record.ended,
        };
        let asked = Asked { began: record.began, ended, user, change, reply: &record.reply };
        all.entry((chat, *seq)).or_default().push(asked);
    }
    let mut broken = Vec::new();
    for (at, sightings) in &facts.sightings {
        let asked = all.remove(at).unwrap_or_default();
        let sender = &facts.messages[at].message.sender;
        let mut accuse =
            |promise, how| broken.push((promise, format!("message {} of {}: {how}", at.1, at.0)));
        answers(sender, &asked, &mut accuse);
        rises(sightings, &mut accuse);
        for sighting in sightings {
            is_asked_for(sighting, &asked, &mut accuse);
        }
        reactions(sightings, &asked, &mut accuse);
    }
    for (promise, how) in broken {
        facts.accuse(promise, how);
    }
}

type Accuse<'a> = &'a mut dyn FnMut(Promise, String);

/// Only the sender edits and unsends, and an answer shows what was asked for.
fn answers(sender: &str, all: &[Asked<'_>], accuse: Accuse<'_>) {
    for asked in all {
        let Reply::Stands { message } = asked.reply else { continue };
        if !matches!(asked.change, Change::React { .. }) && asked.user != sender {
            accuse(Promise::Senders, format!("{} changed it with {:?}", asked.user, asked.change));
        }
        let is_shown = match asked.change {
            Change::Edit { text } => message.text == *text,
            Change::Unsend => message.unsent,
            Change::React { emoji, remove } => reacted(message, asked.user, emoji) != *remove,
        };
        // Where another was under way, it may be that one's state which is shown.
        let alone =
            all.iter().filter(|other| other.began <= asked.ended && other.ended >= asked.began).count() == 1;
        if !is_shown && alone {
            accuse(Promise::Revisions, format!("{:?} was answered {message:?}", asked.change));
        }
    }
}

/// What was seen by then is seen ever after: an edit or a later one, and that it is unsent.
fn rises(sightings: &[Sighting<'_>], accuse: Accuse<'_>) {
    let mut by_begin: Vec<_> = sightings.iter().collect();
    let mut by_end = by_begin.clone();
    by_begin.sort_unstable_by_key(|sighting| sighting.began);
    by_end.sort_unstable_by_key(|sighting| sighting.ended);
    let mut ends = by_end.into_iter().peekable();
    let (mut edited, mut unsent) = (None, false);
    for Sighting { began, message, .. } in by_begin {
        while let Some(seen) = ends.next_if(|seen| seen.ended < *began) {
            edited = edited.max(seen.message.edited_ts);
            unsent |= seen.message.unsent;
        }
        if unsent && !message.unsent {
            accuse(Promise::Unsent, format!("it was unsent, and is told as {message:?}"));
        } else if !message.unsent && message.edited_ts < edited {
            accuse(Promise::Revisions, format!("its edit at {edited:?} is lost in {message:?}"));
        }
        if message.unsent && !(message.text.is_empty() && message.reactions.is_empty()) {
            accuse(Promise::Unsent, format!("it is unsent, and still says something: {message:?}"));
        }
    }
}

/// Whatever a message is now, somebody who may asked for it.
fn is_asked_for(sighting: &Sighting<'_>, asked: &[Asked<'_>], accuse: Accuse<'_>) {
    let Sighting { ended, message, .. } = sighting;
    let may = |is: &dyn Fn(&Change) -> bool| {
        asked.iter().any(|asked| asked.user == message.sender && asked.began <= *ended && is(asked.change))
    };
    if message.unsent {
        if !may(&|change| *change == Change::Unsend) {
            accuse(Promise::Revisions, format!("nobody took it back: {message:?}"));
        }
    } else if message.edited_ts.is_some()
        && !may(&|change| matches!(change, Change::Edit { text } if *text == message.text))
    {
        accuse(Promise::Revisions, format!("nobody gave it that text: {message:?}"));
    }
}

fn reacted(message: &Message, user: &str, emoji: &str) -> bool {
    message.reactions.get(emoji).is_some_and(|users| users.iter().any(|one| one == user))
}

/// Each user's reaction with each emoji is there or not, as the last who asked for it left it.
fn reactions(sightings: &[Sighting<'_>], all: &[Asked<'_>], accuse: Accuse<'_>) {
    let mut registers: BTreeMap<(&str, &str), Vec<(&Asked<'_>, bool)>> = BTreeMap::new();
    for asked in all {
        if let Change::React { emoji, remove } = asked.change {
            registers.entry((asked.user, emoji)).or_default().push((asked, !remove));
        }
    }
    for Sighting { began, ended, message } in sightings.iter().filter(|sighting| !sighting.message.unsent) {
        for (emoji, users) in &message.reactions {
            for user in users {
                if !registers.contains_key(&(user.as_str(), emoji.as_str())) {
                    accuse(Promise::Revisions, format!("{user} never reacted with {emoji}: {message:?}"));
                }
            }
        }
        for ((user, emoji), asked) in &registers {
            let stands = reacted(message, user, emoji);
            // Whether something that was asked for and answered after `since` turned it round, before this look began.
            let turned = |since: Moment| {
                asked.iter().any(|&(by, put)| put != stands && by.began > since && by.ended < *began)
            };
            // It began without, which is as if that had been asked for at the beginning.
            let explained = (!stands && !asked.iter().any(|&(other, put)| put && other.ended < *began))
                || asked.iter().any(|&(by, put)| {
                    put == stands && by.began <= *ended && (by.ended == Moment::MAX || !turned(by.ended))
                });
            if !explained {
                let is = if stands { "is" } else { "is not" };
                accuse(Promise::Revisions, format!("the {emoji} of {user} {is} there: {message:?}"));
            }
        }
    }
}
