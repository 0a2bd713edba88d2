//! A user at work: sends, moves markers and reads pages, over a connection of its own.

use crate::{
    connection::{Broken, Connection},
    random::Random,
};
use serde_json::{Value, json};
use std::net::SocketAddr;

/// The user.
pub(crate) struct Actor {
    pub(crate) user: String,
    /// The chats in which it acts.
    pub(crate) chats: Vec<String>,
    pub(crate) random: Random,
    /// What was acknowledged.
    pub(crate) acknowledged: Vec<Value>,
    /// Whether it edits, unsends and reacts too.
    pub(crate) revises: bool,
    /// Makes the keys of its sends.
    sends: u64,
    /// A send whose outcome is not known: to be repeated first.
    open: Option<Value>,
}

impl Actor {
    pub(crate) fn new(user: &str, chats: &[&str], random: Random) -> Self {
        let chats = chats.iter().map(|&chat| chat.to_owned()).collect();
        Self {
            user: user.into(),
            chats,
            random,
            acknowledged: Vec::new(),
            revises: false,
            sends: 0,
            open: None,
        }
    }

    /// Connects.
    pub(crate) async fn connect(address: SocketAddr) -> Connection {
        Connection::open(address, None).await.expect("a connection")
    }

    /// Does one thing. A send that is not answered is repeated with its key by the next call.
    pub(crate) async fn act(&mut self, connection: &mut Connection) -> Result<(), Broken> {
        if self.open.is_some() {
            return self.send(connection).await;
        }
        if self.revises && !self.acknowledged.is_empty() && self.random.one_in(3) {
            return self.revise(connection).await;
        }
        let chat = self.random.one_of(&self.chats).clone();
        match self.random.below(20) {
            0..=10 => {
                self.sends += 1;
                let key = self.random.one_in(2).then(|| format!("{}.{}", self.user, self.sends));
                let text = self.text();
                self.open = Some(json!({"chat": chat, "sender": self.user, "text": text, "key": key}));
                self.send(connection).await
            }
            11..=14 => self.mark(connection, "read", &chat).await,
            15..=17 => self.mark(connection, "delivered", &chat).await,
            _ => self.read_page(connection, &chat).await,
        }
    }

    async fn send(&mut self, connection: &mut Connection) -> Result<(), Broken> {
        let request = self.open.take().expect("a send");
        let reply = post(connection, "/api/send", &request).await;
        // Without a key it can't be told whether it is there.
        if reply.is_err() && !request["key"].is_null() {
            self.open = Some(request);
            return reply.map(|_| ());
        }
        let message = reply?;
        assert_eq!(message["text"], request["text"], "{message}");
        self.acknowledged.push(message);
        Ok(())
    }

    /// To anywhere up to a little past what it may know.
    async fn mark(&mut self, connection: &mut Connection, kind: &str, chat: &str) -> Result<(), Broken> {
        let seq = 1 + self.random.below(self.acknowledged.len() as u64 * 2 + 2);
        let request = json!({"chat": chat, "user": self.user, "seq": seq});
        let marked = post(connection, &format!("/api/{kind}"), &request).await?;
        assert_eq!((&marked["chat"], &marked["user"]), (&request["chat"], &request["user"]));
        assert!(marked[kind].is_u64(), "{marked}");
        Ok(())
    }

    /// One of the messages that it has sent; the peer does the same to those of its own.
    async fn revise(&mut self, connection: &mut Connection) -> Result<(), Broken> {
        let message = self.random.one_of(&self.acknowledged).clone();
        let mut request = json!({"chat": message["chat"], "seq": message["seq"], "sender": self.user});
        let verb = match self.random.below(5) {
            0 | 1 => {
                request["text"] = format!("edited: {}", self.text()).into();
                "edit"
            }
            2 => "unsend",
            _ => {
                request["user"] = self.user.as_str().into();
                request["emoji"] = (*self.random.one_of(&["👍", "🥝"])).into();
                request["remove"] = self.random.one_in(3).into();
                "react"
            }
        };
        let reply = connection.post(&format!("/api/{verb}"), &request).await?;
        match reply.status {
            503 => Err(Broken::Ended),
            // It was unsent before.
            409 => Ok(()),
            _ => {
                let stands = reply.ok();
                assert!(verb != "edit" || stands["text"] == request["text"], "{stands}");
                assert!(verb != "unsend" || (stands["unsent"] == true && stands["text"] == ""), "{stands}");
                Ok(())
            }
        }
    }

    async fn read_page(&mut self, connection: &mut Connection, chat: &str) -> Result<(), Broken> {
        let cursor = self.random.below(10);
        let request = json!({"chat": chat, "cursor": cursor, "limit": 5});
        let page = post(connection, "/api/pull", &request).await?;
        for (message, seq) in page["messages"].as_array().expect("messages").iter().zip(cursor + 1..) {
            assert_eq!(message["seq"], seq, "{page}");
        }
        Ok(())
    }

    fn text(&mut self) -> String {
        let words = match self.random.below(12) {
            0 => self.random.below(2_000),
            _ => self.random.below(10),
        };
        format!("{} {}{}", self.user, self.sends, " 🥝".repeat(usize::try_from(words).expect("small")))
    }
}

/// The reply of a POST; a server that is going away may say so.
async fn post(connection: &mut Connection, path: &str, request: &Value) -> Result<Value, Broken> {
    let reply = connection.post(path, request).await?;
    if reply.status == 503 { Err(Broken::Ended) } else { Ok(reply.ok()) }
}
