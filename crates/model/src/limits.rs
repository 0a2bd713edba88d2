//! Every bound of the product in one place; the unit is the last word of each name.

use std::time::Duration;

/// Longest user name, in bytes of UTF-8.
pub const USER_MAX_BYTES: usize = 128;
/// Longest spelling of a chat: two users and the colon.
pub const CHAT_MAX_BYTES: usize = 2 * USER_MAX_BYTES + 1;
/// Longest text of a message by default, in bytes of UTF-8; a setting may lower or raise it.
pub const TEXT_DEFAULT_MAX_BYTES: usize = 16_384;
/// Longest text that the setting may allow: it must fit in a request body, every byte escaped.
pub const TEXT_HARD_MAX_BYTES: usize = 20_480;
/// Longest idempotency key of a send, in bytes of visible ASCII.
pub const KEY_MAX_BYTES: usize = 64;
/// Largest `data` object of a message, as compact JSON, in bytes.
pub const DATA_MAX_BYTES: usize = 4_096;
/// Deepest nesting of a `data` object, in levels of object or array.
pub const DATA_MAX_DEPTH_LEVELS: usize = 32;
/// Largest request body, in bytes.
pub const BODY_MAX_BYTES: usize = 128 * 1024;
/// Bytes that a client may send on one connection behind a request that waits for events; one who sends more is cut off.
pub const AHEAD_MAX_BYTES: usize = 64 * 1024;
/// Requests that one connection of HTTP/2 may have under way.
pub const STREAMS_MAX: u32 = 100;
/// Bytes of a reply over HTTP/2 that are handed over at once.
pub const STREAM_PIECE_MAX_BYTES: usize = 16 * 1024;
/// Bytes of a reply over HTTP/2 that may wait, cut into frames, for its client to take them.
pub const STREAM_UNSENT_MAX_BYTES: usize = 64 * 1024;
/// A page over HTTP/2 that is longer counts against a bound over all connections until its client has it.
pub const REPLY_UNCOUNTED_MAX_BYTES: usize = 16 * 1024;
/// Longest header of the PROXY protocol, in bytes: that of its second version may carry as much more as a proxy likes.
pub const PREFACE_MAX_BYTES: usize = 4_096;
/// Messages on a page when the request does not say.
pub const PAGE_DEFAULT_MESSAGES: usize = 10;
/// Most messages on a page.
pub const PAGE_MAX_MESSAGES: usize = 1_000;
/// A page ends once it holds this many bytes (see [`crate::Message::weight`]), though never before its first message.
pub const PAGE_MAX_BYTES: usize = 1024 * 1024;
/// Largest place, sequence number and time: the integers that a JavaScript number holds exactly.
pub const INTEGER_MAX: u64 = (1 << 53) - 1;
/// How long a repeat of a key is answered with the message that its first send stored.
pub const KEY_WINDOW: Duration = Duration::from_hours(24);
/// A step of the wall clock ahead of the machine's steady clock by more than this stops all expiry.
pub const CLOCK_JUMP_MAX: Duration = Duration::from_hours(1);
/// A start whose wall clock is further ahead of where a server last trusted it stops all expiry.
pub const CLOCK_AWAY_MAX: Duration = Duration::from_hours(14 * 24);
/// How often a server that runs notes what its clock says.
pub const CLOCK_NOTED_EVERY: Duration = Duration::from_hours(1);
/// Newest messages of a chat that are kept in memory while the chat is hot.
pub const TAIL_MAX_MESSAGES: usize = 32;
/// Bytes of the newest messages of a chat that are kept in memory while the chat is hot.
pub const TAIL_MAX_BYTES: usize = 64 * 1024;
/// How long a commit may take before the store counts as hung.
pub const COMMIT_MAX: Duration = Duration::from_secs(30);
/// How long the change log is kept.
pub const CHANGES_KEEP: Duration = Duration::from_hours(7 * 24);
/// How exactly the time of expiry moves: a message is hidden at most this much after it has become too old.
pub const RETAIN_STEP: Duration = Duration::from_mins(1);
/// Longest age that the setting of retention may allow, in days.
pub const RETAIN_MAX_DAYS: u64 = 36_500;
/// How often rows of messages that have expired are looked for, to free their disk.
pub const SWEEP_EVERY: Duration = Duration::from_hours(1);
/// Most events that a feed catches up on; where more was missed, the client loads the inbox instead.
pub const CATCH_UP_MAX_EVENTS: usize = 10_000;
/// Most bytes of messages that a feed catches up on (see [`crate::Message::weight`]).
pub const CATCH_UP_MAX_BYTES: usize = 4 * 1024 * 1024;
/// Bytes that catch-ups may hold at once, over all sessions; more sessions wait their turn.
pub const CATCH_UPS_MAX_BYTES: usize = 256 * 1024 * 1024;
/// How long a session may take to be told what it missed; then it has fallen behind, and comes back for the rest.
pub const CATCH_UP_MAX_TIME: Duration = Duration::from_mins(1);
/// Events that may wait for a session; one more and it has fallen behind.
pub const OUTBOX_MAX_EVENTS: usize = 1_024;
/// Bytes of events that may wait for a session; one event alone always may.
pub const OUTBOX_MAX_BYTES: usize = 512 * 1024;
/// Users whose presence one session may watch, and one request may ask for.
pub const WATCH_MAX_USERS: usize = 100;

