//! A server that keeps every promise, in a few lines, and the history of what its clients heard.

use chinwag_model::{Epoch, FeedId, Ts};
use chinwag_torture::history::{By, Call, Change, InboxChat, Kind, Marker, Message, Record, Reply};
use std::collections::BTreeMap;

const CHATS: [(&str, [&str; 2]); 3] = [("a:b", ["a", "b"]), ("a:c", ["a", "c"]), ("b:c", ["b", "c"])];

/// Where each marker stands, of a chat's user, and since when.
type Marks = BTreeMap<(Marker, String, String), (u64, u64)>;

/// The server, its clients and the steady clock.
pub(crate) struct Sound {
    pub(crate) records: Vec<Record>,
    random: u64,
    moment: u64,
    ts: u64,
    chats: BTreeMap<String, Vec<Message>>,
    marks: Marks,
    /// When each message was last revised, and how.
    revised: BTreeMap<(String, u64), (u64, Kind)>,
    /// Who blocks whom, since when, and where the peer's and the own markers stood then.
    blocks: BTreeMap<(String, String), (u64, Marks)>,
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
            Reply::Stored { message, .. }
            | Reply::Stands { message }
            | Reply::Message { message, .. }
            | Reply::Revised { message, .. } => change(message),
            Reply::Page { messages, .. } => messages.iter_mut().for_each(&mut change),
            Reply::Inbox { chats, .. } => chats.iter_mut().for_each(|chat| change(&mut chat.last)),
            _ => {}
        }
    }
}

