//! The lines of an export: one JSON object a line, a message with all that the store holds of it.
//!
//! Unlike a reply it is to be read back: it keeps when a message was last revised, in which order the reactions came, and
//! the digest by which a repeat of its key is known.

mod block;

pub use block::{ArchiveBlock, encode_archive_block};

use crate::{
    data::parse_data,
    fields::{BODY, Fields, missing},
};
use chinwag_model::{
    Chat, Data, Invalid, Marker, MarkerKind, Markers, Message, Reaction, Revision, SendKey, Seq, Side, Text,
    Ts,
    limits::{INTEGER_MAX, TEXT_HARD_MAX_BYTES},
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::{borrow::Cow, collections::BTreeMap};

/// What the first line calls the file.
const FORMAT: &str = "chinwag export";
/// The version of the lines that this program writes, and the newest that it reads. The first knew no blocks.
const VERSION: u64 = 2;

/// A line of an export.
#[derive(Debug)]
pub enum ArchiveLine {
    /// The first.
    Head(ArchiveHead),
    /// A message.
    Message(Box<ArchiveMessage>),
    /// Where the markers of a chat stand.
    Markers(ArchiveMarkers),
    /// A block.
    Block(ArchiveBlock),
    /// The last: how many messages there were.
    End(u64),
}

/// What an export says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArchiveHead {
    /// The version of its lines.
    pub version: u64,
}

/// A message in an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveMessage {
    /// The chat.
    pub chat: Chat,
    /// Its position there.
    pub seq: Seq,
    /// When it was stored.
    pub ts: Ts,
    /// Who sent it.
    pub sender: Side,
    /// What it says; empty once unsent.
    pub text: Box<str>,
    /// The sender's own id of the send.
    pub key: Option<SendKey>,
    /// The application's own object.
    pub data: Option<Data>,
    /// What happened to it since.
    pub revision: Option<Box<Revision>>,
}

/// Where the markers of a chat's two users stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveMarkers {
    /// The chat.
    pub chat: Chat,
    /// Of the first and the second user.
    pub markers: [Markers; 2],
}

/// A row of a plain table, as NDJSON has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableRow {
    /// Who sent it.
    pub sender: String,
    /// To whom.
    pub peer: String,
    /// What it says.
    pub text: String,
    /// When, as it is written there.
    pub time: String,
}

#[derive(Serialize)]
struct WireReaction<'a> {
    emoji: &'a str,
    user: &'a str,
}

#[derive(Deserialize)]
struct ReadReaction<'a> {
    #[serde(borrow)]
    emoji: Cow<'a, str>,
    #[serde(borrow)]
    user: Cow<'a, str>,
}

#[derive(Serialize, Deserialize)]
struct WireMarker {
    seq: u64,
    ts: u64,
}

#[derive(Serialize, Deserialize, Default)]
struct WireMarkers {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    delivered: Option<WireMarker>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    read: Option<WireMarker>,
}

#[derive(Serialize)]
struct MessageOut<'a> {
    r#type: &'static str,
    chat: &'a str,
    seq: u64,
    ts: u64,
    sender: &'a str,
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revised_ts: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    edited_ts: Option<u64>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    unsent: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reactions: Vec<WireReaction<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_digest: Option<String>,
}

#[derive(Serialize)]
struct MarkersOut<'a> {
    r#type: &'static str,
    chat: &'a str,
    markers: BTreeMap<&'a str, WireMarkers>,
}

#[derive(Serialize)]
struct HeadOut {
    r#type: &'static str,
    format: &'static str,
    version: u64,
}

#[derive(Serialize)]
struct EndOut {
    r#type: &'static str,
    messages: u64,
}

fn line(value: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(value).expect("strings and numbers");
    line.push(b'\n');
    line
}

