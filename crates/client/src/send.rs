use crate::{Client, ClientError, Message};
use chinwag_wire::SendRequest;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use std::{borrow::Cow, future::IntoFuture, pin::Pin};

/// A send that happens when it is awaited.
///
/// It carries a key of 128 random bits unless it is given one, so that its retries store it once. Give it a key of
/// your own where a send must survive the end of your process: repeat it with the same key and the same text.
#[derive(Debug)]
#[must_use = "a send does nothing until it is awaited"]
pub struct SendBuilder<'a> {
    client: &'a Client,
    chat: &'a str,
    sender: &'a str,
    text: &'a str,
    key: Option<Cow<'a, str>>,
    data: Option<Result<Box<RawValue>, String>>,
}

/// What a send came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The message as it is stored.
    pub message: Message,
    /// Whether an earlier send with the same key had stored it, be it an earlier try of this one.
    pub replayed: bool,
}

impl<'a> SendBuilder<'a> {
    pub(crate) fn new(client: &'a Client, chat: &'a str, sender: &'a str, text: &'a str) -> Self {
        Self { client, chat, sender, text, key: None, data: None }
    }

    /// Uses this key: 1 to 64 bytes of visible ASCII.
    pub fn key(mut self, key: impl Into<Cow<'a, str>>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Adds the application's own JSON object, at most 4 KiB.
    pub fn data(mut self, data: &impl Serialize) -> Self {
        self.data = Some(to_raw_value(data).map_err(|error| format!("the data is no JSON: {error}")));
        self
    }

    async fn go(self) -> Result<Sent, ClientError> {
        let data = self.data.transpose().map_err(ClientError::Request)?;
        let key = match self.key {
            Some(key) => key,
            None => random_key()?.into(),
        };
        let request = SendRequest {
            chat: self.chat.into(),
            text: self.text.into(),
            sender: self.sender.into(),
            key: Some(key),
            data: data.as_deref(),
        };
        let (message, answer) = self.client.post("/api/send", &request).await?;
        Ok(Sent { message, replayed: answer.replayed })
    }
}

impl<'a> IntoFuture for SendBuilder<'a> {
    type Output = Result<Sent, ClientError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.go())
    }
}

/// A key that nobody else has: 128 random bits in hexadecimal. Give it to a send that you may want to repeat by yourself.
///
/// # Errors
/// [`ClientError::Request`] where the system has no randomness.
pub fn random_key() -> Result<String, ClientError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| ClientError::Request(format!("no randomness: {error}")))?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}
