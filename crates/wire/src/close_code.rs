//! Why a server ends a feed: the close codes of a WebSocket, which SSE names as well. 1000 to 1015 are RFC 6455's.

/// The server goes away.
pub const GOING_AWAY: u16 = 1001;
/// The connection broke without a word; never sent.
pub const ABNORMAL: u16 = 1006;
/// The client broke the rules of this server.
pub const POLICY: u16 = 1008;
/// A frame was larger than this server takes.
pub const TOO_BIG: u16 = 1009;
/// A defect of the server.
pub const INTERNAL: u16 = 1011;
/// The server restarts.
pub const RESTART: u16 = 1012;
/// The server has more sessions than it takes on.
pub const OVERLOADED: u16 = 1013;
/// The token is missing or bad: come back only with a new one.
pub const UNAUTHENTICATED: u16 = 4401;
/// Not allowed: do not come back.
pub const FORBIDDEN: u16 = 4403;
/// The client read too slowly: come back with the last id.
pub const FELL_BEHIND: u16 = 4408;
/// Another session of the user took this one's place: never come back by yourself.
pub const REPLACED: u16 = 4409;
