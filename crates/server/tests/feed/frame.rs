//! WebSocket frames by hand, as RFC 6455 lays them: just what a client of these tests says and hears.

pub(crate) const TEXT: u8 = 1;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;

/// What the server sent: whole, since it has no reason to fragment.
pub(crate) struct Frame {
    pub(crate) opcode: u8,
    pub(crate) payload: Vec<u8>,
}

/// The request that opens a WebSocket.
pub(crate) fn handshake(path: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

/// The frame at the front, and how many bytes it takes.
pub(crate) fn parse(read: &[u8]) -> Option<(Frame, usize)> {
    let (&first, &second) = (read.first()?, read.get(1)?);
    assert_eq!(first & 0xf0, 0x80, "a whole message, and no extension");
    assert_eq!(second & 0x80, 0, "a server masks nothing");
    let (length, begin) = match second {
        126 => (usize::from(u16::from_be_bytes(*read.get(2..)?.first_chunk()?)), 4),
        127 => (usize::try_from(u64::from_be_bytes(*read.get(2..)?.first_chunk()?)).expect("small"), 10),
        short => (usize::from(short), 2),
    };
    let payload = read.get(begin..begin + length)?.to_vec();
    Some((Frame { opcode: first & 0x0f, payload }, begin + length))
}

/// A frame of a client.
pub(crate) fn masked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x5a, 0xa5, 0x3c, 0xc3];
    let mut frame = vec![0x80 | opcode];
    match u16::try_from(payload.len()) {
        Ok(short @ ..126) => frame.push(0x80 | u8::try_from(short).expect("below 126")),
        Ok(length) => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&length.to_be_bytes());
        }
        Err(_) => {
            frame.push(0x80 | 127);
            frame.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}
