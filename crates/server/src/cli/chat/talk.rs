//! What is shown of a conversation, and what the server is told of it. Every message is shown once and in order,
//! whichever way it came: by the feed, as the answer to a send, or pulled because one before it was missed.

use super::{CliError, outbox::Sender, screen::Screen};
use crate::cli::{output::escaped, time::utc};
use chinwag_client::{Client, ClientError, Event, Message, Update};
use futures_util::StreamExt as _;
use std::{collections::HashSet, time::Duration};
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, timeout},
};

/// Messages that are shown at the start.
const SHOWN_AT_START_MESSAGES: u64 = 20;
/// How often the peer is told that the user writes, which holds for 5 s.
const WRITING_EVERY: Duration = Duration::from_secs(3);
/// After how long without a word of it the peer no longer counts as writing.
const WRITING_HOLDS: Duration = Duration::from_secs(6);
/// How long the last read mark may take once all else is done.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(2);

pub(super) struct Talk {
    client: Client,
    chat: String,
    user: String,
    peer: String,
    screen: Screen,
    /// Whether a line that the user types stays on the screen, so that its message is not shown again.
    echoes: bool,
    /// Keys of the lines that are on the screen and not yet known to be stored.
    echoed: HashSet<String>,
    /// The `seq` of the last message that is shown.
    shown: u64,
    /// The `seq` of the last one among them that is the peer's.
    peer_said: u64,
    /// Whether messages after that were missed and could not be pulled yet.
    behind: bool,
    /// The user's own messages that the peer has not read, by `seq`.
    unread: Vec<u64>,
    peer_writes: Option<Instant>,
    told_writing: Option<Instant>,
    is_lost: bool,
    /// The last message that the user has seen, for the marker.
    seen: watch::Sender<u64>,
    marker: JoinHandle<()>,
}

impl Talk {
    pub(super) fn new(
        client: Client,
        chat: &str,
        user: &str,
        peer: &str,
        screen: Screen,
        echoes: bool,
    ) -> Self {
        let (seen, to_mark) = watch::channel(0);
        let marker = tokio::spawn(mark(client.clone(), chat.to_owned(), user.to_owned(), to_mark));
        Self {
            client,
            chat: chat.to_owned(),
            user: user.to_owned(),
            peer: peer.to_owned(),
            screen,
            echoes,
            echoed: HashSet::new(),
            shown: 0,
            peer_said: 0,
            behind: false,
            unread: Vec::new(),
            peer_writes: None,
            told_writing: None,
            is_lost: false,
            seen,
            marker,
        }
    }

    pub(super) fn sender(&self) -> Sender {
        Sender {
            client: self.client.clone(),
            chat: self.chat.clone(),
            user: self.user.clone(),
            is_patient: self.echoes,
        }
    }

    /// Shows what was said last.
    pub(super) async fn begin(&mut self) -> Result<(), CliError> {
        let page = self.client.pull(&self.chat).reverse(true).limit(SHOWN_AT_START_MESSAGES).page().await;
        match page {
            Err(error) => self.fell_behind(&error)?,
            Ok(page) => {
                for message in page.messages.into_iter().rev() {
                    self.print(&message)?;
                }
                self.has_seen();
                self.load_marker().await?;
            }
        }
        Ok(())
    }

    /// Takes what the feed tells.
    pub(super) async fn update(&mut self, update: Update) -> Result<(), CliError> {
        match update {
            Update::Event(event) => self.event(event).await,
            Update::Ready { .. } => {
                if std::mem::take(&mut self.is_lost) {
                    self.screen.note("connected again")?;
                }
                if self.behind { self.catch_up().await } else { Ok(()) }
            }
            Update::Gap => {
                self.catch_up().await?;
                self.load_marker().await
            }
            Update::Disconnected { error, .. } if !self.is_lost => {
                self.is_lost = true;
                self.screen.note(&format!("not connected, trying again: {}", escaped(&error.to_string())))
            }
            _ => Ok(()),
        }
    }

    async fn event(&mut self, event: Event) -> Result<(), CliError> {
        match event {
            Event::Message { message, .. } if message.chat == self.chat => self.show(message).await,
            Event::Edit { message, .. } if message.chat == self.chat => self.screen.note(&format!(
                "{} has edited message {}: {}",
                escaped(&message.sender),
                message.seq,
                escaped(&message.text)
            )),
            Event::Unsend { message, .. } if message.chat == self.chat => {
                self.screen.note(&format!("{} took message {} back", escaped(&message.sender), message.seq))
            }
            Event::Reaction { message, .. } if message.chat == self.chat => self.screen.note(&format!(
                "message {}: {}",
                message.seq,
                escaped(&message.reactions_in_words())
            )),
            Event::Read { chat, user, seq, .. } if chat == self.chat && user == self.peer => {
                self.peer_read(seq)
            }
            Event::Typing { chat, user } if chat == self.chat && user == self.peer => {
                let before = self.peer_writes.replace(Instant::now());
                if before.is_some_and(|at| at.elapsed() < WRITING_HOLDS) {
                    return Ok(());
                }
                self.screen.note(&format!("{} is writing", escaped(&self.peer)))
            }
            Event::Presence { user, online, .. } if user == self.peer && user != self.user => {
                let state = if online { "is there" } else { "is not there" };
                self.screen.note(&format!("{} {state}", escaped(&user)))
            }
            _ => Ok(()),
        }
    }

