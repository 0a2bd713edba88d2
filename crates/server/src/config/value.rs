//! What a setting may be, and how what was given becomes that.

use std::{
    ffi::{OsStr, OsString},
    fmt,
    net::SocketAddr,
    path::PathBuf,
};

/// What a setting may be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// An IP address and a port.
    Address,
    /// A path of the file system.
    Path,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A filter of the log.
    LogFilter,
    /// Host names.
    Hosts,
    /// Any words, or none.
    Words,
    /// A whole number, both bounds included.
    Number {
        /// Least.
        min: u64,
        /// Most.
        max: u64,
    },
    /// Yes or no.
    Switch,
}

/// A value as it was given, before it is known to be good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Raw {
    /// Of a variable or a flag: it may mean any type.
    Word(OsString),
    /// A string of a file.
    Text(String),
    /// An integer of a file that is not negative.
    Integer(u64),
    /// A boolean of a file.
    Bool(bool),
    /// An array of strings of a file.
    List(Vec<String>),
    /// Anything else of a file, as it stands there.
    Other(String),
}

/// A good value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// Of [`Kind::Address`].
    Address(SocketAddr),
    /// Of [`Kind::Path`].
    Path(PathBuf),
    /// Of [`Kind::Choice`], [`Kind::LogFilter`] and [`Kind::Words`].
    Text(String),
    /// Of [`Kind::Hosts`], in lower case.
    Hosts(Vec<String>),
    /// Of [`Kind::Number`].
    Number(u64),
    /// Of [`Kind::Switch`].
    Switch(bool),
}

impl Kind {
    /// Takes what was given, unless it is not [`allowed`](Kind::allowed).
    pub(crate) fn read(self, raw: &Raw) -> Option<Value> {
        match self {
            Self::Address => {
                let text = raw.text()?;
                // Not looked up: a name could mean several addresses, and this one is always the same.
                let text =
                    text.strip_prefix("localhost:").map_or(text.into(), |port| format!("127.0.0.1:{port}"));
                text.parse().ok().map(Value::Address)
            }
            Self::Path => {
                let path = raw.os_text().filter(|path| !path.is_empty())?;
                Some(Value::Path(path.into()))
            }
            Self::Choice(words) => {
                raw.text().filter(|text| words.contains(text)).map(|text| Value::Text(text.into()))
            }
            Self::LogFilter => {
                raw.text().filter(|text| is_log_filter(text)).map(|text| Value::Text(text.into()))
            }
            Self::Hosts => {
                let names: Vec<&str> = match raw {
                    Raw::List(names) => names.iter().map(String::as_str).collect(),
                    Raw::Word(word) if word.is_empty() => Vec::new(),
                    Raw::Word(word) => word.to_str()?.split(',').map(str::trim).collect(),
                    _ => return None,
                };
                let good = names.iter().all(|name| is_host(name));
                good.then(|| Value::Hosts(names.iter().map(|name| name.to_ascii_lowercase()).collect()))
            }
            Self::Words => raw
                .text()
                .filter(|text| !text.contains(char::is_control))
                .map(|text| Value::Text(text.into())),
            Self::Number { min, max } => {
                let number = match raw {
                    Raw::Integer(number) => *number,
                    Raw::Word(word) => word.to_str()?.parse().ok()?,
                    _ => return None,
                };
                (min..=max).contains(&number).then_some(Value::Number(number))
            }
            Self::Switch => match raw {
                Raw::Bool(on) => Some(Value::Switch(*on)),
                Raw::Word(word) => word.to_str()?.parse().ok().map(Value::Switch),
                _ => None,
            },
        }
    }

    /// What it may be, in words.
    pub(crate) fn allowed(self) -> String {
        match self {
            Self::Address => {
                "an IP address or localhost, and a port, such as 127.0.0.1:8080 or [::1]:8080".into()
            }
            Self::Path => "a path".into(),
            Self::Choice(words) => format!("\"{}\"", words.join("\" or \"")),
            Self::LogFilter => {
                "off, error, warn, info, debug or trace, also by part, such as info,chinwag_store=debug"
                    .into()
            }
            Self::Hosts => "host names without a port, such as chat.example.org".into(),
            Self::Words => "a text, or \"\" for none".into(),
            Self::Number { min, max } => format!("a whole number from {min} to {max}"),
            Self::Switch => "true or false".into(),
        }
    }
}

/// A word that is no level would be taken for the name of a part, and silence the rest of the log.
fn is_log_filter(text: &str) -> bool {
    let levels = ["off", "error", "warn", "info", "debug", "trace"];
    let known = |word: &str| levels.contains(&word.to_ascii_lowercase().as_str());
    !text.is_empty()
        && text.split(',').all(|part| match part.rsplit_once('=') {
            Some((name, level)) => !name.is_empty() && known(level),
            None => known(part),
        })
        && tracing_subscriber::EnvFilter::try_new(text).is_ok()
}

fn is_host(name: &str) -> bool {
    let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    name.len() <= 253 && name.split('.').all(|label| !label.is_empty() && label.bytes().all(good))
}

impl Raw {
    fn text(&self) -> Option<&str> {
        self.os_text()?.to_str()
    }

    fn os_text(&self) -> Option<&OsStr> {
        match self {
            Self::Word(word) => Some(word),
            Self::Text(text) => Some(text.as_ref()),
            _ => None,
        }
    }
}

impl fmt::Display for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(word) => write!(f, "{:?}", word.to_string_lossy()),
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Integer(number) => write!(f, "{number}"),
            Self::Bool(on) => write!(f, "{on}"),
            Self::List(items) => write!(f, "{items:?}"),
            Self::Other(source) => f.write_str(source),
        }
    }
}

/// As TOML.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |text: &str| toml::Value::String(text.into());
        match self {
            Self::Address(address) => write!(f, "{}", text(&address.to_string())),
            Self::Path(path) => write!(f, "{}", text(&path.to_string_lossy())),
            Self::Text(word) => write!(f, "{}", text(word)),
            Self::Hosts(names) => {
                write!(f, "{}", toml::Value::Array(names.iter().map(|name| text(name)).collect()))
            }
            Self::Number(number) => write!(f, "{number}"),
            Self::Switch(on) => write!(f, "{on}"),
        }
    }
}

impl Value {
    /// As JSON.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Address(address) => address.to_string().into(),
            Self::Path(path) => path.to_string_lossy().into(),
            Self::Text(text) => text.as_str().into(),
            Self::Hosts(names) => names.as_slice().into(),
            Self::Number(number) => (*number).into(),
            Self::Switch(on) => (*on).into(),
        }
    }
}
