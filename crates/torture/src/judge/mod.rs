//! Decides each promise. An unknown outcome accuses nobody: the call may have been done, once, at any time from when it was made.

mod feeds;
mod markers;
mod messages;
mod pages;

use crate::history::{Call, Message, Record, Reply};
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
    /// A marker never goes back.
    Markers,
    /// Unread counts are exact.
    Unread,
    /// The ids of a feed rise, and `ready` comes once.
    FeedOrder,
    /// A feed tells everything from where it was resumed.
    FeedWhole,
    /// A feed says that it could not recover only where it need not.
    Recovered,
    /// Nobody sees a chat of others.
    Strangers,
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
    broken: Vec<Broken>,
}

#[derive(Clone, Copy)]
struct Known<'a> {
    message: &'a Message,
    /// When somebody had first heard of it: from then on everybody must.
    heard: u64,
}

/// Judges a history. Nothing broken: every promise held, as far as it was put to the test.
pub fn judge(records: &[Record]) -> Vec<Broken> {
    let mut facts = Facts { records, messages: BTreeMap::new(), broken: Vec::new() };
    facts.gather();
    facts.strangers();
    messages::judge(&mut facts);
    pages::judge(&mut facts);
    markers::judge(&mut facts);
    feeds::judge(&mut facts);
    facts.broken
}

impl<'a> Facts<'a> {
    fn accuse(&mut self, promise: Promise, how: String) {
        self.broken.push(Broken { promise, how });
    }

    /// Takes in all that was told of messages; what differs from what was told before is altered, or two in one place.
    fn gather(&mut self) {
        for record in self.records {
            for message in told(&record.reply) {
                let known = Known { message, heard: record.ended };
                let place = self.messages.entry((&message.chat, message.seq)).or_insert(known);
                place.heard = place.heard.min(record.ended);
                let first = place.message;
                if first != message {
                    // Another time or key: another message. The same one, with other words: altered.
                    let same = first.ts == message.ts && first.sender == message.sender;
                    let promise = if same { Promise::NotAltered } else { Promise::NotDoubled };
                    self.accuse(promise, format!("one place is told as {first:?} and as {message:?}"));
                }
            }
        }
    }

    fn strangers(&mut self) {
        for record in self.records {
            let caller = match &record.call {
                Call::Pull { caller, .. } => caller.as_deref(),
                Call::Inbox { user, .. } | Call::Feed { user, .. } => Some(user.as_str()),
                Call::Send { .. } | Call::Mark { .. } => None,
            };
            let Some(caller) = caller else { continue };
            let marker = match &record.reply {
                Reply::Marker { chat, .. } => Some(chat.as_str()),
                _ => None,
            };
            for chat in told(&record.reply).map(|message| message.chat.as_str()).chain(marker) {
                if !is_member(chat, caller) {
                    self.accuse(
                        Promise::Strangers,
                        format!("{caller} was told of {chat}: {:?}", record.reply),
                    );
                }
            }
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
        Reply::Stored { message, .. } | Reply::Message { message, .. } => Box::new(std::iter::once(message)),
        Reply::Page { messages, .. } => Box::new(messages.iter()),
        Reply::Inbox { chats } => Box::new(chats.iter().map(|chat| &chat.last)),
        _ => Box::new(std::iter::empty()),
    }
}

/// Whether a user is one of a chat's two.
fn is_member(chat: &str, user: &str) -> bool {
    chat.split(':').any(|member| member == user)
}
