use crate::{
    fields::{Fields, begins_as_object, missing, parse_natural},
    query::read,
};
use chinwag_model::{Chat, Direction, Invalid, PageQuery, Place, Spelling};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// A pull, as a JSON body or a query string asks for it.
///
/// Its shape is right, its values are not yet looked at: [`PullRequest::into_query`] does that. What comes from
/// outside goes through [`PullRequest::parse_json`] and [`PullRequest::parse_query`], which are stricter than the
/// derived `Deserialize`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullRequest<'a> {
    /// The chat, in either spelling.
    #[serde(borrow)]
    pub chat: Cow<'a, str>,
    /// Most messages on the page; 0 and `None` are the default, more than the bound is the bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// The place where the page begins; 0 and `None` are the natural start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<u64>,
    /// Whether the newest message comes first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reverse: Option<bool>,
}

impl<'a> PullRequest<'a> {
    /// Reads a JSON body.
    ///
    /// # Errors
    /// [`Invalid`] that names the field, or `body`.
    pub fn parse_json(body: &'a [u8]) -> Result<Self, Invalid> {
        Self::parse_fast(body).map_or_else(|| Self::parse_slowly(body), Ok)
    }

    fn parse_fast(body: &'a [u8]) -> Option<Self> {
        let text = str::from_utf8(body).ok().filter(|_| begins_as_object(body))?;
        serde_json::from_str(text).ok()
    }

    /// Takes what the fast reading can't hold too, such as a limit past `u64`.
    fn parse_slowly(body: &'a [u8]) -> Result<Self, Invalid> {
        let fields = Fields::read(body, ["chat", "limit", "cursor", "reverse"])?;
        Ok(Self {
            chat: fields.required_string("chat")?,
            limit: fields.natural("limit")?,
            cursor: fields.natural("cursor")?,
            reverse: fields.boolean("reverse")?,
        })
    }

    /// Reads a query string, without its `?`.
    ///
    /// # Errors
    /// [`Invalid`] that names the field, or `query`.
    pub fn parse_query(query: &'a str) -> Result<Self, Invalid> {
        let (mut chat, mut limit, mut cursor, mut reverse) = (None, None, None, None);
        read(query, None, |name, value| {
            match name {
                "chat" => chat = Some(value),
                "limit" => limit = Some(parse_natural("limit", &value)?),
                "cursor" => cursor = Some(parse_natural("cursor", &value)?),
                "reverse" => reverse = Some(parse_bool("reverse", &value)?),
                _ => {}
            }
            Ok(())
        })?;
        Ok(Self { chat: chat.ok_or_else(|| missing("chat"))?, limit, cursor, reverse })
    }

    /// Checks every value.
    ///
    /// # Errors
    /// [`Invalid`] that names the field.
    pub fn into_query(self) -> Result<(PageQuery, Spelling), Invalid> {
        let (chat, spelling) = Chat::parse(&self.chat)?;
        let from = Place::parse(self.cursor.unwrap_or(0))?;
        let direction = if self.reverse.unwrap_or(false) { Direction::Reverse } else { Direction::Forward };
        let limit = usize::try_from(self.limit.unwrap_or(0)).unwrap_or(usize::MAX);
        Ok((PageQuery::new(chat, from, direction, limit), spelling))
    }
}

fn parse_bool(name: &'static str, text: &str) -> Result<bool, Invalid> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Invalid::new(name, format!("{name} must be true or false"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::sketch::objects;
    use proptest::prelude::*;

    const USUAL: &[(&str, &str)] =
        &[("chat", r#""a:b""#), ("limit", "5"), ("cursor", "7"), ("reverse", "false")];

    proptest! {
        #[test]
        fn both_readings_agree(body in objects(USUAL)) {
            if let Some(fast) = PullRequest::parse_fast(body.as_bytes()) {
                prop_assert_eq!(PullRequest::parse_slowly(body.as_bytes()), Ok(fast));
            }
        }

        #[test]
        fn a_query_string_and_its_json_ask_the_same(
            chat in "[\\PC&&[^:]]{1,8}:[\\PC&&[^:]]{1,8}", limit in any::<u64>(), cursor in any::<u64>(), reverse: bool,
        ) {
            let encoded = chat.bytes().map(|byte| format!("%{byte:02x}")).collect::<Vec<_>>().concat();
            let query = format!("reverse={reverse}&chat={encoded}&cursor={cursor}&limit={limit}");
            let request =
                PullRequest { chat: chat.into(), limit: Some(limit), cursor: Some(cursor), reverse: Some(reverse) };
            let json = serde_json::to_vec(&request).expect("it serializes");
            prop_assert_eq!(PullRequest::parse_json(&json), Ok(request.clone()));
            prop_assert_eq!(PullRequest::parse_query(&query), Ok(request));
        }
    }
}
