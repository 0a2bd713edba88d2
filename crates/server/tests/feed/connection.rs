//! One connection, spoken to in bytes: HTTP requests, replies, and what comes after the head of one.

use serde_json::Value;
use std::{io, net::SocketAddr};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// A connection and what was read of it, but not yet taken. Whatever waits here may be given up and begun again.
pub(crate) struct Connection {
    socket: TcpStream,
    read: Vec<u8>,
    /// The connection is cut once so many bytes more were read.
    budget: usize,
}

/// Why nothing more comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broken {
    /// The other side, or what lies between, has ended it.
    Ended,
    /// As many bytes were read as were to be.
    Spent,
}

/// A reply's head.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) lines: Vec<String>,
}

/// A whole reply.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Connection {
    /// Connects. `budget`: how many bytes may be read before it counts as cut.
    pub(crate) async fn open(address: SocketAddr, budget: Option<usize>) -> io::Result<Self> {
        let socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        Ok(Self { socket, read: Vec::new(), budget: budget.unwrap_or(usize::MAX) })
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        self.socket.write_all(bytes).await.map_err(|_| Broken::Ended)
    }

    /// Takes what `parse` finds at the front of what was read, with the number of its bytes; reads until it finds something.
    pub(crate) async fn take<T>(
        &mut self,
        mut parse: impl FnMut(&[u8]) -> Option<(T, usize)>,
    ) -> Result<T, Broken> {
        loop {
            if let Some((found, bytes)) = parse(&self.read) {
                self.read.drain(..bytes);
                return Ok(found);
            }
            self.more().await?;
        }
    }

    /// The head of a reply.
    pub(crate) async fn head(&mut self) -> Result<Head, Broken> {
        let head = self
            .take(|read| {
                let end = 4 + read.windows(4).position(|window| window == b"\r\n\r\n")?;
                Some((String::from_utf8(read[..end].to_vec()).expect("a head of ASCII"), end))
            })
            .await?;
        let mut lines = head.lines().filter(|line| !line.is_empty()).map(str::to_ascii_lowercase);
        let status = lines.next().expect("a status line");
        let status = status.split(' ').nth(1).and_then(|status| status.parse().ok());
        Ok(Head { status: status.expect("a status"), lines: lines.collect() })
    }

    /// The reply to a request: one with a length.
    pub(crate) async fn reply(&mut self) -> Result<Reply, Broken> {
        // Both at once, so that a wait which is given up loses nothing.
        let (status, body) = self
            .take(|read| {
                let end = 4 + read.windows(4).position(|window| window == b"\r\n\r\n")?;
                let head = str::from_utf8(&read[..end]).expect("a head of ASCII");
                let status = head.split(' ').nth(1).and_then(|status| status.parse::<u16>().ok());
                let length = head.lines().find_map(|line| {
                    let (name, value) = line.split_once(':')?;
                    name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
                });
                let length = length.unwrap_or(0);
                let body = read.get(end..end + length)?;
                Some(((status.expect("a status"), body.to_vec()), end + length))
            })
            .await?;
        let body = if body.is_empty() { Value::Null } else { json(&body) };
        Ok(Reply { status, body })
    }

    /// A GET, and its reply.
    pub(crate) async fn get(&mut self, path: &str) -> Result<Reply, Broken> {
        self.write(get(path).as_bytes()).await?;
        self.reply().await
    }

    /// A POST of JSON, and its reply.
    pub(crate) async fn post(&mut self, path: &str, body: &Value) -> Result<Reply, Broken> {
        let body = body.to_string();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.write(request.as_bytes()).await?;
        self.reply().await
    }

    async fn more(&mut self) -> Result<(), Broken> {
        if self.budget == 0 {
            return Err(Broken::Spent);
        }
        let mut piece = [0; 4096];
        let most = piece.len().min(self.budget);
        let count = self.socket.read(&mut piece[..most]).await.unwrap_or(0);
        if count == 0 {
            return Err(Broken::Ended);
        }
        self.budget -= count;
        self.read.extend_from_slice(&piece[..count]);
        Ok(())
    }
}

impl Reply {
    /// The body of a reply of 200.
    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{}", self.body);
        self.body
    }
}

/// A GET without a body.
pub(crate) fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

/// What must be JSON.
pub(crate) fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes)
        .unwrap_or_else(|error| panic!("{error} in {}", String::from_utf8_lossy(bytes)))
}
