use chinwag_model::{Code, Invalid};
use std::borrow::Cow;

/// What stands in [`Invalid::field`] where the query string as a whole is wrong.
pub(crate) const QUERY: &str = "query";

/// The pairs of a query string, decoded; a pair without `=` has an empty value.
pub(crate) fn pairs(query: &str) -> impl Iterator<Item = Result<(Cow<'_, str>, Cow<'_, str>), Invalid>> {
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
