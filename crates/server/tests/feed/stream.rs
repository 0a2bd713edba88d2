//! A feed as a client sees it, whichever face it uses: the next event, or the end.
//!
//! Each face is read in bytes, by hand, so that a fault which the server and a client library share cannot hide.

use crate::{
    connection::{Broken, Connection, Head, get, json},
    frame::{self, Frame},
};
use serde_json::Value;
use std::{collections::VecDeque, net::SocketAddr};

/// The three faces of a feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Face {
    WebSocket,
    Sse,
    Poll,
}

/// Every face.
pub(crate) const FACES: [Face; 3] = [Face::WebSocket, Face::Sse, Face::Poll];

/// Whose feed, from where, and how.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) face: Face,
    /// A name that needs no encoding in a query.
    pub(crate) user: String,
    /// The last id that the client saw.
    pub(crate) since: Option<String>,
    /// Whom it watches.
    pub(crate) watch: Vec<String>,
    /// The connection is cut after so many bytes.
    pub(crate) cut_after_bytes: Option<usize>,
}

/// Why a stream has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The server closed it in words, with this code.
    Closed(u16),
    /// The server refused it with this status.
    Refused(u16),
    /// It broke without a word.
    Cut(Broken),
}

impl From<Broken> for End {
    fn from(broken: Broken) -> Self {
        Self::Cut(broken)
    }
}

/// One connection that follows a feed. Dropping it cuts it.
pub(crate) struct Stream {
    connection: Connection,
    wanted: Wanted,
    /// Events that were read and not yet given.
    waiting: VecDeque<Value>,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The reply has not begun, or it is a poll's that asks what was missed.
    Asked,
    /// It has begun.
    Open,
    /// All that was missed was told by polls: the next is to be asked.
    Answered,
    /// It was asked.
    Waiting,
}

impl Wanted {
    /// A feed from now on.
    pub(crate) fn new(face: Face, user: &str) -> Self {
        Self { face, user: user.into(), since: None, watch: Vec::new(), cut_after_bytes: None }
    }

    /// The same from a place.
    pub(crate) fn since(self, id: &str) -> Self {
        Self { since: Some(id.into()), ..self }
    }

    fn path(&self, path: &str) -> String {
        let mut path = format!("{path}?user={}", self.user);
        for user in &self.watch {
            path.push_str("&watch=");
            path.push_str(user);
        }
        if let Some(since) = &self.since {
            path.push_str("&since=");
            path.push_str(since);
        }
        path
    }

    /// `missed`: whether only what was missed is asked for.
    fn request(&self, missed: bool) -> String {
        match self.face {
            Face::WebSocket => frame::handshake(&self.path("/api/ws")),
            Face::Sse => get(&self.path("/api/events")),
            Face::Poll if missed => get(&format!("{}&timeout=0", self.path("/api/poll"))),
            Face::Poll => get(&format!("{}&timeout=50", self.path("/api/poll"))),
        }
    }
}

impl Stream {
    /// Connects and asks for the feed.
    pub(crate) async fn open(address: SocketAddr, wanted: Wanted) -> Result<Self, End> {
        let connection = Connection::open(address, wanted.cut_after_bytes).await;
        let mut connection = connection.map_err(|_| End::Cut(Broken::Ended))?;
        connection.write(wanted.request(true).as_bytes()).await?;
        Ok(Self { connection, wanted, waiting: VecDeque::new(), stage: Stage::Asked })
    }

