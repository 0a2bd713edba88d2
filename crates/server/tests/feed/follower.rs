//! A client that keeps the state of a user's chats from the feed alone, and holds the feed's promises against each event.

use crate::{
    connection::Connection,
    stream::{End, Face, Stream, Wanted},
    watch::within,
};
use serde_json::Value;
use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    net::SocketAddr,
};

/// What a user's chats hold, as the feed or the store tells it.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct State {
    /// Each chat's messages, from its first on.
    pub(crate) messages: BTreeMap<String, Vec<Value>>,
    /// Each marker that ever moved: chat, user, which.
    pub(crate) markers: BTreeMap<(String, String, &'static str), u64>,
    /// Unread messages of the chats that have any.
    pub(crate) unread: BTreeMap<String, u64>,
}

/// The client.
pub(crate) struct Follower {
    pub(crate) user: String,
    /// The last id that it saw.
    pub(crate) last_id: Option<String>,
    /// What the last `ready` said.
    pub(crate) recovered: Option<bool>,
    /// Typing and presence, as they came.
    pub(crate) moments: Vec<Value>,
    state: State,
    /// Whether the present stream has told `ready`.
    ready: bool,
    /// What came, for whoever must find out why a promise did not hold.
    log: VecDeque<String>,
}

/// The newest lines that are kept to find out why a promise did not hold.
const LOG_MAX_LINES: usize = 300;

impl Follower {
    pub(crate) fn new(user: &str) -> Self {
        Self {
            user: user.into(),
            last_id: None,
            recovered: None,
            moments: Vec::new(),
            state: State::default(),
            ready: false,
            log: VecDeque::new(),
        }
    }

    /// Comes back with the last id that it saw, if any.
    pub(crate) async fn open(
        &mut self,
        address: SocketAddr,
        face: Face,
        cut_after_bytes: Option<usize>,
    ) -> Result<Stream, End> {
        let wanted = Wanted { cut_after_bytes, ..Wanted::new(face, &self.user) };
        self.open_as(address, wanted).await
    }

    /// The same in a way of the test's own.
    pub(crate) async fn open_as(&mut self, address: SocketAddr, wanted: Wanted) -> Result<Stream, End> {
        self.ready = false;
        let wanted = Wanted { since: self.last_id.clone(), ..wanted };
        self.note(format!("{wanted:?}"));
        Stream::open(address, wanted).await
    }

    /// Follows a stream until it has told `ready`.
    pub(crate) async fn follow_to_ready(&mut self, stream: &mut Stream) -> Result<(), End> {
        while !self.ready {
            let event = within("ready", stream.next()).await?;
            self.take(event);
        }
        Ok(())
    }

    /// Opens a stream, which is not cut, and follows it until it has told `ready`.
    pub(crate) async fn open_ready(&mut self, address: SocketAddr, face: Face) -> Stream {
        let mut stream = self.open(address, face, None).await.expect("a stream");
        self.follow_to_ready(&mut stream).await.expect("ready");
        stream
    }

    fn note(&mut self, line: String) {
        if self.log.len() == LOG_MAX_LINES {
            self.log.pop_front();
        }
        self.log.push_back(line);
    }

    fn log(&self) -> String {
        Vec::from(self.log.clone()).join("\n")
    }

    /// Takes one event, and checks that it may stand there.
    ///
    /// # Panics
    /// With what is wrong, and all that came before.
    pub(crate) fn take(&mut self, event: Value) {
        self.note(format!("  {event}"));
        if let Err(wrong) = self.try_take(event) {
            panic!("{}: {wrong}\n{}", self.user, self.log());
        }
    }

