use crate::{
    Chat, Invalid, Message, Seq,
    limits::{INTEGER_MAX, PAGE_DEFAULT_MESSAGES, PAGE_MAX_BYTES, PAGE_MAX_MESSAGES},
};
use std::sync::Arc;

/// A place between messages: place *n* lies just after message *n*.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(u64);

impl Place {
    /// The natural start: before the first message, or, in reverse, after the last.
    pub const START: Self = Self(0);

    /// Takes a cursor.
    ///
    /// # Errors
    /// [`Invalid`] naming `cursor`, past [`INTEGER_MAX`].
    pub fn parse(cursor: u64) -> Result<Self, Invalid> {
        if cursor > INTEGER_MAX {
            return Err(Invalid::new("cursor", "a cursor is a whole number from 0 to 2^53 - 1"));
        }
        Ok(Self(cursor))
    }

    /// The place just after a message.
    pub fn after(seq: Seq) -> Self {
        Self(seq.0)
    }

    /// The place just before a message.
    pub fn before(seq: Seq) -> Self {
        Self(seq.0.saturating_sub(1))
    }

    /// The cursor that names this place.
    pub fn get(self) -> u64 {
        self.0
    }
}

/// Which way a page reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Oldest first: from place *n* the messages *n+1, n+2, …*.
    Forward,
    /// Newest first: from place *n* the messages *n, n−1, …*.
    Reverse,
}

/// A request for one page of a chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageQuery {
    /// The chat.
    pub chat: Chat,
    /// Where the page begins.
    pub from: Place,
    /// Which way it reads.
    pub direction: Direction,
    /// Most messages on it, 1 to [`PAGE_MAX_MESSAGES`].
    pub limit: usize,
}

impl PageQuery {
    /// Puts a query together; a `limit` of 0 is the default, one past the bound is the bound.
    pub fn new(chat: Chat, from: Place, direction: Direction, limit: usize) -> Self {
        let limit = if limit == 0 { PAGE_DEFAULT_MESSAGES } else { limit.min(PAGE_MAX_MESSAGES) };
        Self { chat, from, direction, limit }
    }

    /// The first message that the page may hold, of a chat whose messages are `first..=last`; `None` if it holds none.
    pub fn begin(&self, first: Seq, last: Seq) -> Option<Seq> {
        let seq = match self.direction {
            Direction::Forward => Seq(self.from.0.saturating_add(1)).max(first),
            Direction::Reverse if self.from == Place::START => last,
            Direction::Reverse => Seq(self.from.0).min(last),
        };
        (last.0 > 0 && first <= seq && seq <= last).then_some(seq)
    }
}

/// One page of a chat.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// The messages, in the direction that was asked.
    pub messages: Vec<Arc<Message>>,
    /// Where the next page begins; `None` where nothing is left.
    pub next: Option<Place>,
}

impl Page {
    /// Fills a page from messages that come in the direction of `query` out of a chat that holds `first..=last`,
    /// and ends it at the limit, at [`PAGE_MAX_BYTES`], or where the chat ends.
    ///
    /// # Errors
    /// The first error of `messages`.
    pub fn fill<E>(
        query: &PageQuery,
        first: Seq,
        last: Seq,
        messages: impl Iterator<Item = Result<Arc<Message>, E>>,
    ) -> Result<Self, E> {
        let mut page = Self::default();
        let mut bytes = 0;
        for message in messages.take(query.limit) {
            let message = message?;
            bytes += message.weight();
            if bytes > PAGE_MAX_BYTES && !page.messages.is_empty() {
                break;
            }
            page.messages.push(message);
        }
        page.next = page.messages.last().and_then(|end| match query.direction {
            Direction::Forward => (end.seq < last).then(|| Place::after(end.seq)),
            Direction::Reverse => (end.seq > first).then(|| Place::before(end.seq)),
        });
        Ok(page)
    }
}
