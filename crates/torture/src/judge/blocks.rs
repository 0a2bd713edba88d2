//! Blocks: nothing of one who is blocked comes through, nothing is refused without a block, and neither of the two hears
//! what a block keeps from them.
//!
//! A block holds surely from when it was answered until somebody asks for its end, and calls that overlap with either prove
//! nothing. `since` is of the one order of times with messages and markers, so what bears a later time came after it.

use super::{Ends, Facts, Promise, peer_of};
use crate::history::{Call, Change, InboxChat, Marker, Moment, Record, Reply};
use std::collections::BTreeMap;

/// Who blocks, and whom.
type Who<'a> = (&'a str, &'a str);

/// What is known of every block.
#[derive(Default)]
pub(super) struct Blocks<'a> {
    of: BTreeMap<Who<'a>, Register>,
}

/// What one user asked of another's block.
#[derive(Default)]
struct Register {
    asked: Vec<Asked>,
    held: Vec<Held>,
}

/// A block or its end that was not refused.
struct Asked {
    on: bool,
    began: Moment,
    /// By when it was done, if it was.
    done: Moment,
    answered: bool,
}

/// A time in which a block held surely.
struct Held {
    /// When it was asked for.
    asked: Moment,
    /// When it was answered.
    from: Moment,
    /// When the first asked for its end who can have been heard after it.
    until: Moment,
    /// Since when, by the server's clock.
    since: u64,
}

impl Held {
    fn covers(&self, began: Moment, ended: Moment) -> bool {
        self.from < began && ended < self.until
    }
}

impl<'a> Blocks<'a> {
    pub(super) fn of(records: &'a [Record]) -> Self {
        let (ends, mut blocks) = (Ends::of(records), Self::default());
        for record in records {
            let Call::Block { user, peer, on } = &record.call else { continue };
            if matches!(record.reply, Reply::Refused { .. }) {
                continue;
            }
            let register = blocks.of.entry((user, peer)).or_default();
            let answered = record.reply != Reply::Unknown;
            let done = ends.done_by(record);
            register.asked.push(Asked { on: *on, began: record.began, done, answered });
            if let Reply::Blocked { since: Some(since) } = record.reply {
                let held = Held { asked: record.began, from: record.ended, until: Moment::MAX, since };
                register.held.push(held);
            }
        }
        for Register { asked, held } in blocks.of.values_mut() {
            for held in held {
                let lifts = asked.iter().filter(|asked| !asked.on && asked.done >= held.asked);
                held.until = lifts.map(|asked| asked.began).min().unwrap_or(Moment::MAX);
            }
        }
        blocks
    }

    fn held<'b>(&'b self, user: &'b str, peer: &'b str) -> &'b [Held] {
        self.of.get(&(user, peer)).map_or(&[], |register| &register.held)
    }

    /// Whether a block held surely, all that time.
    fn surely(&self, user: &str, peer: &str, began: Moment, ended: Moment) -> bool {
        self.held(user, peer).iter().any(|held| held.covers(began, ended))
    }

    /// Whether a block may have held at some time of these.
    fn maybe(&self, user: &str, peer: &str, began: Moment, ended: Moment) -> bool {
        let Some(Register { asked, .. }) = self.of.get(&(user, peer)) else { return false };
        let lifts =
            |off: &Asked, on: &Asked| !off.on && off.answered && off.began > on.done && off.done < began;
        let lifted = |on: &Asked| asked.iter().any(|off| lifts(off, on));
        asked.iter().any(|on| on.on && on.began <= ended && !lifted(on))
    }

    /// Whether either of two may have blocked the other at some time of these.
    pub(super) fn maybe_silent(&self, one: &str, two: &str, began: Moment, ended: Moment) -> bool {
        self.maybe(one, two, began, ended) || self.maybe(two, one, began, ended)
    }

    fn surely_silent(&self, one: &str, two: &str, began: Moment, ended: Moment) -> bool {
        self.surely(one, two, began, ended) || self.surely(two, one, began, ended)
    }
}

