//! The log: lines on standard error, for people or for programs.
//!
//! **Architecture invariant:** no text of a message and no key is ever logged.

use crate::{
    config::{LogFormat, Settings},
    request::Request,
};
use std::{
    fmt,
    io::{self, IsTerminal as _},
};
use tracing::{Event, Subscriber};
use tracing_subscriber::{
    EnvFilter,
    filter::LevelFilter,
    fmt::{FmtContext, FormatEvent, FormatFields, format, format::Writer},
    registry::LookupSpan,
};

/// The storage engine tells of its daily work as `info`; only what may need somebody's eye is worth a line.
const ENGINE: &str = "fjall=warn,lsm_tree=warn";

/// Starts the log as the settings say. Called once, by the command that serves.
pub fn start(settings: &Settings) {
    let is_terminal = io::stderr().is_terminal();
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter(&settings.log))
        .with_writer(io::stderr)
        .with_ansi(is_terminal);
    match settings.log_format {
        LogFormat::Text => {
            log.event_format(OfRequest { inner: format().with_ansi(is_terminal), is_json: false }).init();
        }
        LogFormat::Json => {
            let inner = format().json().flatten_event(true);
            log.json().event_format(OfRequest { inner, is_json: true }).init();
        }
    }
}

/// A format of lines that adds the id of the request which is being served, where there is one.
///
/// The line is written first and the id put to its end: a span for each request would cost each request something, and this costs
/// a line something.
struct OfRequest<F> {
    inner: F,
    is_json: bool,
}

impl<S, N, F> FormatEvent<S, N> for OfRequest<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        ctx: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let Some(Request { id, .. }) = Request::current() else {
            return self.inner.format_event(ctx, writer, event);
        };
        let mut line = String::new();
        self.inner.format_event(ctx, Writer::new(&mut line), event)?;
        let line = line.trim_end_matches('\n');
        match line.strip_suffix('}').filter(|_| self.is_json) {
            Some(line) => writeln!(writer, r#"{line},"request_id":"{id}"}}"#),
            None => writeln!(writer, "{line} request_id={id}"),
        }
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
