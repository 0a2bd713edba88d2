use crate::{
    data::parse_data,
    fields::{Fields, begins_as_object, optional_str},
    key::parse_header_key,
};
use chinwag_model::{Chat, Draft, Invalid, SendKey, Spelling, Text};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The body of `POST /api/send`, its strings borrowed where they have no escapes.
///
/// Its shape is right, its values are not yet looked at: [`SendRequest::into_draft`] does that. What comes from
/// outside goes through [`SendRequest::parse`], which is stricter than the derived `Deserialize`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SendRequest<'a> {
    /// The chat, in either spelling.
    #[serde(borrow)]
    pub chat: Cow<'a, str>,
    /// What the message says.
    #[serde(borrow)]
    pub text: Cow<'a, str>,
    /// Who sends it: one of the chat's two users.
    #[serde(borrow)]
    pub sender: Cow<'a, str>,
    /// The sender's own id of this send.
    #[serde(default, borrow, deserialize_with = "optional_str", skip_serializing_if = "Option::is_none")]
    pub key: Option<Cow<'a, str>>,
    /// The application's own object.
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    pub data: Option<&'a RawValue>,
}

impl<'a> SendRequest<'a> {
    /// Reads a body.
    ///
    /// # Errors
    /// [`Invalid`] that names the field, or `body`.
    pub fn parse(body: &'a [u8]) -> Result<Self, Invalid> {
        Self::parse_fast(body).map_or_else(|| Self::parse_slowly(body), Ok)
    }

    fn parse_fast(body: &'a [u8]) -> Option<Self> {
        let text = str::from_utf8(body).ok().filter(|_| begins_as_object(body))?;
        serde_json::from_str(text).ok()
    }

    fn parse_slowly(body: &'a [u8]) -> Result<Self, Invalid> {
        let fields = Fields::read(body, ["chat", "text", "sender", "key", "data"])?;
        Ok(Self {
            chat: fields.required_string("chat")?,
            text: fields.required_string("text")?,
            sender: fields.required_string("sender")?,
            key: fields.string("key")?,
            data: fields.object("data")?,
        })
    }

    /// Checks every value. `header_key` is the value of `Idempotency-Key`; where the body has a key too, the two must
    /// be equal.
    ///
    /// # Errors
    /// [`Invalid`] that names the field.
    pub fn into_draft(
        self,
        header_key: Option<&[u8]>,
        text_max_bytes: usize,
    ) -> Result<(Draft, Spelling), Invalid> {
        let (chat, spelling) = Chat::parse(&self.chat)?;
        let text = Text::parse(self.text, text_max_bytes)?;
        let sender = chat.member("sender", &self.sender)?;
        let body_key = self.key.as_deref().map(SendKey::parse).transpose()?;
        let header_key = header_key.map(parse_header_key).transpose()?;
        if let (Some(body), Some(header)) = (&body_key, &header_key)
            && body != header
        {
            return Err(Invalid::new(
                "key",
                "key and the header Idempotency-Key must be equal where both are given",
            ));
        }
        let data = self.data.map(parse_data).transpose()?;
        Ok((Draft { chat, sender, text, key: body_key.or(header_key), data }, spelling))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::sketch::objects;
    use proptest::prelude::*;

    const USUAL: &[(&str, &str)] =
        &[("chat", r#""a:b""#), ("text", r#""x""#), ("sender", r#""a""#), ("key", r#""k""#), ("data", "{ }")];

    proptest! {
        #[test]
        fn both_readings_agree(body in objects(USUAL)) {
            let shown = |request: SendRequest<'_>| serde_json::to_string(&request).expect("it serializes");
            let slow = SendRequest::parse_slowly(body.as_bytes());
            match SendRequest::parse_fast(body.as_bytes()) {
                // That data is an object is looked at later, and so said by the slow reading alone.
                Some(fast) if fast.data.is_some_and(|data| !data.get().starts_with('{')) => {
                    prop_assert_eq!(slow.expect_err("wrong data").field, "data");
                }
                Some(fast) => prop_assert_eq!(slow.map(shown), Ok(shown(fast))),
                None => prop_assert!(slow.is_err()),
            }
        }
    }
}
