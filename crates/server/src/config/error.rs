//! What can be wrong with the configuration, told so that it can be mended without reading anything else.

use super::{Origin, value::Raw};
use std::{fmt, io, net::SocketAddr, path::PathBuf};

/// The configuration can't be used; everything that is wrong with it.
#[derive(Debug)]
pub struct ConfigError(pub Vec<Wrong>);

impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, wrong) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{wrong}")?;
        }
        Ok(())
    }
}

impl From<Wrong> for ConfigError {
    fn from(wrong: Wrong) -> Self {
        Self(vec![wrong])
    }
}

/// One thing that is wrong with the configuration.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Wrong(#[from] pub(super) WrongKind);

#[derive(Debug, thiserror::Error)]
pub(super) enum WrongKind {
    #[error("{key}: {raw} ({origin}) is not allowed; it must be {allowed}")]
    Value { key: &'static str, origin: Origin, raw: Raw, allowed: String },
    #[error("{}, line {line}: there is no setting {key:?}{}", path.display(), suggestion(*nearest))]
    Key { path: PathBuf, line: usize, key: String, nearest: Option<&'static str> },
    #[error("the configuration file {} can't be read: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{}, line {line}: {why}", path.display())]
    Syntax { path: PathBuf, line: usize, why: String },
    #[error(
        "listen: {listen} ({origin}) can be reached from other machines, and the server is open: whoever reaches it may read \
         every chat and write as any user. Ask for tokens with --auth token (`chinwag serve --help` says what it needs). Or, if \
         only your own application can reach that address, say so with --auth open (or CHINWAG_AUTH=open, or auth = \"open\" in \
         the file); else listen on 127.0.0.1"
    )]
    NotOpen { listen: SocketAddr, origin: Origin },
    #[error(
        "metrics_listen: {listen} ({origin}) can be reached from other machines, and metrics are told to whoever asks: no token \
         is asked for. They name no user and no chat, but tell how the server does. If only your own monitoring can reach that \
         address, say so with --metrics-open (or CHINWAG_METRICS_OPEN=true, or metrics_open = true in the file); else listen on \
         127.0.0.1"
    )]
    MetricsNotOpen { listen: SocketAddr, origin: Origin },
}

fn suggestion(nearest: Option<&str>) -> String {
    match nearest {
        Some(name) => format!("; did you mean {name:?}?"),
        None => "; `chinwag config` lists them".into(),
    }
}