pub(super) fn judge(facts: &mut Facts<'_>) {
    let (typed, mut broken) = (Typed::of(facts.records), Vec::new());
    let asked = marks(facts.records);
    for record in facts.records {
        let found = through(record, &facts.blocks)
            .or_else(|| refusal(record, &facts.blocks))
            .or_else(|| answer(record, &facts.blocks))
            .or_else(|| typed.judge(record, &facts.blocks))
            .or_else(|| marker(record, &facts.blocks))
            .or_else(|| inbox(record, facts, &asked));
        broken.extend(found.map(|(promise, how)| (promise, format!("{how}: {record:?}"))));
    }
    broken.extend(stored(facts));
    for (promise, how) in broken {
        facts.accuse(promise, how);
    }
}

type Found = Option<(Promise, String)>;

/// Who is to hear of a call and may have blocked who makes it: that one, and who makes it.
fn reaches(call: &Call) -> Option<Who<'_>> {
    let (chat, user) = match call {
        Call::Send { chat, sender, .. } => (chat, sender),
        Call::Revise {
            chat,
            user,
            change: Change::Edit { .. } | Change::React { remove: false, .. },
            ..
        } => (chat, user),
        _ => return None,
    };
    Some((peer_of(chat, user)?, user))
}

/// What was asked for while a block held was done.
fn through(record: &Record, blocks: &Blocks<'_>) -> Found {
    let (peer, user) = reaches(&record.call)?;
    let done = matches!(record.reply, Reply::Stored { replayed: false, .. } | Reply::Stands { .. });
    (done && blocks.surely(peer, user, record.began, record.ended))
        .then(|| (Promise::Blocks, format!("{peer} blocked {user}, and it was done")))
}

/// What no block can have been the reason of was refused for one.
fn refusal(record: &Record, blocks: &Blocks<'_>) -> Found {
    if !matches!(&record.reply, Reply::Refused { code, .. } if code == "blocked") {
        return None;
    }
    let why = match reaches(&record.call) {
        None => "a block has no say in it".to_owned(),
        Some((peer, user)) if !blocks.maybe(peer, user, record.began, record.ended) => {
            format!("{peer} cannot have blocked {user}")
        }
        Some(_) => return None,
    };
    Some((Promise::Blocks, format!("{why}, and it was refused for a block")))
}

/// A block is answered with what was asked for, and one that held already with its own time.
fn answer(record: &Record, blocks: &Blocks<'_>) -> Found {
    let (Call::Block { user, peer, on }, Reply::Blocked { since }) = (&record.call, &record.reply) else {
        return None;
    };
    if since.is_some() != *on {
        return Some((Promise::Blocks, "it was answered with another state".to_owned()));
    }
    let held = blocks.held(user, peer).iter().find(|held| held.covers(record.began, record.ended))?;
    (*since != Some(held.since))
        .then(|| (Promise::Blocks, format!("{user} has blocked {peer} since {}", held.since)))
}

/// A marker that moved behind a block was told.
fn marker(record: &Record, blocks: &Blocks<'_>) -> Found {
    let (Call::Feed { user, .. }, Reply::Marker { id, chat, user: of, .. }) = (&record.call, &record.reply)
    else {
        return None;
    };
    let moved = super::feeds::place(id).filter(|_| user != of && peer_of(chat, user) == Some(of))?;
    let held = blocks.held(user, of).iter().chain(blocks.held(of, user));
    let hides = |held: &Held| moved >= held.since && record.ended < held.until;
    held.into_iter().any(hides).then(|| (Promise::Silence, format!("{user} was told how far {of} came")))
}

/// When a user asked for a marker, and how far; `delivered` rises with `read`.
type Marks<'a> = BTreeMap<(&'a str, &'a str, Marker), Vec<(Moment, u64)>>;

fn marks(records: &[Record]) -> Marks<'_> {
    let mut marks = Marks::new();
    for record in records {
        let Call::Mark { marker, chat, user, seq } = &record.call else { continue };
        if !matches!(record.reply, Reply::Refused { .. }) {
            let raised = [*marker, Marker::Delivered];
            for which in &raised[..if *marker == Marker::Read { 2 } else { 1 }] {
                marks.entry((chat, user, *which)).or_default().push((record.began, *seq));
            }
        }
    }
    marks
}

