/// Why a session ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Close {
    /// The server ends, and another may begin.
    Restart,
    /// The server can't serve the session now.
    Overloaded,
    /// The client took too little of what it was sent.
    FellBehind,
    /// A newer session of the same user took the place.
    Replaced,
    /// The token that opened it has come to its end.
    Expired,
    /// The key that opened it was revoked.
    Revoked,
    /// An administrator ended it.
    Ended,
}

impl Close {
    /// The code of the contract, as WebSocket close frames carry it.
    pub const fn code(self) -> u16 {
        match self {
            Self::Restart => 1012,
            Self::Overloaded => 1013,
            Self::Expired | Self::Revoked => 4401,
            Self::Ended => 4403,
            Self::FellBehind => 4408,
            Self::Replaced => 4409,
        }
    }

    /// The reason in words; short enough for a close frame.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Restart => "the server restarts; come back with the last id",
            Self::Overloaded => "the server is overloaded; come back later with the last id",
            Self::FellBehind => "you fell behind; come back with the last id",
            Self::Replaced => "a newer session of this user took the place; do not reconnect by yourself",
            Self::Expired => "the token has expired; come back with a new one and the last id",
            Self::Revoked => "the key was revoked",
            Self::Ended => "an administrator ended the session; do not reconnect by yourself",
        }
    }
}
