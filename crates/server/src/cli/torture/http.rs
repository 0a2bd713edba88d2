//! A plain HTTP/1.1 client on one connection: it neither retries nor hides anything, so that each try is a call of its own.

use serde_json::Value;
use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) struct Connection {
    stream: BufReader<TcpStream>,
    address: SocketAddr,
}

pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) replayed: bool,
    pub(super) body: Value,
}

impl Connection {
    pub(super) fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream: BufReader::new(stream), address })
    }

    pub(super) fn get(&mut self, path: &str) -> io::Result<Answer> {
        self.ask("GET", path, None)?;
        self.answer()
    }

    pub(super) fn post(&mut self, path: &str, body: &Value) -> io::Result<Answer> {
        self.ask("POST", path, Some(&body.to_string()))?;
        self.answer()
    }

    /// Asks for a stream; its lines come by [`Connection::line`], none after `timeout` of silence.
    pub(super) fn stream(&mut self, path: &str, timeout: Duration) -> io::Result<()> {
        self.ask("GET", path, None)?;
        self.stream.get_ref().set_read_timeout(Some(timeout))?;
        while !self.line()?.is_empty() {}
        Ok(())
    }

    pub(super) fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        match line.strip_suffix('\n') {
            Some(line) => Ok(line.trim_end_matches('\r').to_owned()),
            None => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the connection was closed")),
        }
    }

    fn ask(&mut self, method: &str, path: &str, body: Option<&str>) -> io::Result<()> {
        let body = body.map_or("\r\n".to_owned(), |body| {
            format!("Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len())
        });
        let request = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n{body}", self.address);
        self.stream.get_mut().write_all(request.as_bytes())
    }

    fn answer(&mut self) -> io::Result<Answer> {
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
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        Ok(Answer { status, replayed, body: serde_json::from_slice(&body).unwrap_or_default() })
    }
}
