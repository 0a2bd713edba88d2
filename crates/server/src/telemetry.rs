//! The log: lines on standard error, for people or for programs.
//!
//! **Architecture invariant:** no text of a message and no key is ever logged.

use crate::config::{LogFormat, Settings};
use std::io::{self, IsTerminal as _};
use tracing_subscriber::EnvFilter;

/// Starts the log as the settings say. Called once, by the command that serves.
pub fn start(settings: &Settings) {
    let filter = EnvFilter::try_new(&settings.log).expect("the settings hold a filter that was tried");
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    match settings.log_format {
        LogFormat::Text => log.with_ansi(io::stderr().is_terminal()).init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
}
