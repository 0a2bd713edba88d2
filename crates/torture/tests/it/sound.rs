//! A server that keeps every promise, in a few lines, and the history of what its clients heard.

use chinwag_model::{Epoch, FeedId, Ts};
use chinwag_torture::history::{Call, InboxChat, Marker, Message, Record, Reply};
use std::collections::BTreeMap;

const CHATS: [(&str, [&str; 2]); 3] = [("a:b", ["a", "b"]), ("a:c", ["a", "c"]), ("b:c", ["b", "c"])];

/// The server, its clients and the steady clock.
pub(crate) struct Sound {
    pub(crate) records: Vec<Record>,
    random: u64,
    moment: u64,
    ts: u64,
    chats: BTreeMap<String, Vec<Message>>,
    marks: BTreeMap<(Marker, String, String), u64>,
    /// Feeds that are open: user, session, resumed from, told up to.
    feeds: Vec<(String, u64, Option<String>, u64)>,
    sessions: u64,
}

pub(crate) fn send(chat: &str, sender: &str, text: &str, key: Option<&str>) -> Call {
    Call::Send { chat: chat.into(), sender: sender.into(), text: text.into(), key: key.map(Into::into) }
}

/// Changes every message of a history, wherever it is told.
pub(crate) fn each_message(records: &mut [Record], mut change: impl FnMut(&mut Message)) {
    for record in records {
        match &mut record.reply {
            Reply::Stored { message, .. } | Reply::Message { message, .. } => change(message),
            Reply::Page { messages, .. } => messages.iter_mut().for_each(&mut change),
            Reply::Inbox { chats } => chats.iter_mut().for_each(|chat| change(&mut chat.last)),
            _ => {}
        }
    }
}

fn id(ts: u64) -> String {
    FeedId { epoch: Epoch(7), ts: Ts(ts) }.to_string()
}

