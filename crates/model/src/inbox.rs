use crate::{
    Chat, Invalid, Markers, Message, Seq, Side, Ts, UserId,
    limits::{INTEGER_MAX, PAGE_DEFAULT_MESSAGES, PAGE_MAX_BYTES, PAGE_MAX_MESSAGES},
};
use std::sync::Arc;

/// A request for one page of a user's inbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboxQuery {
    /// Whose.
    pub user: UserId,
    /// Only chats whose last message is older than this; `None` from the newest on.
    pub before: Option<Ts>,
    /// Most chats on the page, 1 to [`PAGE_MAX_MESSAGES`].
    pub limit: usize,
    /// This chat alone, if it has a message. The user is one of its two.
    pub chat: Option<Chat>,
}

/// One page of an inbox, the chat with the latest message first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InboxPage {
    /// The chats.
    pub entries: Vec<InboxEntry>,
    /// Unread messages of all the user's chats, on whatever page.
    pub unread_total: u64,
    /// Where the next page begins: to be asked as [`InboxQuery::before`]. `None` where nothing is left.
    pub next: Option<Ts>,
}

/// A chat as one of its users sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboxEntry {
    /// The chat.
    pub chat: Chat,
    /// Which of its two the user is; the other is the peer.
    pub side: Side,
    /// Its last message.
    pub last: Arc<Message>,
    /// Messages of the peer above the user's read marker.
    pub unread: u64,
    /// Its first message.
    pub first_seq: Seq,
    /// The markers of the first and the second user.
    pub markers: [Markers; 2],
}

impl InboxQuery {
    /// Puts a query together; a `limit` of 0 is the default, one past the bound is the bound; a `cursor` of 0 is the start.
    ///
    /// # Errors
    /// [`Invalid`] naming `cursor`, past [`INTEGER_MAX`], or `user`, who is not one of the chat's two.
    pub fn new(user: UserId, cursor: u64, limit: usize, chat: Option<Chat>) -> Result<Self, Invalid> {
        if cursor > INTEGER_MAX {
            return Err(Invalid::new("cursor", "a cursor is a whole number from 0 to 2^53 - 1"));
        }
        if let Some(chat) = &chat {
            chat.member("user", user.as_str())?;
        }
        let limit = if limit == 0 { PAGE_DEFAULT_MESSAGES } else { limit.min(PAGE_MAX_MESSAGES) };
        Ok(Self { user, before: (cursor > 0).then_some(Ts(cursor)), limit, chat })
    }
}

impl InboxPage {
    /// Fills a page from entries that come newest first, and ends it at the limit, at [`PAGE_MAX_BYTES`], or where the
    /// inbox ends; never between two chats whose last messages have one time.
    ///
    /// # Errors
    /// The first error of `entries`.
    pub fn fill<E>(
        query: &InboxQuery,
        unread_total: u64,
        mut entries: impl Iterator<Item = Result<InboxEntry, E>>,
    ) -> Result<Self, E> {
        let mut page = Self { unread_total, ..Self::default() };
        let mut bytes = 0;
        for entry in entries.by_ref() {
            let entry = entry?;
            bytes += entry.last.weight();
            let before = page.entries.last().map(|entry| entry.last.ts);
            // A cursor is a time, and imported messages may share one: those of one time are on one page.
            let may_end = before.is_some_and(|before| before != entry.last.ts);
            if may_end && (page.entries.len() >= query.limit || bytes > PAGE_MAX_BYTES) {
                page.next = before;
                break;
            }
            page.entries.push(entry);
        }
        Ok(page)
    }
}
