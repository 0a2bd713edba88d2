use crate::{
    encode::{Names, write_number},
    fields::{Fields, missing, parse_natural},
    message::WireMessage,
    query::read,
};
use chinwag_model::{Chat, InboxEntry, InboxPage, InboxQuery, Invalid, MarkerKind, Spelling, UserId};
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, collections::BTreeMap};

/// A request for a page of an inbox, as a query string or the frame of a WebSocket asks for it.
///
/// Its shape is right, its values are not yet looked at: [`InboxRequest::into_query`] does that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InboxRequest<'a> {
    /// Whose inbox.
    pub user: Cow<'a, str>,
    /// Most chats on the page; 0 and `None` are the default, more than the bound is the bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// The `ts` that all last messages of the page are older than; 0 and `None` are the newest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<u64>,
    /// This chat alone, in either spelling.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chat: Option<Cow<'a, str>>,
}

impl<'a> InboxRequest<'a> {
    /// Reads a JSON object.
    ///
    /// # Errors
    /// [`Invalid`] that names the field, or `body`.
    pub fn parse_json(body: &'a [u8]) -> Result<Self, Invalid> {
        let fields = Fields::read(body, ["user", "limit", "cursor", "chat"])?;
        Ok(Self {
            user: fields.required_string("user")?,
            limit: fields.natural("limit")?,
            cursor: fields.natural("cursor")?,
            chat: fields.string("chat")?,
        })
    }

    /// Reads a query string, without its `?`.
    ///
    /// # Errors
    /// [`Invalid`] that names the field, or `query`.
    pub fn parse_query(query: &'a str) -> Result<Self, Invalid> {
        let (mut user, mut limit, mut cursor, mut chat) = (None, None, None, None);
        read(query, None, |name, value| {
            match name {
                "user" => user = Some(value),
                "limit" => limit = Some(parse_natural("limit", &value)?),
                "cursor" => cursor = Some(parse_natural("cursor", &value)?),
                "chat" => chat = Some(value),
                _ => {}
            }
            Ok(())
        })?;
        Ok(Self { user: user.ok_or_else(|| missing("user"))?, limit, cursor, chat })
    }

    /// Checks every value. The reply spells chats canonically, whatever the request did.
    ///
    /// # Errors
    /// [`Invalid`] that names the field.
    pub fn into_query(self) -> Result<InboxQuery, Invalid> {
        let user = UserId::parse("user", &self.user)?;
        let chat = self.chat.as_deref().map(Chat::parse).transpose()?.map(|(chat, _)| chat);
        let limit = usize::try_from(self.limit.unwrap_or(0)).unwrap_or(usize::MAX);
        InboxQuery::new(user, self.cursor.unwrap_or(0), limit, chat)
    }
}

/// The reply to a request for an inbox as JSON.
pub fn encode_inbox(page: &InboxPage) -> Vec<u8> {
    let capacity = page.entries.iter().map(|entry| entry.last.weight() + 512).sum::<usize>();
    let mut out = Vec::with_capacity(capacity + 80);
    out.extend_from_slice(br#"{"chats":["#);
    for (at, entry) in page.entries.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write_entry(&mut out, entry);
    }
    out.extend_from_slice(br#"],"unread_total":"#);
    write_number(&mut out, page.unread_total);
    if let Some(next) = page.next {
        out.extend_from_slice(br#","has_more":true,"next_cursor":"#);
        write_number(&mut out, next.0);
    }
    out.push(b'}');
    out
}

fn write_entry(out: &mut Vec<u8>, entry: &InboxEntry) {
    let names = Names::new(&entry.chat, Spelling::Canonical);
    out.extend_from_slice(br#"{"chat":"#);
    out.extend_from_slice(names.chat());
    out.extend_from_slice(br#","peer":"#);
    out.extend_from_slice(names.user(entry.side.other()));
    out.extend_from_slice(br#","last_message":"#);
    names.write_message(out, &entry.last);
    out.extend_from_slice(br#","unread":"#);
    write_number(out, entry.unread);
    out.extend_from_slice(br#","first_seq":"#);
    write_number(out, entry.first_seq.0);
    for (name, kind) in [("read", MarkerKind::Read), ("delivered", MarkerKind::Delivered)] {
        out.extend_from_slice(b",\"");
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\":{");
        for (at, side) in entry.chat.sides().iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            out.extend_from_slice(names.user(*side));
            out.push(b':');
            write_number(out, entry.markers[side.index()].get(kind).seq.0);
        }
        out.push(b'}');
    }
    out.push(b'}');
}

/// The reply to a request for an inbox, for those who read one; the server writes it with [`encode_inbox`].
#[derive(Debug, Clone, Deserialize)]
pub struct InboxReply<'a> {
    /// The chats, the one with the latest message first.
    #[serde(borrow)]
    pub chats: Vec<WireInboxEntry<'a>>,
    /// Unread messages of all the user's chats, on whatever page.
    pub unread_total: u64,
    /// Whether more chats are left.
    #[serde(default)]
    pub has_more: bool,
    /// The cursor of the next page; present where `has_more` is true.
    #[serde(default)]
    pub next_cursor: Option<u64>,
}

/// A chat as an inbox shows it.
#[derive(Debug, Clone, Deserialize)]
pub struct WireInboxEntry<'a> {
    /// The chat, canonical.
    #[serde(borrow)]
    pub chat: Cow<'a, str>,
    /// Its other user; of a note to self, the same one.
    #[serde(borrow)]
    pub peer: Cow<'a, str>,
    /// Its last message.
    #[serde(borrow)]
    pub last_message: WireMessage<'a>,
    /// Messages of the peer above the user's read marker.
    pub unread: u64,
    /// The `seq` of its first message.
    pub first_seq: u64,
    /// The read marker of each of its users.
    #[serde(borrow)]
    pub read: BTreeMap<Cow<'a, str>, u64>,
    /// The delivered marker of each of its users.
    #[serde(borrow)]
    pub delivered: BTreeMap<Cow<'a, str>, u64>,
}
