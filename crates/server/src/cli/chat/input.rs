//! Where the lines come from: a line editor on a terminal, or standard input as it is. Each on a thread of its own, for
//! both block.

use super::{CliError, Screen};
use crate::cli::output::escaped;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use rustyline::{
    Context, Editor, Helper, completion::Completer, error::ReadlineError, highlight::Highlighter,
    hint::Hinter, history::DefaultHistory, validate::Validator,
};
use std::{
    io::{self, BufRead as _, Read as _},
    thread,
};
use tokio::sync::mpsc;

/// Lines that wait for the server to take them.
const INPUTS_MAX: usize = 16;
/// A line longer than any message may be; reading on would only fill the memory.
const LINE_MAX_BYTES: u64 = 1 << 20;

/// What the user does.
#[derive(Debug)]
pub(super) enum Input {
    /// Said this.
    Line(String),
    /// Writes at something.
    Writing,
    /// The input can't be read on, and why.
    Broken(String),
    /// Has no more to say.
    End,
}

/// Reads standard input line by line.
pub(super) fn read() -> mpsc::Receiver<Input> {
    let (sender, receiver) = mpsc::channel(INPUTS_MAX);
    thread::spawn(move || {
        let mut stdin = io::stdin().lock();
        loop {
            let input = read_line(&mut stdin);
            let is_last = !matches!(input, Input::Line(_));
            if sender.blocking_send(input).is_err() || is_last {
                return;
            }
        }
    });
    receiver
}

fn read_line(stdin: &mut io::StdinLock<'_>) -> Input {
    let mut line = Vec::new();
    match stdin.take(LINE_MAX_BYTES + 1).read_until(b'\n', &mut line) {
        Err(error) => return Input::Broken(error.to_string()),
        Ok(0) => return Input::End,
        Ok(_) if line.len() as u64 > LINE_MAX_BYTES => {
            return Input::Broken("a line is longer than any message may be".into());
        }
        Ok(_) => {}
    }
    let end = line.strip_suffix(b"\r\n").or_else(|| line.strip_suffix(b"\n")).map_or(line.len(), <[u8]>::len);
    line.truncate(end);
    String::from_utf8(line).map_or_else(|_| Input::Broken("a line is not UTF-8".into()), Input::Line)
}

/// Edits lines on the terminal, with what comes printed above the line that is written.
pub(super) fn edit(user: &str) -> Result<(mpsc::Receiver<Input>, Screen), CliError> {
    let broken = |error: ReadlineError| CliError::Usage(format!("the terminal can't be used: {error}"));
    let (sender, receiver) = mpsc::channel(INPUTS_MAX);
    let mut editor = Editor::<Watch, DefaultHistory>::new().map_err(broken)?;
    editor.set_helper(Some(Watch(sender.clone())));
    let screen = Screen::above_editor(editor.create_external_printer().map_err(broken)?);
    let prompt = format!("{}> ", escaped(user));
    thread::spawn(move || {
        let last = loop {
            match editor.readline(&prompt) {
                Ok(line) => {
                    // The history only serves to take a line up again.
                    let _ = editor.add_history_entry(line.as_str());
                    if sender.blocking_send(Input::Line(line)).is_err() {
                        return;
                    }
                }
                Err(ReadlineError::Eof | ReadlineError::Interrupted | ReadlineError::Signal(_)) => {
                    break Input::End;
                }
                Err(error) => break Input::Broken(error.to_string()),
            }
        };
        // First it gives back what it took, the signal of Ctrl-C among it.
        drop(editor);
        let _ = sender.blocking_send(last);
    });
    Ok((receiver, screen))
}

/// Sees each change of the line that is edited.
struct Watch(mpsc::Sender<Input>);

impl Hinter for Watch {
    type Hint = String;

    fn hint(&self, line: &str, _: usize, _: &Context<'_>) -> Option<String> {
        if !line.trim().is_empty() {
            // Where the channel is full there are lines to send, which say more than that another is written.
            let _ = self.0.try_send(Input::Writing);
        }
        None
    }
}
impl Completer for Watch {
    type Candidate = String;
}
impl Highlighter for Watch {}
impl Validator for Watch {}
impl Helper for Watch {}

/// The terminal's mode as it was, to which it returns.
pub(super) struct Restore(Option<Termios>);

impl Restore {
    pub(super) fn of_terminal(on_terminal: bool) -> Self {
        Self(on_terminal.then(|| tcgetattr(io::stdin()).ok()).flatten())
    }
}

impl Drop for Restore {
    fn drop(&mut self) {
        if let Some(mode) = &self.0 {
            // A terminal that has gone needs none.
            let _ = tcsetattr(io::stdin(), OptionalActions::Drain, mode);
        }
    }
}
