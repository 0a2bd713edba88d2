//! A WebSocket, spoken to in frames made by hand.

use crate::{
    server::Server,
    wire::{Connection, Reply, get, request},
};
use serde_json::Value;
use std::collections::VecDeque;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

/// The headers of a handshake, with the key of RFC 6455's example.
pub(crate) const HANDSHAKE: [&str; 4] = [
    "Connection: keep-alive, Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];

/// First bytes of frames that end their message.
pub(crate) const TEXT: u8 = 0x81;
pub(crate) const BINARY: u8 = 0x82;
pub(crate) const CLOSE: u8 = 0x88;
pub(crate) const PING: u8 = 0x89;
pub(crate) const PONG: u8 = 0x8A;

/// A connection that has become a WebSocket.
pub(crate) struct Socket<S = TcpStream> {
    pub(crate) connection: Connection<S>,
    /// Events that came while a reply was waited for.
    events: VecDeque<Value>,
}

/// A frame of a client.
pub(crate) fn frame(first: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let (payload, mask) = (payload.as_ref(), [0xA5, 0x00, 0xFF, 0x3C]);
    let mut bytes = vec![first];
    let length = payload.len();
    if let Ok(short @ 0..126) = u8::try_from(length) {
        bytes.push(0x80 | short);
    } else if let Ok(middle) = u16::try_from(length) {
        bytes.push(0xFE);
        bytes.extend_from_slice(&middle.to_be_bytes());
    } else {
        bytes.push(0xFF);
        bytes.extend_from_slice(&(length as u64).to_be_bytes());
    }
    bytes.extend_from_slice(&mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

impl Socket {
    /// Opens the feed of a query such as `user=apple`.
    pub(crate) async fn open(server: &Server, query: &str) -> Self {
        Self::at(server, &format!("/api/ws?{query}")).await
    }

    /// Opens what is at a path.
    pub(crate) async fn at(server: &Server, path: &str) -> Self {
        let (connection, reply) = Self::shake(server, path).await;
        assert_eq!(reply.status, 101, "{reply:?}");
        assert_eq!(reply.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        assert_eq!(reply.header("connection").map(str::to_ascii_lowercase).as_deref(), Some("upgrade"));
        assert_eq!(reply.header("upgrade"), Some("websocket"));
        Self::of(connection)
    }

    async fn shake(server: &Server, path: &str) -> (Connection, Reply) {
        let mut connection = server.connect().await;
        connection.write(request(&format!("GET {path}"), &HANDSHAKE, "")).await;
        let reply = connection.head().await;
        (connection, reply)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    /// A connection whose handshake a test has made.
    pub(crate) fn of(connection: Connection<S>) -> Self {
        Self { connection, events: VecDeque::new() }
    }

    pub(crate) async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.connection.write(bytes).await;
    }

    /// The next frame: its first byte and its payload; `None` where the connection has ended.
    pub(crate) async fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let head = self.connection.take(2).await?;
        let mut long = async |bytes| self.connection.take(bytes).await.expect("a whole frame");
        let length = match head[1] {
            126 => u16::from_be_bytes(long(2).await.try_into().expect("two")).into(),
            127 => u64::from_be_bytes(long(8).await.try_into().expect("eight")),
            short => u64::from(short),
        };
        assert!(head[1] < 128, "a server masks nothing");
        Some((head[0], long(usize::try_from(length).expect("a length")).await))
    }

    /// The next frame, which is a text of JSON.
    async fn json(&mut self) -> Value {
        let (first, payload) = self.frame().await.expect("the connection goes on");
        assert_eq!(first, TEXT, "{}", String::from_utf8_lossy(&payload));
        serde_json::from_slice(&payload).expect("JSON")
    }

    /// The next event.
    pub(crate) async fn event(&mut self) -> Value {
        if let Some(event) = self.events.pop_front() {
            return event;
        }
        let event = self.json().await;
        assert!(event["type"].is_string(), "{event}");
        event
    }

    /// The next event, which is of this type.
    #[track_caller]
    pub(crate) fn expect(&mut self, kind: &str) -> impl Future<Output = Value> {
        let place = std::panic::Location::caller();
        async move {
            let event = self.event().await;
            assert_eq!(event["type"], kind, "{place}: {event}");
            event
        }
    }

    /// The next reply.
    pub(crate) async fn reply(&mut self) -> Value {
        loop {
            let json = self.json().await;
            if json.get("reply").is_some() {
                return json;
            }
            self.events.push_back(json);
        }
    }

    /// One request, and its reply.
    pub(crate) async fn ask(&mut self, json: impl AsRef<[u8]>) -> Value {
        self.write(frame(TEXT, json)).await;
        self.reply().await
    }

    /// Reads on to the close frame: its code and reason.
    pub(crate) async fn close_frame(&mut self) -> (u16, String) {
        loop {
            let (first, payload) = self.frame().await.expect("a close frame before the end");
            if first == CLOSE {
                let (code, reason) = payload.split_first_chunk().expect("a code");
                return (u16::from_be_bytes(*code), String::from_utf8(reason.to_vec()).expect("UTF-8"));
            }
        }
    }

    /// Reads on to the close frame, answers it, and waits for the end.
    pub(crate) async fn closed(&mut self) -> u16 {
        let (code, reason) = self.close_frame().await;
        assert!(reason.len() > 10, "{reason:?} says nothing");
        // The server may have ended its side already, as it may.
        self.write(frame(CLOSE, code.to_be_bytes())).await;
        self.connection.ended().await;
        code
    }

    /// Reads on to the close frame, and waits for the end without an answer.
    pub(crate) async fn failed(&mut self) -> u16 {
        let (code, _) = self.close_frame().await;
        self.connection.ended().await;
        code
    }
}

/// The reply to a handshake that is refused.
pub(crate) async fn refused(server: &Server, path: &str, headers: &[&str]) -> Reply {
    server.ask(request(&format!("GET {path}"), headers, "")).await
}

/// Waits until nobody holds a session of a user.
pub(crate) async fn until_offline(server: &Server, user: &str) {
    crate::wire::within("a session to end", async {
        let mut connection = server.connect().await;
        loop {
            let presence = connection.ask(get(&format!("/api/presence?user={user}"))).await.ok();
            if presence["users"][user]["online"] == false {
                break;
            }
        }
    })
    .await;
}