    fn try_take(&mut self, event: Value) -> Result<(), String> {
        let kind = event["type"].as_str().unwrap_or_default().to_owned();
        if matches!(&*kind, "typing" | "presence") {
            check(event.get("id").is_none(), "what lives for the moment has no id")?;
            self.moments.push(event);
            return Ok(());
        }
        let id = event["id"].as_str().unwrap_or_default().to_owned();
        check(id.len() == 31, "no id")?;
        let last = self.last_id.as_ref();
        match (&*kind, self.ready) {
            ("ready", true) => return Err("a second ready".into()),
            ("ready", false) => {
                self.ready = true;
                self.recovered = event["recovered"].as_bool();
                if self.recovered == Some(true) {
                    check(last.is_none_or(|last| id >= *last), "ready's id lies behind")?;
                } else {
                    // What was known is void: a client loads all of it anew.
                    self.state = State::default();
                }
            }
            (_, false) => check(last.is_some_and(|last| id > *last), "an id that does not rise")?,
            (_, true) => check(last.is_none_or(|last| id > *last), "an id that does not rise")?,
        }
        self.last_id = Some(id);
        match &*kind {
            "ready" => Ok(()),
            "message" => self.take_message(event["message"].clone()),
            "edit" | "unsend" | "reaction" => self.take_revision(event["message"].clone()),
            "read" => self.take_marker("read", &event),
            "delivered" => self.take_marker("delivered", &event),
            _ => Err(format!("an event of type {kind:?}")),
        }
    }

    fn take_message(&mut self, message: Value) -> Result<(), String> {
        let chat = message["chat"].as_str().unwrap_or_default().to_owned();
        check(chat.split(':').any(|user| user == self.user), "a message of others")?;
        let known = self.state.messages.entry(chat).or_default();
        // Each is sent once here: an id that the client has seen stands behind it for ever.
        check(message["seq"] == known.len() as u64 + 1, "a message is missing or comes again")?;
        known.push(message);
        Ok(())
    }

    /// What is told of a message that was told before stands in its place.
    fn take_revision(&mut self, message: Value) -> Result<(), String> {
        let chat = message["chat"].as_str().unwrap_or_default();
        let seq = message["seq"].as_u64().and_then(|seq| usize::try_from(seq).ok()).unwrap_or_default();
        let known = self.state.messages.get_mut(chat).and_then(|known| known.get_mut(seq.wrapping_sub(1)));
        let known = known.ok_or("a message was revised that was never told")?;
        check(known["ts"] == message["ts"], "another message in its place")?;
        *known = message;
        Ok(())
    }

    fn take_marker(&mut self, kind: &'static str, event: &Value) -> Result<(), String> {
        let word = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
        let seq = event["seq"].as_u64().ok_or("no seq")?;
        let stood = self.state.markers.insert((word("chat"), word("user"), kind), seq);
        check(stood.is_none_or(|stood| stood < seq), "a marker that does not move forward")
    }

    /// What it knows.
    pub(crate) fn state(&self) -> State {
        let mut state = self.state.clone();
        for (chat, messages) in &state.messages {
            let read = state.markers.get(&(chat.clone(), self.user.clone(), "read")).copied().unwrap_or(0);
            let unread = |message: &&Value| {
                message["sender"] != *self.user
                    && message["unsent"] != true
                    && message["seq"].as_u64().is_some_and(|seq| seq > read)
            };
            let unread = messages.iter().filter(unread).count() as u64;
            if unread > 0 {
                state.unread.insert(chat.clone(), unread);
            }
        }
        state
    }

    /// Whether its present stream has told `ready`.
    pub(crate) fn is_ready(&self) -> bool {
        self.ready
    }

    /// How many messages it has been told of.
    pub(crate) fn messages(&self) -> usize {
        self.state.messages.values().map(Vec::len).sum()
    }

    /// Follows a stream until it knows what the store holds.
    ///
    /// # Panics
    /// Where the stream ends before, or does not get there.
    pub(crate) async fn follow_to(&mut self, stream: &mut Stream, wanted: &State) {
        while self.state() != *wanted {
            let next = tokio::time::timeout(crate::watch::PATIENCE, stream.next()).await;
            match next {
                Ok(Ok(event)) => self.take(event),
                other => {
                    panic!("{other:?}, but it must still hear of {}\n{}", self.differs(wanted), self.log())
                }
            }
        }
    }

