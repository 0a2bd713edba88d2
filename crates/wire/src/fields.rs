//! The second, slow reading of a body that serde's first pass refused: it finds the field that is wrong.

use chinwag_model::{Code, Invalid};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;
use std::{borrow::Cow, cell::Cell, fmt};

/// What stands in [`Invalid::field`] where the body as a whole is wrong.
pub(crate) const BODY: &str = "body";

/// A string that borrows from its source where it has no escapes.
#[derive(Deserialize)]
#[serde(transparent)]
struct Borrowed<'a>(#[serde(borrow)] Cow<'a, str>);

/// Reads `Option<Cow<str>>` so that it borrows, which serde does for a bare `Cow` only.
pub(crate) fn optional_str<'de: 'a, 'a, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Cow<'a, str>>, D::Error> {
    Ok(Option::<Borrowed<'a>>::deserialize(deserializer)?.map(|text| text.0))
}

/// Whether a body begins as an object does. serde's derived structs would take an array too.
pub(crate) fn begins_as_object(body: &[u8]) -> bool {
    body.trim_ascii_start().first() == Some(&b'{')
}

/// The known fields of a JSON object, each still as the request spelled it.
pub(crate) struct Fields<'a, const N: usize> {
    names: [&'static str; N],
    values: [Option<&'a RawValue>; N],
}

impl<'a, const N: usize> Fields<'a, N> {
    /// Takes a body apart; keys that are not among `names` are ignored.
    ///
    /// # Errors
    /// [`Invalid`] with [`Code::Malformed`] for what is not JSON in UTF-8, [`Code::Invalid`] for what is not an
    /// object, [`Code::Duplicate`] for a name that stands twice.
    pub(crate) fn read(body: &'a [u8], names: [&'static str; N]) -> Result<Self, Invalid> {
        let at = Cell::new(None);
        let duplicate = Cell::new(None);
        let walk = |text: &'a str| -> Result<_, serde_json::Error> {
            let mut json = serde_json::Deserializer::from_str(text);
            let values = json.deserialize_map(Walk { names, at: &at, duplicate: &duplicate })?;
            json.end()?;
            Ok(values)
        };
        let text = match str::from_utf8(body) {
            Ok(text) => text,
            Err(error) => {
                // Where the readable part breaks off is where the fault stands.
                let (readable, _) = body.split_at(error.valid_up_to());
                let _ = str::from_utf8(readable).map(walk);
                let detail = format!("the body is not UTF-8 at byte {}", error.valid_up_to());
                return Err(Invalid::with(Code::Malformed, at.get().unwrap_or(BODY), detail));
            }
        };
        if !begins_as_object(body) {
            return Err(not_an_object(text));
        }
        match walk(text) {
            Ok(values) => Ok(Self { names, values }),
            Err(_) if let Some(name) = duplicate.get() => {
                Err(Invalid::with(Code::Duplicate, name, format!("{name} stands twice")))
            }
            Err(error) => Err(Invalid::with(
                Code::Malformed,
                at.get().unwrap_or(BODY),
                format!("the body is not valid JSON: {error}"),
            )),
        }
    }

    /// The field of that name, unless it is absent or `null`.
    fn value(&self, name: &str) -> Option<&'a str> {
        let at = self.names.iter().position(|known| *known == name)?;
        self.values[at].map(RawValue::get).filter(|json| *json != "null")
    }

    /// A field that must be there.
    ///
    /// # Errors
    /// [`Invalid`] with [`Code::Missing`], or as [`Self::string`].
    pub(crate) fn required_string(&self, name: &'static str) -> Result<Cow<'a, str>, Invalid> {
        self.string(name)?.ok_or_else(|| missing(name))
    }

    /// A string that may be absent.
    ///
    /// # Errors
    /// [`Invalid`] for another type, or for lone surrogates.
    pub(crate) fn string(&self, name: &'static str) -> Result<Option<Cow<'a, str>>, Invalid> {
        let Some(json) = self.value(name) else { return Ok(None) };
        if !json.starts_with('"') {
            return Err(wrong_type(name, "a string", json));
        }
        // The walk saw a whole string; escapes of surrogates are all that it did not look at.
        serde_json::from_str::<Borrowed<'a>>(json).map(|text| Some(text.0)).map_err(|_| {
            Invalid::new(name, format!("{name} holds half of a surrogate pair, which is no character"))
        })
    }

    /// A string, or an array of strings, that may be absent.
    ///
    /// # Errors
    /// As [`Self::string`].
    pub(crate) fn strings(&self, name: &'static str) -> Result<Vec<Cow<'a, str>>, Invalid> {
        match self.value(name) {
            Some(json) if json.starts_with('[') => serde_json::from_str::<Vec<Borrowed<'a>>>(json)
                .map(|texts| texts.into_iter().map(|text| text.0).collect())
                .map_err(|_| Invalid::new(name, format!("{name} must be a string or an array of strings"))),
            _ => Ok(self.string(name)?.into_iter().collect()),
        }
    }

    /// An object that may be absent, as the request spelled it.
    ///
    /// # Errors
    /// [`Invalid`] for another type.
    pub(crate) fn object(&self, name: &'static str) -> Result<Option<&'a RawValue>, Invalid> {
        let at = self.names.iter().position(|known| *known == name);
        let raw = at.and_then(|at| self.values[at]).filter(|raw| raw.get() != "null");
        match raw {
            Some(raw) if !raw.get().starts_with('{') => Err(wrong_type(name, "an object", raw.get())),
            raw => Ok(raw),
        }
    }

    /// An array that may be absent, as it is spelled.
    ///
    /// # Errors
    /// [`Invalid`] for another type.
    pub(crate) fn array(&self, name: &'static str) -> Result<Option<&'a str>, Invalid> {
        match self.value(name) {
            Some(json) if !json.starts_with('[') => Err(wrong_type(name, "an array", json)),
            json => Ok(json),
        }
    }

    /// A whole number that may be absent; one past `u64` is `u64::MAX`.
    ///
    /// # Errors
    /// [`Invalid`] for another type, a negative number, a fraction or an exponent.
    pub(crate) fn natural(&self, name: &'static str) -> Result<Option<u64>, Invalid> {
        let Some(json) = self.value(name) else { return Ok(None) };
        if !json.starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
            return Err(wrong_type(name, "a whole number", json));
        }
        parse_natural(name, json).map(Some)
    }

    /// A truth value that may be absent.
    ///
    /// # Errors
    /// [`Invalid`] for another type.
    pub(crate) fn boolean(&self, name: &'static str) -> Result<Option<bool>, Invalid> {
        match self.value(name) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(json) => Err(wrong_type(name, "true or false", json)),
        }
    }
}

