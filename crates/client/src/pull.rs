use crate::{Client, ClientError, Message};
use chinwag_wire::PullRequest;
use futures_util::stream::{BoxStream, StreamExt, try_unfold};
use serde::{Deserialize, Serialize};

/// A read of a chat, one page or all.
#[derive(Debug, Clone)]
#[must_use = "a pull does nothing until a page is asked for"]
pub struct PullBuilder {
    client: Client,
    chat: String,
    limit: Option<u64>,
    cursor: Option<u64>,
    reverse: Option<bool>,
}

/// One page of a chat.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Page {
    /// The messages, in the direction that was asked.
    pub messages: Vec<Message>,
    /// Whether more are left that way.
    #[serde(default)]
    pub has_more: bool,
    /// The cursor of the next page; present where more are left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<u64>,
}

impl PullBuilder {
    pub(crate) fn new(client: Client, chat: String) -> Self {
        Self { client, chat, limit: None, cursor: None, reverse: None }
    }

    /// Most messages on a page: 10 unless said, at most 1,000.
    pub fn limit(mut self, limit: u64) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Where to begin: a `next_cursor`, or the `seq` of the last message seen.
    pub fn cursor(mut self, cursor: u64) -> Self {
        self.cursor = Some(cursor);
        self
    }

    /// Newest first.
    pub fn reverse(mut self, reverse: bool) -> Self {
        self.reverse = Some(reverse);
        self
    }

    /// Reads one page.
    ///
    /// # Errors
    /// [`ClientError`] as it says there.
    pub async fn page(&self) -> Result<Page, ClientError> {
        let request = PullRequest {
            chat: self.chat.as_str().into(),
            limit: self.limit,
            cursor: self.cursor,
            reverse: self.reverse,
        };
        // By POST: a GET with a body is dropped by proxies, and a query string puts names into their logs.
        let (page, _) = self.client.post("/api/pull", &request).await?;
        Ok(page)
    }

    /// Reads all pages from here on. The stream ends after the last page, or after the first error. An empty chat
    /// gives one empty page.
    pub fn pages(self) -> BoxStream<'static, Result<Page, ClientError>> {
        try_unfold(Some(self), |pull| async move {
            let Some(mut pull) = pull else { return Ok(None) };
            let page = pull.page().await?;
            let next = match page.next_cursor.filter(|_| page.has_more) {
                // A server that is at fault must not send a reader round in circles.
                Some(next) if pull.cursor == Some(next) || page.messages.is_empty() => {
                    let reason = format!("the next page begins at {next}, where this one does");
                    return Err(ClientError::Decode { status: 200, reason, retry_after: None });
                }
                Some(next) => {
                    pull.cursor = Some(next);
                    Some(pull)
                }
                None => None,
            };
            Ok(Some((page, next)))
        })
        .boxed()
    }
}