/// An inbox shows the peer's markers no further than they can have stood when the block began: as far as had been asked for,
/// and at no message of a later time.
fn inbox(record: &Record, facts: &Facts<'_>, asked: &Marks<'_>) -> Found {
    let (Call::Inbox { user }, Reply::Inbox { chats, .. }) = (&record.call, &record.reply) else {
        return None;
    };
    let seen_past = |chat: &InboxChat| {
        let (name, blocks) = (chat.last.chat.as_str(), &facts.blocks);
        let peer = peer_of(name, user)?;
        let held = blocks.held(user, peer).iter().chain(blocks.held(peer, user));
        let held =
            held.filter(|held| held.covers(record.began, record.ended)).min_by_key(|held| held.since)?;
        let past = |(marker, shown): (Marker, &BTreeMap<String, u64>)| {
            let of_peer = asked.get(&(name, peer, marker)).map_or(&[][..], Vec::as_slice);
            let by_then = of_peer.iter().filter(|(began, _)| *began <= held.from).map(|(_, seq)| *seq).max();
            shown.get(peer).is_some_and(|seq| {
                let later = facts.messages.get(&(name, *seq)).is_some_and(|at| at.message.ts >= held.since);
                later || *seq > by_then.unwrap_or_default()
            })
        };
        [(Marker::Read, &chat.read), (Marker::Delivered, &chat.delivered)]
            .into_iter()
            .any(past)
            .then(|| (Promise::Silence, format!("{user} sees how far {peer} came behind a block")))
    };
    chats.iter().find_map(seen_past)
}

/// What stands under a later time than a block that still held when it was heard of.
fn stored(facts: &Facts<'_>) -> Vec<(Promise, String)> {
    let mut broken = Vec::new();
    for (&(user, peer), register) in &facts.blocks.of {
        let mut pair = [user, peer];
        pair.sort_unstable();
        let chat = pair.join(":");
        let of_chat = facts.messages.range((chat.as_str(), 0)..=(chat.as_str(), u64::MAX));
        for (_, known) in of_chat.filter(|(_, known)| known.message.sender == peer) {
            let after = |held: &&Held| known.message.ts >= held.since && known.heard < held.until;
            if let Some(held) = register.held.iter().find(after) {
                let how = format!(
                    "{user} has blocked {peer} since {}, and there is {:?}",
                    held.since, known.message
                );
                broken.push((Promise::Blocks, how));
            }
        }
    }
    broken
}

/// Who said to be writing, and when that was told at the latest.
struct Typed<'a>(BTreeMap<Who<'a>, Vec<(Moment, Moment)>>);

impl<'a> Typed<'a> {
    fn of(records: &'a [Record]) -> Self {
        let (ends, mut typed) = (Ends::of(records), BTreeMap::<_, Vec<_>>::new());
        for record in records {
            if let Call::Typing { chat, user } = &record.call
                && !matches!(record.reply, Reply::Refused { .. })
            {
                typed
                    .entry((chat.as_str(), user.as_str()))
                    .or_default()
                    .push((record.began, ends.done_by(record)));
            }
        }
        Self(typed)
    }

    /// Somebody said so while the session was there, and no block held.
    fn judge(&self, record: &Record, blocks: &Blocks<'_>) -> Found {
        let (Call::Feed { user, .. }, Reply::Typing { chat, user: by }) = (&record.call, &record.reply)
        else {
            return None;
        };
        let all = self.0.get(&(chat.as_str(), by.as_str())).map_or(&[][..], Vec::as_slice);
        let may = |&&(began, done): &&(Moment, Moment)| began <= record.ended && done >= record.began;
        let mut may = all.iter().filter(may).peekable();
        if may.peek().is_none() {
            return Some((Promise::Silence, format!("{by} did not write")));
        }
        may.all(|&(began, done)| blocks.surely_silent(user, by, began, done))
            .then(|| (Promise::Silence, format!("{user} was told that {by} writes, behind a block")))
    }
}