fn peer_of(chat: &str, user: &str) -> String {
    chat.split(':').find(|member| *member != user).expect("another").to_owned()
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
            revised: BTreeMap::new(),
            blocks: BTreeMap::new(),
            feeds: Vec::new(),
            sessions: 0,
        }
    }

    /// A random history.
    pub(crate) fn history(seed: u64) -> Vec<Record> {
        let mut sound = Self::new(seed);
        sound.open("a", None);
        sound.open("b", None);
        for number in 0..120 {
            let (chat, members) = CHATS[sound.below(3)];
            let sender = members[sound.below(2)];
            let (text, key) = (format!("text {}", number % 7), format!("key-{number}"));
            match sound.below(13) {
                0 => sound.unknown(chat, sender, &text, number % 2 == 0),
                1 | 2 => sound.stored(chat, sender, &text, None),
                3 => {
                    sound.stored(chat, sender, &text, Some(&key));
                    if !sound.is_blocked(chat, sender) {
                        sound.replay(chat, sender);
                    }
                }
                4 => sound.pull(chat, number % 2 == 0),
                5 => {
                    let seq = 1 + sound.below(20) as u64;
                    sound.mark(Marker::Read, chat, sender, seq);
                }
                6 => sound.move_feed(),
                7 | 8 => {
                    let seq = 1 + sound.below(8) as u64;
                    let change = match sound.below(4) {
                        0 => Change::Edit { text: format!("edit {number}") },
                        1 => Change::Unsend,
                        _ => Change::React { emoji: "👍".into(), remove: number % 3 == 0 },
                    };
                    sound.revise(chat, seq, sender, change);
                }
                9 => sound.inbox(sender),
                10 => sound.block(chat, sender, number % 3 == 0),
                11 => sound.typing(chat, sender),
                _ => sound.stored(chat, sender, &text, Some(&key)),
            }
            if number == 60 {
                // Whoever was cut resumes, and hears of what was sent meanwhile.
                let since = sound.cut_feeds();
                sound.stored("a:b", "b", "meanwhile", None);
                sound.stored("a:b", "a", "and", Some("meanwhile"));
                sound.revise("a:b", 1, "b", Change::React { emoji: "🥝".into(), remove: false });
                sound.mark(Marker::Read, "a:b", "a", 1_000);
                sound.unknown("a:c", "c", "and this", true);
                sound.open("a", since);
            }
        }
        for (chat, members) in CHATS {
            sound.pull(chat, false);
            for (user, marker) in
                members.iter().flat_map(|user| [(user, Marker::Read), (user, Marker::Delivered)])
            {
                sound.mark(marker, chat, user, 1);
            }
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
        let began = self.begin();
        self.record_of(began, call, reply);
    }

    /// A call is made, which others may hear of before it is answered.
    fn begin(&mut self) -> u64 {
        self.moment += 10;
        self.moment
    }

    fn record_of(&mut self, began: u64, call: Call, reply: Reply) {
        self.moment += 10;
        self.records.push(Record { began, ended: self.moment, by: By::Anyone, call, reply });
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
            ..Message::default()
        };
        stored.push(message.clone());
        self.tell(chat, None, &Reply::Message { id: id(message.ts), message: message.clone() });
        message
    }

    /// Tells every open feed of it, or those of one user alone, which stands there then.
    fn tell(&mut self, chat: &str, only: Option<&str>, reply: &Reply) {
        let hears =
            |user: &str| chat.split(':').any(|one| one == user) && only.is_none_or(|only| only == user);
        let hear: Vec<_> = self.feeds.iter().filter(|feed| hears(&feed.0)).cloned().collect();
        for (user, session, since, _) in hear {
            self.record(Call::Feed { user, session, since }, reply.clone());
        }
        for feed in &mut self.feeds {
            feed.3 = self.ts;
        }
    }

    /// Changes a message by the rules, and tells every open feed.
    pub(crate) fn revise(&mut self, chat: &str, seq: u64, user: &str, change: Change) {
        let call = Call::Revise { chat: chat.into(), seq, user: user.into(), change: change.clone() };
        let refuse = |status, code: &str| Reply::Refused { status, code: code.into() };
        let at = usize::try_from(seq).expect("small") - 1;
        let Some(message) = self.chats.get_mut(chat).and_then(|messages| messages.get_mut(at)) else {
            return self.record(call, refuse(404, "no_such_message"));
        };
        let takes_away = matches!(change, Change::Unsend | Change::React { remove: true, .. });
        if !takes_away && self.blocks.contains_key(&(peer_of(chat, user), user.to_owned())) {
            return self.record(call, refuse(403, "blocked"));
        }
        if message.sender != user && !matches!(change, Change::React { .. }) {
            return self.record(call, refuse(403, "not_the_sender"));
        }
        if message.unsent {
            return self.record(call, refuse(409, "unsent"));
        }
        let ts = self.ts + 3;
        let kind = match change {
            Change::Edit { text } => {
                (message.text, message.edited_ts) = (text, Some(ts));
                Kind::Edit
            }
            Change::Unsend => {
                (message.text, message.unsent) = (String::new(), true);
                message.reactions.clear();
                Kind::Unsend
            }
            Change::React { emoji, remove } => {
                let users = message.reactions.entry(emoji.clone()).or_default();
                let stands = users.iter().any(|one| one == user);
                users.retain(|one| one != user);
                if !remove {
                    users.push(user.into());
                }
                if users.is_empty() {
                    message.reactions.remove(&emoji);
                }
                if stands != remove {
                    let message = message.clone();
                    return self.record(call, Reply::Stands { message });
                }
                Kind::Reaction
            }
        };
        let message = message.clone();
        let began = self.begin();
        self.ts = ts;
        self.revised.insert((chat.into(), seq), (ts, kind));
        self.tell(chat, None, &Reply::Revised { id: id(ts), what: kind, message: message.clone() });
        self.record_of(began, call, Reply::Stands { message });
    }

    pub(crate) fn stored(&mut self, chat: &str, sender: &str, text: &str, key: Option<&str>) {
        if self.is_blocked(chat, sender) {
            let reply = Reply::Refused { status: 403, code: "blocked".into() };
            return self.record(send(chat, sender, text, key), reply);
        }
        let began = self.begin();
        let message = self.plant(chat, sender, text, key);
        self.record_of(began, send(chat, sender, text, key), Reply::Stored { message, replayed: false });
    }

    fn is_blocked(&self, chat: &str, user: &str) -> bool {
        self.blocks.contains_key(&(peer_of(chat, user), user.to_owned()))
    }

    fn is_silent(&self, chat: &str, user: &str) -> bool {
        self.is_blocked(chat, user) || self.is_blocked(chat, &peer_of(chat, user))
    }

    /// A user blocks the chat's other, or does so no longer.
    pub(crate) fn block(&mut self, chat: &str, user: &str, on: bool) {
        let who = (user.to_owned(), peer_of(chat, user));
        let (since, marks) = (self.ts + 1, self.marks.clone());
        if on {
            self.blocks.entry(who.clone()).or_insert((since, marks));
        } else {
            self.blocks.remove(&who);
        }
        let since = self.blocks.get(&who).map(|block| block.0);
        self.record(Call::Block { user: who.0, peer: who.1, on }, Reply::Blocked { since });
    }

    pub(crate) fn typing(&mut self, chat: &str, user: &str) {
        let began = self.begin();
        if !self.is_silent(chat, user) {
            let reply = Reply::Typing { chat: chat.into(), user: user.into() };
            self.tell(chat, Some(&peer_of(chat, user)), &reply);
        }
        self.record_of(began, Call::Typing { chat: chat.into(), user: user.into() }, Reply::Done);
    }

    /// Where a marker stands as one of the two sees it.
    fn shown(&self, marker: Marker, chat: &str, of: &str, to: &str) -> u64 {
        let which = (marker, chat.to_owned(), of.to_owned());
        let stands = |marks: &Marks| marks.get(&which).map_or(0, |stands| stands.0);
        let pair = [(of.to_owned(), to.to_owned()), (to.to_owned(), of.to_owned())];
        let held = pair.iter().filter_map(|who| self.blocks.get(who)).map(|block| stands(&block.1)).min();
        let now = stands(&self.marks);
        if of == to { now } else { held.unwrap_or(now).min(now) }
    }

    pub(crate) fn unknown(&mut self, chat: &str, sender: &str, text: &str, stored: bool) {
        if stored && !self.is_blocked(chat, sender) {
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
        let call = Call::Pull { chat: chat.into(), limit: 1_000, cursor: 0, reverse };
        self.record(call, Reply::Page { messages, next: None });
    }

    pub(crate) fn mark(&mut self, marker: Marker, chat: &str, user: &str, seq: u64) {
        let last = self.chats.get(chat).map_or(0, Vec::len) as u64;
        let to = seq.min(last);
        let began = self.begin();
        for raised in [Marker::Delivered, Marker::Read] {
            let which = (raised, chat.to_owned(), user.to_owned());
            let stands = self.marks.get(&which).map_or(0, |stands| stands.0);
            if to > stands && (raised == marker || marker == Marker::Read) {
                self.ts += 3;
                self.marks.insert(which, (to, self.ts));
                let only = self.is_silent(chat, user).then_some(user);
                self.tell(chat, only, &self.marker(raised, chat, user));
            }
        }
        let (seq_then, ts) =
            self.marks.get(&(marker, chat.to_owned(), user.to_owned())).copied().unwrap_or_default();
        let reply = Reply::Marked { seq: seq_then, ts };
        self.record_of(began, Call::Mark { marker, chat: chat.into(), user: user.into(), seq }, reply);
    }

    /// What a feed tells of a marker.
    fn marker(&self, marker: Marker, chat: &str, user: &str) -> Reply {
        let (seq, ts) = self.marks[&(marker, chat.to_owned(), user.to_owned())];
        Reply::Marker { id: id(ts), marker, chat: chat.into(), user: user.into(), seq }
    }

    pub(crate) fn inbox(&mut self, user: &str) {
        let mut chats = Vec::new();
        for (chat, messages) in &self.chats {
            if chat.split(':').all(|member| member != user) {
                continue;
            }
            let stand = |marker| -> BTreeMap<String, u64> {
                chat.split(':').map(|of| (of.to_owned(), self.shown(marker, chat, of, user))).collect()
            };
            let (read, delivered) = (stand(Marker::Read), stand(Marker::Delivered));
            let is_unread =
                |message: &&Message| message.seq > read[user] && message.sender != user && !message.unsent;
            let unread = messages.iter().filter(is_unread).count() as u64;
            let last = messages.last().expect("a chat has a message").clone();
            chats.push(InboxChat { last, unread, read, delivered });
        }
        chats.sort_by_key(|chat| std::cmp::Reverse(chat.last.ts));
        let unread_total = chats.iter().map(|chat| chat.unread).sum();
        self.record(Call::Inbox { user: user.into() }, Reply::Inbox { chats, unread_total });
    }

    pub(crate) fn open(&mut self, user: &str, since: Option<String>) {
        self.sessions += 1;
        let call = Call::Feed { user: user.into(), session: self.sessions, since: since.clone() };
        if let Some(from) = since.as_deref().map(|since| FeedId::parse("since", since).expect("an id").ts.0) {
            let mut missed = BTreeMap::new();
            let is_of = |chat: &str| chat.split(':').any(|member| member == user);
            for message in self.chats.values().flatten().filter(|message| is_of(&message.chat)).cloned() {
                if message.ts > from {
                    missed.insert(message.ts, Reply::Message { id: id(message.ts), message });
                } else if let Some(&(ts, what)) = self.revised.get(&(message.chat.clone(), message.seq))
                    && ts > from
                {
                    missed.insert(ts, Reply::Revised { id: id(ts), what, message });
                }
            }
            for ((marker, chat, of), (seq, ts)) in &self.marks {
                if *ts > from && is_of(chat) && self.shown(*marker, chat, of, user) == *seq {
                    missed.insert(*ts, self.marker(*marker, chat, of));
                }
            }
            for reply in missed.into_values() {
                self.record(call.clone(), reply);
            }
        }
        self.record(call, Reply::Ready { id: id(self.ts), recovered: true });
        self.feeds.push((user.into(), self.sessions, since, self.ts));
    }

    fn cut_feeds(&mut self) -> Option<String> {
        self.feeds.extract_if(.., |feed| feed.0 == "a").map(|feed| id(feed.3)).next()
    }

    /// The feed is cut and goes on at once.
    fn move_feed(&mut self) {
        let since = self.cut_feeds();
        self.open("a", since);
    }
}
