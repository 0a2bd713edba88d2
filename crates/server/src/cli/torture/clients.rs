//! Clients that send, repeat, pull and mark, and write down what they heard.

use super::{
    Round,
    http::{Answer, Connection},
    random::Random,
};
use chinwag_torture::history::{Call, InboxChat, Marker, Message, Reply};
use serde_json::{Value, json};
use std::{io, thread, time::Duration};

/// One client, until the round has ended.
pub(super) fn run(round: &Round, number: u64, random: Random) {
    let mut client = Client { round, number, random, connection: None, sends: 0, keyed: Vec::new() };
    while !round.ended() {
        client.act();
        thread::sleep(Duration::from_millis(client.random.below(12)));
    }
}

struct Client<'a> {
    round: &'a Round,
    number: u64,
    random: Random,
    connection: Option<Connection>,
    sends: u64,
    /// Sends with a key, to be repeated.
    keyed: Vec<Call>,
}

impl Client<'_> {
    fn act(&mut self) {
        let chats = self.round.chats();
        let members = *self.random.one_of(&chats);
        let (chat, user) = (members.join(":"), (*self.random.one_of(&members)).to_owned());
        let call = match self.random.below(10) {
            0..=4 => self.fresh(chat, user),
            5 if !self.keyed.is_empty() => self.random.one_of(&self.keyed).clone(),
            6 | 7 => {
                let cursor = if self.random.below(2) == 0 { 0 } else { self.random.below(400) };
                let limit = *self.random.one_of(&[3, 10, 50]);
                Call::Pull { chat, caller: None, limit, cursor, reverse: self.random.below(2) == 0 }
            }
            8 => Call::Inbox { user, quiet: false },
            _ => {
                let marker = *self.random.one_of(&[Marker::Read, Marker::Delivered]);
                Call::Mark { marker, chat, user, seq: 1 + self.random.below(600) }
            }
        };
        self.call(call);
    }

    fn fresh(&mut self, chat: String, sender: String) -> Call {
        self.sends += 1;
        let text = match self.random.below(60) {
            0 => "x🥝".repeat(usize::try_from(1 + self.random.below(3_276)).expect("small")),
            1..=20 => "the same".to_owned(),
            _ => format!("{}.{}: ça va? 👍🏽", self.number, self.sends),
        };
        let key = (self.random.below(2) == 0).then(|| format!("{}.{}", self.number, self.sends));
        let call = Call::Send { chat, sender, text, key: key.clone() };
        if key.is_some() {
            self.keyed.push(call.clone());
        }
        call
    }

    fn call(&mut self, call: Call) {
        let began = self.round.now();
        let connection = match self.connection.take() {
            Some(connection) => Ok(connection),
            None => Connection::open(self.round.address),
        };
        // Not even asked.
        let Ok(mut connection) = connection else { return thread::sleep(Duration::from_millis(20)) };
        let reply = match ask(&mut connection, &call) {
            Ok(answer) => {
                self.connection = Some(connection);
                reply(&call, answer)
            }
            Err(_) => Reply::Unknown,
        };
        self.round.record(began, call, reply);
    }
}

/// Reads everything, while nothing else happens.
pub(super) fn look_at_all(round: &Round) -> io::Result<()> {
    let mut connection = Connection::open(round.address)?;
    let mut look = |call: Call| -> io::Result<Option<u64>> {
        let began = round.now();
        let heard = reply(&call, ask(&mut connection, &call)?);
        let next = match &heard {
            Reply::Page { next, .. } => *next,
            Reply::Inbox { .. } => None,
            other => return Err(io::Error::other(format!("{call:?} was answered {other:?} in the end"))),
        };
        round.record(began, call, heard);
        Ok(next)
    };
    for chat in round.chats() {
        for reverse in [false, true] {
            let mut cursor = Some(0);
            while let Some(from) = cursor {
                let pull =
                    Call::Pull { chat: chat.join(":"), caller: None, limit: 1_000, cursor: from, reverse };
                cursor = look(pull)?;
            }
        }
    }
    round.users.iter().try_for_each(|user| look(Call::Inbox { user: user.clone(), quiet: true }).map(drop))
}

fn ask(connection: &mut Connection, call: &Call) -> io::Result<Answer> {
    match call {
        Call::Send { chat, sender, text, key } => {
            connection.post("/api/send", &json!({"chat": chat, "sender": sender, "text": text, "key": key}))
        }
        Call::Pull { chat, limit, cursor, reverse, .. } => connection
            .post("/api/pull", &json!({"chat": chat, "limit": limit, "cursor": cursor, "reverse": reverse})),
        Call::Mark { marker, chat, user, seq } => {
            let path = if *marker == Marker::Read { "/api/read" } else { "/api/delivered" };
            connection.post(path, &json!({"chat": chat, "user": user, "seq": seq}))
        }
        Call::Inbox { user, .. } | Call::Feed { user, .. } => {
            connection.get(&format!("/api/chats?user={user}&limit=100"))
        }
    }
}

fn reply(call: &Call, answer: Answer) -> Reply {
    let Answer { status, replayed, body } = answer;
    let code = body["code"].as_str().unwrap_or_default();
    let heard = match call {
        _ if code == "outcome_unknown" => return Reply::Unknown,
        _ if status != 200 => return Reply::Refused { status, code: code.to_owned() },
        Call::Send { .. } => message(&body).map(|message| Reply::Stored { message, replayed }),
        Call::Pull { .. } => page(&body),
        Call::Mark { marker, .. } => {
            let name = if *marker == Marker::Read { "read" } else { "delivered" };
            body[name].as_u64().map(|seq| Reply::Marked { seq })
        }
        Call::Inbox { user, .. } | Call::Feed { user, .. } => inbox(user, &body),
    };
    heard.unwrap_or_else(|| Reply::Refused { status, code: format!("no answer of the contract: {body}") })
}

/// A message off the wire.
pub(super) fn message(body: &Value) -> Option<Message> {
    let word = |name: &str| body[name].as_str().map(str::to_owned);
    Some(Message {
        chat: word("chat")?,
        seq: body["seq"].as_u64()?,
        ts: body["ts"].as_u64()?,
        sender: word("sender")?,
        text: word("text")?,
        key: word("key"),
    })
}

fn page(body: &Value) -> Option<Reply> {
    let messages = body["messages"].as_array()?.iter().map(message).collect::<Option<_>>()?;
    Some(Reply::Page { messages, next: body["next_cursor"].as_u64() })
}

fn inbox(user: &str, body: &Value) -> Option<Reply> {
    let chat = |chat: &Value| {
        Some(InboxChat {
            last: message(&chat["last_message"])?,
            unread: chat["unread"].as_u64()?,
            read: chat["read"][user].as_u64().unwrap_or_default(),
        })
    };
    Some(Reply::Inbox { chats: body["chats"].as_array()?.iter().map(chat).collect::<Option<_>>()? })
}
