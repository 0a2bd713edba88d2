//! The log: lines on standard error, for people or for programs.
//!
//! **Architecture invariant:** no text of a message and no key is ever logged.

use crate::config::{LogFormat, Settings};
use std::io::{self, IsTerminal as _};
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

/// The storage engine tells of its daily work as `info`; only what may need somebody's eye is worth a line.
const ENGINE: &str = "fjall=warn,lsm_tree=warn";

/// Starts the log as the settings say. Called once, by the command that serves.
pub fn start(settings: &Settings) {
    let log = tracing_subscriber::fmt().with_env_filter(filter(&settings.log)).with_writer(io::stderr);
    match settings.log_format {
        LogFormat::Text => log.with_ansi(io::stderr().is_terminal()).init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
}

fn filter(log: &str) -> EnvFilter {
    let said = EnvFilter::try_new(log).expect("the settings hold a filter that was tried");
    match said.max_level_hint() {
        // What was said comes last and wins, where it names the engine.
        Some(level) if level > LevelFilter::WARN => {
            EnvFilter::try_new(format!("{ENGINE},{log}")).expect("two filters are one")
        }
        _ => said,
    }
}
