//! Reads a configuration file: TOML, `key = value` on the top level.

use super::{
    Origin,
    error::{Wrong, WrongKind},
    table::{SETTINGS, nearest},
    value::Raw,
};
use std::{fs, path::Path};
use toml::de::{DeTable, DeValue};

/// A value of a file.
pub(super) struct Given {
    /// Which setting, as its place in the table.
    pub(super) setting: usize,
    /// What it is set to.
    pub(super) raw: Raw,
    /// Where.
    pub(super) origin: Origin,
}

/// Reads a file and finds each of its keys in the table. What is wrong goes to `wrong`.
pub(super) fn read(path: &Path, wrong: &mut Vec<Wrong>) -> Vec<Given> {
    match fs::read_to_string(path) {
        Ok(text) => parse(path, &text, wrong),
        Err(source) => {
            wrong.push(WrongKind::File { path: path.to_owned(), source }.into());
            Vec::new()
        }
    }
}

fn parse(path: &Path, text: &str, wrong: &mut Vec<Wrong>) -> Vec<Given> {
    let line_of = |byte: usize| 1 + text.bytes().take(byte).filter(|&b| b == b'\n').count();
    let table = match DeTable::parse(text) {
        Ok(table) => table,
        Err(error) => {
            let line = error.span().map_or(1, |span| line_of(span.start));
            let why = error.message().replace('\n', ", ");
            wrong.push(WrongKind::Syntax { path: path.to_owned(), line, why }.into());
            return Vec::new();
        }
    };
    let mut given = Vec::new();
    for (key, value) in table.get_ref() {
        let line = line_of(key.span().start);
        let Some(setting) = SETTINGS.iter().position(|setting| setting.key == key.get_ref()) else {
            let nearest = nearest(key.get_ref(), SETTINGS.iter().map(|setting| setting.key));
            let key = key.get_ref().to_string();
            wrong.push(WrongKind::Key { path: path.to_owned(), line, key, nearest }.into());
            continue;
        };
        let raw = raw_of(value.get_ref(), text.get(value.span()).unwrap_or(""));
        given.push(Given { setting, raw, origin: Origin::File { path: path.to_owned(), line } });
    }
    given
}

/// Reads a value that the program itself wrote down.
pub(super) fn raw_of_toml(source: &'static str) -> Raw {
    let value = DeValue::parse(source).expect("a test reads every default");
    raw_of(value.get_ref(), source)
}

fn raw_of(value: &DeValue<'_>, source: &str) -> Raw {
    let other = || Raw::Other(source.to_owned());
    match value {
        DeValue::String(text) => Raw::Text(text.to_string()),
        DeValue::Integer(number) => {
            u64::from_str_radix(number.as_str(), number.radix()).map_or_else(|_| other(), Raw::Integer)
        }
        DeValue::Boolean(on) => Raw::Bool(*on),
        DeValue::Array(items) => {
            let text = |item: &DeValue<'_>| match item {
                DeValue::String(text) => Some(text.to_string()),
                _ => None,
            };
            items.iter().map(|item| text(item.get_ref())).collect::<Option<_>>().map_or_else(other, Raw::List)
        }
        _ => other(),
    }
}
