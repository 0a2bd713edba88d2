use crate::{Client, ClientError, Message};
use chinwag_wire::encode_query;
use futures_util::stream::{BoxStream, StreamExt, try_unfold};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A read of an inbox, one page or all.
#[derive(Debug, Clone)]
#[must_use = "an inbox is not read until a page is asked for"]
pub struct InboxBuilder {
    client: Client,
    user: String,
    limit: Option<u64>,
    cursor: Option<u64>,
    chat: Option<String>,
}

/// One page of an inbox, the chat with the latest message first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Inbox {
    /// The chats.
    pub chats: Vec<InboxEntry>,
    /// Unread messages of all the user's chats, on whatever page.
    pub unread_total: u64,
    /// Whether more chats are left.
    #[serde(default)]
    pub has_more: bool,
    /// The cursor of the next page; present where more are left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<u64>,
}

/// A chat as one of its users sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InboxEntry {
    /// The chat, in its canonical spelling.
    pub chat: String,
    /// Its other user; of a note to self, the same one.
    pub peer: String,
    /// Its last message.
    pub last_message: Message,
    /// Messages of the peer above the user's read marker.
    pub unread: u64,
    /// The `seq` of its first message.
    pub first_seq: u64,
    /// The read marker of each of its users.
    pub read: BTreeMap<String, u64>,
    /// The delivered marker of each of its users.
    pub delivered: BTreeMap<String, u64>,
}

impl InboxBuilder {
    pub(crate) fn new(client: Client, user: String) -> Self {
        Self { client, user, limit: None, cursor: None, chat: None }
    }

    /// Most chats on a page: 10 unless said, at most 1,000.
    pub fn limit(mut self, limit: u64) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Where to begin: a `next_cursor`.
    pub fn cursor(mut self, cursor: u64) -> Self {
        self.cursor = Some(cursor);
        self
    }

    /// This chat alone.
    pub fn chat(mut self, chat: impl Into<String>) -> Self {
        self.chat = Some(chat.into());
        self
    }

    /// Reads one page.
    ///
    /// # Errors
    /// [`ClientError`] as it says there.
    pub async fn page(&self) -> Result<Inbox, ClientError> {
        let limit = self.limit.map(|limit| limit.to_string());
        let cursor = self.cursor.map(|cursor| cursor.to_string());
        let pairs = [
            Some(("user", self.user.as_str())),
            limit.as_deref().map(|limit| ("limit", limit)),
            cursor.as_deref().map(|cursor| ("cursor", cursor)),
            self.chat.as_deref().map(|chat| ("chat", chat)),
        ];
        self.client.get(&format!("/api/chats?{}", encode_query(pairs.into_iter().flatten()))).await
    }

    /// Reads all pages from here on. The stream ends after the last page, or after the first error. An empty inbox gives
    /// one empty page.
    pub fn pages(self) -> BoxStream<'static, Result<Inbox, ClientError>> {
        try_unfold(Some(self), |inbox| async move {
            let Some(mut inbox) = inbox else { return Ok(None) };
            let page = inbox.page().await?;
            let next = match page.next_cursor.filter(|_| page.has_more) {
                // A server that is at fault must not send a reader round in circles.
                Some(next) if inbox.cursor.is_some_and(|cursor| cursor > 0 && cursor <= next) => {
                    let reason = format!("the next page begins at {next}, which is no older than this one");
                    return Err(ClientError::Decode { status: 200, reason, retry_after: None });
                }
                Some(next) => {
                    inbox.cursor = Some(next);
                    Some(inbox)
                }
                None => None,
            };
            Ok(Some((page, next)))
        })
        .boxed()
    }
}
