use std::{fmt, io::ErrorKind};

/// Why a bench could not be run.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The plan makes no sense.
    #[error("{0}")]
    Plan(String),
    /// The server can't be reached at all.
    #[error("cannot connect to {server}: {why}")]
    Connect {
        /// Where it should be.
        server: String,
        /// What the system says.
        why: std::io::Error,
    },
    /// The server does not answer as the contract says before any load is on it.
    #[error("{0}")]
    Unfit(String),
    /// The machine refuses something that the generator needs.
    #[error("{what}: {why}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system says.
        why: std::io::Error,
    },
}

/// The kinds by which failed requests are counted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failure {
    /// No connection could be made.
    Connect(ErrorKind),
    /// The connection broke before the whole reply was there.
    Broken(ErrorKind),
    /// The whole reply did not come in time.
    Timeout,
    /// What came is not HTTP as the generator speaks it.
    NotHttp(&'static str),
    /// What came is not the frames of a WebSocket as the generator speaks it.
    NotFrames(&'static str),
    /// The server closed a WebSocket, with this code.
    Closed(u16),
    /// The server refused.
    Status {
        /// The HTTP status.
        status: u16,
        /// The problem's code; empty where there was none.
        code: String,
    },
    /// The server accepted, and its reply is wrong: a failed verification.
    Wrong(&'static str),
    /// An open loop's request that could not be started before the drain's end.
    Unserved,
    /// An open loop's request that found no connection free in time.
    NoConnection,
}

impl Failure {
    /// Whether the server answered with something that is not true, rather than failing to serve.
    pub fn is_wrong(&self) -> bool {
        matches!(self, Self::Wrong(_) | Self::NotHttp(_) | Self::NotFrames(_))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(kind) => write!(f, "no connection: {kind}"),
            Self::Broken(kind) => write!(f, "connection broken: {kind}"),
            Self::Timeout => write!(f, "no whole reply in time"),
            Self::NotHttp(what) => write!(f, "not HTTP: {what}"),
            Self::NotFrames(what) => write!(f, "not a WebSocket: {what}"),
            Self::Closed(code) => write!(f, "session closed with {code}"),
            Self::Status { status, code } if code.is_empty() => write!(f, "status {status}"),
            Self::Status { status, code } => write!(f, "status {status} {code}"),
            Self::Wrong(what) => write!(f, "wrong reply: {what}"),
            Self::Unserved => write!(f, "never started: the server was too far behind"),
            Self::NoConnection => write!(f, "never started: every connection was busy"),
        }
    }
}
