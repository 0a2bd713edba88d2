//! What a client sends, from bytes to messages. Holds nothing while nothing is under way.

use super::{
    End,
    frame::{CONTROL_MAX_BYTES, HEAD_MAX_BYTES, Head, Opcode, read_close, unmask},
};
use bytes::Bytes;
use std::sync::Arc;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

/// The bounds of what is received.
pub(super) struct Bounds {
    /// Longest message.
    pub(super) message_max_bytes: usize,
    /// One permit a byte of the messages that did not come in one piece, over all connections.
    pub(super) bytes: Arc<Semaphore>,
}

/// What was received.
#[derive(Debug)]
pub(super) enum Received {
    Text(Message),
    Binary(Message),
    Ping(Bytes),
    /// Something that asks for nothing.
    Pong,
    /// The client's word that it ends the connection; its code, where it gave one.
    Close(Option<u16>),
}

/// A whole message. Its memory counts until it is dropped.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) bytes: Vec<u8>,
    _held: Option<OwnedSemaphorePermit>,
}

/// A connection's receiving side.
#[derive(Default)]
pub(super) struct Inbound {
    /// A head of which more is to come.
    head: [u8; HEAD_MAX_BYTES],
    head_bytes: u8,
    frame: Option<Frame>,
    /// Boxed: most connections wait for the next message, not within one.
    message: Option<Box<Partial>>,
    control: Vec<u8>,
    /// Since when a message is under way.
    since: Option<Instant>,
}

/// A frame whose payload is being received.
struct Frame {
    head: Head,
    /// Bytes of its payload that have come.
    come: u64,
}

/// A message that is being received.
struct Partial {
    bytes: Vec<u8>,
    is_text: bool,
    /// How much of a text is known to be UTF-8.
    checked: usize,
    held: Option<OwnedSemaphorePermit>,
}

impl Inbound {
    /// Since when a frame or a message is under way, of which more has to come.
    pub(super) fn under_way_since(&self) -> Option<Instant> {
        self.since
    }

    /// Takes what it can of `input` until something is complete: how many bytes it took, and what that is.
    ///
    /// # Errors
    /// Why the connection must end.
    pub(super) fn take(
        &mut self,
        mut input: &[u8],
        bounds: &Bounds,
    ) -> Result<(usize, Option<Received>), End> {
        let whole = input.len();
        let mut received = None;
        while received.is_none() && !(input.is_empty() && self.waits_for_bytes()) {
            match &mut self.frame {
                None => {
                    let Some(head) = self.take_head(&mut input)? else { break };
                    self.begin(head, input.len(), bounds)?;
                }
                Some(frame) => {
                    let missing = usize::try_from(frame.head.length - frame.come).unwrap_or(usize::MAX);
                    let (part, rest) = input.split_at(missing.min(input.len()));
                    input = rest;
                    self.take_payload(part)?;
                    received = self.finish()?;
                }
            }
        }
        let idle = self.head_bytes == 0 && self.frame.is_none() && self.message.is_none();
        self.since = if idle { None } else { self.since.or_else(|| Some(Instant::now())) };
        Ok((whole - input.len(), received))
    }

    /// Whether nothing can be done without another byte; else a frame without payload is to be finished.
    fn waits_for_bytes(&self) -> bool {
        self.frame.as_ref().is_none_or(|frame| frame.come < frame.head.length)
    }

    fn take_head(&mut self, input: &mut &[u8]) -> Result<Option<Head>, End> {
        let before = usize::from(self.head_bytes);
        let more = input.len().min(HEAD_MAX_BYTES - before);
        self.head[before..before + more].copy_from_slice(&input[..more]);
        let Some((head, bytes)) = Head::read(&self.head[..before + more])? else {
            *input = &input[more..];
            self.head_bytes = u8::try_from(before + more).expect("at most 14");
            return Ok(None);
        };
        *input = &input[bytes - before..];
        self.head_bytes = 0;
        Ok(Some(head))
    }

    /// A frame begins, of whose payload `at_hand` bytes or more have come.
    fn begin(&mut self, head: Head, at_hand: usize, bounds: &Bounds) -> Result<(), End> {
        if !head.opcode.is_control() {
            let length = usize::try_from(head.length).map_err(|_| End::TOO_BIG)?;
            let message = match (&mut self.message, head.opcode) {
                (Some(message), Opcode::Continuation) => message,
                (None, Opcode::Text | Opcode::Binary) => self.message.insert(Box::new(Partial {
                    bytes: Vec::new(),
                    is_text: head.opcode == Opcode::Text,
                    checked: 0,
                    held: None,
                })),
                _ => return Err(End::PROTOCOL),
            };
            if length > bounds.message_max_bytes.saturating_sub(message.bytes.len()) {
                return Err(End::TOO_BIG);
            }
            if length > at_hand || !head.is_last {
                message.hold(length, &bounds.bytes)?;
            }
            if message.bytes.is_empty() {
                message.bytes.reserve_exact(length);
            }
        }
        self.frame = Some(Frame { head, come: 0 });
        Ok(())
    }

