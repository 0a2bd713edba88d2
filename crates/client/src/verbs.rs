use crate::{Client, ClientError, Message, client::json};
use chinwag_wire::{
    BlockReply, BlockRequest, EditRequest, EndSessionsRequest, EraseRequest, MarkRequest, ReactRequest,
    TypingRequest, UnsendRequest, encode_query,
};
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

/// How a user stands to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blocked {
    /// Who blocks, or does not.
    pub user: String,
    /// Whom.
    pub peer: String,
    /// Whether the peer is blocked.
    pub blocked: bool,
    /// Since when, in microseconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ts: Option<u64>,
}

impl From<BlockReply<'_>> for Blocked {
    fn from(reply: BlockReply<'_>) -> Self {
        let BlockReply { user, peer, blocked, ts } = reply;
        Self { user: user.into(), peer: peer.into(), blocked, ts }
    }
}

/// What was taken away of a user who is erased, or would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erased {
    /// Messages that were unsent.
    pub messages: u64,
    /// Reactions that went.
    pub reactions: u64,
    /// Chats in which the user's markers were forgotten.
    pub markers: u64,
    /// Blocks that ended.
    pub blocks: u64,
    /// Whether nothing is left; else it is to be asked again.
    pub done: bool,
}

/// One whom a user blocks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockedPeer {
    /// Who.
    pub peer: String,
    /// Since when, in microseconds since the Unix epoch.
    pub ts: u64,
}

/// One page of those whom a user blocks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blocks {
    /// In the order of their names.
    pub blocks: Vec<BlockedPeer>,
    /// The cursor of the next page; `None` where nothing is left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
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

    /// Blocks a user, or blocks one no longer. Gives how it stands.
    ///
    /// # Errors
    /// [`ClientError`] as it says there.
    pub async fn block(&self, user: &str, peer: &str, on: bool) -> Result<Blocked, ClientError> {
        let request = BlockRequest { user: user.into(), peer: peer.into() };
        let path = if on { "/api/block" } else { "/api/unblock" };
        self.post(path, &request).await.map(|(stands, _)| stands)
    }

    /// One page of those whom a user blocks, after `cursor`, the last name of the page before.
    ///
    /// # Errors
    /// [`ClientError`] as it says there.
    pub async fn blocks(&self, user: &str, cursor: Option<&str>) -> Result<Blocks, ClientError> {
        let cursor = cursor.map(|cursor| ("cursor", cursor));
        let query = encode_query([("user", user), ("limit", "1000")].into_iter().chain(cursor));
        self.get(&format!("/api/blocks?{query}")).await
    }

    /// Ends all sessions of a user; how many there were. It takes an administrator's key.
    ///
    /// # Errors
    /// [`ClientError`] as it says there.
    pub async fn end_sessions(&self, user: &str) -> Result<u64, ClientError> {
        #[derive(Deserialize)]
        struct Reply {
            ended: u64,
        }
        let request = EndSessionsRequest { user: user.into() };
        self.post::<Reply>("/api/sessions/end", &request).await.map(|(reply, _)| reply.ended)
    }

    /// Erases a user, a step at a time: it is to be asked until it is done. It takes an administrator's key. Where it is
    /// only to be counted, nothing is changed.
    ///
    /// # Errors
    /// [`ClientError`] as it says there.
    pub async fn erase(&self, user: &str, only_count: bool) -> Result<Erased, ClientError> {
        let request = EraseRequest { user: user.into(), dry_run: Some(only_count) };
        self.post("/api/erase", &request).await.map(|(erased, _)| erased)
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