impl Sound {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            records: Vec::new(),
            random: seed,
            moment: 0,
            ts: 1_000,
            chats: BTreeMap::new(),
            marks: BTreeMap::new(),
            feeds: Vec::new(),
            sessions: 0,
        }
    }

    /// A random history.
    pub(crate) fn history(seed: u64) -> Vec<Record> {
        let mut sound = Self::new(seed);
        sound.open("a", None);
        for number in 0..120 {
            let (chat, members) = CHATS[sound.below(3)];
            let sender = members[sound.below(2)];
            let (text, key) = (format!("text {}", number % 7), format!("key-{number}"));
            match sound.below(8) {
                0 => sound.unknown(chat, sender, &text, number % 2 == 0),
                1 | 2 => sound.stored(chat, sender, &text, None),
                3 => {
                    sound.stored(chat, sender, &text, Some(&key));
                    sound.replay(chat, sender);
                }
                4 => sound.pull(chat, number % 2 == 0),
                5 => {
                    let seq = 1 + sound.below(20) as u64;
                    sound.mark(Marker::Read, chat, sender, seq);
                }
                6 => sound.move_feed(),
                _ => sound.stored(chat, sender, &text, Some(&key)),
            }
            if number == 60 {
                // Whoever was cut resumes, and hears of what was sent meanwhile.
                let since = sound.cut_feeds();
                sound.stored("a:b", "b", "meanwhile", None);
                sound.unknown("a:c", "c", "and this", true);
                sound.open("a", since);
            }
        }
        for (chat, _) in CHATS {
            sound.pull(chat, false);
        }
        for user in ["a", "b", "c"] {
            sound.inbox(user);
        }
        sound.records
    }

    fn below(&mut self, bound: usize) -> usize {
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.random >> 33).expect("31 bits") % bound
    }

    fn record(&mut self, call: Call, reply: Reply) {
        self.moment += 10;
        self.records.push(Record { began: self.moment, ended: self.moment + 5, call, reply });
    }

    /// Stores a message, and tells every open feed.
    pub(crate) fn plant(&mut self, chat: &str, sender: &str, text: &str, key: Option<&str>) -> Message {
        self.ts += 3;
        let stored = self.chats.entry(chat.into()).or_default();
        let message = Message {
            chat: chat.into(),
            seq: stored.len() as u64 + 1,
            ts: self.ts,
            sender: sender.into(),
            text: text.into(),
            key: key.map(Into::into),
        };
        stored.push(message.clone());
        let hear: Vec<_> =
            self.feeds.iter().filter(|feed| chat.split(':').any(|user| user == feed.0)).cloned().collect();
        for (user, session, since, _) in hear {
            let reply = Reply::Message { id: id(message.ts), message: message.clone() };
            self.record(Call::Feed { user, session, since }, reply);
        }
        for feed in &mut self.feeds {
            feed.3 = self.ts;
        }
        message
    }

    pub(crate) fn stored(&mut self, chat: &str, sender: &str, text: &str, key: Option<&str>) {
        let message = self.plant(chat, sender, text, key);
        self.record(send(chat, sender, text, key), Reply::Stored { message, replayed: false });
    }

    pub(crate) fn unknown(&mut self, chat: &str, sender: &str, text: &str, stored: bool) {
        if stored {
            self.plant(chat, sender, text, None);
        }
        self.record(send(chat, sender, text, None), Reply::Unknown);
    }

    fn replay(&mut self, chat: &str, sender: &str) {
        let message = self.chats[chat].last().expect("just stored").clone();
        let call = send(chat, sender, &message.text, message.key.as_deref());
        self.record(call, Reply::Stored { message, replayed: true });
    }

    /// Reads a whole chat.
    pub(crate) fn pull(&mut self, chat: &str, reverse: bool) {
        let mut messages = self.chats.get(chat).cloned().unwrap_or_default();
        if reverse {
            messages.reverse();
        }
        let call = Call::Pull { chat: chat.into(), caller: None, limit: 1_000, cursor: 0, reverse };
        self.record(call, Reply::Page { messages, next: None });
    }

    pub(crate) fn mark(&mut self, marker: Marker, chat: &str, user: &str, seq: u64) {
        let last = self.chats.get(chat).map_or(0, Vec::len) as u64;
        let stands = self.marks.entry((marker, chat.into(), user.into())).or_default();
        *stands = (*stands).max(seq.min(last));
        let reply = Reply::Marked { seq: *stands };
        self.record(Call::Mark { marker, chat: chat.into(), user: user.into(), seq }, reply);
    }

    fn inbox(&mut self, user: &str) {
        let mut chats = Vec::new();
        for (chat, messages) in &self.chats {
            if chat.split(':').all(|member| member != user) {
                continue;
            }
            let read =
                self.marks.get(&(Marker::Read, chat.clone(), user.into())).copied().unwrap_or_default();
            let unread =
                messages.iter().filter(|message| message.seq > read && message.sender != user).count();
            let last = messages.last().expect("a chat has a message").clone();
            chats.push(InboxChat { last, unread: unread as u64, read });
        }
        self.record(Call::Inbox { user: user.into(), quiet: true }, Reply::Inbox { chats });
    }

    fn open(&mut self, user: &str, since: Option<String>) {
        self.sessions += 1;
        let call = Call::Feed { user: user.into(), session: self.sessions, since: since.clone() };
        if let Some(from) = since.as_deref().map(|since| FeedId::parse("since", since).expect("an id").ts.0) {
            let mut missed: Vec<_> =
                self.chats.values().flatten().filter(|message| message.ts > from).cloned().collect();
            missed.retain(|message| message.chat.split(':').any(|member| member == user));
            missed.sort_unstable_by_key(|message| message.ts);
            for message in missed {
                self.record(call.clone(), Reply::Message { id: id(message.ts), message });
            }
        }
        self.record(call, Reply::Ready { id: id(self.ts), recovered: true });
        self.feeds.push((user.into(), self.sessions, since, self.ts));
    }

    fn cut_feeds(&mut self) -> Option<String> {
        self.feeds.drain(..).map(|feed| id(feed.3)).next()
    }

    /// The feed is cut and goes on at once.
    fn move_feed(&mut self) {
        let since = self.cut_feeds();
        self.open("a", since);
    }
}
