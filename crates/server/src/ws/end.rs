use crate::hub::Close;
use bytes::Bytes;
use chinwag_wire::{ProblemCode, close_code};

/// Why a connection ends, as its close frame says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct End {
    code: u16,
    /// In words; at most 123 bytes.
    reason: &'static str,
}

impl End {
    pub(super) const PROTOCOL: Self = Self::new(1002, "this is not how a WebSocket is spoken");
    pub(super) const BINARY: Self = Self::new(1003, "requests are frames of text");
    pub(super) const NOT_UTF8: Self = Self::new(1007, "a text is not UTF-8");
    pub(super) const SLOW: Self = Self::new(1008, "a message did not arrive in time");
    pub(super) const TOO_BIG: Self = Self::new(1009, "the message is too long");
    pub(super) const OVERLOADED: Self = Self::of(Close::Overloaded);
    pub(super) const RESTART: Self = Self::of(Close::Restart);

    const fn new(code: u16, reason: &'static str) -> Self {
        assert!(reason.len() <= 123, "a close frame holds no more");
        Self { code, reason }
    }

    /// Why a feed ends.
    pub(super) const fn of(close: Close) -> Self {
        Self::new(close.code(), close.reason())
    }

    /// Why a WebSocket is refused to whom it is; `None` for what has to do with something else.
    pub(crate) fn of_refusal(code: ProblemCode) -> Option<Self> {
        let close = match code.status() {
            401 => close_code::UNAUTHENTICATED,
            403 => close_code::FORBIDDEN,
            _ => return None,
        };
        Some(Self { code: close, reason: code.title() })
    }

    /// Its code.
    pub(crate) const fn code(self) -> u16 {
        self.code
    }

    /// The payload of its close frame.
    pub(super) fn payload(self) -> Bytes {
        [&self.code.to_be_bytes(), self.reason.as_bytes()].concat().into()
    }
}