    /// Shows a message, after those between it and the last one that is shown.
    pub(super) async fn show(&mut self, message: Message) -> Result<(), CliError> {
        if message.seq > self.shown + 1 || self.behind {
            self.catch_up().await?;
        }
        // Where that failed the message waits with the others, for none is shown before its turn.
        if message.seq == self.shown + 1 {
            self.print(&message)?;
            self.has_seen();
        }
        Ok(())
    }

    async fn catch_up(&mut self) -> Result<(), CliError> {
        let mut pages = self.client.pull(&self.chat).cursor(self.shown).limit(1_000).pages();
        self.behind = false;
        while let Some(page) = pages.next().await {
            match page {
                Ok(page) => {
                    for message in page.messages {
                        self.print(&message)?;
                    }
                    self.has_seen();
                }
                Err(error) => return self.fell_behind(&error),
            }
        }
        Ok(())
    }

    fn fell_behind(&mut self, error: &ClientError) -> Result<(), CliError> {
        self.behind = true;
        self.screen.note(&format!("the messages can't be read yet: {}", escaped(&error.to_string())))
    }

    /// Has what is shown of the peer's marked as read.
    fn has_seen(&self) {
        self.seen.send_if_modified(|seen| std::mem::replace(seen, self.peer_said) != self.peer_said);
    }

    /// Shows the message that follows.
    fn print(&mut self, message: &Message) -> Result<(), CliError> {
        self.shown = message.seq;
        let is_own = message.sender == self.user;
        if is_own {
            self.unread.push(message.seq);
        } else {
            self.peer_said = message.seq;
            self.peer_writes = None;
        }
        if is_own && message.key.as_ref().is_some_and(|key| self.echoed.remove(key)) {
            return Ok(());
        }
        let (time, sender) = (utc(message.send_time), escaped(&message.sender));
        self.screen.line(&format!("{time}  {sender}: {}", escaped(&message.text)))
    }

    async fn load_marker(&mut self) -> Result<(), CliError> {
        // Without it the conversation lacks a remark, which the next mark of the peer makes up for.
        let Ok(inbox) = self.client.inbox(&self.user).chat(&self.chat).page().await else { return Ok(()) };
        match inbox.chats.first().and_then(|entry| entry.read.get(&self.peer)) {
            Some(&seq) => self.peer_read(seq),
            None => Ok(()),
        }
    }

    /// Says that the peer has read what the user said, where that is news.
    fn peer_read(&mut self, seq: u64) -> Result<(), CliError> {
        let read = self.unread.iter().rposition(|&own| own <= seq);
        let Some(last) = read.filter(|_| self.peer != self.user) else { return Ok(()) };
        let rest = self.unread.split_off(last + 1);
        let read = std::mem::replace(&mut self.unread, rest);
        // All that the user said: then it needs no number.
        let what = match read.last() {
            Some(seq) if !self.unread.is_empty() => format!(" up to message {seq}"),
            _ => String::new(),
        };
        self.screen.note(&format!("{} has read this{what}", escaped(&self.peer)))
    }

    /// Takes note of a line that was said and is now on its way.
    pub(super) fn said(&mut self, key: &str) {
        self.told_writing = None;
        if self.echoes {
            self.echoed.insert(key.to_owned());
        }
    }

    /// Tells the peer that the user writes, now and then.
    pub(super) fn writes(&mut self) {
        if self.told_writing.is_some_and(|at| at.elapsed() < WRITING_EVERY) {
            return;
        }
        self.told_writing = Some(Instant::now());
        let (client, chat, user) = (self.client.clone(), self.chat.clone(), self.user.clone());
        // Whether it arrives makes no difference to the user.
        tokio::spawn(async move { client.typing(&chat, &user).await });
    }

    pub(super) fn not_sent(&mut self, text: &str, error: &ClientError) -> Result<(), CliError> {
        let (error, text) = (escaped(&error.to_string()), escaped(text));
        self.screen.note(&format!("not sent: {error}: {text}"))
    }

    pub(super) fn waits(&mut self, error: &ClientError) -> Result<(), CliError> {
        self.screen.note(&format!("not sent yet, trying again: {}", escaped(&error.to_string())))
    }

    /// Says to a user who wants to leave why it is not yet done; a pipe has nobody to tell.
    pub(super) fn leaves(&mut self) -> Result<(), CliError> {
        if self.echoes {
            self.screen.note("waiting until all is sent; Ctrl-C leaves without")
        } else {
            Ok(())
        }
    }

    pub(super) fn broken(&mut self, why: &str) -> Result<(), CliError> {
        self.screen.note(&format!("the input can't be read on: {why}"))
    }

    /// Waits until the server knows what was read.
    pub(super) async fn leave(self) {
        drop(self.seen);
        // A marker that does not arrive moves the next time.
        let _ = timeout(LEAVE_TIMEOUT, self.marker).await;
    }
}

/// Marks as read what is seen, the latest at a time.
async fn mark(client: Client, chat: String, user: String, mut seen: watch::Receiver<u64>) {
    while seen.changed().await.is_ok() {
        let seq = *seen.borrow_and_update();
        // One that fails is made up for by the next.
        let _ = client.read(&chat, &user, seq).await;
    }
}
