//! Writes replies straight into one buffer.

use chinwag_model::{Chat, Message, Page, Revision, Side, Spelling};

/// A message as JSON, its chat spelled as the request did.
pub fn encode_message(message: &Message, spelling: Spelling) -> Vec<u8> {
    let names = Names::new(&message.chat, spelling);
    let mut out = Vec::with_capacity(size_hint(message));
    names.write_message(&mut out, message);
    out
}

/// The reply to a pull as JSON, the chat spelled as the request did.
pub fn encode_page(page: &Page, spelling: Spelling) -> Vec<u8> {
    let capacity = page.messages.iter().map(|message| size_hint(message) + 1).sum::<usize>();
    let mut out = Vec::with_capacity(capacity + 80);
    out.extend_from_slice(br#"{"messages":["#);
    if let Some((first, rest)) = page.messages.split_first() {
        // A page is of one chat, so that its names are escaped once.
        let names = Names::new(&first.chat, spelling);
        names.write_message(&mut out, first);
        for message in rest {
            out.push(b',');
            names.write_message(&mut out, message);
        }
    }
    out.push(b']');
    if let Some(next) = page.next {
        out.extend_from_slice(br#","has_more":true,"next_cursor":"#);
        write_number(&mut out, next.get());
    }
    out.push(b'}');
    out
}

/// An estimate of a message's JSON, enough where nothing needs escapes and nothing was revised.
pub(crate) fn size_hint(message: &Message) -> usize {
    // The fixed part of the weight covers the fields' names and numbers; the names of chat and sender come on top.
    message.weight() + 2 * message.chat.as_str().len()
}

/// What stands before the chat of a message.
const HEAD: &[u8] = br#"{"chat":"#;
/// What stands between its chat and its text.
const TEXT: &[u8] = br#","text":"#;

/// What is the same in every message of a chat, escaped once and held in one buffer.
pub(crate) struct Names {
    bytes: Vec<u8>,
    /// Where what stands before the text ends: the opening brace, the chat, and the name of the text's field.
    head_end: usize,
    /// Where the name of the first user ends and that of the second begins.
    first_end: usize,
}

impl Names {
    pub(crate) fn new(chat: &Chat, spelling: Spelling) -> Self {
        let mut bytes = Vec::with_capacity(32 + 2 * chat.as_str().len());
        bytes.extend_from_slice(HEAD);
        match spelling {
            Spelling::Canonical => write_string(&mut bytes, chat.as_str()),
            Spelling::Swapped => write_string(&mut bytes, &chat.spelled(spelling)),
        }
        bytes.extend_from_slice(TEXT);
        let head_end = bytes.len();
        write_string(&mut bytes, chat.user(Side::First));
        let first_end = bytes.len();
        write_string(&mut bytes, chat.user(Side::Second));
        Self { bytes, head_end, first_end }
    }

    fn head(&self) -> &[u8] {
        &self.bytes[..self.head_end]
    }

    /// The chat, quoted.
    pub(crate) fn chat(&self) -> &[u8] {
        &self.bytes[HEAD.len()..self.head_end - TEXT.len()]
    }

    /// The name of the user on a side, quoted.
    pub(crate) fn user(&self, side: Side) -> &[u8] {
        match side {
            Side::First => &self.bytes[self.head_end..self.first_end],
            Side::Second => &self.bytes[self.first_end..],
        }
    }

    /// Writes a message of the chat.
    pub(crate) fn write_message(&self, out: &mut Vec<u8>, message: &Message) {
        out.extend_from_slice(self.head());
        write_string(out, &message.text);
        out.extend_from_slice(br#","sender":"#);
        out.extend_from_slice(self.user(message.sender));
        out.extend_from_slice(br#","send_time":"#);
        write_number(out, message.ts.seconds());
        out.extend_from_slice(br#","seq":"#);
        write_number(out, message.seq.0);
        out.extend_from_slice(br#","ts":"#);
        write_number(out, message.ts.0);
        if let Some(key) = &message.key {
            out.extend_from_slice(br#","key":"#);
            write_string(out, key.as_str());
        }
        if let Some(data) = &message.data {
            out.extend_from_slice(br#","data":"#);
            out.extend_from_slice(data.as_str().as_bytes());
        }
        if let Some(revision) = &message.revision {
            self.write_revision(out, revision);
        }
        out.push(b'}');
    }

    fn write_revision(&self, out: &mut Vec<u8>, revision: &Revision) {
        if let Some(edited) = revision.edited_ts {
            out.extend_from_slice(br#","edited_ts":"#);
            write_number(out, edited.0);
        }
        if revision.unsent {
            out.extend_from_slice(br#","unsent":true"#);
        }
        if revision.reactions.is_empty() {
            return;
        }
        out.extend_from_slice(br#","reactions":"#);
        let mut open = b'{';
        for (at, first) in revision.reactions.iter().enumerate() {
            if revision.reactions[..at].iter().any(|earlier| earlier.emoji == first.emoji) {
                continue;
            }
            out.push(open);
            open = b',';
            write_string(out, &first.emoji);
            out.push(b':');
            let mut open = b'[';
            for reaction in revision.reactions[at..].iter().filter(|other| other.emoji == first.emoji) {
                out.push(open);
                open = b',';
                out.extend_from_slice(self.user(reaction.by));
            }
            out.push(b']');
        }
        out.push(b'}');
    }
}

pub(crate) fn write_number(out: &mut Vec<u8>, number: u64) {
    serde_json::to_writer(out, &number).expect("a vector takes every write");
}

/// Writes a JSON string; one without escapes, nearly every one, is copied as a whole.
pub(crate) fn write_string(out: &mut Vec<u8>, text: &str) {
    if needs_escapes(text.as_bytes()) {
        serde_json::to_writer(out, text).expect("a vector takes every write");
    } else {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    }
}

/// Looks at whole chunks without a branch in them, so that the compiler uses vector instructions.
fn needs_escapes(bytes: &[u8]) -> bool {
    bytes.chunks(64).any(|chunk| chunk.iter().fold(0, |found, &byte| found | is_escaped(byte)) != 0)
}

/// 1 for a byte that JSON escapes in a string, else 0.
fn is_escaped(byte: u8) -> u8 {
    u8::from(byte < 0x20) | u8::from(byte == b'"') | u8::from(byte == b'\\')
}
