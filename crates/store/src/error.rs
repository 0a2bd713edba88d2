use std::time::Duration;

/// What a store answers instead of a result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The queue is full. Nothing was stored.
    #[error("the store is busy; try again in {} ms", retry_after.as_millis())]
    Busy {
        /// When to come back.
        retry_after: Duration,
    },
    /// The disk's free space is below the reserve. Nothing was stored.
    #[error("the disk's free space is below the reserve: {free_bytes} bytes free, {reserve_bytes} reserved")]
    Full {
        /// Bytes free now.
        free_bytes: u64,
        /// Bytes that must stay free.
        reserve_bytes: u64,
    },
    /// The key was used before, with another text or data. Nothing was stored.
    #[error("this key was used before with another text or data")]
    KeyReused,
    /// The chat has no such message.
    #[error("the chat has no such message")]
    NoSuchMessage,
    /// Only a message's sender may do this. Nothing was stored.
    #[error("only the sender of the message may do this")]
    NotTheSender,
    /// The message was taken back. Nothing was stored.
    #[error("the message is unsent")]
    Unsent,
    /// The message is too old for this. Nothing was stored.
    #[error("the message is too old to be changed")]
    TooLate,
    /// The user has as many reactions to the message as are allowed. Nothing was stored.
    #[error("a user has at most {} reactions to a message", chinwag_model::limits::REACTIONS_MAX)]
    TooManyReactions,
    /// The peer blocks the user. Nothing was stored.
    #[error("the peer blocks the user")]
    Blocked,
    /// The user blocks as many as are allowed. Nothing was stored.
    #[error("a user blocks at most {} users", chinwag_model::limits::BLOCKS_MAX_USERS)]
    TooManyBlocks,
    /// The store is closed or has failed. Nothing was stored.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// The write began and its end is not known.
    #[error("the outcome of the write is unknown: {0}")]
    OutcomeUnknown(String),
    /// Stored bytes are not what was written.
    #[error("the store is damaged: {0}")]
    Damaged(String),
}