    fn take_payload(&mut self, part: &[u8]) -> Result<(), End> {
        let frame = self.frame.as_mut().expect("the caller looked");
        let bytes = match &mut self.message {
            Some(message) if !frame.head.opcode.is_control() => &mut message.bytes,
            _ => &mut self.control,
        };
        let start = bytes.len();
        bytes.extend_from_slice(part);
        unmask(&mut bytes[start..], frame.head.mask, frame.come);
        frame.come += part.len() as u64;
        debug_assert!(self.control.len() <= CONTROL_MAX_BYTES, "a head says no more");
        match &mut self.message {
            Some(message) if !frame.head.opcode.is_control() => message.check(false),
            _ => Ok(()),
        }
    }

    /// What is complete now, if the frame is.
    fn finish(&mut self) -> Result<Option<Received>, End> {
        let Some(Frame { head, .. }) = self.frame.take_if(|frame| frame.come == frame.head.length) else {
            return Ok(None);
        };
        let control = std::mem::take(&mut self.control);
        Ok(match head.opcode {
            Opcode::Ping => Some(Received::Ping(control.into())),
            Opcode::Pong => Some(Received::Pong),
            Opcode::Close => Some(Received::Close(read_close(&control)?)),
            _ if !head.is_last => None,
            _ => {
                let mut partial = self.message.take().expect("a frame of data has a message");
                partial.check(true)?;
                let message = Message { bytes: partial.bytes, _held: partial.held };
                Some(if partial.is_text { Received::Text(message) } else { Received::Binary(message) })
            }
        })
    }
}

impl Partial {
    /// Counts bytes that are to come, or refuses them.
    fn hold(&mut self, bytes: usize, semaphore: &Arc<Semaphore>) -> Result<(), End> {
        let permits = u32::try_from(bytes).map_err(|_| End::TOO_BIG)?;
        let more = semaphore.clone().try_acquire_many_owned(permits).map_err(|_| End::OVERLOADED)?;
        match &mut self.held {
            Some(held) => held.merge(more),
            None => self.held = Some(more),
        }
        Ok(())
    }