    /// The next event. It may be given up while it waits, and asked again.
    pub(crate) async fn next(&mut self) -> Result<Value, End> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Ok(event);
            }
            match self.wanted.face {
                Face::WebSocket => self.read_frame().await?,
                Face::Sse => self.read_lines().await?,
                Face::Poll => self.poll().await?,
            }
        }
    }

    /// Sends a frame, on a WebSocket that is open.
    pub(crate) async fn send(&mut self, request: &Value) -> Result<(), End> {
        let request = request.to_string();
        Ok(self.connection.write(&frame::masked(frame::TEXT, request.as_bytes())).await?)
    }

    async fn open_with(&mut self, status: u16) -> Result<(), End> {
        if self.stage == Stage::Asked {
            let Head { status: found, lines } = self.connection.head().await?;
            if found != status {
                return Err(End::Refused(found));
            }
            if self.wanted.face == Face::Sse {
                let streams = |line: &String| line.starts_with("content-type: text/event-stream");
                assert!(lines.iter().any(streams), "{lines:?}");
            }
            self.stage = Stage::Open;
        }
        Ok(())
    }

    async fn read_frame(&mut self) -> Result<(), End> {
        self.open_with(101).await?;
        let Frame { opcode, payload } = self.connection.take(frame::parse).await?;
        match opcode {
            frame::TEXT => self.waiting.push_back(json(&payload)),
            frame::PING => self.connection.write(&frame::masked(frame::PONG, &payload)).await?,
            frame::CLOSE => {
                let code = payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code));
                return Err(End::Closed(code));
            }
            _ => panic!("a frame of {opcode}: {payload:?}"),
        }
        Ok(())
    }

    async fn read_lines(&mut self) -> Result<(), End> {
        self.open_with(200).await?;
        let piece = self.connection.take(chunk).await?;
        if piece.is_empty() {
            return Err(End::Cut(Broken::Ended));
        }
        let piece = String::from_utf8(piece).expect("events are UTF-8");
        // The server writes whole events: each piece of its body holds some.
        for block in piece.split_terminator("\n\n") {
            let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            let Some(name) = field("event") else {
                assert!(block.starts_with(':') || field("retry").is_some(), "{block:?}");
                continue;
            };
            let event = json(field("data").unwrap_or_else(|| panic!("no data: {block:?}")).as_bytes());
            if name == "close" {
                let code = event["code"].as_u64().and_then(|code| u16::try_from(code).ok());
                return Err(End::Closed(code.unwrap_or_else(|| panic!("no code: {block:?}"))));
            }
            assert_eq!(event["type"], name, "{block:?}");
            assert_eq!(event["id"].as_str(), field("id"), "{block:?}");
            self.waiting.push_back(event);
        }
        Ok(())
    }

    /// One poll after another on one connection. The first that tells nothing stands where the other faces have `ready`.
    async fn poll(&mut self) -> Result<(), End> {
        if self.stage == Stage::Answered {
            self.ask(false).await?;
            self.stage = Stage::Waiting;
        }
        let reply = self.connection.reply().await?;
        if reply.status != 200 {
            return Err(End::Refused(reply.status));
        }
        let (since, recovered) = (&reply.body["since"], &reply.body["recovered"]);
        let events = reply.body["events"].as_array().unwrap_or_else(|| panic!("no events: {}", reply.body));
        self.wanted.since = Some(since.as_str().unwrap_or_else(|| panic!("no since: {}", reply.body)).into());
        self.waiting.extend(events.iter().cloned());
        if self.stage == Stage::Waiting || !events.is_empty() {
            assert_eq!(recovered, true, "{}", reply.body);
        }
        match self.stage {
            Stage::Asked if !events.is_empty() => self.ask(true).await?,
            Stage::Asked => {
                let ready = serde_json::json!({"type": "ready", "id": since, "recovered": recovered});
                self.waiting.push_back(ready);
                self.stage = Stage::Answered;
            }
            _ => self.stage = Stage::Answered,
        }
        Ok(())
    }

    async fn ask(&mut self, missed: bool) -> Result<(), Broken> {
        let request = self.wanted.request(missed);
        self.connection.write(request.as_bytes()).await
    }
}

/// One chunk of a chunked body; the last is empty.
fn chunk(read: &[u8]) -> Option<(Vec<u8>, usize)> {
    let line = read.windows(2).position(|window| window == b"\r\n")?;
    let size = str::from_utf8(&read[..line]).ok().and_then(|size| usize::from_str_radix(size, 16).ok());
    let (begin, size) = (line + 2, size.expect("a chunk's size"));
    let data = read.get(begin..begin + size + 2)?;
    assert_eq!(&data[size..], b"\r\n", "a chunk ends with its line");
    Some((data[..size].to_vec(), begin + size + 2))
}
