use chinwag_model::{Data, Invalid, limits::DATA_MAX_DEPTH_LEVELS};
use serde_json::value::RawValue;

/// Takes the application's own object: its insignificant white space is dropped, all else is kept as it was sent.
///
/// Beyond the grammar, which `RawValue` has checked, every reader must be able to take it: no half of a surrogate
/// pair, no number past the range of a double.
///
/// # Errors
/// [`Invalid`] naming `data`.
pub(crate) fn parse_data(raw: &RawValue) -> Result<Data, Invalid> {
    let json = raw.get();
    if !json.starts_with('{') {
        return Err(Invalid::new("data", "data must be an object"));
    }
    Data::from_compact(compact(json)?)
}

/// Drops the white space between the tokens of a JSON text that is known to be well formed.
fn compact(json: &str) -> Result<String, Invalid> {
    let mut out = String::with_capacity(json.len());
    let mut depth_levels = 0;
    let mut rest = json;
    while let Some(&first) = rest.as_bytes().first() {
        let len = match first {
            b' ' | b'\t' | b'\n' | b'\r' => {
                rest = &rest[1..];
                continue;
            }
            b'"' => string_len(rest)?,
            b'-' | b'0'..=b'9' => number_len(rest)?,
            b'{' | b'[' => {
                depth_levels += 1;
                if depth_levels > DATA_MAX_DEPTH_LEVELS {
                    return Err(Invalid::new(
                        "data",
                        format!("data is nested deeper than {DATA_MAX_DEPTH_LEVELS} levels"),
                    ));
                }
                1
            }
            b'}' | b']' => {
                depth_levels -= 1;
                1
            }
            _ => 1,
        };
        let (token, after) = rest.split_at(len);
        out.push_str(token);
        rest = after;
    }
    Ok(out)
}

/// Length of the string, in bytes, at the beginning of `json`.
fn string_len(json: &str) -> Result<usize, Invalid> {
    let bytes = json.as_bytes();
    let mut at = 1;
    let mut high_ends_at = None;
    loop {
        match bytes[at] {
            b'"' => break,
            b'\\' if bytes[at + 1] == b'u' => {
                let unit = u16::from_str_radix(&json[at + 2..at + 6], 16)
                    .expect("four hex digits, as the grammar has it");
                match unit {
                    0xD800..=0xDBFF if high_ends_at.is_none() => high_ends_at = Some(at + 6),
                    0xDC00..=0xDFFF if high_ends_at == Some(at) => high_ends_at = None,
                    0xD800..=0xDFFF => return Err(half_a_pair()),
                    _ => {}
                }
                at += 6;
            }
            b'\\' => at += 2,
            _ => at += 1,
        }
        if high_ends_at.is_some_and(|end| end < at) {
            return Err(half_a_pair());
        }
    }
    if high_ends_at.is_some() { Err(half_a_pair()) } else { Ok(at + 1) }
}

fn half_a_pair() -> Invalid {
    Invalid::new("data", "data holds half of a surrogate pair, which is no character")
}

/// Length of the number, in bytes, at the beginning of `json`.
fn number_len(json: &str) -> Result<usize, Invalid> {
    let len = json
        .bytes()
        .position(|b| !matches!(b, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9'))
        .unwrap_or(json.len());
    match json[..len].parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(len),
        _ => Err(Invalid::new("data", "data holds a number that is past the range of a double")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chinwag_model::Code;

    fn check(json: &str, expected: Result<&str, Code>) {
        let raw: &RawValue = serde_json::from_str(json).expect("well formed");
        let data = parse_data(raw);
        assert_eq!(data.as_ref().map(Data::as_str).map_err(|invalid| invalid.code), expected, "{json}");
    }

    #[test]
    fn white_space_goes_and_all_else_stays() {
        check(
            r#"{ "b" : 1.50 , "a" : [ 1E2, -0, true ,null ], "b":"x \" { y\\" }"#,
            Ok(r#"{"b":1.50,"a":[1E2,-0,true,null],"b":"x \" { y\\"}"#),
        );
    }
}
