use crate::{
    encode::{write_number, write_string},
    fields::Fields,
};
use chinwag_model::{Erased, Invalid, UserId};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// The body of `POST /api/erase`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EraseRequest<'a> {
    /// Who is erased.
    pub user: Cow<'a, str>,
    /// Whether it is only to be counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<bool>,
}

impl<'a> EraseRequest<'a> {
    /// Reads a JSON object.
    ///
    /// # Errors
    /// [`Invalid`] that names the field, or `body`.
    pub fn parse_json(body: &'a [u8]) -> Result<Self, Invalid> {
        let fields = Fields::read(body, ["user", "dry_run"])?;
        Ok(Self { user: fields.required_string("user")?, dry_run: fields.boolean("dry_run")? })
    }

    /// Checks the name; and whether it is only to be counted.
    ///
    /// # Errors
    /// [`Invalid`] that names the field.
    pub fn into_user(self) -> Result<(UserId, bool), Invalid> {
        Ok((UserId::parse("user", &self.user)?, self.dry_run.unwrap_or(false)))
    }
}

/// What an erasure came to, as JSON.
pub fn encode_erased(user: &UserId, erased: &Erased) -> Vec<u8> {
    let Erased { messages, reactions, markers, blocks, done } = *erased;
    let mut out = br#"{"user":"#.to_vec();
    write_string(&mut out, user.as_str());
    let counts = [("messages", messages), ("reactions", reactions), ("markers", markers), ("blocks", blocks)];
    for (name, count) in counts {
        out.extend_from_slice(format!(",\"{name}\":").as_bytes());
        write_number(&mut out, count);
    }
    out.extend_from_slice(if done { br#","done":true}"# } else { br#","done":false}"# });
    out
}

/// What an erasure came to, for those who read it; the server writes it with [`encode_erased`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EraseReply<'a> {
    /// Who is erased.
    #[serde(borrow)]
    pub user: Cow<'a, str>,
    /// Messages that this request took back.
    pub messages: u64,
    /// Reactions that it took away.
    pub reactions: u64,
    /// Chats in which it forgot the user's markers.
    pub markers: u64,
    /// Blocks that it ended.
    pub blocks: u64,
    /// Whether nothing is left.
    pub done: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_and_a_reply_is_written() {
        let apple = UserId::parse("user", "apple").expect("a name");
        let request = EraseRequest::parse_json(br#"{"user":"apple","dry_run":true,"more":1}"#).expect("read");
        assert_eq!(request.into_user().expect("a name"), (apple.clone(), true));
        let request = EraseRequest::parse_json(br#"{"user":"apple","dry_run":null}"#).expect("read");
        assert!(!request.into_user().expect("a name").1);
        for (body, field) in [
            (&br"{}"[..], "user"),
            (br#"{"user":1}"#, "user"),
            (br#"{"user":"apple","dry_run":1}"#, "dry_run"),
            (b"[]", "body"),
        ] {
            assert_eq!(EraseRequest::parse_json(body).expect_err("wrong").field, field);
        }
        let no_name = EraseRequest::parse_json(br#"{"user":"a:b"}"#).expect("read").into_user();
        assert_eq!(no_name.expect_err("wrong").field, "user");

        let erased = Erased { messages: 1, reactions: 2, markers: 3, blocks: 4, done: true };
        let json = encode_erased(&apple, &erased);
        let reply: EraseReply<'_> = serde_json::from_slice(&json).expect("JSON");
        let expected =
            EraseReply { user: "apple".into(), messages: 1, reactions: 2, markers: 3, blocks: 4, done: true };
        assert_eq!(reply, expected);
    }
}
