//! Frames of RFC 6455, section 5: their heads, their masks and what a close frame says.

use super::End;

/// Largest head of a frame: two bytes, eight of length, four of mask.
pub(super) const HEAD_MAX_BYTES: usize = 14;
/// Largest payload of a control frame.
pub(super) const CONTROL_MAX_BYTES: usize = 125;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

/// The head of a client's frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    /// Whether the frame ends its message.
    pub(super) is_last: bool,
    pub(super) opcode: Opcode,
    /// Bytes of payload.
    pub(super) length: u64,
    pub(super) mask: [u8; 4],
}

impl Opcode {
    fn of(nibble: u8) -> Option<Self> {
        Some(match nibble {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xA => Self::Pong,
            _ => return None,
        })
    }

    const fn nibble(self) -> u8 {
        match self {
            Self::Continuation => 0x0,
            Self::Text => 0x1,
            Self::Binary => 0x2,
            Self::Close => 0x8,
            Self::Ping => 0x9,
            Self::Pong => 0xA,
        }
    }

    pub(super) const fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

impl Head {
    /// Reads the head that `bytes` begin with, and how long it is; `None` where they are too few.
    ///
    /// # Errors
    /// [`End::PROTOCOL`] for what no client may send, as soon as that is seen.
    pub(super) fn read(bytes: &[u8]) -> Result<Option<(Self, usize)>, End> {
        let Some(&first) = bytes.first() else { return Ok(None) };
        let (is_last, reserved) = (first & 0x80 != 0, first & 0x70);
        let opcode = Opcode::of(first & 0x0F).filter(|_| reserved == 0).ok_or(End::PROTOCOL)?;
        let Some(&second) = bytes.get(1) else { return Ok(None) };
        let (is_masked, short) = (second & 0x80 != 0, second & 0x7F);
        if !is_masked || opcode.is_control() && (!is_last || usize::from(short) > CONTROL_MAX_BYTES) {
            return Err(End::PROTOCOL);
        }
        let (length, at) = match short {
            126 => {
                let Some(long) = bytes.get(2..).and_then(<[u8]>::first_chunk) else { return Ok(None) };
                (u64::from(u16::from_be_bytes(*long)), 4)
            }
            127 => {
                let Some(long) = bytes.get(2..).and_then(<[u8]>::first_chunk) else { return Ok(None) };
                (u64::from_be_bytes(*long), 10)
            }
            short => (u64::from(short), 2),
        };
        let shortest = match short {
            126 => 126,
            127 => 1 << 16,
            _ => 0,
        };
        if length < shortest || length > u64::MAX >> 1 {
            return Err(End::PROTOCOL);
        }
        let Some(&mask) = bytes.get(at..).and_then(<[u8]>::first_chunk) else { return Ok(None) };
        Ok(Some((Self { is_last, opcode, length, mask }, at + 4)))
    }
}

/// The head of a frame of ours, which holds a whole message and has no mask: its bytes and how many they are.
pub(super) fn write_head(opcode: Opcode, length: usize) -> ([u8; 10], u8) {
    let mut head = [0; 10];
    head[0] = 0x80 | opcode.nibble();
    let length = u64::try_from(length).expect("a length fits in 64 bits");
    let bytes = match (u8::try_from(length), u16::try_from(length)) {
        (Ok(length @ ..=125), _) => {
            head[1] = length;
            2
        }
        (_, Ok(length)) => {
            head[1] = 126;
            head[2..4].copy_from_slice(&length.to_be_bytes());
            4
        }
        _ => {
            head[1] = 127;
            head[2..].copy_from_slice(&length.to_be_bytes());
            10
        }
    };
    (head, bytes)
}

/// Takes the mask off a payload, of which `bytes` follow on `before` others.
pub(super) fn unmask(bytes: &mut [u8], mut mask: [u8; 4], before: u64) {
    mask.rotate_left(usize::try_from(before % 4).expect("at most 3"));
    let wide = u32::from_ne_bytes(mask);
    let (chunks, rest) = bytes.as_chunks_mut::<4>();
    for chunk in chunks {
        *chunk = (u32::from_ne_bytes(*chunk) ^ wide).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask) {
        *byte ^= mask;
    }
}

/// The code of a client's close frame; `None` where it has none.
///
/// # Errors
/// [`End::PROTOCOL`] for a code that may not be sent, [`End::NOT_UTF8`] for such a reason.
pub(super) fn read_close(payload: &[u8]) -> Result<Option<u16>, End> {
    let Some((code, reason)) = payload.split_first_chunk() else {
        return if payload.is_empty() { Ok(None) } else { Err(End::PROTOCOL) };
    };
    let code = u16::from_be_bytes(*code);
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(End::PROTOCOL);
    }
    str::from_utf8(reason).map_err(|_| End::NOT_UTF8)?;
    Ok(Some(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads() {
        let mask = [1, 2, 3, 4];
        let head = |bytes: &[u8]| Head::read(bytes);
        assert_eq!(head(&[]), Ok(None));
        assert_eq!(head(&[0x81]), Ok(None));
        assert_eq!(head(&[0x81, 0x85, 1, 2, 3]), Ok(None));
        let text = |is_last, length| Head { is_last, opcode: Opcode::Text, length, mask };
        assert_eq!(head(&[0x81, 0x85, 1, 2, 3, 4, 9]), Ok(Some((text(true, 5), 6))));
        assert_eq!(head(&[0x01, 0xFE, 1, 0, 1, 2, 3, 4]), Ok(Some((text(false, 256), 8))));
        assert_eq!(head(&[0x01, 0xFE, 1, 0, 1, 2, 3]), Ok(None));
        assert_eq!(
            head(&[0x81, 0xFF, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4]),
            Ok(Some((text(true, 65_536), 14)))
        );
        for broken in [
            &[0xC1][..],                               // a reserved bit
            &[0x83],                                   // a reserved opcode
            &[0x81, 0x05],                             // no mask
            &[0x09, 0x80],                             // a control frame in parts
            &[0x89, 0xFE],                             // a long control frame
            &[0x81, 0xFE, 0, 125, 0, 0, 0, 0],         // a length that is longer than need be
            &[0x81, 0xFF, 0, 0, 0, 0, 0, 0, 255, 255], // the same
            &[0x81, 0xFF, 128, 0, 0, 0, 0, 0, 0, 0],   // the topmost bit
        ] {
            assert_eq!(head(broken), Err(End::PROTOCOL), "{broken:x?}");
        }
    }

    #[test]
    fn our_heads_say_the_length() {
        for (length, expected) in [
            (0, &[0x81, 0][..]),
            (125, &[0x81, 125]),
            (126, &[0x81, 126, 0, 126]),
            (65_535, &[0x81, 126, 255, 255]),
            (65_536, &[0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let (head, bytes) = write_head(Opcode::Text, length);
            assert_eq!(&head[..usize::from(bytes)], expected, "{length}");
        }
    }

    #[test]
    fn a_mask_goes_on_over_parts() {
        let mask = [0x11, 0x22, 0x33, 0x44];
        let clear: Vec<u8> = (0..=255).collect();
        let masked: Vec<u8> = clear.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
        for cut in 0..masked.len() {
            let mut parts = masked.clone();
            let (first, second) = parts.split_at_mut(cut);
            unmask(first, mask, 0);
            unmask(second, mask, cut as u64);
            assert_eq!(parts, clear, "{cut}");
        }
    }

    #[test]
    fn close_codes() {
        assert_eq!(read_close(&[]), Ok(None));
        assert_eq!(read_close(&[3]), Err(End::PROTOCOL));
        assert_eq!(read_close(&[3, 232, 0xFF]), Err(End::NOT_UTF8));
        for (code, allowed) in [
            (0, false),
            (999, false),
            (1000, true),
            (1004, false),
            (1005, false),
            (1006, false),
            (1007, true),
            (1015, false),
            (2999, false),
            (3000, true),
            (4999, true),
            (5000, false),
        ] {
            let read = read_close(&u16::to_be_bytes(code));
            assert_eq!(read, if allowed { Ok(Some(code)) } else { Err(End::PROTOCOL) }, "{code}");
        }
    }
}