/// [`Invalid`] for a field that the verb needs.
pub(crate) fn missing(name: &'static str) -> Invalid {
    Invalid::with(Code::Missing, name, format!("{name} is missing"))
}

/// Takes a whole number as it is written; one past `u64` is `u64::MAX`.
///
/// # Errors
/// [`Invalid`] naming the field.
pub(crate) fn parse_natural(name: &'static str, text: &str) -> Result<u64, Invalid> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Invalid::new(
            name,
            format!("{name} must be a whole number, written in digits alone, without fraction or exponent"),
        ));
    }
    let value = digits.parse().unwrap_or(u64::MAX);
    if value > 0 && text.starts_with('-') {
        return Err(Invalid::new(name, format!("{name} must not be negative")));
    }
    Ok(value)
}

fn wrong_type(name: &'static str, expected: &str, json: &str) -> Invalid {
    Invalid::new(name, format!("{name} must be {expected}, not {}", kind(json)))
}

fn not_an_object(text: &str) -> Invalid {
    let text = text.trim_ascii();
    if text.is_empty() {
        return Invalid::with(Code::Malformed, BODY, "the body is empty; it must be a JSON object");
    }
    match serde_json::from_str::<IgnoredAny>(text) {
        Ok(_) => wrong_type("body", "a JSON object", text),
        Err(error) => Invalid::with(Code::Malformed, BODY, format!("the body is not valid JSON: {error}")),
    }
}

/// The type of a JSON text, for a person.
fn kind(json: &str) -> &'static str {
    match json.as_bytes().first() {
        Some(b'"') => "a string",
        Some(b'[') => "an array",
        Some(b'{') => "an object",
        Some(b't' | b'f') => "true or false",
        Some(b'n') => "null",
        _ => "a number",
    }
}

/// Walks the outermost object, and leaves in `at` the known field in whose value it stands.
struct Walk<'w, const N: usize> {
    names: [&'static str; N],
    at: &'w Cell<Option<&'static str>>,
    duplicate: &'w Cell<Option<&'static str>>,
}

impl<'de, const N: usize> Visitor<'de> for Walk<'_, N> {
    type Value = [Option<&'de RawValue>; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut values = [None; N];
        while let Some(key) = map.next_key::<String>()? {
            let Some(known) = self.names.iter().position(|name| *name == key) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            self.at.set(Some(self.names[known]));
            if values[known].is_some() {
                self.duplicate.set(Some(self.names[known]));
                return Err(A::Error::custom("duplicate"));
            }
            values[known] = Some(map.next_value()?);
            self.at.set(None);
        }
        Ok(values)
    }
}

#[cfg(test)]
pub(crate) mod sketch {
    use proptest::prelude::*;

    /// Bodies that are the usual one but for a few changes: a field that stands twice, or has a value of any type.
    pub(crate) fn objects(usual: &'static [(&'static str, &'static str)]) -> impl Strategy<Value = String> {
        let names = usual.iter().map(|(name, _)| *name).chain(["more", "ch\\u0061t"]).collect::<Vec<_>>();
        let name = prop::sample::select(names);
        let value = prop::sample::select(vec![
            r#""a:b""#,
            r#""a""#,
            r#""\n\ud83d\udc4d""#,
            r#""\ud83d""#,
            "null",
            "true",
            "0",
            "-0",
            "1.0",
            "99999999999999999999",
            "[ 1 ]",
            r#"{ "x" : [ 1e999 ] }"#,
            "nonsense",
        ]);
        (Just(usual.to_vec()), prop::collection::vec((name, value), 0..4), any::<[bool; 2]>()).prop_map(
            |(mut fields, changes, [append, space])| {
                for (name, value) in changes {
                    fields.retain(|(other, _)| append || *other != name);
                    fields.push((name, value));
                }
                let space = if space { " \n" } else { "" };
                let fields: Vec<_> =
                    fields.iter().map(|(name, value)| format!("{space}\"{name}\"{space}:{value}")).collect();
                format!("{space}{{{}}}", fields.join(","))
            },
        )
    }
}
