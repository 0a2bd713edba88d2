//! Decides each promise. An unknown outcome accuses nobody: the call may have been done, once, at any time from when it was made.
//!
//! That anybody hears of presence and typing is not judged: they live for the moment, are promised to nobody who was not
//! there, and the grace of the one would make any verdict a guess. That nobody hears of typing through a block is.

mod access;
mod blocks;
mod feeds;
mod inbox;
mod markers;
mod messages;
mod pages;
mod revisions;

use crate::history::{Call, Change, Message, Moment, Record, Reply};
use blocks::Blocks;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// A promise that a history can break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Promise {
    /// A message that was acknowledged is there.
    NotLost,
    /// What was sent once is there once, and each place is one message's.
    NotDoubled,
    /// What was acknowledged before another send began stands before it, and times rise with places.
    NotReordered,
    /// A message is the same wherever it is told, and as it was sent.
    NotAltered,
    /// The places of a chat are 1, 2, 3, … without a gap.
    NoGap,
    /// Pages neither skip nor repeat.
    Pages,
    /// A key stores once and is then replayed.
    Keys,
    /// A message stands as it was last revised, and as nobody else would have it.
    Revisions,
    /// What was unsent says nothing any more.
    Unsent,
    /// Only the sender edits and unsends.
    Senders,
    /// A marker never goes back, and stands no higher than somebody asked for; read raises delivered.
    Markers,
    /// An inbox holds every chat, the one with the latest message first.
    Inbox,
    /// Unread counts are exact.
    Unread,
    /// The ids of a feed rise, and `ready` comes once.
    FeedOrder,
    /// A feed tells everything from where it was resumed.
    FeedWhole,
    /// A feed says that it could not recover only where it need not.
    Recovered,
    /// Nothing of one who is blocked comes through until the end of the block, and nothing is refused without one.
    Blocks,
    /// While either blocks the other, neither hears how far the other came, nor that the other writes.
    Silence,
    /// Nobody sees a chat of others.
    Strangers,
    /// Who may not is refused, and who may is not.
    Access,
}

/// One promise broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Which.
    pub promise: Promise,
    /// How, for people.
    pub how: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.promise, self.how)
    }
}

/// A place: a chat and a seq.
type At<'a> = (&'a str, u64);

/// What the history shows of the messages.
struct Facts<'a> {
    records: &'a [Record],
    /// Every message that was told by anything, and since when it is known to be stored.
    messages: BTreeMap<At<'a>, Known<'a>>,
    /// Every time that one was told.
    sightings: BTreeMap<At<'a>, Vec<Sighting<'a>>>,
    /// When messages were unsent, of those that anybody asked it of.
    unsent: BTreeMap<At<'a>, Unsent>,
    blocks: Blocks<'a>,
    broken: Vec<Broken>,
}

#[derive(Clone, Copy)]
struct Known<'a> {
    message: &'a Message,
    /// The message as it was sent, where it was ever told like that.
    first: Option<&'a Message>,
    /// When somebody had first heard of it: from then on everybody must.
    heard: Moment,
}

/// A message as it was told to a call.
#[derive(Clone, Copy)]
struct Sighting<'a> {
    began: Moment,
    ended: Moment,
    message: &'a Message,
}

/// When a message was unsent.
#[derive(Clone, Copy)]
struct Unsent {
    surely: Moment,
    at_the_earliest: Moment,
}

impl Default for Unsent {
    fn default() -> Self {
        Self { surely: Moment::MAX, at_the_earliest: Moment::MAX }
    }
}

impl Unsent {
    fn surely_by(self, moment: Moment) -> bool {
        self.surely < moment
    }

    fn maybe_by(self, moment: Moment) -> bool {
        self.at_the_earliest <= moment
    }
}

/// Judges a history. Nothing broken: every promise held, as far as it was put to the test.
pub fn judge(records: &[Record]) -> Vec<Broken> {
    let mut facts = Facts {
        records,
        messages: BTreeMap::new(),
        sightings: BTreeMap::new(),
        unsent: BTreeMap::new(),
        blocks: Blocks::of(records),
        broken: Vec::new(),
    };
    facts.gather();
    access::judge(&mut facts);
    messages::judge(&mut facts);
    revisions::judge(&mut facts);
    pages::judge(&mut facts);
    markers::judge(&mut facts);
    inbox::judge(&mut facts);
    feeds::judge(&mut facts);
    blocks::judge(&mut facts);
    facts.broken
}

