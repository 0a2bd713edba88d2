use chinwag_wire::WireMessage;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use std::{borrow::Cow, collections::BTreeMap};

/// A message as the server holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The chat, spelled as the request spelled it.
    pub chat: String,
    /// What it says.
    pub text: String,
    /// Who sent it.
    pub sender: String,
    /// When it was stored, in whole seconds since the Unix epoch.
    pub send_time: u64,
    /// Its position in the chat: 1, 2, 3, …
    pub seq: u64,
    /// When it was stored, in microseconds since the Unix epoch.
    pub ts: u64,
    /// The sender's own id of the send.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The application's own object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Data>,
    /// When its text was last replaced, in microseconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited_ts: Option<u64>,
    /// Whether its sender took it back; then it says nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unsent: bool,
    /// Who reacted, by emoji.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reactions: BTreeMap<String, Vec<String>>,
}

impl Message {
    /// Who reacted with what, on one line.
    pub fn reactions_in_words(&self) -> String {
        if self.reactions.is_empty() {
            return "no reactions".to_owned();
        }
        let each = self.reactions.iter().map(|(emoji, users)| format!("{emoji} {}", users.join(", ")));
        each.collect::<Vec<_>>().join("; ")
    }
}

impl From<WireMessage<'_>> for Message {
    fn from(message: WireMessage<'_>) -> Self {
        Self {
            chat: message.chat.into_owned(),
            text: message.text.into_owned(),
            sender: message.sender.into_owned(),
            send_time: message.send_time,
            seq: message.seq,
            ts: message.ts,
            key: message.key.map(Cow::into_owned),
            data: message.data.map(|data| Data(data.to_owned())),
            edited_ts: message.edited_ts,
            unsent: message.unsent,
            reactions: message
                .reactions
                .into_iter()
                .map(|(emoji, users)| (emoji.into_owned(), users.into_iter().map(Cow::into_owned).collect()))
                .collect(),
        }
    }
}

/// The application's own JSON object, byte for byte as the server gave it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Data(pub(crate) Box<RawValue>);

impl Data {
    /// The object's JSON text.
    pub fn as_str(&self) -> &str {
        self.0.get()
    }

    /// The object as a type of the application.
    ///
    /// # Errors
    /// Where the object is not of that type.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.as_str())
    }
}

impl PartialEq for Data {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}
impl Eq for Data {}
