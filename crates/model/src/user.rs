use crate::{Invalid, limits::USER_MAX_BYTES};
use std::{fmt, sync::Arc};

/// An opaque user name chosen by the host application, compared byte for byte.
///
/// 1 to [`USER_MAX_BYTES`] bytes of UTF-8, no `:`, no control character (Unicode Cc), no leading or trailing
/// white space (Unicode `White_Space`).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(Arc<str>);

impl UserId {
    /// Takes a name, or says what is wrong with it; `field` is the request's field that held it.
    ///
    /// # Errors
    /// [`Invalid`] naming `field`.
    pub fn parse(field: &'static str, name: &str) -> Result<Self, Invalid> {
        check_name(name).map_err(|why| Invalid::new(field, why))?;
        Ok(Self(name.into()))
    }

    /// Takes a name that was checked as a part of a chat.
    pub(crate) fn of_checked(name: &str) -> Self {
        Self(name.into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for UserId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The rule of a user name, shared with [`crate::Chat`], which holds two.
pub(crate) fn check_name(name: &str) -> Result<(), &'static str> {
    if name.is_empty() {
        return Err("a user name must not be empty");
    }
    if name.len() > USER_MAX_BYTES {
        return Err("a user name must be at most 128 bytes");
    }
    // Printable ASCII, nearly every name there is, needs no Unicode tables.
    if name.bytes().all(|b| b.is_ascii_graphic() && b != b':') {
        return Ok(());
    }
    if name.contains(':') {
        return Err("a user name must not contain a colon");
    }
    if name.chars().any(char::is_control) {
        return Err("a user name must not contain control characters");
    }
    if name.starts_with(char::is_whitespace) || name.ends_with(char::is_whitespace) {
        return Err("a user name must not begin or end with white space");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_at_and_past_each_bound() {
        for good in ["a", "Ä pfel", "苹果", "a\u{301}", "👩‍👩‍👧", &"x".repeat(128), "a b", "\u{feff}a"]
        {
            assert_eq!(UserId::parse("user", good).map(|u| u.as_str().to_owned()), Ok(good.to_owned()));
        }
        let long = "x".repeat(129);
        let long_utf8 = "é".repeat(64) + "x";
        for bad in [
            "",
            "a:b",
            ":",
            " a",
            "a ",
            "\u{a0}a",
            "a\u{2003}",
            "a\0",
            "a\n",
            "\u{85}",
            "a\u{9f}b",
            &long,
            &long_utf8,
        ] {
            let invalid = UserId::parse("sender", bad).expect_err(bad);
            assert_eq!(invalid.field, "sender");
        }
    }

    #[test]
    fn names_are_case_sensitive_and_not_normalised() {
        let parse = |name| UserId::parse("user", name).expect("valid");
        assert_ne!(parse("Apple"), parse("apple"));
        assert_ne!(parse("\u{e9}"), parse("e\u{301}"));
    }
}
