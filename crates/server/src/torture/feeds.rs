//! A user's feed, cut and resumed on another face again and again, with verbs on its socket in between.

use super::{
    Random, Round,
    acts::Acts,
    answers::{Answer, asked, event, reply},
    gate::STRANGER,
    http::Connection,
    socket::{Heard, Socket},
};
use chinwag_client::{Client, Update};
use chinwag_torture::history::{By, Call, Reply};
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use std::{
    io, thread,
    time::{Duration, Instant},
};

/// Verbs that wait for their answers at once.
const PENDING_MAX: usize = 4;

/// One session: whose, on what number, from where; `since` moves on with what it tells.
struct Session<'a> {
    round: &'a Round,
    acts: &'a mut Acts,
    random: Random,
    user: &'a str,
    began: u64,
    by: By,
    token: Option<String>,
    call: Call,
    since: Option<String>,
}

/// Follows until the round has ended.
pub(super) fn run(round: &Round, user: &str, number: u64, mut random: Random) {
    let mut acts = Acts::new(format!("feed-{number}"), random.fork());
    let mut since = None;
    let follow = u64::try_from(round.setting.pace.follow.as_millis()).unwrap_or(u64::MAX).max(1);
    for nth in 0.. {
        if round.ended() {
            return;
        }
        // At times one who may not, or one whose token ends on the way.
        let (by, token) = match random.below(16) {
            0 => round.own(STRANGER, 600),
            1 => round.own(user, -120),
            2 | 3 => round.own(user, 1 + i64::try_from(random.below(4)).expect("small")),
            _ => round.own(user, 600),
        };
        let may = !matches!(&by, By::User { name, until } if name != user || *until == 0);
        let session = number << 32 | nth;
        let call = Call::Feed { user: user.into(), session, since: since.clone() };
        let mut session = Session {
            round,
            acts: &mut acts,
            random: random.fork(),
            user,
            began: round.now(),
            by,
            token,
            call,
            since: since.clone(),
        };
        let until = Instant::now() + Duration::from_millis(follow / 50 + random.below(follow));
        // Each ends with an error when its time is over or the server is gone; what it told by then stands.
        let ended = match random.below(6) {
            0 => session.events(until),
            1 => session.poll(),
            2 => session.client(until),
            _ => session.socket(until),
        };
        if may {
            since = session.since;
        }
        if ended.is_err() {
            thread::sleep(Duration::from_millis(random.below(60)));
        }
    }
}

