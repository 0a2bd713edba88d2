//! What the user said and the server has not yet taken: sent in order, one after the other.

use super::CliError;
use chinwag_client::{Client, ClientError, Message, random_key};
use tokio::sync::mpsc;

/// Lines that wait to be sent.
const LINES_MAX: usize = 16;

/// Who sends, where, and how long a line is tried.
pub(super) struct Sender {
    pub(super) client: Client,
    pub(super) chat: String,
    pub(super) user: String,
    /// Whether a line is tried for as long as the user stays; else until the client gives up.
    pub(super) is_patient: bool,
}

/// What became of a line, in the order in which the lines were said.
pub(super) enum Outcome {
    /// It is stored.
    Sent(Message),
    /// It is not taken.
    Failed { text: String, error: ClientError },
    /// It is not yet taken, and tried again. Told once a line.
    Waits(ClientError),
}

/// The lines that are not settled.
pub(super) struct Outbox {
    lines: mpsc::Sender<Line>,
    unsettled: usize,
}

struct Line {
    text: String,
    key: String,
}

impl Outbox {
    pub(super) fn start(sender: Sender) -> (Self, mpsc::Receiver<Outcome>) {
        let (lines, to_send) = mpsc::channel(LINES_MAX);
        let (outcomes, receiver) = mpsc::channel(LINES_MAX);
        tokio::spawn(send_all(sender, to_send, outcomes));
        (Self { lines, unsettled: 0 }, receiver)
    }

    pub(super) fn has_room(&self) -> bool {
        self.lines.capacity() > 0
    }

    pub(super) fn is_empty(&self) -> bool {
        self.unsettled == 0
    }

    /// Takes a line, unless it says nothing; its key. There must be room.
    pub(super) fn send(&mut self, text: String) -> Result<Option<String>, CliError> {
        if text.trim().is_empty() {
            return Ok(None);
        }
        // A key of its own for all its tries, however long they go on.
        let key = random_key().map_err(|error| CliError::Refused(error.to_string()))?;
        if self.lines.try_send(Line { text, key: key.clone() }).is_ok() {
            self.unsettled += 1;
        }
        Ok(Some(key))
    }

    pub(super) fn settled(&mut self) {
        self.unsettled -= 1;
    }
}

async fn send_all(sender: Sender, mut lines: mpsc::Receiver<Line>, outcomes: mpsc::Sender<Outcome>) {
    while let Some(line) = lines.recv().await {
        let outcome = send(&sender, line, &outcomes).await;
        if outcomes.send(outcome).await.is_err() {
            return;
        }
    }
}

async fn send(sender: &Sender, Line { text, key }: Line, outcomes: &mpsc::Sender<Outcome>) -> Outcome {
    let mut is_told = false;
    loop {
        let sent = sender.client.send(&sender.chat, &sender.user, &text).key(key.as_str()).await;
        match sent {
            Ok(sent) => return Outcome::Sent(sent.message),
            // It waited between its tries, so that this is no busy loop.
            Err(error @ ClientError::GaveUp { .. }) if sender.is_patient => {
                if !is_told && outcomes.send(Outcome::Waits(error)).await.is_err() {
                    // Nobody waits for an outcome any more; whatever is returned goes nowhere.
                    return Outcome::Failed {
                        text,
                        error: ClientError::Request("nobody waits for it".into()),
                    };
                }
                is_told = true;
            }
            Err(error) => return Outcome::Failed { text, error },
        }
    }
}
