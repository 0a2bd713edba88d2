use chinwag_model::{Code, Invalid};
use std::{borrow::Cow, fmt::Write as _};

/// What stands in [`Invalid::field`] where the query string as a whole is wrong.
pub(crate) const QUERY: &str = "query";

/// Gives `take` each pair of a query string, and refuses a name that stands twice, known or not, but for `many`.
///
/// # Errors
/// [`Invalid`] naming `query` or the pair, or the first error of `take`.
pub(crate) fn read<'a>(
    query: &'a str,
    many: Option<&str>,
    mut take: impl FnMut(&str, Cow<'a, str>) -> Result<(), Invalid>,
) -> Result<(), Invalid> {
    let mut seen: Vec<Cow<'_, str>> = Vec::new();
    for pair in pairs(query) {
        let (name, value) = pair?;
        if seen.contains(&name) {
            let detail = format!("{name} stands twice");
            return Err(Invalid::with(Code::Duplicate, name.into_owned(), detail));
        }
        take(&name, value)?;
        if many != Some(&*name) {
            seen.push(name);
        }
    }
    Ok(())
}

/// A query string of these pairs, without its `?`, for those who ask.
pub fn encode_query<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut query = String::new();
    for (name, value) in pairs {
        if !query.is_empty() {
            query.push('&');
        }
        encode_part(&mut query, name);
        query.push('=');
        encode_part(&mut query, value);
    }
    query
}

/// Percent-encodes all but the characters that RFC 3986 calls unreserved.
fn encode_part(query: &mut String, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => query.push(byte.into()),
            _ => write!(query, "%{byte:02X}").expect("a string takes every write"),
        }
    }
}

/// The pairs of a query string, decoded; a pair without `=` has an empty value.
fn pairs(query: &str) -> impl Iterator<Item = Result<(Cow<'_, str>, Cow<'_, str>), Invalid>> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Ok((decode(name)?, decode(value)?))
    })
}

/// Percent-decodes, with `+` as a space.
fn decode(text: &str) -> Result<Cow<'_, str>, Invalid> {
    if !text.contains(['%', '+']) {
        return Ok(Cow::Borrowed(text));
    }
    let malformed = |detail: &'static str| Invalid::with(Code::Malformed, QUERY, detail);
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
                let (Some(high), Some(low)) = (digit(), digit()) else {
                    return Err(malformed("a % in the query string must stand before two hex digits"));
                };
                u8::try_from(high * 16 + low).expect("two hex digits are a byte")
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes)
        .map(Cow::Owned)
        .map_err(|_| malformed("the query string does not decode to UTF-8"))
}
