//! What commands print: results to standard output, everything else to standard error.

use super::CliError;
use std::io::{self, BufWriter, StdoutLock, Write};

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
        if c.is_control() || is_bidi_control(c) || matches!(c, '\u{2028}' | '\u{2029}') {
            safe.extend(c.escape_default());
        } else {
            safe.push(c);
        }
    }
    safe
}

/// Unicode's property `Bidi_Control`.
fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::escaped;

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
}
