//! Feeds: in order, whole from where they were resumed to the last thing that they told, and honest about it.

use super::{Facts, Promise, is_member};
use crate::history::{Call, Message, Record, Reply};
use chinwag_model::{FeedId, limits::CATCH_UP_MAX_EVENTS};
use std::collections::{BTreeMap, BTreeSet};

/// One session: whose, from where, and what it told.
struct Session<'a> {
    user: &'a str,
    since: Option<&'a str>,
    told: Vec<&'a Record>,
}

pub(super) fn judge(facts: &mut Facts<'_>) {
    let mut sessions: BTreeMap<u64, Session<'_>> = BTreeMap::new();
    for record in facts.records {
        if let Call::Feed { user, session, since } = &record.call {
            let began = || Session { user, since: since.as_deref(), told: Vec::new() };
            sessions.entry(*session).or_insert_with(began).told.push(record);
        }
    }
    for (number, session) in sessions {
        session.order(number, facts);
        session.whole(number, facts);
    }
}

impl Session<'_> {
    fn order(&self, number: u64, facts: &mut Facts<'_>) {
        let (mut last, mut readies) = (0, 0);
        for record in &self.told {
            readies += u64::from(matches!(record.reply, Reply::Ready { .. }));
            let Some(id) = id(&record.reply) else { continue };
            match FeedId::parse("id", id).map(|id| id.ts.0) {
                // `ready` may stand where the last of what was missed did.
                Ok(at) if at > last || (at == last && matches!(record.reply, Reply::Ready { .. })) => {
                    last = at;
                }
                Ok(at) => {
                    let how = format!("session {number} of {} told {at} after {last}", self.user);
                    facts.accuse(Promise::FeedOrder, how);
                }
                Err(_) => facts.accuse(Promise::FeedOrder, format!("session {number}: {id} is no id")),
            }
        }
        if readies > 1 {
            facts.accuse(Promise::FeedOrder, format!("session {number} was ready {readies} times"));
        }
    }

    /// Every message between the place of the resume and the last thing told was told too.
    fn whole(&self, number: u64, facts: &mut Facts<'_>) {
        let ready = self.told.iter().find_map(|record| match &record.reply {
            Reply::Ready { id, recovered } => Some((place(id)?, *recovered)),
            _ => None,
        });
        let since = self.since.and_then(place);
        let Some(last) = self.told.iter().filter_map(|record| place(id(&record.reply)?)).max() else {
            return;
        };
        let from = match (since, ready) {
            (Some(since), Some((at, false))) => {
                let missed = self.messages(facts, since, at).len();
                if missed * 2 < CATCH_UP_MAX_EVENTS {
                    let how = format!("session {number} of {} gave up on {missed} messages", self.user);
                    facts.accuse(Promise::Recovered, how);
                }
                at
            }
            (Some(since), _) => since,
            (None, Some((at, recovered))) => {
                if !recovered {
                    facts.accuse(Promise::Recovered, format!("session {number} had nothing to recover"));
                }
                at
            }
            (None, None) => return,
        };
        let told: BTreeSet<(&str, u64)> = self
            .told
            .iter()
            .filter_map(|record| match &record.reply {
                Reply::Message { message, .. } => Some((message.chat.as_str(), message.seq)),
                _ => None,
            })
            .collect();
        for message in self.messages(facts, from, last) {
            if !told.contains(&(message.chat.as_str(), message.seq)) {
                let how = format!("session {number} of {} skipped {message:?}", self.user);
                facts.accuse(Promise::FeedWhole, how);
            }
        }
    }

    /// The user's messages later than `from`, up to `last`.
    fn messages<'a>(&self, facts: &Facts<'a>, from: u64, last: u64) -> Vec<&'a Message> {
        let all = facts.messages.values().map(|known| known.message);
        all.filter(|message| message.ts > from && message.ts <= last && is_member(&message.chat, self.user))
            .collect()
    }
}

fn id(reply: &Reply) -> Option<&str> {
    match reply {
        Reply::Ready { id, .. } | Reply::Message { id, .. } | Reply::Marker { id, .. } => Some(id),
        _ => None,
    }
}

fn place(id: &str) -> Option<u64> {
    FeedId::parse("id", id).ok().map(|id| id.ts.0)
}
