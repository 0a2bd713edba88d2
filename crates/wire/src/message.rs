use chinwag_model::{Message, Spelling};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// A message in a reply or an event.
#[derive(Debug, Serialize, Deserialize)]
pub struct WireMessage<'a> {
    /// The chat, in the spelling of the request (of an event: canonical).
    #[serde(borrow)]
    pub chat: Cow<'a, str>,
    /// What it says; empty once unsent.
    #[serde(borrow)]
    pub text: Cow<'a, str>,
    /// Who sent it.
    #[serde(borrow)]
    pub sender: Cow<'a, str>,
    /// `ts` in whole seconds.
    pub send_time: u64,
    /// Its position in the chat.
    pub seq: u64,
    /// Server time in microseconds since the Unix epoch.
    pub ts: u64,
    /// The sender's own id of the send.
    #[serde(default, skip_serializing_if = "Option::is_none", borrow)]
    pub key: Option<Cow<'a, str>>,
    /// The application's own object.
    #[serde(default, skip_serializing_if = "Option::is_none", borrow)]
    pub data: Option<&'a RawValue>,
}

impl<'a> WireMessage<'a> {
    /// The message as the wire shows it, its chat spelled as `chat`.
    pub fn new(message: &'a Message, chat: &'a str) -> Self {
        Self {
            chat: Cow::Borrowed(chat),
            text: Cow::Borrowed(&message.text),
            sender: Cow::Borrowed(message.sender_name()),
            send_time: message.ts.seconds(),
            seq: message.seq.0,
            ts: message.ts.0,
            key: message.key.as_ref().map(|key| Cow::Borrowed(key.as_str())),
            data: message.data.as_ref().and_then(|data| serde_json::from_str(data.as_str()).ok()),
        }
    }

    /// The chat of a message in a given spelling.
    pub fn spelled(message: &Message, spelling: Spelling) -> String {
        message.chat.spelled(spelling)
    }
}
