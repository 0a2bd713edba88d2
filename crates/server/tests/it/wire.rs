//! One connection, spoken to in bytes.

use serde_json::Value;
use std::{future::Future, io::ErrorKind, net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

/// How long anything may take that a test waits for.
const WATCHDOG: Duration = Duration::from_mins(1);

/// Waits for an event; after a minute the test fails and says what it waited for.
pub(crate) async fn within<T>(what: &str, event: impl Future<Output = T>) -> T {
    let value = tokio::time::timeout(WATCHDOG, event).await;
    value.unwrap_or_else(|_| panic!("waited for {} s for {what}", WATCHDOG.as_secs()))
}

/// A connection and what was read of it, but not yet taken.
pub(crate) struct Connection<S = TcpStream> {
    pub(crate) stream: S,
    read: Vec<u8>,
}

/// A reply as it came.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Connection {
    pub(crate) async fn to(address: SocketAddr) -> Self {
        let stream = within("a connection", TcpStream::connect(address)).await.expect("connected");
        stream.set_nodelay(true).expect("a socket");
        Self { stream, read: Vec::new() }
    }

    /// A connection that comes from another address of this machine.
    pub(crate) async fn from(ours: &str, address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket
            .bind(SocketAddr::new(ours.parse().expect("an address"), 0))
            .expect("loopback is a whole network");
        let stream = within("a connection", socket.connect(address)).await.expect("connected");
        Self { stream, read: Vec::new() }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    pub(crate) fn over(stream: S) -> Self {
        Self { stream, read: Vec::new() }
    }

    pub(crate) async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        within("bytes to be taken", self.stream.write_all(bytes.as_ref())).await.expect("written");
    }

    /// The reply to a request other than HEAD.
    pub(crate) async fn reply(&mut self) -> Reply {
        let mut reply = self.head().await;
        if matches!(reply.status, 204 | 304) {
            assert_eq!(reply.header("content-length"), None);
            return reply;
        }
        let length = reply.header("content-length").expect("every reply has a length");
        let length: usize = length.parse().expect("a number");
        while self.read.len() < length {
            assert!(self.more().await, "the reply ends early: {reply:?}, {:?}", self.read);
        }
        let rest = self.read.split_off(length);
        reply.body = std::mem::replace(&mut self.read, rest);
        reply
    }

    /// The head of a reply, such as that to HEAD.
    pub(crate) async fn head(&mut self) -> Reply {
        let end = loop {
            if let Some(at) = self.read.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            assert!(self.more().await, "the connection ended before a reply: {:?}", self.read);
        };
        let rest = self.read.split_off(end);
        let head = std::mem::replace(&mut self.read, rest);
        let head = String::from_utf8(head).expect("a head of ASCII");
        let status = head.strip_prefix("HTTP/1.").expect("a reply of HTTP/1.1 or, to 1.0, 1.0");
        let status = status[2..5].parse().expect("a status");
        Reply { status, head, body: Vec::new() }
    }

    /// The next bytes, this many; `None` where the server ended the connection before the first of them.
    pub(crate) async fn take(&mut self, bytes: usize) -> Option<Vec<u8>> {
        while self.read.len() < bytes {
            if !self.more().await {
                assert!(self.read.is_empty(), "the connection ended within a message: {:?}", self.read);
                return None;
            }
        }
        let rest = self.read.split_off(bytes);
        Some(std::mem::replace(&mut self.read, rest))
    }

    /// One request, and its reply.
    pub(crate) async fn ask(&mut self, request: impl AsRef<[u8]>) -> Reply {
        self.write(request).await;
        self.reply().await
    }

    /// Waits until the server has ended the connection in order: without another byte, and without a reset, which
    /// could have destroyed the reply before it.
    pub(crate) async fn ended(&mut self) {
        let mut byte = [0];
        let end = within("the server to end the connection", self.stream.read(&mut byte)).await;
        let end = end.expect("the connection is not reset");
        assert!(self.read.is_empty() && end == 0, "something came: {byte:?}, {:?}", self.read);
    }

    /// Waits until the server has ended the connection without another byte; it may be reset, since what was sent may
    /// have been left unread.
    pub(crate) async fn cut(&mut self) {
        let mut byte = [0];
        match within("the server to cut the connection", self.stream.read(&mut byte)).await {
            Ok(end) => assert!(self.read.is_empty() && end == 0, "something came: {byte:?}, {:?}", self.read),
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
    }

    async fn more(&mut self) -> bool {
        let more = within("a reply", self.stream.read_buf(&mut self.read)).await;
        more.expect("the connection is not reset") > 0
    }
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        let mut values =
            lines.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim());
        let value = values.next();
        assert!(values.next().is_none(), "{name} stands twice: {}", self.head);
        value
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The JSON of a reply of 200.
    #[track_caller]
    pub(crate) fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", String::from_utf8_lossy(&self.body));
        assert_eq!(self.header("content-type"), Some("application/json"));
        self.json()
    }

    /// Checks every member of a problem document; `field` is `""` where it has none.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, code: &str, field: &str) {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{text}");
        let problem = self.json();
        let found = (self.status, problem["code"].as_str(), problem["field"].as_str().unwrap_or(""));
        assert_eq!(found, (status, Some(code), field), "{text}");
        assert_eq!(problem["status"], status, "{text}");
        assert_eq!(problem["type"], format!("urn:chinwag:problem:{code}"), "{text}");
        for member in ["title", "detail"] {
            assert!(problem[member].as_str().is_some_and(|words| words.len() > 10), "{member}: {text}");
        }
        assert_eq!(self.header("retry-after").is_some(), matches!(status, 429 | 503), "{}", self.head);
        assert_eq!(self.header("allow").is_some(), status == 405, "{}", self.head);
    }
}

/// A request's bytes; `headers` are whole lines. A body gets its `Content-Length`.
pub(crate) fn request(line: &str, headers: &[&str], body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let mut bytes = format!("{line} HTTP/1.1\r\n").into_bytes();
    let host = headers.iter().all(|header| !header.to_ascii_lowercase().starts_with("host:"));
    for header in host.then_some(&"Host: localhost").into_iter().chain(headers) {
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    if !body.is_empty() {
        bytes.extend_from_slice(format!("Content-Length: {}\r\n", body.len()).as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body);
    bytes
}

/// The header of every JSON body.
pub(crate) const JSON: &str = "Content-Type: application/json";

/// A POST of JSON.
pub(crate) fn post(path: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    request(&format!("POST {path}"), &[JSON], body)
}

/// A GET without a body.
pub(crate) fn get(path: &str) -> Vec<u8> {
    request(&format!("GET {path}"), &[], "")
}

/// The body of a send in `apple:banana` by `apple`.
pub(crate) fn hello(text: &str) -> String {
    serde_json::json!({"chat": "apple:banana", "text": text, "sender": "apple"}).to_string()
}
