//! What commands print: results to standard output, everything else to standard error.

use super::CliError;
use serde::Serialize;
use std::{
    fmt::Write as _,
    io::{self, BufWriter, StdoutLock, Write as _},
};

/// Standard output, flushed where a command has more to wait for.
pub(super) struct Output(BufWriter<StdoutLock<'static>>);

impl Output {
    pub(super) fn new() -> Self {
        Self(BufWriter::new(io::stdout().lock()))
    }

    /// Prints a line and goes on.
    pub(super) fn line(&mut self, line: &str) -> Result<(), CliError> {
        Ok(writeln!(self.0, "{line}")?)
    }

    /// Prints a value as JSON on a line of its own, safe to print on a terminal.
    pub(super) fn json(&mut self, value: &impl Serialize) -> Result<(), CliError> {
        let json = serde_json::to_string(value).expect("what a server gives is JSON");
        self.line(&escaped_json(&json))
    }

    /// Prints all of it and flushes.
    pub(super) fn bytes(mut self, bytes: &[u8]) -> Result<(), CliError> {
        self.0.write_all(bytes)?;
        self.flush()
    }

    /// Hands over what was printed. A command calls it at its end, so that a failed write is not lost.
    pub(super) fn flush(&mut self) -> Result<(), CliError> {
        Ok(self.0.flush()?)
    }
}

/// Tells a person something beside the result. A closed standard error is no reason to fail.
pub(super) fn tell(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// A text of somebody else, safe to print on one line of a terminal: control characters, line separators and the
/// characters that turn the direction of what follows are written as escapes.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if rules_terminals(c) {
            safe.extend(c.escape_default());
        } else {
            safe.push(c);
        }
    }
    safe
}

/// JSON with the same value that is safe to print. What must not reach a terminal stands in strings alone, where it may be
/// written as an escape; JSON has those below U+0020 as escapes already.
fn escaped_json(json: &str) -> String {
    let mut safe = String::with_capacity(json.len());
    for c in json.chars() {
        if c >= '\u{7f}' && rules_terminals(c) {
            // All of them are in the plane whose characters are one unit of UTF-16.
            write!(safe, "\\u{:04x}", u32::from(c)).expect("a string takes every write");
        } else {
            safe.push(c);
        }
    }
    safe
}

/// Whether a character does something to a terminal, or to the order of what stands on a line.
fn rules_terminals(c: char) -> bool {
    c.is_control() || is_bidi_control(c) || matches!(c, '\u{2028}' | '\u{2029}')
}

/// Unicode's property `Bidi_Control`.
fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::{escaped, escaped_json};

    #[test]
    fn what_could_rule_a_terminal_is_escaped_and_the_rest_is_not() {
        for (text, expected) in [
            ("Hello", "Hello"),
            ("two\nlines\tand\r", "two\\nlines\\tand\\r"),
            ("\u{1b}[2Jgone", "\\u{1b}[2Jgone"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("abc\u{202e}cba", "abc\\u{202e}cba"),
            ("a\u{2028}b", "a\\u{2028}b"),
            ("👩‍👩‍👧 مرحبا é", "👩‍👩‍👧 مرحبا é"),
        ] {
            assert_eq!(escaped(text), expected);
        }
    }

    #[test]
    fn json_keeps_its_value() {
        for (json, expected) in [
            (r#"{"a":"\n\u001b é 👍"}"#, r#"{"a":"\n\u001b é 👍"}"#),
            ("{\"a\u{9b}\":[\"\u{7f}\u{202e}\u{2028}\"]}", r#"{"a\u009b":["\u007f\u202e\u2028"]}"#),
        ] {
            assert_eq!(escaped_json(json), expected);
            let value = |json: &str| serde_json::from_str::<serde_json::Value>(json).expect("JSON");
            assert_eq!(value(json), value(expected));
        }
    }
}
