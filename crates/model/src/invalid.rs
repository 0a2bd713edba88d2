use std::borrow::Cow;

/// Why an input was refused: the field, a stable code, and a sentence for a person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {detail}")]
pub struct Invalid {
    /// The field of the request that is wrong, as the request spells it.
    pub field: Cow<'static, str>,
    /// The stable code.
    pub code: Code,
    /// One sentence that says what is allowed.
    pub detail: Cow<'static, str>,
}

/// Stable codes of refused input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// The input cannot be read as what it claims to be, so that no more of it is known than where it broke.
    Malformed,
    /// A value of the wrong type, form or range.
    Invalid,
    /// A field that the verb needs is absent or `null`.
    Missing,
    /// A field stands twice.
    Duplicate,
    /// The text is over the limit.
    TextTooLong,
    /// The `data` object is over its limit.
    DataTooLong,
    /// The sender or user is not one of the two users of the chat.
    NotAMember,
}

impl Invalid {
    /// An [`Invalid`] with [`Code::Invalid`].
    pub fn new(field: impl Into<Cow<'static, str>>, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::with(Code::Invalid, field, detail)
    }

    /// An [`Invalid`] with a code of its own.
    pub fn with(
        code: Code,
        field: impl Into<Cow<'static, str>>,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { field: field.into(), code, detail: detail.into() }
    }
}
