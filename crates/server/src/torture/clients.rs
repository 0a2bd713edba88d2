//! Clients that send, repeat, pull, mark and revise, and write down what they heard.

use super::{
    Random, Round,
    acts::Acts,
    answers::{Answer, asked, reply},
    gate::STRANGER,
    http::Connection,
};
use chinwag_torture::history::{By, Call, Marker, Reply};
use std::{io, thread, time::Duration};

/// One client, until the round has ended.
pub(super) fn run(round: &Round, number: u64, mut random: Random) {
    let acts = Acts::new(number.to_string(), random.fork());
    let rest = u64::try_from(round.setting.pace.rest.as_micros()).unwrap_or(u64::MAX);
    let mut client = Client { round, random, connection: None, acts };
    while !round.ended() {
        client.act();
        thread::sleep(Duration::from_micros(client.random.below(rest.max(1))));
    }
}

struct Client<'a> {
    round: &'a Round,
    random: Random,
    connection: Option<Connection>,
    acts: Acts,
}

/// A client that goes away in the middle.
#[derive(Clone, Copy)]
enum Cut {
    /// Of its request.
    Request,
    /// Of the answer.
    Answer,
}

impl Client<'_> {
    fn act(&mut self) {
        let (call, user) = self.acts.next(self.round, None);
        let (by, token) = self.round.somebody(&user, &mut self.random);
        let began = self.round.now();
        let connection = match self.connection.take() {
            Some(connection) => Ok(connection),
            None => Connection::open(self.round.setting.address),
        };
        // Not even asked.
        let Ok(connection) = connection else { return thread::sleep(Duration::from_millis(20)) };
        let cut = match self.random.below(40) {
            0 => Some(Cut::Request),
            1 => Some(Cut::Answer),
            _ => None,
        };
        let reply = self.ask(connection, &call, token.as_deref(), cut);
        self.acts.heard(&reply);
        self.round.record(began, by, call, reply);
    }

    fn ask(
        &mut self,
        mut connection: Connection,
        call: &Call,
        token: Option<&str>,
        cut: Option<Cut>,
    ) -> Reply {
        let request = request(&connection, call, token);
        let heard = match cut {
            None => connection.send(&request).and_then(|()| connection.answer()),
            Some(Cut::Request) => {
                let some = self.random.below(request.len() as u64);
                drop(connection.send(&request[..usize::try_from(some).expect("an index")]));
                // The last byte is missing, so nothing was asked for.
                return Reply::Refused { status: 0, code: "cut".into() };
            }
            Some(Cut::Answer) => {
                let some = usize::try_from(self.random.below(150)).expect("small");
                drop(connection.send(&request).and_then(|()| connection.read_some(some)));
                return Reply::Unknown;
            }
        };
        match heard {
            Ok(answer) => {
                self.connection = Some(connection);
                reply(call, &answer)
            }
            Err(_) => Reply::Unknown,
        }
    }
}

fn request(connection: &Connection, call: &Call, token: Option<&str>) -> Vec<u8> {
    match (call, asked(call)) {
        (Call::Inbox { user }, _) => {
            connection.request("GET", &format!("/api/chats?user={user}&limit=100"), token, None)
        }
        (_, (verb, body)) => connection.request("POST", &format!("/api/{verb}"), token, Some(&body)),
    }
}

/// Reads everything, while nothing else happens; and has a stranger try to.
pub(super) fn look_at_all(round: &Round) -> io::Result<()> {
    let mut connection = Connection::open(round.setting.address)?;
    let mut look = |(by, token): (By, Option<String>), call: Call| -> io::Result<Option<u64>> {
        let began = round.now();
        connection.send(&request(&connection, &call, token.as_deref()))?;
        let answer: Answer = connection.answer()?;
        let heard = reply(&call, &answer);
        let next = if let Reply::Page { next, .. } = &heard { *next } else { None };
        round.record(began, by, call, heard);
        Ok(next)
    };
    for members in round.chats() {
        let chat = members.join(":");
        for (at, reverse) in [false, true].into_iter().enumerate() {
            let mut cursor = Some(0);
            while let Some(from) = cursor {
                let pull = Call::Pull { chat: chat.clone(), limit: 1_000, cursor: from, reverse };
                cursor = look(round.own(members[at], 600), pull)?;
            }
        }
        // No move: it tells when each came to stand where it does.
        for user in members {
            for marker in [Marker::Read, Marker::Delivered] {
                let mark = Call::Mark { marker, chat: chat.clone(), user: user.to_owned(), seq: 1 };
                look(round.key(), mark)?;
            }
        }
        if round.setting.gate.is_some() {
            let pull = Call::Pull { chat, limit: 10, cursor: 0, reverse: false };
            look(round.own(STRANGER, 600), pull)?;
        }
    }
    round
        .setting
        .users
        .iter()
        .try_for_each(|user| look(round.own(user, 600), Call::Inbox { user: user.clone() }).map(drop))
}
