//! Frames of HTTP/2, made and read by hand.

use crate::{
    server::Server,
    tls::{Certificate, Tunnel},
    wire::within,
};
use tokio::io::AsyncWriteExt as _;
use tokio_rustls::rustls::version::TLS13;

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 0x1;
pub(crate) const ACK: u8 = 0x1;
pub(crate) const END_HEADERS: u8 = 0x4;

pub(crate) const REFUSED_STREAM: u32 = 7;
pub(crate) const CANCEL: u32 = 8;
pub(crate) const ENHANCE_YOUR_CALM: u32 = 11;

/// A frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// The code of a reset or a farewell.
    pub(crate) fn code(&self) -> u32 {
        let at = if self.kind == GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[at..at + 4].try_into().expect("four bytes"))
    }

    pub(crate) fn ends(&self) -> bool {
        matches!(self.kind, HEADERS | DATA) && self.flags & END_STREAM != 0
    }

    /// The status of a reply's head, which stands first in it.
    pub(crate) fn status(&self) -> u16 {
        assert_eq!(self.kind, HEADERS, "{self:?}");
        match self.payload[0] {
            // The static table of HPACK.
            0x88 => 200,
            0x8c => 400,
            0x8d => 404,
            0x8e => 500,
            // A literal with the name of the table, not Huffman coded or, of three digits, coded so.
            0x48 | 0x08 => match &self.payload[1..] {
                [3, a, b, c, ..] => {
                    std::str::from_utf8(&[*a, *b, *c]).expect("digits").parse().expect("a status")
                }
                [length @ (0x82 | 0x83), bits @ ..] => digits(&bits[..usize::from(length & 0x7F)]),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:#x}: {self:?}"),
        }
    }
}

/// Three digits in the code of HPACK, which has 5 bits for 0 to 2 and 6 bits for 3 to 9.
fn digits(bytes: &[u8]) -> u16 {
    let mut bits = bytes.iter().flat_map(|byte| (0..8).rev().map(move |at| u16::from(byte >> at & 1)));
    let mut take = |count: usize| bits.by_ref().take(count).fold(0, |value, bit| value << 1 | bit);
    (0..3).fold(0, |value, _| {
        let five = take(5);
        let digit = if five < 3 { five } else { (five << 1 | take(1)) - 0b011_001 + 3 };
        value * 10 + digit
    })
}

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    let length = u32::try_from(payload.len()).expect("a length").to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// A header as a literal that enters no table.
pub(crate) fn header(name: &str, value: &str) -> Vec<u8> {
    literal(0x00, name, value)
}

/// A header as a literal that enters the table.
pub(crate) fn kept_header(name: &str, value: &str) -> Vec<u8> {
    literal(0x40, name, value)
}

fn literal(first: u8, name: &str, value: &str) -> Vec<u8> {
    let mut bytes = vec![first];
    for text in [name, value] {
        if let Ok(short @ 0..127) = u8::try_from(text.len()) {
            bytes.push(short);
        } else {
            bytes.push(127);
            let mut rest = text.len() - 127;
            while rest >= 128 {
                bytes.push(0x80 | rest.to_le_bytes()[0]);
                rest >>= 7;
            }
            bytes.push(rest.to_le_bytes()[0]);
        }
        bytes.extend_from_slice(text.as_bytes());
    }
    bytes
}

/// The head of a request.
pub(crate) fn head(method: &str, path: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in
        [(":method", method), (":scheme", "https"), (":authority", "localhost"), (":path", path)]
    {
        bytes.extend(header(name, value));
    }
    bytes
}

/// A GET, whole.
pub(crate) fn get(stream: u32, path: &str) -> Vec<u8> {
    frame(HEADERS, END_STREAM | END_HEADERS, stream, head("GET", path))
}

/// A connection of HTTP/2.
pub(crate) struct Frames(pub(crate) Tunnel);

impl Frames {
    /// Connects, with these settings of the client's.
    pub(crate) async fn open(certificate: &Certificate, server: &Server, settings: &[(u16, u32)]) -> Self {
        let tunnel = certificate.connect_with(server, &[&TLS13], &["h2"]).await.expect("a handshake");
        let mut payload = Vec::new();
        for (name, value) in settings {
            payload.extend_from_slice(&name.to_be_bytes());
            payload.extend_from_slice(&value.to_be_bytes());
        }
        let mut frames = Self(tunnel);
        let mut preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        preface.extend(frame(SETTINGS, 0, 0, payload));
        frames.write(preface).await;
        frames
    }

    pub(crate) async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write(bytes).await;
        within("bytes to be taken", self.0.stream.flush()).await.expect("flushed");
    }

    /// Writes as far as the server takes it; whether it took all.
    pub(crate) async fn try_write(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        let written = within("bytes to be taken or refused", self.0.stream.write_all(bytes.as_ref())).await;
        written.is_ok() && within("a flush", self.0.stream.flush()).await.is_ok()
    }

    /// The next frame; `None` at the end of the connection.
    pub(crate) async fn frame(&mut self) -> Option<Frame> {
        let head = self.0.take(9).await?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let stream = u32::from_be_bytes(head[5..9].try_into().expect("four bytes"));
        let payload =
            if length == 0 { Vec::new() } else { self.0.take(length).await.expect("a whole frame") };
        Some(Frame { kind: head[3], flags: head[4], stream, payload })
    }

    /// Reads on to a frame of this kind, of this stream.
    pub(crate) async fn until(&mut self, kind: u8, stream: u32) -> Frame {
        loop {
            let frame = self.frame().await.expect("the connection goes on");
            if frame.kind == kind && frame.stream == stream {
                return frame;
            }
            assert_ne!((frame.kind, kind == GOAWAY), (GOAWAY, false), "{frame:?}");
        }
    }

    /// Reads on to the end of the connection, and gives the code of its farewell.
    pub(crate) async fn farewell(&mut self) -> Option<u32> {
        let mut code = None;
        while let Some(frame) = self.frame_or_reset().await {
            if frame.kind == GOAWAY {
                code = Some(frame.code());
            }
        }
        code
    }

    /// As [`Frames::frame`], where a connection that is reset has ended too: the server could not read all that was sent.
    async fn frame_or_reset(&mut self) -> Option<Frame> {
        use tokio::io::AsyncReadExt as _;
        let mut head = [0; 9];
        within("a frame or the end", self.0.stream.read_exact(&mut head)).await.ok()?;
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        within("a whole frame", self.0.stream.read_exact(&mut payload)).await.ok()?;
        let stream = u32::from_be_bytes(head[5..9].try_into().expect("four bytes"));
        Some(Frame { kind: head[3], flags: head[4], stream, payload })
    }

    /// One GET and the status of its reply.
    pub(crate) async fn ask(&mut self, stream: u32, path: &str) -> u16 {
        self.write(get(stream, path)).await;
        let head = self.until(HEADERS, stream).await;
        if !head.ends() {
            while !self.until(DATA, stream).await.ends() {}
        }
        head.status()
    }
}
