//! What there was to tell, and when: messages, what was done to them, and markers, each with the time that makes its id.

use super::{Session, place};
use crate::{
    history::{Call, Marker, Message, Moment, Reply},
    judge::{At, Facts},
};
use std::collections::{BTreeMap, BTreeSet};

/// Which marker: its kind, its chat and its user.
type Which<'a> = (Marker, &'a str, &'a str);

/// Something that happened.
#[derive(Debug, Clone, Copy)]
pub(super) enum Happened<'a> {
    /// A message was stored.
    Stored(&'a Message),
    /// A message was revised, and then stood like this.
    Revised(&'a Message),
    /// A marker moved.
    Moved(Which<'a>),
}

/// All that is known to have happened, by user and time.
#[derive(Default)]
pub(super) struct News<'a> {
    by_user: BTreeMap<&'a str, BTreeMap<u64, Happened<'a>>>,
    /// Every time at which a message is known to have been revised.
    revised: BTreeMap<At<'a>, BTreeSet<u64>>,
    /// When each change of a message that was not refused was asked for and answered.
    asked: BTreeMap<At<'a>, Vec<(Moment, Moment)>>,
    /// The calls that may have moved the markers of a chat's user.
    marks: BTreeMap<(&'a str, &'a str), Vec<MarkCall>>,
}

/// A call that may have moved a marker.
struct MarkCall {
    marker: Marker,
    began: Moment,
    ended: Moment,
    /// When the marker came to stand where it then stood; `None` where no answer came.
    ts: Option<u64>,
}

impl Happened<'_> {
    /// How much of a catch-up it takes at most, in bytes.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Stored(message) | Self::Revised(message) => 400 + message.text.len(),
            Self::Moved(_) => 160,
        }
    }
}

impl<'a> News<'a> {
    pub(super) fn of(facts: &Facts<'a>) -> Self {
        let mut news = Self::default();
        for known in facts.messages.values() {
            news.put(&known.message.chat, known.message.ts, Happened::Stored(known.message));
        }
        for record in facts.records {
            match (&record.call, &record.reply) {
                (Call::Mark { marker, chat, user, .. }, reply @ (Reply::Unknown | Reply::Marked { .. })) => {
                    let ts = if let Reply::Marked { ts, .. } = reply { Some(*ts) } else { None };
                    let call = MarkCall { marker: *marker, began: record.began, ended: record.ended, ts };
                    news.marks.entry((chat, user)).or_default().push(call);
                    news.moved((*marker, chat, user), ts.unwrap_or_default());
                }
                (_, Reply::Marker { id, marker, chat, user, .. }) => {
                    news.moved((*marker, chat, user), place(id).unwrap_or_default());
                }
                (_, Reply::Revised { id, message, .. }) => {
                    let Some(ts) = place(id) else { continue };
                    news.revised.entry((&message.chat, message.seq)).or_default().insert(ts);
                    news.put(&message.chat, ts, Happened::Revised(message));
                }
                (_, Reply::Refused { .. }) => {}
                (Call::Revise { chat, seq, .. }, reply) => {
                    let ended = if *reply == Reply::Unknown { Moment::MAX } else { record.ended };
                    news.asked.entry((chat, *seq)).or_default().push((record.began, ended));
                }
                _ => {}
            }
        }
        news
    }

    fn moved(&mut self, which: Which<'a>, ts: u64) {
        if ts > 0 {
            self.put(which.1, ts, Happened::Moved(which));
        }
    }

    fn put(&mut self, chat: &'a str, ts: u64, happened: Happened<'a>) {
        for user in chat.split(':') {
            self.by_user.entry(user).or_default().insert(ts, happened);
        }
    }

    /// What a user had to hear of, later than `from` and up to `last`.
    pub(super) fn of_user(&self, user: &str, from: u64, last: u64) -> Vec<(u64, Happened<'a>)> {
        let Some(all) = self.by_user.get(user).filter(|_| from < last) else { return Vec::new() };
        all.range(from + 1..=last).map(|(ts, happened)| (*ts, *happened)).collect()
    }

