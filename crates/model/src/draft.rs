use crate::{
    Chat, Code, Invalid, Side,
    limits::{DATA_MAX_BYTES, KEY_MAX_BYTES},
};
use std::{fmt, sync::Arc};

/// The text of a message: at least one byte, no NUL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text(Box<str>);

impl Text {
    /// Takes a text of 1 to `max_bytes` bytes; every Unicode scalar value but NUL is kept as it is.
    ///
    /// # Errors
    /// [`Invalid`] naming `text`, with [`Code::TextTooLong`] past the limit.
    pub fn parse(text: impl Into<Box<str>>, max_bytes: usize) -> Result<Self, Invalid> {
        let text = text.into();
        if text.is_empty() {
            return Err(Invalid::new("text", "the text must not be empty"));
        }
        if text.len() > max_bytes {
            return Err(Invalid::with(
                Code::TextTooLong,
                "text",
                format!("the text is {} bytes of UTF-8; the limit is {max_bytes}", text.len()),
            ));
        }
        if text.as_bytes().contains(&0) {
            return Err(Invalid::new("text", "the text must not contain NUL (U+0000)"));
        }
        Ok(Self(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text itself, given up.
    pub fn into_boxed(self) -> Box<str> {
        self.0
    }
}

/// The sender's own id of one send: 1 to [`KEY_MAX_BYTES`] bytes of 0x21 to 0x7E.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SendKey(Box<str>);

impl SendKey {
    /// Takes a key.
    ///
    /// # Errors
    /// [`Invalid`] naming `key`.
    pub fn parse(key: &str) -> Result<Self, Invalid> {
        if key.is_empty() || key.len() > KEY_MAX_BYTES || !key.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Invalid::new("key", "a key is 1 to 64 characters of visible ASCII (0x21 to 0x7E)"));
        }
        Ok(Self(key.into()))
    }

    /// The key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SendKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The application's own object, carried with a message and opaque to the server.
///
/// Held as the text that the wire gave (compact JSON, without insignificant white space); this room does not read it.
#[derive(Clone, PartialEq, Eq)]
pub struct Data(Arc<str>);

impl Data {
    /// Takes an object already in its compact form.
    ///
    /// # Errors
    /// [`Invalid`] naming `data`, with [`Code::DataTooLong`], past [`DATA_MAX_BYTES`].
    pub fn from_compact(json: impl Into<Arc<str>>) -> Result<Self, Invalid> {
        let json = json.into();
        if json.len() > DATA_MAX_BYTES {
            return Err(Invalid::with(
                Code::DataTooLong,
                "data",
                format!("the data is {} bytes of compact JSON; the limit is {DATA_MAX_BYTES}", json.len()),
            ));
        }
        Ok(Self(json))
    }

    /// The compact text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A message that a store is asked to append; the store gives it its `seq` and `ts`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// Where it goes.
    pub chat: Chat,
    /// Which of the chat's two users sends it.
    pub sender: Side,
    /// What it says.
    pub text: Text,
    /// The sender's own id of this send, by which a repeat is known.
    pub key: Option<SendKey>,
    /// The application's own object.
    pub data: Option<Data>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_at_and_past_its_bounds() {
        assert!(Text::parse("x", 4).is_ok());
        assert!(Text::parse("xxxx", 4).is_ok());
        assert!(Text::parse("👍", 4).is_ok());
        assert_eq!(Text::parse("xxxxx", 4).expect_err("long").code, Code::TextTooLong);
        assert_eq!(Text::parse("xé👍", 6).expect_err("bytes, not characters").code, Code::TextTooLong);
        assert_eq!(Text::parse("", 4).expect_err("empty").field, "text");
        assert_eq!(Text::parse("a\0", 4).expect_err("NUL").field, "text");
    }

    #[test]
    fn key_at_and_past_its_bounds() {
        for good in ["!", "~", &"k".repeat(64), "0b0f8d9e-7f0a-4f3e-9f59-2f9d4c0c8d3a"] {
            assert!(SendKey::parse(good).is_ok(), "{good}");
        }
        for bad in ["", " ", "a b", "é", "a\n", "\u{7f}", &"k".repeat(65)] {
            assert_eq!(SendKey::parse(bad).expect_err(bad).field, "key");
        }
    }

    #[test]
    fn data_at_and_past_its_bound() {
        let of = |len: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(len - 8));
        assert!(Data::from_compact(of(4096)).is_ok());
        assert_eq!(Data::from_compact(of(4097)).expect_err("long").code, Code::DataTooLong);
    }
}
