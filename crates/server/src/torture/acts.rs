//! What clients do, by chance: calls, and what of their answers leads to others.

use super::{Random, Round};
use chinwag_torture::history::{Call, Change, Marker, Reply};

/// Messages that are remembered, to be revised.
const REMEMBERED: usize = 40;

pub(super) struct Acts {
    name: String,
    random: Random,
    sends: u64,
    /// Sends with a key, to be repeated.
    keyed: Vec<Call>,
    /// Messages that stand: their chat, place and sender.
    stored: Vec<(String, u64, String)>,
}

impl Acts {
    /// `name` makes its keys differ from those of all others.
    pub(super) fn new(name: String, random: Random) -> Self {
        Self { name, random, sends: 0, keyed: Vec::new(), stored: Vec::new() }
    }

    /// The next call, and who is to make it; of one user alone where one is named.
    pub(super) fn next(&mut self, round: &Round, only: Option<&str>) -> (Call, String) {
        let mut chats = round.chats();
        chats.retain(|members| only.is_none_or(|user| members.contains(&user)));
        let members = *self.random.one_of(&chats);
        let user = only.unwrap_or_else(|| *self.random.one_of(&members)).to_owned();
        let chat = members.join(":");
        let call = match self.random.below(24) {
            0..=7 => self.fresh(chat, user.clone()),
            8 => match self.repeat(&user) {
                Some(call) => call,
                None => self.fresh(chat, user.clone()),
            },
            9..=11 => {
                let cursor = if self.random.below(2) == 0 { 0 } else { self.random.below(400) };
                let limit = *self.random.one_of(&[3, 10, 50]);
                Call::Pull { chat, limit, cursor, reverse: self.random.below(2) == 0 }
            }
            12 | 13 => Call::Inbox { user: user.clone() },
            14 | 15 => {
                let marker = *self.random.one_of(&[Marker::Read, Marker::Delivered]);
                let reach = *self.random.one_of(&[40, 600]);
                Call::Mark { marker, chat, user: user.clone(), seq: 1 + self.random.below(reach) }
            }
            16..=19 => self.revise(chat, &user),
            20 | 21 => {
                let peer = members.into_iter().find(|member| **member != *user).unwrap_or_default();
                // A block does not last long, so that most sends are let through.
                Call::Block { user: user.clone(), peer: peer.to_owned(), on: self.random.below(4) == 0 }
            }
            _ => Call::Typing { chat, user: user.clone() },
        };
        (call, user)
    }

    fn fresh(&mut self, chat: String, sender: String) -> Call {
        self.sends += 1;
        let text = match self.random.below(60) {
            0 => "x🥝".repeat(usize::try_from(1 + self.random.below(3_276)).expect("small")),
            1..=20 => "the same".to_owned(),
            _ => format!("{}.{}: ça va? 👍🏽", self.name, self.sends),
        };
        let key = (self.random.below(2) == 0).then(|| format!("{}.{}", self.name, self.sends));
        let call = Call::Send { chat, sender, text, key: key.clone() };
        if key.is_some() {
            self.keyed.push(call.clone());
        }
        call
    }

    fn repeat(&mut self, user: &str) -> Option<Call> {
        let own = |call: &&Call| matches!(call, Call::Send { sender, .. } if sender == user);
        let own: Vec<_> = self.keyed.iter().rev().filter(own).take(100).collect();
        if own.is_empty() { None } else { Some((*self.random.one_of(&own)).clone()) }
    }

    /// Mostly of a message that the user has sent, at times of any.
    fn revise(&mut self, chat: String, user: &str) -> Call {
        self.sends += 1;
        let change = match self.random.below(6) {
            0 | 1 => Change::Edit {
                text: format!("edit {}.{}", self.name, self.sends / (1 + self.random.below(2))),
            },
            2 => Change::Unsend,
            _ => Change::React {
                emoji: (*self.random.one_of(&["👍", "🥝", "+1"])).to_owned(),
                remove: self.random.below(3) == 0,
            },
        };
        let any = matches!(change, Change::React { .. }) || self.random.below(8) == 0;
        let is_member = |chat: &str| chat.split(':').any(|member| member == user);
        let own: Vec<_> = self
            .stored
            .iter()
            .filter(|(chat, _, sender)| if any { is_member(chat) } else { sender == user })
            .collect();
        let (chat, seq) = if own.is_empty() || self.random.below(8) == 0 {
            (chat, 1 + self.random.below(300))
        } else {
            let (chat, seq, _) = *self.random.one_of(&own);
            (chat.clone(), *seq)
        };
        Call::Revise { chat, seq, user: user.to_owned(), change }
    }

    /// Learns from an answer.
    pub(super) fn heard(&mut self, reply: &Reply) {
        if let Reply::Stored { message, .. } = reply {
            if self.stored.len() >= REMEMBERED {
                self.stored.remove(0);
            }
            self.stored.push((message.chat.clone(), message.seq, message.sender.clone()));
        }
    }
}