impl<'a> Facts<'a> {
    fn accuse(&mut self, promise: Promise, how: String) {
        self.broken.push(Broken { promise, how });
    }

    /// Takes in all that was told of messages; what differs from what was told before is altered, moved, or two in one place.
    fn gather(&mut self) {
        let mut by_time: BTreeMap<(&str, u64), u64> = BTreeMap::new();
        for record in self.records {
            for message in told(&record.reply) {
                self.take(record, message, &mut by_time);
            }
            if let Call::Revise { chat, seq, change: Change::Unsend, .. } = &record.call
                && !matches!(record.reply, Reply::Refused { .. })
            {
                let unsent = self.unsent.entry((chat, *seq)).or_default();
                unsent.at_the_earliest = unsent.at_the_earliest.min(record.began);
            }
        }
    }

    fn take(&mut self, record: &Record, message: &'a Message, by_time: &mut BTreeMap<(&'a str, u64), u64>) {
        let at = (message.chat.as_str(), message.seq);
        let known = Known { message, first: None, heard: record.ended };
        let place = self.messages.entry(at).or_insert(known);
        place.heard = place.heard.min(record.ended);
        let stood = place.message;
        let is_first = message.edited_ts.is_none() && !message.unsent;
        let first = if is_first { *place.first.get_or_insert(message) } else { message };
        let sighting = Sighting { began: record.began, ended: record.ended, message };
        self.sightings.entry(at).or_default().push(sighting);
        if message.unsent {
            let unsent = self.unsent.entry(at).or_default();
            unsent.surely = unsent.surely.min(record.ended);
        }
        let elsewhere = *by_time.entry((&message.chat, message.ts)).or_insert(message.seq);
        if elsewhere != message.seq {
            let how = format!("{message:?} was told to stand at {elsewhere}");
            self.accuse(Promise::NotReordered, how);
        } else if (stood.ts, &stood.sender) != (message.ts, &message.sender) {
            let how = format!("one place is told as {stood:?} and as {message:?}");
            self.accuse(Promise::NotDoubled, how);
        } else if stood.key != message.key || (is_first && first.text != message.text) {
            let how = format!("one message is told as {first:?} and as {message:?}");
            self.accuse(Promise::NotAltered, how);
        }
    }

    /// The highest place of a chat that somebody had heard of by then.
    fn highest(&self, chat: &str, by: u64) -> u64 {
        let of_chat = self.messages.range((chat, 0)..=(chat, u64::MAX));
        of_chat.filter(|(_, known)| known.heard < by).map(|((_, seq), _)| *seq).max().unwrap_or_default()
    }

    fn chats(&self) -> BTreeSet<&'a str> {
        self.messages.keys().map(|(chat, _)| *chat).collect()
    }
}

/// The messages in a reply.
fn told(reply: &Reply) -> Box<dyn Iterator<Item = &Message> + '_> {
    match reply {
        Reply::Stored { message, .. }
        | Reply::Stands { message }
        | Reply::Message { message, .. }
        | Reply::Revised { message, .. } => Box::new(std::iter::once(message)),
        Reply::Page { messages, .. } => Box::new(messages.iter()),
        Reply::Inbox { chats, .. } => Box::new(chats.iter().map(|chat| &chat.last)),
        _ => Box::new(std::iter::empty()),
    }
}

/// When the server's processes were gone.
struct Ends(Vec<Moment>);

impl Ends {
    fn of(records: &[Record]) -> Self {
        let mut ends: Vec<_> =
            records.iter().filter(|record| record.call == Call::End).map(|record| record.began).collect();
        ends.sort_unstable();
        Self(ends)
    }

    /// By when a call was done, if it was: what nobody knows and what outlived no process was done by that one's end, and
    /// the rest may be done until the end of time.
    fn done_by(&self, record: &Record) -> Moment {
        if record.reply != Reply::Unknown {
            return record.ended;
        }
        let after = self.0.partition_point(|end| *end <= record.ended);
        self.0.get(after).copied().unwrap_or(Moment::MAX)
    }
}

/// Whether a user is one of a chat's two.
fn is_member(chat: &str, user: &str) -> bool {
    chat.split(':').any(|member| member == user)
}

/// The other of a chat's two.
fn peer_of<'a>(chat: &'a str, user: &str) -> Option<&'a str> {
    let (one, two) = chat.split_once(':')?;
    if one == user { Some(two) } else { (two == user).then_some(one) }
}
