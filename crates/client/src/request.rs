use serde::Serialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

#[derive(Debug, Serialize)]
pub(crate) struct SendRequest<'a> {
    pub(crate) chat: Cow<'a, str>,
    pub(crate) text: Cow<'a, str>,
    pub(crate) sender: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) data: Option<&'a RawValue>,
}

#[derive(Debug, Serialize)]
pub(crate) struct PullRequest<'a> {
    pub(crate) chat: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) limit: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cursor: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reverse: Option<bool>,
}
