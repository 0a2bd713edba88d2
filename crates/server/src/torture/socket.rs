//! A plain WebSocket: whole texts up, texts down, and what closes it.

use super::{answers::Answer, http::Connection};
use serde_json::Value;
use std::{
    io::{self, BufRead as _, ErrorKind, Read as _},
    net::SocketAddr,
    time::Duration,
};

/// How long the rest of a frame is waited for.
const PATIENCE: Duration = Duration::from_secs(20);
/// Largest frame that is taken, in bytes.
const FRAME_MAX_BYTES: usize = 4 << 20;
/// All zeros: a mask as good as any to one who does not hide from proxies.
const MASK: [u8; 4] = [0; 4];

/// What comes down.
pub(super) enum Heard {
    /// A text.
    Text(Value),
    /// Nothing yet.
    Nothing,
    /// The server closes it.
    Closed(u16),
}

pub(super) struct Socket(Connection);

impl Socket {
    /// Opens one, or what the server answered instead.
    pub(super) fn open(
        address: SocketAddr,
        path: &str,
        token: Option<&str>,
    ) -> io::Result<Result<Self, Answer>> {
        let mut connection = Connection::open(address)?;
        let plain = connection.request("GET", path, token, None);
        let head = plain.strip_suffix(b"\r\n").unwrap_or(&plain);
        let upgrade = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        connection.send(&[head, upgrade].concat())?;
        let (status, length, replayed) = connection.head()?;
        if status == 101 {
            return Ok(Ok(Self(connection)));
        }
        let mut body = vec![0; length];
        connection.stream.read_exact(&mut body)?;
        Ok(Err(Answer { status, replayed, body: serde_json::from_slice(&body).unwrap_or_default() }))
    }

    /// Sends a text.
    pub(super) fn send(&mut self, text: &str) -> io::Result<()> {
        self.frame(0x1, text.as_bytes())
    }

    fn frame(&mut self, opcode: u8, payload: &[u8]) -> io::Result<()> {
        let mut bytes = vec![0x80 | opcode];
        match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
            (Ok(short @ ..=125), _) => bytes.push(0x80 | short),
            (_, Ok(middle)) => {
                bytes.push(0xFE);
                bytes.extend(middle.to_be_bytes());
            }
            _ => {
                bytes.push(0xFF);
                bytes.extend((payload.len() as u64).to_be_bytes());
            }
        }
        bytes.extend(MASK);
        bytes.extend(payload);
        self.0.send(&bytes)
    }

    /// What comes next, waiting so long for its begin.
    pub(super) fn next(&mut self, wait: Duration) -> io::Result<Heard> {
        self.0.stream.get_ref().set_read_timeout(Some(wait))?;
        match self.0.stream.fill_buf() {
            Ok([]) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Ok(Heard::Nothing);
            }
            Err(error) => return Err(error),
        }
        self.0.stream.get_ref().set_read_timeout(Some(PATIENCE))?;
        let [first, length] = self.bytes()?;
        let length = match length {
            126 => u64::from(u16::from_be_bytes(self.bytes()?)),
            127 => u64::from_be_bytes(self.bytes()?),
            short => u64::from(short),
        };
        let length = usize::try_from(length).ok().filter(|length| *length <= FRAME_MAX_BYTES);
        let mut payload = vec![0; length.ok_or(ErrorKind::InvalidData)?];
        self.0.stream.read_exact(&mut payload)?;
        match first {
            0x81 => Ok(Heard::Text(serde_json::from_slice(&payload)?)),
            0x88 => Ok(Heard::Closed(payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code)))),
            0x89 => self.frame(0xA, &payload).map(|()| Heard::Nothing),
            0x8A => Ok(Heard::Nothing),
            other => {
                Err(io::Error::new(ErrorKind::InvalidData, format!("a frame that begins with {other:#x}")))
            }
        }
    }

    fn bytes<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.0.stream.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}