    /// Whether something later than all that a session told may have taken its place: a feed that catches up tells only
    /// what stands. `ready` says where it stood once it had caught up, if it had.
    pub(super) fn may_be_superseded(
        &self,
        happened: &Happened<'_>,
        session: &Session<'_>,
        ready: Option<u64>,
        last: u64,
    ) -> bool {
        let count = |times: Option<&BTreeSet<u64>>, from: u64, to: u64| {
            times.filter(|_| from < to).map_or(0, |times| times.range(from + 1..=to).count())
        };
        match happened {
            Happened::Stored(_) => false,
            Happened::Revised(message) => {
                let at = (message.chat.as_str(), message.seq);
                let (known, asked) = (self.revised.get(&at), self.asked.get(&at));
                // What was answered before it began is not later than `ready`, and what was asked for after its end was not
                // there to be told. Where more are left than are known, one of them may have come after all that was told.
                let began = session.told.first().filter(|_| ready.is_some()).map_or(0, |record| record.began);
                let ended = session.told.iter().map(|record| record.ended).max().unwrap_or_default();
                let is_open = |asked: &&(Moment, Moment)| asked.1 >= began && asked.0 <= ended;
                let open = asked.map_or(0, |asked| asked.iter().filter(is_open).count());
                count(known, last, u64::MAX) > 0 || open > count(known, ready.unwrap_or_default(), last)
            }
            Happened::Moved(which) => self.may_have_moved_on(*which, session, last),
        }
    }

    /// Whether a marker may have moved to later than `last` before the session's end: by a call that says so, or by one
    /// without an answer, unless another was answered since and before the session began.
    fn may_have_moved_on(&self, (marker, chat, user): Which<'_>, session: &Session<'_>, last: u64) -> bool {
        let Some(calls) = self.marks.get(&(chat, user)) else { return false };
        let began = session.told.first().map_or(0, |record| record.began);
        let ended = session.told.iter().map(|record| record.ended).max().unwrap_or_default();
        // Read raises delivered, just before it moves itself.
        let mut moves = calls.iter().filter(|call| call.marker == marker || call.marker == Marker::Read);
        moves.any(|call| {
            let settled = |after: &MarkCall| {
                after.marker == call.marker
                    && after.ts.is_some()
                    && after.began > call.ended
                    && after.ended < began
            };
            call.began <= ended
                && match call.ts {
                    Some(ts) => ts > last,
                    None => !calls.iter().any(settled),
                }
        })
    }
}

/// What a session told.
pub(super) struct Told<'a> {
    ready: Option<u64>,
    messages: BTreeMap<At<'a>, &'a Message>,
    /// The latest of each.
    revised: BTreeMap<At<'a>, u64>,
    moved: BTreeMap<Which<'a>, u64>,
}

impl<'a> Told<'a> {
    pub(super) fn by(session: &Session<'a>, ready: Option<u64>) -> Self {
        let mut told =
            Self { ready, messages: BTreeMap::new(), revised: BTreeMap::new(), moved: BTreeMap::new() };
        for record in &session.told {
            match &record.reply {
                Reply::Message { message, .. } => {
                    told.messages.insert((&message.chat, message.seq), message);
                }
                Reply::Revised { id, message, .. } => {
                    let at = told.revised.entry((&message.chat, message.seq)).or_default();
                    *at = place(id).unwrap_or_default().max(*at);
                }
                Reply::Marker { id, marker, chat, user, .. } => {
                    let at = told.moved.entry((*marker, chat, user)).or_default();
                    *at = place(id).unwrap_or_default().max(*at);
                }
                _ => {}
            }
        }
        told
    }

    /// Whether it told what happened at `ts`, or what it has come to since.
    pub(super) fn covers(&self, ts: u64, happened: &Happened<'_>) -> bool {
        match happened {
            Happened::Stored(message) => self.messages.contains_key(&(message.chat.as_str(), message.seq)),
            Happened::Moved(which) => self.moved.get(which).is_some_and(|told| *told >= ts),
            Happened::Revised(message) => {
                let at = (message.chat.as_str(), message.seq);
                let told = self.messages.get(&at);
                // Of a message that it had to tell anew it told how it then stood.
                let merged = told.is_some_and(|told| {
                    let in_time = self.ready.is_none_or(|ready| ts <= ready);
                    told.unsent || (in_time && !message.unsent && told.edited_ts >= message.edited_ts)
                });
                merged || self.revised.get(&at).is_some_and(|told| *told >= ts)
            }
        }
    }
}