    /// Checks what has come of a text. `whole`: nothing more comes, so that no character may be cut.
    fn check(&mut self, whole: bool) -> Result<(), End> {
        if !self.is_text {
            return Ok(());
        }
        match str::from_utf8(&self.bytes[self.checked..]) {
            Ok(text) => self.checked += text.len(),
            Err(error) if error.error_len().is_some() || whole => return Err(End::NOT_UTF8),
            Err(error) => self.checked += error.valid_up_to(),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mask = [7, 77, 177, 27];
        let mut bytes = vec![first, 0x80 | u8::try_from(payload.len()).expect("short")];
        bytes.extend_from_slice(&mask);
        bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        bytes
    }

    fn bounds(all: usize) -> Bounds {
        Bounds { message_max_bytes: 20, bytes: Arc::new(Semaphore::new(all)) }
    }

    /// Everything that is received, in words.
    fn receive(input: &[u8], step: usize, bounds: &Bounds) -> Result<Vec<String>, End> {
        let mut inbound = Inbound::default();
        let mut all = Vec::new();
        for mut part in input.chunks(step) {
            while !part.is_empty() {
                let (taken, received) = inbound.take(part, bounds)?;
                part = &part[taken..];
                let words = |message: Message| String::from_utf8_lossy(&message.bytes).into_owned();
                all.extend(received.map(|received| match received {
                    Received::Text(message) => format!("text {}", words(message)),
                    Received::Binary(message) => format!("binary {}", words(message)),
                    Received::Ping(payload) => format!("ping {}", payload.len()),
                    Received::Pong => "pong".into(),
                    Received::Close(code) => format!("close {code:?}"),
                }));
            }
        }
        assert!(inbound.under_way_since().is_none());
        assert_eq!(bounds.bytes.available_permits(), 100, "all is given back");
        Ok(all)
    }

    #[test]
    fn messages_come_whole_however_they_are_cut() {
        let input = [
            frame(0x81, b"one"),
            frame(0x01, "t\u{fc}".as_bytes()[..2].as_ref()),
            frame(0x89, b"between"),
            frame(0x00, b""),
            frame(0x80, &"\u{fc}".as_bytes()[1..]),
            frame(0x82, b""),
            frame(0x8A, b"x"),
            frame(0x88, &[3, 232]),
        ]
        .concat();
        for step in 1..=input.len() {
            let all = receive(&input, step, &bounds(100)).expect("nothing is wrong");
            assert_eq!(
                all,
                ["text one", "ping 7", "text t\u{fc}", "binary ", "pong", "close Some(1000)"],
                "{step}"
            );
        }
    }

    #[test]
    fn what_is_wrong_ends_it() {
        let cases: [(Vec<u8>, End); 8] = [
            (frame(0x80, b"x"), End::PROTOCOL),
            ([frame(0x01, b"x"), frame(0x81, b"y")].concat(), End::PROTOCOL),
            (frame(0x81, b"\xff"), End::NOT_UTF8),
            (frame(0x81, b"\xc3"), End::NOT_UTF8),
            ([frame(0x01, b"\xc3"), frame(0x80, b"x")].concat(), End::NOT_UTF8),
            (frame(0x81, &[b'x'; 21]), End::TOO_BIG),
            ([frame(0x02, &[b'x'; 15]), frame(0x80, &[b'x'; 6])].concat(), End::TOO_BIG),
            (frame(0x88, &[3]), End::PROTOCOL),
        ];
        for (input, end) in cases {
            for step in [1, input.len()] {
                let received = receive(&input, step, &bounds(100));
                assert_eq!(received, Err(end), "{input:x?}");
            }
        }
    }

    #[test]
    fn what_all_connections_may_hold_is_bounded() {
        let bounds = bounds(30);
        let input = frame(0x81, &[b'x'; 20]);
        let mut first = Inbound::default();
        assert!(first.take(&input[..10], &bounds).expect("room").1.is_none());
        assert_eq!(bounds.bytes.available_permits(), 10);
        let mut second = Inbound::default();
        assert_eq!(second.take(&input[..10], &bounds).expect_err("no room"), End::OVERLOADED);
        // What came in one piece needs none.
        let (_, whole) = Inbound::default().take(&input, &bounds).expect("no room is needed");
        assert!(whole.is_some());
        drop(first);
        assert_eq!(bounds.bytes.available_permits(), 30);
    }

    /// Frames that are mostly right, and bytes that are anything.
    fn hostile() -> impl Strategy<Value = Vec<u8>> {
        let first =
            prop::sample::select(vec![0x00, 0x01, 0x02, 0x80, 0x81, 0x82, 0x88, 0x89, 0x8A, 0x83, 0xC1]);
        let payload = prop_oneof![
            "[a\u{fc}\u{1f44d}]{0,6}".prop_map(String::into_bytes),
            prop::collection::vec(any::<u8>(), 0..12),
            Just(vec![3, 232]),
        ];
        let piece = prop_oneof![
            8 => (first, payload).prop_map(|(first, payload)| frame(first, &payload)),
            1 => prop::collection::vec(any::<u8>(), 0..16),
        ];
        prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        /// What is received, and why it ends, does not depend on how the network cuts it.
        #[test]
        fn how_bytes_are_cut_is_of_no_matter(input in hostile(), step in 1_usize..20) {
            let outcome = |step: usize| {
                let (bounds, mut inbound, mut all) = (bounds(1_000), Inbound::default(), Vec::new());
                for mut part in input.chunks(step) {
                    while !part.is_empty() {
                        match inbound.take(part, &bounds) {
                            Ok((taken, received)) => {
                                part = &part[taken..];
                                all.extend(received.map(|received| match received {
                                    Received::Text(message) => (1, message.bytes),
                                    Received::Binary(message) => (2, message.bytes),
                                    Received::Ping(payload) => (3, payload.to_vec()),
                                    Received::Pong => (4, Vec::new()),
                                    Received::Close(code) => (5, format!("{code:?}").into_bytes()),
                                }));
                            }
                            Err(end) => return (all, Some(end)),
                        }
                    }
                }
                (all, None)
            };
            let (whole, cut) = (outcome(usize::MAX), outcome(step));
            for (kind, bytes) in &whole.0 {
                prop_assert!(bytes.len() <= 125 && (*kind != 1 || str::from_utf8(bytes).is_ok()));
            }
            prop_assert_eq!(whole, cut);
        }
    }
}