    /// # Panics
    /// Where it knows something else than what the store holds.
    #[track_caller]
    pub(crate) fn assert_knows(&self, wanted: &State) {
        assert!(self.state() == *wanted, "{}: {}\n{}", self.user, self.differs(wanted), self.log());
    }

    fn differs(&self, wanted: &State) -> Difference {
        Difference { known: self.state(), wanted: wanted.clone() }
    }
}

fn check(holds: bool, what: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what.into()) }
}

/// Two states, told by what is in one alone.
struct Difference {
    known: State,
    wanted: State,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { known, wanted } = self;
        for (chat, messages) in &wanted.messages {
            let held = known.messages.get(chat).map_or(0, Vec::len);
            let same = known
                .messages
                .get(chat)
                .is_some_and(|held| *held == messages[..held.len().min(messages.len())]);
            writeln!(f, "{chat}: {held} of {} messages, the same: {same}", messages.len())?;
        }
        writeln!(f, "markers {:?}, wanted {:?}", known.markers, wanted.markers)?;
        writeln!(f, "unread {:?}, wanted {:?}", known.unread, wanted.unread)
    }
}

impl State {
    /// Reads from the server what a user's chats hold.
    pub(crate) async fn of(connection: &mut Connection, user: &str) -> Self {
        let mut state = Self::default();
        let inbox = connection.get(&format!("/api/chats?user={user}&limit=1000")).await;
        let inbox = inbox.expect("an inbox").ok();
        assert!(inbox.get("next_cursor").is_none(), "these tests have few chats");
        let mut total = 0;
        for entry in inbox["chats"].as_array().expect("chats") {
            let chat = entry["chat"].as_str().expect("a chat").to_owned();
            for kind in ["read", "delivered"] {
                for (user, seq) in entry[kind].as_object().expect("markers") {
                    if seq != 0 {
                        state
                            .markers
                            .insert((chat.clone(), user.clone(), kind), seq.as_u64().expect("a seq"));
                    }
                }
            }
            let unread = entry["unread"].as_u64().expect("a number");
            total += unread;
            if unread > 0 {
                state.unread.insert(chat.clone(), unread);
            }
            let messages = pull_all(connection, &chat).await;
            assert_eq!(messages.last(), Some(&entry["last_message"]));
            state.messages.insert(chat, messages);
        }
        assert_eq!(inbox["unread_total"], total);
        state
    }
}

impl State {
    /// Holds that every message which was acknowledged, in a chat of this state, stands there at its place.
    #[track_caller]
    pub(crate) fn assert_holds(&self, acknowledged: &[Value]) {
        for message in acknowledged {
            let chat = message["chat"].as_str().expect("a chat");
            let seq = message["seq"].as_u64().and_then(|seq| usize::try_from(seq).ok()).expect("a seq");
            if let Some(messages) = self.messages.get(chat) {
                let stands = messages.get(seq - 1).expect("an acknowledged message");
                let is_revised =
                    ["edited_ts", "unsent", "reactions"].iter().any(|name| stands.get(name).is_some());
                let same = ["ts", "sender", "key"].iter().all(|name| stands.get(name) == message.get(name));
                assert!(
                    if is_revised { same } else { stands == message },
                    "{message} was acknowledged, {stands} stands"
                );
            }
        }
    }
}

/// A whole chat.
async fn pull_all(connection: &mut Connection, chat: &str) -> Vec<Value> {
    let mut messages = Vec::new();
    let mut cursor = 0;
    loop {
        let request = serde_json::json!({"chat": chat, "limit": 1000, "cursor": cursor});
        let mut page = connection.post("/api/pull", &request).await.expect("a page").ok();
        let Value::Array(part) = page["messages"].take() else { panic!("no messages: {page}") };
        messages.extend(part);
        match page["next_cursor"].as_u64() {
            Some(next) => cursor = next,
            None => return messages,
        }
    }
}
