//! Sends: nothing lost, doubled, reordered or altered; no gap; keys.

use super::{Facts, Promise};
use crate::history::{Call, Message, Record, Reply};
use std::collections::{BTreeMap, HashMap, HashSet};

/// What makes two sends without a key the same to the judge.
type Said<'a> = (&'a str, &'a str, &'a str);

pub(super) fn judge(facts: &mut Facts<'_>) {
    echoes(facts);
    once(facts);
    keys(facts);
    order(facts);
    gaps(facts);
}

fn sends(records: &[Record]) -> impl Iterator<Item = (&Record, Said<'_>, Option<&str>)> {
    records.iter().filter_map(|record| match &record.call {
        Call::Send { chat, sender, text, key } => {
            Some((record, (chat.as_str(), sender.as_str(), text.as_str()), key.as_deref()))
        }
        _ => None,
    })
}

fn said(message: &Message) -> Said<'_> {
    (&message.chat, &message.sender, &message.text)
}

/// A send is answered with what was sent.
fn echoes(facts: &mut Facts<'_>) {
    for (record, sent, key) in sends(facts.records) {
        // What was revised since says something else.
        if let Reply::Stored { message, .. } = &record.reply
            && message.edited_ts.is_none()
            && !message.unsent
            && (said(message) != sent || message.key.as_deref() != key)
        {
            facts.accuse(Promise::NotAltered, format!("{sent:?} with key {key:?} was answered {message:?}"));
        }
    }
}

/// Every message was sent by somebody, and is there no more often than it can have been stored.
fn once(facts: &mut Facts<'_>) {
    let mut may: HashMap<(Said<'_>, Option<&str>), u64> = HashMap::new();
    let mut keyed: HashSet<(&str, &str, &str)> = HashSet::new();
    let mut places: BTreeMap<(&str, u64), &Message> = BTreeMap::new();
    let mut doubled = Vec::new();
    for (record, sent, key) in sends(facts.records) {
        let count = may.entry((sent, key)).or_default();
        match (&record.reply, key) {
            (Reply::Refused { .. }, _) => {}
            // However often: once.
            (_, Some(key)) => {
                *count = 1;
                keyed.insert((sent.0, sent.1, key));
            }
            _ => *count += 1,
        }
        if let Reply::Stored { message, replayed: false } = &record.reply
            && let Some(other) = places.insert((&message.chat, message.seq), message)
            && (key.is_none() || other.key != message.key || other.sender != message.sender)
        {
            doubled.push(format!("two sends were given the place of {message:?}"));
        }
    }
    for known in facts.messages.values() {
        let Some(first) = known.first else {
            // Nobody ever read what it said; of two without a key it can't be told apart.
            if let Some(key) = known.message.key.as_deref()
                && !keyed.contains(&(&known.message.chat, &known.message.sender, key))
            {
                doubled.push(format!("nobody sent {:?}", known.message));
            }
            continue;
        };
        let left = may.entry((said(first), first.key.as_deref())).or_default();
        if *left == 0 {
            doubled.push(format!("{first:?} is there more often than it was sent"));
        }
        *left = left.saturating_sub(1);
    }
    for how in doubled {
        facts.accuse(Promise::NotDoubled, how);
    }
}

/// One key, one message; and only one reply that is no replay.
fn keys(facts: &mut Facts<'_>) {
    let mut first: HashMap<(&str, &str, &str), (&Message, bool)> = HashMap::new();
    for (record, (chat, sender, _), key) in sends(facts.records) {
        let (Some(key), Reply::Stored { message, replayed }) = (key, &record.reply) else { continue };
        let (was, fresh) = first.entry((chat, sender, key)).or_insert((message, false));
        if was.seq != message.seq {
            let how = format!("the key {key} of {sender} in {chat} stored {was:?} and then {message:?}");
            facts.accuse(Promise::Keys, how);
        } else if *fresh && !replayed {
            facts.accuse(Promise::Keys, format!("a repeat of {message:?} does not say that it is one"));
        }
        *fresh |= !replayed;
    }
}

/// What was acknowledged before another send began stands before it.
fn order(facts: &mut Facts<'_>) {
    for chat in facts.chats() {
        let answered = sends(facts.records).filter_map(|(record, sent, _)| match &record.reply {
            Reply::Stored { message, replayed: false } if sent.0 == chat => {
                Some((record.began, record.ended, message.seq))
            }
            _ => None,
        });
        let mut by_begin: Vec<_> = answered.collect();
        let mut by_end = by_begin.clone();
        by_begin.sort_unstable_by_key(|&(began, ..)| began);
        by_end.sort_unstable_by_key(|&(_, ended, _)| ended);
        let mut ends = by_end.into_iter().peekable();
        let mut highest = 0;
        for (began, _, seq) in by_begin {
            while let Some((.., ended)) = ends.next_if(|&(_, ended, _)| ended < began) {
                highest = highest.max(ended);
            }
            if seq < highest {
                let how = format!("{chat}: {seq} was sent after {highest} was acknowledged");
                facts.accuse(Promise::NotReordered, how);
            }
        }
        let of_chat = facts.messages.range((chat, 0)..=(chat, u64::MAX));
        let times: Vec<_> = of_chat.map(|((_, seq), known)| (*seq, known.message.ts)).collect();
        for pair in times.windows(2) {
            if let [(low, before), (high, after)] = pair
                && before >= after
            {
                let how = format!("{chat}: the times of {low} and {high} do not rise: {before}, {after}");
                facts.accuse(Promise::NotReordered, how);
            }
        }
    }
}

/// Below the highest place that anyone heard of, no place that nobody can have been given stays empty.
fn gaps(facts: &mut Facts<'_>) {
    for chat in facts.chats() {
        let known: Vec<u64> =
            facts.messages.range((chat, 0)..=(chat, u64::MAX)).map(|((_, seq), _)| *seq).collect();
        // A send without an answer may stand at a place that nobody has read.
        let unknown = sends(facts.records)
            .filter(|(record, sent, _)| sent.0 == chat && record.reply == Reply::Unknown)
            .count();
        let highest = known.last().copied().unwrap_or_default();
        let missing = highest.saturating_sub(known.len() as u64);
        if known.first() == Some(&0) || missing > unknown as u64 {
            facts.accuse(
                Promise::NoGap,
                format!("{chat}: {missing} of {highest} places were given to nobody"),
            );
        }
    }
}
