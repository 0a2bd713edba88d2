//! A plain HTTP/1.1 client on one connection: it neither retries nor hides anything, so that each try is a call of its own.

use super::answers::Answer;
use serde_json::Value;
use std::{
    fmt::Write as _,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// A connection.
pub struct Connection {
    pub(super) stream: BufReader<TcpStream>,
    address: SocketAddr,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// Those of the system.
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream: BufReader::new(stream), address })
    }

    /// The status that the server answers to a `GET`.
    ///
    /// # Errors
    /// Where no answer comes.
    pub fn status(&mut self, path: &str) -> io::Result<u16> {
        Ok(self.get(path, None)?.status)
    }

    pub(super) fn get(&mut self, path: &str, token: Option<&str>) -> io::Result<Answer> {
        self.send(&self.request("GET", path, token, None))?;
        self.answer()
    }

    /// The bytes of a request.
    pub(super) fn request(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: Option<&Value>,
    ) -> Vec<u8> {
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.address);
        if let Some(token) = token {
            write!(head, "Authorization: Bearer {token}\r\n").expect("a string takes all");
        }
        match body.map(Value::to_string) {
            None => head.push_str("\r\n"),
            Some(body) => {
                let length = body.len();
                write!(head, "Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}")
                    .expect("a string takes all");
            }
        }
        head.into_bytes()
    }

    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// Reads some of an answer and no more.
    pub(super) fn read_some(&mut self, bytes: usize) -> io::Result<()> {
        self.stream.read_exact(&mut vec![0; bytes])
    }

    /// Asks for a stream; its lines come by [`Connection::line`], none after `timeout` of silence. Else what the server
    /// answered instead.
    pub(super) fn stream(
        &mut self,
        path: &str,
        token: Option<&str>,
        timeout: Duration,
    ) -> io::Result<Option<Answer>> {
        self.send(&self.request("GET", path, token, None))?;
        let (status, length, _) = self.head()?;
        if status != 200 {
            return self.body(status, length, false).map(Some);
        }
        self.stream.get_ref().set_read_timeout(Some(timeout))?;
        Ok(None)
    }

    pub(super) fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        match line.strip_suffix('\n') {
            Some(line) => Ok(line.trim_end_matches('\r').to_owned()),
            None => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the connection was closed")),
        }
    }

    pub(super) fn answer(&mut self) -> io::Result<Answer> {
        let (status, length, replayed) = self.head()?;
        self.body(status, length, replayed)
    }

    /// The status, the body's length, and whether it is a repeat's answer.
    pub(super) fn head(&mut self) -> io::Result<(u16, usize, bool)> {
        let broken = || io::Error::new(io::ErrorKind::InvalidData, "no HTTP answer");
        let status = self.line()?.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(broken)?;
        let (mut length, mut replayed) = (0, false);
        loop {
            let line = self.line()?.to_ascii_lowercase();
            match line.split_once(':').map(|(name, value)| (name, value.trim())) {
                Some(("content-length", value)) => length = value.parse().map_err(|_| broken())?,
                Some(("idempotent-replayed", value)) => replayed = value == "true",
                Some(_) => {}
                None if line.is_empty() => break,
                None => return Err(broken()),
            }
        }
        Ok((status, length, replayed))
    }

    fn body(&mut self, status: u16, length: usize, replayed: bool) -> io::Result<Answer> {
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        Ok(Answer { status, replayed, body: serde_json::from_slice(&body).unwrap_or_default() })
    }
}
