use crate::{Client, ClientError, Message, client::json};
use chinwag_wire::{EditRequest, MarkRequest, ReactRequest, TypingRequest, UnsendRequest, encode_query};
use hyper::Method;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A marker as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marked {
    /// The chat, spelled as the request spelled it.
    pub chat: String,
    /// Whose marker.
    pub user: String,
    /// The last message that it covers; 0 in a chat without a message.
    #[serde(alias = "read", alias = "delivered")]
    pub seq: u64,
    /// When it came to stand there, in microseconds since the Unix epoch.
    pub ts: u64,
}

/// Whether a user is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// Whether any session of the user is open, or was a moment ago.
    pub online: bool,
    /// When the last of them was closed, in microseconds since the Unix epoch, where the server knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<u64>,
}

impl Client {
    /// Moves a user's read marker, and the delivered marker with it, to message `seq`; never back. Gives where it stands.
    ///
    /// # Errors
    /// [`ClientError`] as it says there.
    pub async fn read(&self, chat: &str, user: &str, seq: u64) -> Result<Marked, ClientError> {
        self.mark("/api/read", chat, user, seq).await
    }

    /// Moves a user's delivered marker to message `seq`; never back. Gives where it stands.
    ///
    /// # Errors
    /// [`ClientError`] as it says there.
    pub async fn delivered(&self, chat: &str, user: &str, seq: u64) -> Result<Marked, ClientError> {
        self.mark("/api/delivered", chat, user, seq).await
    }

    /// Replaces the text of a message that `sender` sent. Gives the message as it stands.
    ///
    /// # Errors
    /// [`ClientError`] as it says there.
    pub async fn edit(&self, chat: &str, seq: u64, sender: &str, text: &str) -> Result<Message, ClientError> {
        let request = EditRequest { chat: chat.into(), seq, sender: sender.into(), text: text.into() };
        self.post("/api/edit", &request).await.map(|(message, _)| message)
    }

    /// Takes a message back that `sender` sent. Gives the message as it stands.
    ///
    /// # Errors
    /// [`ClientError`] as it says there.
    pub async fn unsend(&self, chat: &str, seq: u64, sender: &str) -> Result<Message, ClientError> {
        let request = UnsendRequest { chat: chat.into(), seq, sender: sender.into() };
        self.post("/api/unsend", &request).await.map(|(message, _)| message)
    }

    /// Reacts to a message, or takes the reaction back. Gives the message as it stands.
    ///
    /// # Errors
    /// [`ClientError`] as it says there.
    pub async fn react(
        &self,
        chat: &str,
        seq: u64,
        user: &str,
        emoji: &str,
        remove: bool,
    ) -> Result<Message, ClientError> {
        let request = ReactRequest { chat: chat.into(), seq, user: user.into(), emoji: emoji.into(), remove };
        self.post("/api/react", &request).await.map(|(message, _)| message)
    }

    /// Tells the peer that a user writes. It holds for some seconds, so one try only: a late one would be wrong.
    ///
    /// # Errors
    /// [`ClientError`] as it says there.
    pub async fn typing(&self, chat: &str, user: &str) -> Result<(), ClientError> {
        let request = TypingRequest { chat: chat.into(), user: user.into() };
        self.once(Method::POST, "/api/typing", Some(json(&request)?)).await.map(drop)
    }

    /// Whether users are there: 1 to 100 of them. Gives each by name.
    ///
    /// # Errors
    /// [`ClientError`] as it says there.
    pub async fn presence(&self, users: &[&str]) -> Result<BTreeMap<String, Presence>, ClientError> {
        #[derive(Deserialize)]
        struct Reply {
            users: BTreeMap<String, Presence>,
        }
        let query = encode_query(users.iter().map(|user| ("user", *user)));
        self.get::<Reply>(&format!("/api/presence?{query}")).await.map(|reply| reply.users)
    }

    async fn mark(&self, path: &str, chat: &str, user: &str, seq: u64) -> Result<Marked, ClientError> {
        let request = MarkRequest { chat: chat.into(), user: user.into(), seq };
        self.post(path, &request).await.map(|(marked, _)| marked)
    }
}
