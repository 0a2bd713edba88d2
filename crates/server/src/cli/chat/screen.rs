//! Where a conversation is shown.

use super::CliError;
use crate::cli::output::{Output, tell};
use rustyline::ExternalPrinter;

/// Shows lines; what they hold is safe to print already.
pub(super) enum Screen {
    /// Standard output, and standard error for what is said about the conversation.
    Plain(Output),
    /// A terminal, above the line that is edited.
    Editor(Box<dyn ExternalPrinter + Send>),
}

impl Screen {
    pub(super) fn plain() -> Self {
        Self::Plain(Output::new())
    }

    pub(super) fn above_editor(printer: impl ExternalPrinter + Send + 'static) -> Self {
        Self::Editor(Box::new(printer))
    }

    /// Shows a line of the conversation.
    pub(super) fn line(&mut self, line: &str) -> Result<(), CliError> {
        match self {
            Self::Plain(output) => {
                output.line(line)?;
                output.flush()
            }
            Self::Editor(printer) => {
                if printer.print(format!("{line}\n")).is_err() {
                    // The editor has just ended, and with it what stood below.
                    let mut output = Output::new();
                    output.line(line)?;
                    output.flush()?;
                }
                Ok(())
            }
        }
    }

    /// Says something about the conversation.
    pub(super) fn note(&mut self, note: &str) -> Result<(), CliError> {
        match self {
            Self::Plain(_) => {
                tell(&format!("chinwag: {note}"));
                Ok(())
            }
            Self::Editor(_) => self.line(&format!("-- {note}")),
        }
    }
}
