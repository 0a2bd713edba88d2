//! Feeds: in order, whole from where they were resumed to the last thing that they told, and honest about it.

mod news;

use super::{Facts, Promise};
use crate::history::{Call, Record, Reply};
use chinwag_model::{
    FeedId,
    limits::{CATCH_UP_MAX_BYTES, CATCH_UP_MAX_EVENTS},
};
use news::{Happened, News, Told};
use std::collections::BTreeMap;

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
    let news = News::of(facts);
    for (number, session) in sessions {
        session.order(number, facts);
        session.whole(number, &news, facts);
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

    /// Everything between the place of the resume and the last thing told was told too.
    fn whole(&self, number: u64, news: &News<'_>, facts: &mut Facts<'_>) {
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
                let missed = news.of_user(self.user, since, at);
                let bytes: usize = missed.iter().map(|(_, news)| news.weight()).sum();
                if missed.len() * 2 < CATCH_UP_MAX_EVENTS && bytes * 2 < CATCH_UP_MAX_BYTES {
                    let how = format!("session {number} of {} gave up on {} events", self.user, missed.len());
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
        let ready = ready.map(|(at, _)| at);
        let told = Told::by(self, ready);
        for (ts, news_of) in news.of_user(self.user, from, last) {
            if !told.covers(ts, &news_of)
                && !news.may_be_superseded(&news_of, self, ready, last)
                && !self.may_be_kept_from(&news_of, facts)
            {
                let how = format!("session {number} of {} skipped {news_of:?} at {ts}", self.user);
                facts.accuse(Promise::FeedWhole, how);
            }
        }
    }

    /// Whether a block may keep it from the session.
    fn may_be_kept_from(&self, happened: &Happened<'_>, facts: &Facts<'_>) -> bool {
        let Happened::Moved((_, _, of)) = happened else { return false };
        let began = self.told.first().map_or(0, |record| record.began);
        let ended = self.told.iter().map(|record| record.ended).max().unwrap_or_default();
        *of != self.user && facts.blocks.maybe_silent(self.user, of, began, ended)
    }
}

fn id(reply: &Reply) -> Option<&str> {
    match reply {
        Reply::Ready { id, .. }
        | Reply::Message { id, .. }
        | Reply::Revised { id, .. }
        | Reply::Marker { id, .. } => Some(id),
        _ => None,
    }
}

pub(super) fn place(id: &str) -> Option<u64> {
    FeedId::parse("id", id).ok().map(|id| id.ts.0)
}