impl Session<'_> {
    fn path(&self, verb: &str) -> String {
        let since = self.since.as_ref().map(|since| format!("&since={since}")).unwrap_or_default();
        format!("/api/{verb}?user={}{since}", self.user)
    }

    /// Server-Sent Events.
    fn events(&mut self, until: Instant) -> io::Result<()> {
        let mut connection = Connection::open(self.round.setting.address)?;
        let path = self.path("events");
        if let Some(answer) = connection.stream(&path, self.token.as_deref(), Duration::from_secs(1))? {
            return self.refused(&answer);
        }
        while Instant::now() < until {
            if let Some(data) = connection.line()?.strip_prefix("data:") {
                self.tell(&serde_json::from_str(data)?);
            }
        }
        Ok(())
    }

    /// Long poll: one answer is one session.
    fn poll(&mut self) -> io::Result<()> {
        let mut connection = Connection::open(self.round.setting.address)?;
        let path = format!("{}&timeout=1", self.path("poll"));
        let answer = connection.get(&path, self.token.as_deref())?;
        if answer.status != 200 {
            return self.refused(&answer);
        }
        for event in answer.body["events"].as_array().into_iter().flatten() {
            self.tell(event);
        }
        if let (Some(id), Some(recovered)) =
            (answer.body["since"].as_str(), answer.body["recovered"].as_bool())
        {
            self.heard(Some(id.to_owned()), Reply::Ready { id: id.into(), recovered });
        }
        Ok(())
    }

    /// WebSocket, by the client that we publish; its first loss ends the session.
    fn client(&mut self, until: Instant) -> io::Result<()> {
        let mut client =
            Client::new(&format!("http://{}", self.round.setting.address)).map_err(io::Error::other)?;
        if let Some(token) = &self.token {
            client = client.with_token(token);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut feed = client.subscribe(self.user);
            if let Some(since) = &self.since {
                feed = feed.since(since);
            }
            loop {
                let next = tokio::time::timeout(until.saturating_duration_since(Instant::now()), feed.next());
                match next.await {
                    Err(_) => return Ok(()),
                    Ok(Some(Ok(Update::Ready { id, recovered }))) => {
                        self.heard(Some(id.clone()), Reply::Ready { id, recovered });
                    }
                    Ok(Some(Ok(Update::Event(event)))) => self.tell(&serde_json::to_value(&event)?),
                    Ok(Some(Ok(Update::Gap))) => {}
                    Ok(_) => return Err(io::Error::other("the session is lost")),
                }
            }
        })
    }

    /// WebSocket, with verbs up in between.
    fn socket(&mut self, until: Instant) -> io::Result<()> {
        let path = self.path("ws");
        let mut socket = match Socket::open(self.round.setting.address, &path, self.token.as_deref())? {
            Ok(socket) => socket,
            Err(answer) => return self.refused(&answer),
        };
        let mut pending = Vec::new();
        let ended = self.talk(&mut socket, &mut pending, until);
        for Pending { began, by, call, .. } in pending {
            if let Some(call) = call {
                self.round.record(began, by, call, Reply::Unknown);
            }
        }
        ended
    }

    fn talk(&mut self, socket: &mut Socket, pending: &mut Vec<Pending>, until: Instant) -> io::Result<()> {
        let mut told = false;
        for id in 0.. {
            if Instant::now() >= until {
                return Ok(());
            }
            if told && pending.len() < PENDING_MAX && self.random.below(3) == 0 {
                let asks = self.verb(id);
                let frame = asks.1.to_string();
                pending.push(asks.0);
                socket.send(&frame)?;
            }
            match socket.next(Duration::from_millis(1 + self.random.below(15)))? {
                Heard::Text(text) if text.get("reply").is_some() => self.answered(pending, &text),
                Heard::Text(text) => {
                    told = true;
                    self.tell(&text);
                }
                Heard::Nothing => {}
                Heard::Closed(code @ (4401 | 4403)) if !told => {
                    return self.refused(&Answer { status: code - 4000, replayed: false, body: Value::Null });
                }
                Heard::Closed(code) => return Err(io::Error::other(format!("closed with {code}"))),
            }
        }
        Ok(())
    }

    /// A verb to send up, as a frame; at times a new token of the same user.
    fn verb(&mut self, id: u64) -> (Pending, Value) {
        let began = self.round.now();
        if self.token.is_some() && self.random.below(30) == 0 {
            let (by, token) = self.round.own(self.user, 600);
            let frame = json!({"id": id, "op": "auth", "token": token});
            return (Pending { id, began, by, call: None }, frame);
        }
        let (call, _) = self.acts.next(self.round, Some(self.user));
        let (verb, mut frame) = asked(&call);
        frame["id"] = id.into();
        frame["op"] = verb.into();
        (Pending { id, began, by: self.by.clone(), call: Some(call) }, frame)
    }

    fn answered(&mut self, pending: &mut Vec<Pending>, text: &Value) {
        let Some(at) = pending.iter().position(|asked| text["reply"] == asked.id) else { return };
        let Pending { began, by, call, .. } = pending.remove(at);
        let answer = Answer {
            status: text["status"].as_u64().and_then(|status| status.try_into().ok()).unwrap_or_default(),
            replayed: text["replayed"] == true,
            body: text["body"].clone(),
        };
        match call {
            Some(call) => {
                let reply = reply(&call, &answer);
                self.acts.heard(&reply);
                self.round.record(began, by, call, reply);
            }
            // From here on the session lasts as long as the new token.
            None if answer.status == 200 => self.by = by,
            None => {}
        }
    }

    fn refused(&mut self, answer: &Answer) -> io::Result<()> {
        let code = answer.body["code"].as_str().unwrap_or_default().to_owned();
        let reply = Reply::Refused { status: answer.status, code };
        self.round.record(self.began, self.by.clone(), self.call.clone(), reply);
        Err(io::Error::other("refused"))
    }

    /// Writes down an event.
    fn tell(&mut self, told: &Value) {
        if let Some((id, reply)) = event(told) {
            self.heard(id, reply);
        }
    }

    fn heard(&mut self, id: Option<String>, reply: Reply) {
        self.since = id.or_else(|| self.since.take());
        self.round.record(self.began, self.by.clone(), self.call.clone(), reply);
    }
}

/// A verb that waits for its answer; without a call it is a new token, whose user `by` is.
struct Pending {
    id: u64,
    began: u64,
    by: By,
    call: Option<Call>,
}
