//! A user's feed, cut and resumed on another face again and again.

use super::{Round, clients::message, http::Connection, random::Random};
use chinwag_client::{Client, Update};
use chinwag_torture::history::{Call, Marker, Reply};
use futures_util::StreamExt as _;
use serde_json::Value;
use std::{
    io, thread,
    time::{Duration, Instant},
};

/// One session: whose, on what number, from where; `since` moves on with what it tells.
struct Session<'a> {
    round: &'a Round,
    began: u64,
    call: Call,
    since: Option<String>,
}

/// Follows until the round has ended.
pub(super) fn run(round: &Round, user: &str, number: u64, mut random: Random) {
    let mut since = None;
    for nth in 0.. {
        if round.ended() {
            return;
        }
        let call = Call::Feed { user: user.into(), session: number << 32 | nth, since: since.clone() };
        let mut session = Session { round, began: round.now(), call, since: since.clone() };
        let until = Instant::now() + Duration::from_millis(50 + random.below(2_500));
        // Each ends with an error when its time is over or the server is gone; what it told by then stands.
        let ended = match random.below(3) {
            0 => session.events(user, until),
            1 => session.poll(user),
            _ => session.socket(user, until),
        };
        since = session.since;
        if ended.is_err() {
            thread::sleep(Duration::from_millis(random.below(60)));
        }
    }
}

impl Session<'_> {
    fn path(&self, verb: &str, user: &str) -> String {
        let since = self.since.as_ref().map(|since| format!("&since={since}")).unwrap_or_default();
        format!("/api/{verb}?user={user}{since}")
    }

    /// Server-Sent Events.
    fn events(&mut self, user: &str, until: Instant) -> io::Result<()> {
        let mut connection = Connection::open(self.round.address)?;
        connection.stream(&self.path("events", user), Duration::from_secs(1))?;
        while Instant::now() < until {
            if let Some(data) = connection.line()?.strip_prefix("data:") {
                self.tell(&serde_json::from_str(data)?);
            }
        }
        Ok(())
    }

    /// Long poll: one answer is one session.
    fn poll(&mut self, user: &str) -> io::Result<()> {
        let mut connection = Connection::open(self.round.address)?;
        let answer = connection.get(&format!("{}&timeout=1", self.path("poll", user)))?;
        for event in answer.body["events"].as_array().into_iter().flatten() {
            self.tell(event);
        }
        if let (Some(id), Some(recovered)) =
            (answer.body["since"].as_str(), answer.body["recovered"].as_bool())
        {
            self.heard(id, Reply::Ready { id: id.into(), recovered });
        }
        Ok(())
    }

    /// WebSocket, by the client that we publish; its first loss ends the session.
    fn socket(&mut self, user: &str, until: Instant) -> io::Result<()> {
        let client = Client::new(&format!("http://{}", self.round.address)).map_err(io::Error::other)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut feed = client.subscribe(user);
            if let Some(since) = &self.since {
                feed = feed.since(since);
            }
            loop {
                let next = tokio::time::timeout(until.saturating_duration_since(Instant::now()), feed.next());
                match next.await {
                    Err(_) => return Ok(()),
                    Ok(Some(Ok(Update::Ready { id, recovered }))) => {
                        self.heard(&id.clone(), Reply::Ready { id, recovered });
                    }
                    Ok(Some(Ok(Update::Event(event)))) => self.tell(&serde_json::to_value(&event)?),
                    Ok(Some(Ok(Update::Gap))) => {}
                    Ok(_) => return Err(io::Error::other("the session is lost")),
                }
            }
        })
    }

    /// Writes down an event.
    fn tell(&mut self, event: &Value) {
        let Some(id) = event["id"].as_str() else { return };
        let word = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
        let marker = |marker| Reply::Marker {
            id: id.into(),
            marker,
            chat: word("chat"),
            user: word("user"),
            seq: event["seq"].as_u64().unwrap_or_default(),
        };
        let reply = match event["type"].as_str() {
            Some("message") => match message(&event["message"]) {
                Some(message) => Reply::Message { id: id.into(), message },
                None => return,
            },
            Some("read") => marker(Marker::Read),
            Some("delivered") => marker(Marker::Delivered),
            Some("ready") => {
                Reply::Ready { id: id.into(), recovered: event["recovered"].as_bool().unwrap_or_default() }
            }
            _ => return,
        };
        self.heard(id, reply);
    }

    fn heard(&mut self, id: &str, reply: Reply) {
        self.since = Some(id.to_owned());
        self.round.record(self.began, self.call.clone(), reply);
    }
}
