//! One WebSocket: opens it, reads its text frames, answers pings. Knows no events.

use crate::{Failure, Server};
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    ops::Range,
    time::Instant,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

/// The example of RFC 6455 and its answer. A key guards against proxies that answer from a cache; there are none here.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
/// A head that is longer is refused.
const HEAD_MAX_BYTES: usize = 4 * 1024;
/// A frame that is longer is refused: an event with the longest text, every byte escaped, and room to spare.
const FRAME_MAX_BYTES: usize = 1024 * 1024;
/// What is read at once; most events are far shorter.
const READ_BYTES: usize = 2 * 1024;
/// The most sockets that leave from one address of this machine: its ports are 28,232 by default.
const SOCKETS_PER_ADDRESS: usize = 20_000;

/// An open WebSocket.
#[derive(Debug)]
pub(super) struct Socket {
    stream: TcpStream,
    /// What has come and was not yet given, from `start` on.
    buffer: Vec<u8>,
    start: usize,
    arrived: Instant,
}

/// A whole frame: where its payload lies and where it ends, in what has come.
struct Frame {
    opcode: u8,
    payload: Range<usize>,
}

impl Socket {
    /// Opens a WebSocket at `path`. `rank` is its number among all of the run, which may need several addresses.
    pub(super) async fn open(server: &Server, rank: usize, path: &str) -> Result<Self, Failure> {
        let mut stream = connect(server.address(), rank).await.map_err(|why| Failure::Connect(why.kind()))?;
        let request = format!(
            "GET {path} HTTP/1.1\r\n{}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: {KEY}\r\n\r\n",
            server.fields()
        );
        stream.write_all(request.as_bytes()).await.map_err(|error| Failure::Broken(error.kind()))?;
        let mut socket = Self { stream, buffer: Vec::new(), start: 0, arrived: Instant::now() };
        loop {
            socket.read().await?;
            if let Some(end) = socket.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                accepted(&socket.buffer[..end])?;
                socket.start = end + 4;
                return Ok(socket);
            }
            if socket.buffer.len() > HEAD_MAX_BYTES {
                return Err(Failure::NotHttp("the reply's head does not end"));
            }
        }
    }

    /// The payload of the next text frame. Pings before it are answered; a close is a failure.
    pub(super) async fn next(&mut self) -> Result<&str, Failure> {
        let payload = loop {
            let Some(Frame { opcode, payload }) = parse(&self.buffer, self.start)? else {
                self.read().await?;
                continue;
            };
            self.start = payload.end;
            match opcode {
                1 => break payload,
                8 => return Err(Failure::Closed(close_code(&self.buffer[payload]))),
                9 => self.pong(payload).await?,
                10 => {}
                _ => return Err(Failure::NotFrames("a frame of another kind")),
            }
        };
        std::str::from_utf8(&self.buffer[payload]).map_err(|_| Failure::NotFrames("a text that is no UTF-8"))
    }

    /// When the frame that was given last was there.
    pub(super) fn arrived(&self) -> Instant {
        self.arrived
    }

    async fn pong(&mut self, payload: Range<usize>) -> Result<(), Failure> {
        let length = u8::try_from(payload.len()).expect("a control frame is short");
        // Masked, as a client must, with zeroes: there is nothing to hide.
        let mut frame = vec![0x8A, 0x80 | length, 0, 0, 0, 0];
        frame.extend_from_slice(&self.buffer[payload]);
        self.stream.write_all(&frame).await.map_err(|error| Failure::Broken(error.kind()))
    }

    async fn read(&mut self) -> Result<(), Failure> {
        self.buffer.drain(..self.start);
        self.start = 0;
        self.buffer.reserve(READ_BYTES);
        let read = self.stream.read_buf(&mut self.buffer).await;
        self.arrived = Instant::now();
        match read {
            Ok(0) => Err(Failure::Broken(std::io::ErrorKind::UnexpectedEof)),
            Ok(_) => Ok(()),
            Err(error) => Err(Failure::Broken(error.kind())),
        }
    }
}

