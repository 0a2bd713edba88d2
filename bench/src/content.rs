//! What the generator says: the names of its chats, its texts, and the bytes of its requests.
//!
//! A text is made from the run's random number and the send's own number, so that any message read back tells which
//! send it came from, and what it must say can be made again instead of being kept.

use crate::{BenchError, Form, Rng, Server};
use chinwag_model::{Chat, Side};
use chinwag_wire::WireMessage;
use std::{
    io::Write as _,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

/// Shortest text: the run's number and the send's, in hexadecimal.
pub(crate) const TEXT_MIN_BYTES: usize = 32;

/// Random letters that texts are cut from.
const POOL_BYTES: usize = 64 * 1024;

/// The chats of a load.
#[derive(Debug, Clone)]
pub enum Chats {
    /// One chat, with its two users in the order of its canonical spelling.
    One(Chat),
    /// This many, `u00000000a:u00000000b` the first.
    Numbered(u32),
}

impl Chats {
    /// How many there are.
    pub fn count(&self) -> u32 {
        match self {
            Self::One(_) => 1,
            Self::Numbered(count) => *count,
        }
    }

    /// The name of one.
    pub fn name(&self, chat: u32) -> String {
        match self {
            Self::One(one) => one.as_str().to_owned(),
            Self::Numbered(_) => format!("u{chat:08}a:u{chat:08}b"),
        }
    }
}

/// Which of a chat's users send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Senders {
    /// The two take turns.
    Both,
    /// The first alone, the other listens.
    First,
}

/// The texts and requests of one run.
#[derive(Debug)]
pub(crate) struct Content {
    run: u64,
    chats: Chats,
    text_bytes: usize,
    keyed: bool,
    senders: Senders,
    fields: String,
    pool: Vec<u8>,
    next_send: AtomicU64,
}

impl Content {
    /// Contents whose texts no other run has.
    ///
    /// # Errors
    /// [`BenchError::Plan`] without a chat, [`BenchError::Unfit`] without randomness.
    pub(crate) fn new(
        server: &Server,
        chats: Chats,
        text_bytes: usize,
        keyed: bool,
        senders: Senders,
    ) -> Result<Self, BenchError> {
        if chats.count() == 0 {
            return Err(BenchError::Plan("there must be at least one chat".into()));
        }
        let run = getrandom::u64().map_err(|error| BenchError::Unfit(format!("no randomness: {error}")))?;
        let mut rng = Rng::new(run);
        let letters = b"abcdefghijklmnopqrstuvwxyz      ";
        let pool = (0..POOL_BYTES).map(|_| letters[rng.below(32) as usize]).collect();
        let fields = server.fields().to_owned();
        Ok(Self { run, chats, text_bytes, keyed, senders, fields, pool, next_send: AtomicU64::new(0) })
    }

    /// The chats of the load.
    pub(crate) fn chats(&self) -> &Chats {
        &self.chats
    }

    /// The number of the next send; none is given twice.
    pub(crate) fn number(&self) -> u64 {
        self.next_send.fetch_add(1, Relaxed)
    }