/// Changes that one request to erase a user makes at most; it is asked again until it is done.
pub const ERASE_MAX_CHANGES: u64 = 1_000;
/// Within this, a text that was unsent or edited away is to be gone from the disk, by default.
pub const WIPE_AFTER: Duration = Duration::from_hours(24);
/// Within this, a text that has expired is to be gone from the disk, once its row was removed, by default.
pub const WIPE_EXPIRED_AFTER: Duration = Duration::from_hours(30 * 24);
/// The most that the setting may say, in days.
pub const WIPE_EXPIRED_AFTER_MAX_DAYS: u64 = 3_650;
/// The least that the setting may say.
pub const WIPE_AFTER_MIN: Duration = Duration::from_mins(1);
/// The most that the setting may say.
pub const WIPE_AFTER_MAX: Duration = Duration::from_hours(30 * 24);

/// Length of a reaction's emoji, in bytes.
pub const EMOJI_MAX_BYTES: usize = 64;
/// Reactions of one user to one message.
pub const REACTIONS_MAX: usize = 20;
/// Within which time a caller's requests are counted.
pub const RATE_WINDOW: Duration = Duration::from_secs(10);
/// Word that one user writes, within [`RATE_WINDOW`]; clients send it every few seconds.
pub const TYPING_MAX_EVENTS: u64 = 50;
/// Callers whose requests are counted; of more, those who asked longest ago are forgotten.
pub const RATE_CALLERS_MAX: usize = 100_000;
/// Users whom all sessions together may watch.
pub const WATCHES_MAX_USERS: usize = 1_000_000;
/// Users whom one user may block.
pub const BLOCKS_MAX_USERS: usize = 10_000;

const _: () = assert!(CATCH_UP_MAX_BYTES <= CATCH_UPS_MAX_BYTES);
const _: () = assert!(TEXT_DEFAULT_MAX_BYTES <= TEXT_HARD_MAX_BYTES);
const _: () = assert!(TEXT_HARD_MAX_BYTES * 6 + DATA_MAX_BYTES + 2 * CHAT_MAX_BYTES < BODY_MAX_BYTES);
const _: () = assert!(PAGE_DEFAULT_MESSAGES <= TAIL_MAX_MESSAGES && TAIL_MAX_MESSAGES <= PAGE_MAX_MESSAGES);
const _: () = assert!(TEXT_HARD_MAX_BYTES + DATA_MAX_BYTES + 1024 < TAIL_MAX_BYTES);
const _: () = assert!(TAIL_MAX_BYTES < PAGE_MAX_BYTES);