async fn connect(server: SocketAddr, rank: usize) -> std::io::Result<TcpStream> {
    let address = u8::try_from(rank / SOCKETS_PER_ADDRESS + 1).unwrap_or(u8::MAX);
    let stream = match server.ip() {
        IpAddr::V4(ip) if ip.is_loopback() && address > 1 => {
            let socket = TcpSocket::new_v4()?;
            socket.bind((Ipv4Addr::new(127, 0, 0, address), 0).into())?;
            socket.connect(server).await?
        }
        _ => TcpStream::connect(server).await?,
    };
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Whether the head of the reply opens the WebSocket.
fn accepted(head: &[u8]) -> Result<(), Failure> {
    let head = std::str::from_utf8(head).map_err(|_| Failure::NotHttp("a head that is no text"))?;
    let status = head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
    match status.ok_or(Failure::NotHttp("no status line"))? {
        101 if head.contains(ACCEPT) => Ok(()),
        101 => Err(Failure::NotFrames("another key's answer")),
        status => Err(Failure::Status { status, code: String::new() }),
    }
}

/// The frame that begins at `start`; `None` until it is whole.
fn parse(buffer: &[u8], start: usize) -> Result<Option<Frame>, Failure> {
    let Some(&[first, second, ref rest @ ..]) = buffer.get(start..) else { return Ok(None) };
    if second & 0x80 != 0 {
        return Err(Failure::NotFrames("a masked frame"));
    }
    if first & 0xF0 != 0x80 {
        return Err(Failure::NotFrames("a fragment, or a bit without meaning"));
    }
    let (length, at) = match second {
        126 => match rest.first_chunk() {
            Some(&length) => (u64::from(u16::from_be_bytes(length)), start + 4),
            None => return Ok(None),
        },
        127 => match rest.first_chunk() {
            Some(&length) => (u64::from_be_bytes(length), start + 10),
            None => return Ok(None),
        },
        length => (u64::from(length), start + 2),
    };
    let length = usize::try_from(length).ok().filter(|&length| length <= FRAME_MAX_BYTES);
    let length = length.ok_or(Failure::NotFrames("a frame that is too long"))?;
    if first & 8 != 0 && length > 125 {
        return Err(Failure::NotFrames("a control frame that is too long"));
    }
    let whole = buffer.len() >= at + length;
    Ok(whole.then_some(Frame { opcode: first & 15, payload: at..at + length }))
}

/// 1005 is none, as RFC 6455 has it.
fn close_code(payload: &[u8]) -> u16 {
    payload.first_chunk().map_or(1005, |&code| u16::from_be_bytes(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_every_length() {
        for (length, head) in [
            (0, vec![0x81, 0]),
            (125, vec![0x81, 125]),
            (126, vec![0x81, 126, 0, 126]),
            (65_536, vec![0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let at = 3 + head.len();
            let bytes = [b"old".to_vec(), head, vec![b'x'; length]].concat();
            let frame = parse(&bytes, 3).expect("sound").expect("whole");
            assert_eq!((frame.opcode, frame.payload), (1, at..at + length));
            for cut in 3..bytes.len() {
                assert!(parse(&bytes[..cut], 3).expect("sound").is_none(), "{length}: {cut}");
            }
        }
    }

    #[test]
    fn what_no_server_may_send() {
        for bad in [
            &[0x81, 0x80, 0, 0, 0, 0][..],
            &[0x01, 0],
            &[0xC1, 0],
            &[0x89, 126, 0, 126],
            &[0x81, 127, 0, 0, 1, 0, 0, 0, 0, 0],
        ] {
            assert!(matches!(parse(bad, 0), Err(Failure::NotFrames(_))), "{bad:?}");
        }
    }

    #[test]
    fn close_codes() {
        assert_eq!(close_code(&[]), 1005);
        assert_eq!(close_code(&[0x11, 0x38, b'x']), 4_408);
    }

    #[test]
    fn only_a_right_answer_opens() {
        let head = |accept: &str| {
            format!("HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: {accept}").into_bytes()
        };
        assert_eq!(accepted(&head(ACCEPT)), Ok(()));
        assert!(accepted(&head("AAAA")).is_err());
        assert!(matches!(accepted(b"HTTP/1.1 403 Forbidden\r\n"), Err(Failure::Status { status: 403, .. })));
    }
}