    /// Writes the request of a send to `path`.
    pub(crate) fn write_send(&self, out: &mut Buffer, path: &str, chat: u32, number: u64) {
        let body = &mut out.body;
        body.clear();
        body.extend_from_slice(br#"{"chat":""#);
        self.write_chat(body, chat);
        body.extend_from_slice(br#"","text":""#);
        self.write_text(body, number);
        body.extend_from_slice(br#"","sender":""#);
        self.write_user(body, chat, self.senders.of(number));
        if self.keyed {
            body.extend_from_slice(br#"","key":""#);
            self.write_identity(body, number);
        }
        body.extend_from_slice(br#""}"#);
        out.finish("POST", path, &self.fields);
    }

    /// Writes the request of a pull of a chat's newest 10.
    pub(crate) fn write_pull(&self, out: &mut Buffer, chat: u32, form: Form) {
        let body = &mut out.body;
        body.clear();
        match form {
            Form::Query => {
                body.extend_from_slice(b"/api/pull?reverse=true&chat=");
                match &self.chats {
                    Chats::Numbered(_) => self.write_chat(body, chat),
                    Chats::One(one) => write_percent_encoded(body, one.as_str()),
                }
                out.head.clear();
                out.head.extend_from_slice(b"GET ");
                out.head.extend_from_slice(&out.body);
                write!(out.head, " HTTP/1.1\r\n{}\r\n\r\n", self.fields).expect("a vector");
            }
            Form::GetBody | Form::Post => {
                body.extend_from_slice(br#"{"chat":""#);
                self.write_chat(body, chat);
                body.extend_from_slice(br#"","reverse":true}"#);
                let method = if form == Form::Post { "POST" } else { "GET" };
                out.finish(method, "/api/pull", &self.fields);
            }
        }
    }

    /// Writes the request of a page of a chat that begins after a place.
    pub(crate) fn write_page(&self, out: &mut Buffer, chat: u32, cursor: u64) {
        let body = &mut out.body;
        body.clear();
        body.extend_from_slice(br#"{"chat":""#);
        self.write_chat(body, chat);
        write!(body, r#"","limit":1000,"cursor":{cursor}}}"#).expect("a vector");
        out.finish("POST", "/api/pull", &self.fields);
    }

    /// Whether a message is what that send asked for.
    pub(crate) fn is(
        &self,
        message: &WireMessage<'_>,
        chat: u32,
        number: u64,
        scratch: &mut Vec<u8>,
    ) -> bool {
        scratch.clear();
        self.write_text(scratch, number);
        let text = message.text.as_bytes() == scratch.as_slice();
        scratch.clear();
        self.write_identity(scratch, number);
        let key = message.key.as_deref().map(str::as_bytes) == self.keyed.then_some(scratch.as_slice());
        text && key
            && message.chat == self.chats.name(chat)
            && message.sender == self.user(chat, self.senders.of(number))
    }

    /// The number of the send of this run that a text came from; `None` for any other text.
    pub(crate) fn origin(&self, text: &str) -> Option<u64> {
        let run = u64::from_str_radix(text.get(..16)?, 16).ok()?;
        let number = u64::from_str_radix(text.get(16..TEXT_MIN_BYTES)?, 16).ok()?;
        (run == self.run).then_some(number)
    }

    /// Writes the text of a send.
    pub(crate) fn write_text(&self, out: &mut Vec<u8>, number: u64) {
        self.write_identity(out, number);
        let mut left = self.text_bytes - TEXT_MIN_BYTES;
        let mut at =
            usize::try_from(number.wrapping_mul(997) % (POOL_BYTES as u64)).expect("below the pool's size");
        while left > 0 {
            let piece = &self.pool[at..(at + left).min(POOL_BYTES)];
            out.extend_from_slice(piece);
            left -= piece.len();
            at = 0;
        }
    }

    /// Writes the key of a send.
    pub(crate) fn write_identity(&self, out: &mut Vec<u8>, number: u64) {
        for byte in [self.run, number].iter().flat_map(|word| word.to_be_bytes()) {
            for half in [byte >> 4, byte & 15] {
                out.push(b"0123456789abcdef"[usize::from(half)]);
            }
        }
    }

    fn write_chat(&self, out: &mut Vec<u8>, chat: u32) {
        match &self.chats {
            Chats::One(one) => write_escaped(out, one.as_str()),
            Chats::Numbered(_) => {
                self.write_user(out, chat, Side::First);
                out.push(b':');
                self.write_user(out, chat, Side::Second);
            }
        }
    }

    fn write_user(&self, out: &mut Vec<u8>, chat: u32, side: Side) {
        match &self.chats {
            Chats::One(one) => write_escaped(out, one.user(side)),
            Chats::Numbered(_) => {
                let mut name = *b"u00000000a";
                let mut rest = chat;
                for digit in name[1..9].iter_mut().rev() {
                    *digit = b'0' + u8::try_from(rest % 10).expect("a digit");
                    rest /= 10;
                }
                if side == Side::Second {
                    name[9] = b'b';
                }
                out.extend_from_slice(&name);
            }
        }
    }

    /// The name of a user of a chat.
    pub(crate) fn user(&self, chat: u32, side: Side) -> String {
        match &self.chats {
            Chats::One(one) => one.user(side).to_owned(),
            Chats::Numbered(_) => format!("u{chat:08}{}", if side == Side::First { 'a' } else { 'b' }),
        }
    }
}

impl Senders {
    /// Who sends the send of this number.
    fn of(self, number: u64) -> Side {
        match self {
            Self::Both if !number.is_multiple_of(2) => Side::Second,
            Self::Both | Self::First => Side::First,
        }
    }
}

fn write_escaped(out: &mut Vec<u8>, text: &str) {
    let quoted = serde_json::to_vec(text).expect("a string always serializes");
    out.extend_from_slice(&quoted[1..quoted.len() - 1]);
}

/// A text as a query string has it.
pub(crate) fn percent_encoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    write_percent_encoded(&mut out, text);
    String::from_utf8(out).expect("ASCII")
}

fn write_percent_encoded(out: &mut Vec<u8>, text: &str) {
    for &byte in text.as_bytes() {
        if byte.is_ascii_alphanumeric() {
            out.push(byte);
        } else {
            write!(out, "%{byte:02X}").expect("a vector");
        }
    }
}

/// The bytes of a request, kept so that the next one needs no memory of its own.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    head: Vec<u8>,
    body: Vec<u8>,
}

impl Buffer {
    /// The whole request, once written.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.head
    }

    /// Writes a `POST` of this JSON.
    pub(crate) fn write_post(&mut self, path: &str, json: &str, fields: &str) {
        self.body.clear();
        self.body.extend_from_slice(json.as_bytes());
        self.finish("POST", path, fields);
    }

    /// Writes a `GET`.
    pub(crate) fn write_get(&mut self, path: &str, fields: &str) {
        self.head.clear();
        write!(self.head, "GET {path} HTTP/1.1\r\n{fields}\r\n\r\n").expect("a vector");
    }

    fn finish(&mut self, method: &str, path: &str, fields: &str) {
        self.head.clear();
        for part in [method, " ", path, " HTTP/1.1\r\n", fields] {
            self.head.extend_from_slice(part.as_bytes());
        }
        let length = self.body.len();
        write!(self.head, "\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n")
            .expect("a vector");
        self.head.extend_from_slice(&self.body);
    }
}