/// The first line of an export.
pub fn encode_archive_head() -> Vec<u8> {
    line(&HeadOut { r#type: "head", format: FORMAT, version: VERSION })
}

/// The line of a message.
pub fn encode_archive_message(message: &Message) -> Vec<u8> {
    let chat = &message.chat;
    let revision = message.revision.as_deref();
    let reactions = revision.map_or(&[][..], |revision| &revision.reactions);
    let digest = revision.and_then(|revision| revision.first_digest);
    line(&MessageOut {
        r#type: "message",
        chat: chat.as_str(),
        seq: message.seq.0,
        ts: message.ts.0,
        sender: message.sender_name(),
        text: &message.text,
        key: message.key.as_ref().map(SendKey::as_str),
        data: message.data.as_ref().and_then(|data| serde_json::from_str(data.as_str()).ok()),
        revised_ts: revision.map(|revision| revision.ts.0),
        edited_ts: revision.and_then(|revision| revision.edited_ts).map(|ts| ts.0),
        unsent: revision.is_some_and(|revision| revision.unsent),
        reactions: reactions
            .iter()
            .map(|reaction| WireReaction { emoji: &reaction.emoji, user: chat.user(reaction.by) })
            .collect(),
        first_digest: digest.map(|digest| format!("{:032x}", u128::from_be_bytes(digest))),
    })
}

/// The line of a chat's markers.
pub fn encode_archive_markers(chat: &Chat, markers: &[Markers; 2]) -> Vec<u8> {
    line(&MarkersOut { r#type: "markers", chat: chat.as_str(), markers: write_markers(chat, markers) })
}

fn write_markers<'a>(chat: &'a Chat, markers: &[Markers; 2]) -> BTreeMap<&'a str, WireMarkers> {
    let one = |marker: Marker| {
        (marker != Marker::START).then_some(WireMarker { seq: marker.seq.0, ts: marker.ts.0 })
    };
    let markers = chat.sides().iter().map(|&side| {
        let markers = &markers[side.index()];
        (chat.user(side), WireMarkers { delivered: one(markers.delivered), read: one(markers.read) })
    });
    markers.collect()
}

/// The last line of an export.
pub fn encode_archive_end(messages: u64) -> Vec<u8> {
    line(&EndOut { r#type: "end", messages })
}

impl ArchiveLine {
    /// Reads a line.
    ///
    /// # Errors
    /// [`Invalid`] that names the field, or `line`.
    pub fn parse(line: &[u8]) -> Result<Self, Invalid> {
        let fields = Fields::read(
            line,
            [
                "type",
                "format",
                "version",
                "messages",
                "chat",
                "seq",
                "ts",
                "sender",
                "text",
                "key",
                "data",
                "revised_ts",
                "edited_ts",
                "unsent",
                "reactions",
                "first_digest",
                "markers",
                "user",
                "peer",
            ],
        )
        .map_err(of_line)?;
        match &*fields.required_string("type")? {
            "head" => head(&fields).map(Self::Head),
            "message" => message(&fields).map(|message| Self::Message(Box::new(message))),
            "markers" => markers(&fields).map(Self::Markers),
            "block" => block::block(&fields).map(Self::Block),
            "end" => Ok(Self::End(number(&fields, "messages")?)),
            other => Err(Invalid::new("type", format!("there is no line of type {other:?}"))),
        }
    }
}

impl TableRow {
    /// Reads a line of a plain table.
    ///
    /// # Errors
    /// [`Invalid`] that names the field, or `line`.
    pub fn parse(line: &[u8]) -> Result<Self, Invalid> {
        let fields = Fields::read(line, ["sender", "peer", "text", "time"]).map_err(of_line)?;
        let text = |name| fields.required_string(name).map(Cow::into_owned);
        // A number, or a text that holds one or a date.
        let time = match fields.string("time") {
            Ok(time) => time.ok_or_else(|| missing("time"))?.into_owned(),
            Err(_) => number(&fields, "time")?.to_string(),
        };
        Ok(Self { sender: text("sender")?, peer: text("peer")?, text: text("text")?, time })
    }
}

/// What is wrong with the body of a request is wrong with the line here.
fn of_line(invalid: Invalid) -> Invalid {
    if invalid.field != BODY {
        return invalid;
    }
    let detail = invalid.detail.replacen("the body", "the line", 1);
    Invalid { field: "line".into(), detail: detail.into(), code: invalid.code }
}

type Line<'a> = Fields<'a, 19>;

fn number<const N: usize>(fields: &Fields<'_, N>, name: &'static str) -> Result<u64, Invalid> {
    optional_number(fields, name)?.ok_or_else(|| missing(name))
}

fn optional_number<const N: usize>(
    fields: &Fields<'_, N>,
    name: &'static str,
) -> Result<Option<u64>, Invalid> {
    let number = fields.natural(name)?;
    match number {
        Some(number) if number > INTEGER_MAX => {
            Err(Invalid::new(name, format!("{name} must be at most 2^53 - 1")))
        }
        number => Ok(number),
    }
}

fn head(fields: &Line<'_>) -> Result<ArchiveHead, Invalid> {
    if fields.required_string("format")? != FORMAT {
        return Err(Invalid::new("format", "this is not an export of Chinwag"));
    }
    let version = number(fields, "version")?;
    if version == 0 || version > VERSION {
        let why = format!("this export has version {version}; this program knows versions up to {VERSION}");
        return Err(Invalid::new("version", why));
    }
    Ok(ArchiveHead { version })
}

/// A chat in its canonical spelling.
fn chat(fields: &Line<'_>) -> Result<Chat, Invalid> {
    Ok(Chat::parse(&fields.required_string("chat")?)?.0)
}

fn message(fields: &Line<'_>) -> Result<ArchiveMessage, Invalid> {
    let chat = chat(fields)?;
    let seq = number(fields, "seq")?;
    if seq == 0 {
        return Err(Invalid::new("seq", "the first message of a chat is 1"));
    }
    let revision = revision(fields, &chat)?;
    let text = fields.required_string("text")?;
    let unsent = revision.as_ref().is_some_and(|revision| revision.unsent);
    let text = match (unsent, &*text) {
        (true, "") => Box::from(""),
        (true, _) => return Err(Invalid::new("text", "an unsent message has no text")),
        (false, text) => Text::parse(text, TEXT_HARD_MAX_BYTES)?.into_boxed(),
    };
    Ok(ArchiveMessage {
        seq: Seq(seq),
        ts: Ts(number(fields, "ts")?),
        sender: chat.member("sender", &fields.required_string("sender")?)?,
        text,
        key: fields.string("key")?.map(|key| SendKey::parse(&key)).transpose()?,
        data: fields.object("data")?.map(parse_data).transpose()?,
        revision,
        chat,
    })
}

fn revision(fields: &Line<'_>, chat: &Chat) -> Result<Option<Box<Revision>>, Invalid> {
    let edited_ts = optional_number(fields, "edited_ts")?.map(Ts);
    let unsent = fields.boolean("unsent")?.unwrap_or(false);
    let first_digest = fields.string("first_digest")?.map(|digest| {
        let digits = digest.len() == 32 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = u128::from_str_radix(&digest, 16).ok().filter(|_| digits);
        number
            .map(u128::to_be_bytes)
            .ok_or_else(|| Invalid::new("first_digest", "it must be 32 hexadecimal digits"))
    });
    let first_digest = first_digest.transpose()?;
    let reactions = reactions(fields, chat)?;
    let Some(ts) = optional_number(fields, "revised_ts")? else {
        let revised = edited_ts.is_some() || unsent || first_digest.is_some() || !reactions.is_empty();
        return if revised { Err(missing("revised_ts")) } else { Ok(None) };
    };
    Ok(Some(Box::new(Revision { ts: Ts(ts), edited_ts, unsent, reactions, first_digest })))
}

fn reactions(fields: &Line<'_>, chat: &Chat) -> Result<Vec<Reaction>, Invalid> {
    const MAX: usize = 40;
    let Some(json) = fields.array("reactions")? else { return Ok(Vec::new()) };
    let wrong = |_| Invalid::new("reactions", "reactions must be an array of objects of emoji and user");
    let read: Vec<ReadReaction<'_>> = serde_json::from_str(json).map_err(wrong)?;
    if read.len() > MAX || read.iter().any(|one| !(1..=64).contains(&one.emoji.len())) {
        return Err(Invalid::new("reactions", "a message has at most 40 reactions, of 1 to 64 bytes each"));
    }
    read.into_iter()
        .map(|one| Ok(Reaction { by: chat.member("reactions", &one.user)?, emoji: one.emoji.into() }))
        .collect()
}

fn markers(fields: &Line<'_>) -> Result<ArchiveMarkers, Invalid> {
    let chat = chat(fields)?;
    let markers = read_markers(fields, &chat)?;
    Ok(ArchiveMarkers { chat, markers })
}

fn read_markers(fields: &Line<'_>, chat: &Chat) -> Result<[Markers; 2], Invalid> {
    let json = fields.object("markers")?.ok_or_else(|| missing("markers"))?;
    let wrong =
        |_| Invalid::new("markers", "markers must be an object of users, each with delivered and read");
    let read: BTreeMap<Cow<'_, str>, WireMarkers> = serde_json::from_str(json.get()).map_err(wrong)?;
    let mut markers = [Markers::START; 2];
    for (user, stand) in read {
        let side = chat.member("markers", &user)?;
        for (kind, marker) in [(MarkerKind::Delivered, stand.delivered), (MarkerKind::Read, stand.read)] {
            let Some(marker) = marker else { continue };
            if !(1..=INTEGER_MAX).contains(&marker.seq) || marker.ts > INTEGER_MAX {
                return Err(Invalid::new(
                    "markers",
                    "a marker's seq is from 1 to 2^53 - 1, its ts at most that",
                ));
            }
            *markers[side.index()].get_mut(kind) = Marker { seq: Seq(marker.seq), ts: Ts(marker.ts) };
        }
    }
    Ok(markers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> Message {
        Message {
            chat: Chat::parse("apple:banana").expect("a chat").0,
            seq: Seq(7),
            ts: Ts(1_686_404_158_123_456),
            sender: Side::Second,
            nth: 3,
            text: "Hello \u{202e}👍\n".into(),
            key: Some(SendKey::parse("k").expect("a key")),
            data: Some(Data::from_compact(r#"{"b":1.50,"a":1E2}"#).expect("data")),
            revision: Some(Box::new(Revision {
                ts: Ts(1_686_404_159_000_000),
                edited_ts: Some(Ts(1_686_404_158_900_000)),
                unsent: false,
                reactions: vec![
                    Reaction { emoji: "🎉".into(), by: Side::Second },
                    Reaction { emoji: "👍".into(), by: Side::First },
                ],
                first_digest: Some([9; 16]),
            })),
        }
    }

    #[test]
    fn a_message_comes_back_as_it_went() {
        let unsent = Revision { unsent: true, reactions: Vec::new(), ..*message().revision.expect("one") };
        let plain = Message { key: None, data: None, revision: None, ..message() };
        let unsent = Message { text: "".into(), revision: Some(Box::new(unsent)), ..message() };
        for sent in [message(), plain, unsent] {
            let line = encode_archive_message(&sent);
            assert_eq!(line.split(|byte| *byte == b'\n').count(), 2, "one line, and its end");
            let Ok(ArchiveLine::Message(read)) = ArchiveLine::parse(&line) else { panic!("{line:?}") };
            let Message { chat, seq, ts, sender, text, key, data, revision, .. } = sent;
            assert_eq!(*read, ArchiveMessage { chat, seq, ts, sender, text, key, data, revision });
        }
        assert!(matches!(ArchiveLine::parse(&encode_archive_head()), Ok(ArchiveLine::Head(_))));
        assert!(matches!(ArchiveLine::parse(&encode_archive_end(5)), Ok(ArchiveLine::End(5))));
    }

    #[test]
    fn markers_come_back_as_they_went() {
        let chat = Chat::parse("a:b").expect("a chat").0;
        let marker = |seq, ts| Marker { seq: Seq(seq), ts: Ts(ts) };
        let markers = [Markers { delivered: marker(3, 30), read: marker(2, 31) }, Markers::START];
        let line = encode_archive_markers(&chat, &markers);
        let Ok(ArchiveLine::Markers(read)) = ArchiveLine::parse(&line) else { panic!("{line:?}") };
        assert_eq!(read, ArchiveMarkers { chat, markers });
    }

    #[test]
    fn what_is_wrong_is_named() {
        let good = r#"{"type":"message","chat":"a:b","seq":1,"ts":5,"sender":"a","text":"x"}"#;
        assert!(ArchiveLine::parse(good.as_bytes()).is_ok());
        for (from, into, field) in [
            (r#""type":"message""#, r#""type":"other""#, "type"),
            ("\"seq\":1", "\"seq\":0", "seq"),
            ("\"seq\":1", "\"seq\":\"1\"", "seq"),
            ("\"ts\":5,", "", "ts"),
            ("\"ts\":5", "\"ts\":9007199254740992", "ts"),
            (r#""sender":"a""#, r#""sender":"c""#, "sender"),
            (r#""text":"x""#, r#""text":"""#, "text"),
            (r#""text":"x""#, r#""text":"x","unsent":true,"revised_ts":9"#, "text"),
            (r#""text":"x""#, r#""text":"x","edited_ts":9"#, "revised_ts"),
            (r#""text":"x""#, r#""text":"x","key":"a b""#, "key"),
            (r#""text":"x""#, r#""text":"x","data":[]"#, "data"),
            (r#""text":"x""#, r#""text":"x","reactions":[{"emoji":"x"}]"#, "reactions"),
            (r#""text":"x""#, r#""text":"x","first_digest":"12""#, "first_digest"),
            ("{", "[", "line"),
        ] {
            let invalid = ArchiveLine::parse(good.replacen(from, into, 1).as_bytes()).expect_err(into);
            assert_eq!(invalid.field, field, "{into}: {}", invalid.detail);
        }
        let row =
            TableRow::parse(br#"{"sender":"a","peer":"b","text":"x","time":1686404158}"#).expect("a row");
        assert_eq!(row.time, "1686404158");
        assert_eq!(
            TableRow::parse(br#"{"sender":"a","peer":"b","text":"x"}"#).expect_err("no time").field,
            "time"
        );
    }
}
