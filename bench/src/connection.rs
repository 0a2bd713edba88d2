//! One HTTP/1.1 connection: writes a request, reads its whole reply. Knows no verbs.

use crate::{BenchError, Failure, Server};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// A head that is longer is refused.
const HEAD_MAX_BYTES: usize = 16 * 1024;
/// A reply that is longer is refused: a page of 1 MiB with every byte escaped, and room to spare.
const REPLY_MAX_BYTES: usize = 16 * 1024 * 1024;

#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// The server said that it closes the connection after this reply.
    pub(crate) closing: bool,
}

/// A whole reply.
#[derive(Debug)]
pub(crate) struct Reply<'a> {
    pub(crate) status: u16,
    pub(crate) body: &'a [u8],
}

impl Connection {
    /// Connects before there is a load, where it must be possible.
    pub(crate) async fn open(server: &Server) -> Result<Self, BenchError> {
        let connected = TcpStream::connect(server.address()).await;
        let connected = connected.and_then(|stream| stream.set_nodelay(true).map(|()| stream));
        let stream =
            connected.map_err(|why| BenchError::Connect { server: server.authority().to_owned(), why })?;
        Ok(Self::new(stream))
    }

    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, buffer: Vec::with_capacity(8 * 1024), closing: false }
    }

    /// Sends one request and reads its reply. After a failure the connection is of no more use.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Result<Reply<'_>, Failure> {
        self.buffer.clear();
        self.stream.write_all(request).await.map_err(|error| Failure::Broken(error.kind()))?;
        let head = loop {
            self.read().await?;
            if let Some(head) = Head::parse(&self.buffer)? {
                break head;
            }
            if self.buffer.len() > HEAD_MAX_BYTES {
                return Err(Failure::NotHttp("the reply's head does not end"));
            }
        };
        let end = head.length + head.body_length;
        if end > REPLY_MAX_BYTES {
            return Err(Failure::NotHttp("the reply is too long"));
        }
        while self.buffer.len() < end {
            self.read().await?;
        }
        if self.buffer.len() > end {
            return Err(Failure::NotHttp("more came than the reply"));
        }
        self.closing = head.closing;
        Ok(Reply { status: head.status, body: &self.buffer[head.length..end] })
    }

    async fn read(&mut self) -> Result<(), Failure> {
        match self.stream.read_buf(&mut self.buffer).await {
            Ok(0) => Err(Failure::Broken(std::io::ErrorKind::UnexpectedEof)),
            Ok(_) => Ok(()),
            Err(error) => Err(Failure::Broken(error.kind())),
        }
    }
}

struct Head {
    status: u16,
    length: usize,
    body_length: usize,
    closing: bool,
}

impl Head {
    /// `None` until the head is whole.
    fn parse(bytes: &[u8]) -> Result<Option<Self>, Failure> {
        let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
        let mut lines = bytes[..at].split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
        let first = lines.next().unwrap_or_default();
        let status = first
            .strip_prefix(b"HTTP/1.1 ")
            .and_then(|rest| std::str::from_utf8(rest.get(..3)?).ok()?.parse().ok())
            .ok_or(Failure::NotHttp("no status line"))?;
        let mut head = Self { status, length: at + 4, body_length: 0, closing: false };
        let mut has_length = status == 204;
        for line in lines {
            if let Some(value) = value_of(line, b"content-length") {
                let number = std::str::from_utf8(value).ok().and_then(|value| value.parse().ok());
                head.body_length = number.ok_or(Failure::NotHttp("a bad content-length"))?;
                has_length = true;
            } else if let Some(value) = value_of(line, b"connection") {
                head.closing = value.eq_ignore_ascii_case(b"close");
            }
        }
        if has_length { Ok(Some(head)) } else { Err(Failure::NotHttp("no content-length")) }
    }
}

fn value_of<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (found, value) = line.split_at_checked(name.len())?;
    if !found.eq_ignore_ascii_case(name) {
        return None;
    }
    Some(value.strip_prefix(b":")?.trim_ascii())
}
