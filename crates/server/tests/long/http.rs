//! A plain HTTP/1.1 client on one kept-alive connection: it neither retries nor hides anything.

use serde_json::{Value, json};
use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// A connection to the server.
pub(crate) struct Connection {
    stream: BufReader<TcpStream>,
    address: SocketAddr,
}

/// A whole answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Value,
}

impl Answer {
    /// A header, by its lower-case name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    /// Whether the send was known by its key.
    pub(crate) fn replayed(&self) -> bool {
        self.header("idempotent-replayed") == Some("true")
    }

    /// The stable code of a problem.
    pub(crate) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }
}

impl Connection {
    /// Connects.
    pub(crate) fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, super::watchdog::PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(super::watchdog::PATIENCE))?;
        Ok(Self { stream: BufReader::new(stream), address })
    }

    /// Asks for a path.
    pub(crate) fn get(&mut self, path: &str) -> io::Result<Answer> {
        self.request("GET", path, None)
    }

    /// Asks for a stream, and gives what comes of it line by line.
    pub(crate) fn stream(
        mut self,
        path: &str,
    ) -> io::Result<impl Iterator<Item = io::Result<String>> + use<>> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.address);
        self.stream.get_mut().write_all(request.as_bytes())?;
        Ok(self.stream.lines())
    }

    /// Begins to post a body of so many bytes, and sends none of it but this.
    pub(crate) fn begin_to_post(&mut self, path: &str, bytes: usize, begin: &str) -> io::Result<()> {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {bytes}\r\n\r\n{begin}",
            self.address
        );
        self.stream.get_mut().write_all(head.as_bytes())
    }

    /// Posts a JSON document.
    pub(crate) fn post(&mut self, path: &str, body: &Value) -> io::Result<Answer> {
        self.request("POST", path, Some(body))
    }

    /// Sends a message.
    pub(crate) fn send(
        &mut self,
        chat: &str,
        sender: &str,
        text: &str,
        key: Option<&str>,
    ) -> io::Result<Answer> {
        self.post("/api/send", &json!({"chat": chat, "sender": sender, "text": text, "key": key}))
    }

    /// Reads a whole chat, page by page.
    pub(crate) fn pull_all(&mut self, chat: &str, reverse: bool) -> io::Result<Vec<Value>> {
        let mut messages = Vec::new();
        let mut cursor = 0;
        loop {
            let mut answer = self.post(
                "/api/pull",
                &json!({"chat": chat, "limit": 1000, "cursor": cursor, "reverse": reverse}),
            )?;
            assert_eq!(answer.status, 200, "{answer:?}");
            let Value::Array(page) = answer.body["messages"].take() else {
                panic!("no messages: {answer:?}")
            };
            messages.extend(page);
            match answer.body["next_cursor"].as_u64() {
                Some(next) => cursor = next,
                None => return Ok(messages),
            }
        }
    }

    fn request(&mut self, method: &str, path: &str, body: Option<&Value>) -> io::Result<Answer> {
        let body = body.map(Value::to_string);
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.address);
        if let Some(body) = &body {
            let head = format!("Content-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
            request.push_str(&head);
            request.push_str(body);
        } else {
            request.push_str("\r\n");
        }
        self.stream.get_mut().write_all(request.as_bytes())?;
        self.answer()
    }

    /// The answer to what was asked, if it begins to come within this time. The connection is of no use after that.
    pub(crate) fn answer_within(&mut self, time: Duration) -> io::Result<Answer> {
        self.stream.get_ref().set_read_timeout(Some(time))?;
        self.answer()
    }

    /// The answer to what was asked.
    fn answer(&mut self) -> io::Result<Answer> {
        let status = self.line()?;
        let status =
            status.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(|| broken(&status))?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').ok_or_else(|| broken(&line))?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let length = headers
            .iter()
            .find(|(name, _)| name == "content-length")
            .and_then(|(_, value)| value.parse().ok());
        let mut body = vec![0; length.ok_or_else(|| broken("no content-length"))?];
        self.stream.read_exact(&mut body)?;
        let body = serde_json::from_slice(&body).unwrap_or_else(|_| String::from_utf8_lossy(&body).into());
        Ok(Answer { status, headers, body })
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        match line.strip_suffix("\r\n") {
            Some(line) => Ok(line.to_owned()),
            None => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the connection was closed")),
        }
    }
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
