use chinwag_model::{Invalid, SendKey};

/// Name of the header, as [`Invalid::field`] gives it.
const HEADER: &str = "Idempotency-Key";

/// Takes the value of the header `Idempotency-Key`: a bare key, or a quoted string as RFC 8941 (3.3.3) has it, in
/// which `\"` and `\\` are escapes.
///
/// # Errors
/// [`Invalid`] naming the header.
pub fn parse_header_key(value: &[u8]) -> Result<SendKey, Invalid> {
    let bad = || {
        Invalid::new(
            HEADER,
            "the header is a key of 1 to 64 characters of visible ASCII (0x21 to 0x7E), bare or in double quotes",
        )
    };
    let value = str::from_utf8(value.trim_ascii()).map_err(|_| bad())?;
    match value.strip_prefix('"') {
        None => SendKey::parse(value),
        Some(rest) => SendKey::parse(&unquote(rest).ok_or_else(bad)?),
    }
    .map_err(|_| bad())
}

/// What stands before the closing quote, which must be the end.
fn unquote(rest: &str) -> Option<String> {
    let mut key = String::with_capacity(rest.len());
    let mut chars = rest.chars();
    loop {
        match chars.next()? {
            '"' => return chars.as_str().is_empty().then_some(key),
            '\\' => key.push(chars.next().filter(|c| matches!(c, '"' | '\\'))?),
            c => key.push(c),
        }
    }
}
