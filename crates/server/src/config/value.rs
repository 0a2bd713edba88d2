//! What a setting may be, and how what was given becomes that.

use chinwag_peer::Networks;
use std::{
    ffi::{OsStr, OsString},
    fmt,
    net::{Ipv6Addr, SocketAddr},
    ops::Range,
    path::PathBuf,
};

/// What a setting may be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// An IP address and a port.
    Address,
    /// The same, or none.
    AddressOrNone,
    /// A path of the file system.
    Path,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A filter of the log.
    LogFilter,
    /// Host names.
    Hosts,
    /// Origins of web pages.
    Origins,
    /// Addresses and networks.
    Networks,
    /// Any words, or none.
    Words,
    /// The same, of which a URL has neither user nor password, since settings are shown.
    Url,
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
    /// Of [`Kind::Address`], and of [`Kind::AddressOrNone`] where there is one.
    Address(SocketAddr),
    /// Of [`Kind::Path`].
    Path(PathBuf),
    /// Of [`Kind::Choice`], [`Kind::LogFilter`], [`Kind::Words`] and [`Kind::Url`]; empty of [`Kind::AddressOrNone`].
    Text(String),
    /// Of [`Kind::Hosts`] and [`Kind::Origins`], in lower case.
    List(Vec<String>),
    /// Of [`Kind::Networks`].
    Networks(Networks),
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
            Self::AddressOrNone => match raw.text()? {
                "" => Some(Value::Text(String::new())),
                _ => Self::Address.read(raw),
            },
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
            Self::Hosts => raw.list(is_host),
            Self::Origins => raw.list(is_origin),
            Self::Networks => Networks::read(raw.items()?).ok().map(Value::Networks),
            Self::Url if raw.text().is_some_and(|text| user_in(text).is_some()) => None,
            Self::Words | Self::Url => raw
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
            Self::AddressOrNone => "\"\" for none, or an IP address or localhost, and a port, such as 127.0.0.1:9090".into(),
            Self::Path => "a path".into(),
            Self::Choice(words) => format!("\"{}\"", words.join("\" or \"")),
            Self::LogFilter => {
                "off, error, warn, info, debug or trace, also by part, such as info,chinwag_store=debug"
                    .into()
            }
            Self::Hosts => "host names without a port, such as chat.example.org".into(),
            Self::Origins => {
                "origins as a browser names them, such as https://app.example.org or http://localhost:3000: a scheme and a \
                 host, with a port only where it is not the scheme's own, and no path"
                    .into()
            }
            Self::Networks => {
                "IP addresses and networks, such as 192.0.2.7, 10.0.0.0/8 or 2001:db8::/32, with nothing but zeros after \
                 a network's prefix"
                    .into()
            }
            Self::Words => "a text, or \"\" for none".into(),
            Self::Url => "a text, or \"\" for none; a URL without a user or a password".into(),
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

/// An exact one: that a pattern lets in one site too many would be noticed by nobody.
fn is_origin(origin: &str) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(good)
        && port.is_none_or(|port| is_named_port(scheme, port))
        && match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(host) => host.parse::<Ipv6Addr>().is_ok(),
            None => is_host(host),
        }
}

/// Where a URL names a user, and mostly a password: from behind `://` to before `@`.
fn user_in(text: &str) -> Option<Range<usize>> {
    let start = text.find("://")? + 3;
    let authority = text[start..].split(['/', '?', '#']).next()?;
    Some(start..start + authority.rfind('@')?)
}

/// A text that is told to people, without what may be a password.
fn told(text: &str) -> String {
    let mut text = text.to_owned();
    if let Some(user) = user_in(&text) {
        text.replace_range(user, "***");
    }
    text
}

/// Whether a browser would name this port in an origin. It leaves out the scheme's own: with it no origin would match.
fn is_named_port(scheme: &str, port: &str) -> bool {
    let is_own = |own, own_port| scheme.eq_ignore_ascii_case(own) && port == own_port;
    let number = port.parse::<u16>().ok().filter(|number| *number > 0 && number.to_string() == port);
    number.is_some() && !is_own("http", "80") && !is_own("https", "443")
}

impl Raw {
    /// The names of a list, all of them good, in lower case.
    fn list(&self, is_good: fn(&str) -> bool) -> Option<Value> {
        let names = self.items()?;
        let all_good = names.iter().all(|name| is_good(name));
        all_good.then(|| Value::List(names.iter().map(|name| name.to_ascii_lowercase()).collect()))
    }

    /// The items of a list.
    fn items(&self) -> Option<Vec<&str>> {
        match self {
            Self::List(names) => Some(names.iter().map(String::as_str).collect()),
            Self::Word(word) if word.is_empty() => Some(Vec::new()),
            Self::Word(word) => Some(word.to_str()?.split(',').map(str::trim).collect()),
            _ => None,
        }
    }

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
            Self::Word(word) => write!(f, "{:?}", told(&word.to_string_lossy())),
            Self::Text(text) => write!(f, "{:?}", told(text)),
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
            Self::List(names) => {
                write!(f, "{}", toml::Value::Array(names.iter().map(|name| text(name)).collect()))
            }
            Self::Networks(networks) => {
                let all = networks.texts().map(|network| text(&network)).collect();
                write!(f, "{}", toml::Value::Array(all))
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
            Self::List(names) => names.as_slice().into(),
            Self::Networks(networks) => networks.texts().collect(),
            Self::Number(number) => (*number).into(),
            Self::Switch(on) => (*on).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_as_a_browser_names_them() {
        for good in [
            "https://app.example.org",
            "HTTPS://App.Example.org",
            "http://localhost:3000",
            "http://192.0.2.7",
            "https://[2001:db8::7]",
            "https://[2001:db8::7]:8443",
            "http://app.example.org:443",
            "capacitor://localhost",
            "moz-extension://5d2f7e0c-1b3a-4c55",
        ] {
            assert!(is_origin(good), "{good}");
        }
        for bad in [
            "",
            "*",
            "null",
            "app.example.org",
            "://app.example.org",
            "1https://app.example.org",
            "https://",
            "https://*.example.org",
            "https://app.example.org/",
            "https://app.example.org/chat",
            "https://app.example.org?",
            "https://user@app.example.org",
            "https://app.example.org:",
            "https://app.example.org:443",
            "HTTP://app.example.org:80",
            "https://app.example.org:0",
            "https://app.example.org:+81",
            "https://app.example.org:081",
            "https://app.example.org:65536",
            "https://app.example.org:81:82",
            "https://[::1",
            "https://[::x]",
            "https://::1",
            "https://bücher.example",
        ] {
            assert!(!is_origin(bad), "{bad}");
        }
    }

    #[test]
    fn a_password_in_a_url_is_neither_taken_nor_told() {
        for (bad, shown) in [
            ("https://ada:s3cret@keys.example.org/jwks", "https://***@keys.example.org/jwks"),
            ("http://s3cret@127.0.0.1:4318", "http://***@127.0.0.1:4318"),
            ("https://a:s3@cret@example.org?x", "https://***@example.org?x"),
        ] {
            for raw in [Raw::Text(bad.into()), Raw::Word(bad.into())] {
                assert_eq!(Kind::Url.read(&raw), None, "{bad}");
                assert_eq!(raw.to_string(), format!("{shown:?}"));
            }
        }
        for good in ["", "chat", "https://keys.example.org/@jwks", "https://keys.example.org?of=a@b", "a@b"] {
            assert_eq!(Kind::Url.read(&Raw::Text(good.into())), Some(Value::Text(good.into())));
            assert_eq!(Raw::Text(good.into()).to_string(), format!("{good:?}"));
        }
    }
}
