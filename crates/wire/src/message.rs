use crate::fields::optional_str;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::{borrow::Cow, collections::BTreeMap};

/// A message as a reply or an event shows it, for those who read one; the server writes it with
/// [`crate::encode_message`].
#[derive(Debug, Clone, Serialize, Deserialize)]
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
    #[serde(default, borrow, deserialize_with = "optional_str", skip_serializing_if = "Option::is_none")]
    pub key: Option<Cow<'a, str>>,
    /// The application's own object.
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    pub data: Option<&'a RawValue>,
    /// When its text was last replaced, as `ts`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited_ts: Option<u64>,
    /// Whether its sender took it back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unsent: bool,
    /// Who reacted, by emoji.
    #[serde(default, borrow, skip_serializing_if = "BTreeMap::is_empty")]
    pub reactions: BTreeMap<Cow<'a, str>, Vec<Cow<'a, str>>>,
}

/// The reply to a pull, for those who read one; the server writes it with [`crate::encode_page`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PullReply<'a> {
    /// The messages, in the direction that was asked.
    #[serde(borrow)]
    pub messages: Vec<WireMessage<'a>>,
    /// Whether more is left in that direction.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_more: bool,
    /// The cursor of the next page; present where `has_more` is true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<u64>,
}
