//! HTTP as bytes.

use serde_json::Value;
use std::{future::Future, io, net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// Waits for an event, but not for ever.
pub(crate) async fn within<T>(what: &str, event: impl Future<Output = T>) -> T {
    timeout(Duration::from_mins(1), event).await.unwrap_or_else(|_| panic!("waited 60 s for {what}"))
}

/// A connection.
pub(crate) struct Raw {
    pub(crate) stream: TcpStream,
    unread: Vec<u8>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// A request's bytes. `Host` and `Content-Length` are added where they are not given and there is a body.
pub(crate) fn request(line: &str, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let has = |name: &str| headers.iter().any(|header| header.to_ascii_lowercase().starts_with(name));
    let mut bytes = format!("{line} HTTP/1.1\r\n").into_bytes();
    if !has("host:") {
        bytes.extend_from_slice(b"Host: localhost:8080\r\n");
    }
    for header in headers {
        bytes.extend_from_slice(format!("{header}\r\n").as_bytes());
    }
    if !body.is_empty() && !has("content-length:") && !has("transfer-encoding:") {
        bytes.extend_from_slice(format!("Content-Length: {}\r\n", body.len()).as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body);
    bytes
}

impl Raw {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = within("a connection", TcpStream::connect(address)).await.expect("the server listens");
        Self { stream, unread: Vec::new() }
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        within("the server to take bytes", self.stream.write_all(bytes)).await.expect("it takes them");
    }

    pub(crate) async fn ask(&mut self, line: &str, headers: &[&str], body: &[u8]) -> Answer {
        self.write(&request(line, headers, body)).await;
        if line.starts_with("HEAD ") { self.head().await } else { self.answer().await }
    }

    /// Reads an answer without a body.
    pub(crate) async fn head(&mut self) -> Answer {
        let end = loop {
            if let Some(at) = self.unread.windows(4).position(|window| window == b"\r\n\r\n") {
                break at;
            }
            assert!(self.more().await > 0, "the connection ended before an answer: {:?}", self.unread);
        };
        let rest = self.unread.split_off(end + 4);
        let head = String::from_utf8(std::mem::replace(&mut self.unread, rest)).expect("heads are ASCII");
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).expect("a status");
        let headers = lines
            .map(|line| line.split_once(": ").expect("a header"))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        Answer { status, headers, body: Vec::new() }
    }

    /// Reads an answer.
    pub(crate) async fn answer(&mut self) -> Answer {
        let head = self.head().await;
        let length = head.header("content-length").expect("every answer tells its length");
        let length = length.parse().expect("a number");
        while self.unread.len() < length {
            assert!(self.more().await > 0, "the connection ended within a body");
        }
        let rest = self.unread.split_off(length);
        Answer { body: std::mem::replace(&mut self.unread, rest), ..head }
    }

    /// Waits until the server closes, in order and with nothing more to say.
    pub(crate) async fn closed(&mut self) {
        let more = self.more().await;
        assert!(more == 0 && self.unread.is_empty(), "{:?}", String::from_utf8_lossy(&self.unread));
    }

    /// Whether nothing has come that was not read.
    pub(crate) fn is_silent(&self) -> bool {
        let nothing = self.stream.try_read(&mut [0]);
        self.unread.is_empty() && nothing.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    async fn more(&mut self) -> usize {
        within("the server to say something", self.stream.read_buf(&mut self.unread))
            .await
            .expect("the connection is not reset")
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(have, _)| have == name).map(|(_, value)| &**value);
        let value = values.next();
        assert!(values.next().is_none(), "{name} stands twice");
        value
    }

    pub(crate) fn text(&self) -> &str {
        str::from_utf8(&self.body).expect("UTF-8")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Asserts 200 and gives the JSON.
    pub(crate) fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text());
        assert_eq!(self.header("content-type"), Some("application/json"));
        self.json()
    }

    /// Asserts a refusal, whole.
    pub(crate) fn refused(&self, status: u16, code: &str, field: Option<&str>) {
        let problem = self.json();
        let told = (self.status, problem["code"].as_str(), problem.get("field").and_then(Value::as_str));
        assert_eq!(told, (status, Some(code), field), "{problem}");
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        assert_eq!(problem["status"], status);
        assert_eq!(problem["type"], format!("urn:chinwag:problem:{code}"));
        for key in ["title", "detail"] {
            assert!(problem[key].as_str().is_some_and(|text| !text.is_empty()), "{problem}");
        }
        assert_eq!(self.header("retry-after").is_some(), matches!(status, 429 | 503), "{self:?}");
        assert_eq!(self.header("allow").is_some(), status == 405, "{self:?}");
    }
}
