//! The part of the check that holds where chats begin against the messages.

use super::{
    super::{
        floors::{self, EXPIRY_KEY, Floor, decode_expiry},
        head::Begin,
        tables::{Kept, View},
    },
    Check,
    derived::Derived,
};
use chinwag_model::{Chat, Message, Seq};

/// Where chats begin, as their rows say.
pub(super) struct Begins<'a> {
    view: &'a View,
    /// Whether any chat has a row.
    any: bool,
    /// The chat at hand, and its row.
    at: Option<(Chat, Option<Floor>)>,
}

impl<'a> Begins<'a> {
    pub(super) fn new(view: &'a View, check: &mut Check<'_>) -> Self {
        match view.get(Kept::Floors, EXPIRY_KEY).map(|row| row.map(|value| decode_expiry(&value))) {
            Ok(None | Some(Ok(_))) => {}
            Ok(Some(Err(wrong))) => check.problem(format!("how far expiry has come: {wrong}")),
            Err(error) => check.problem(format!("how far expiry has come can't be read: {error}")),
        }
        Self { view, any: view.rows(Kept::Floors).next().is_some(), at: None }
    }

    /// Turns to a chat.
    pub(super) fn turn_to(&mut self, check: &mut Check<'_>, chat: &Chat) {
        if self.at.as_ref().is_some_and(|(at, _)| at == chat) {
            return;
        }
        let floor = if self.any { floors::of(self.view, chat) } else { Ok(None) };
        let floor = floor.unwrap_or_else(|error| {
            check.problem(error.to_string());
            None
        });
        self.at = Some((chat.clone(), floor));
    }

    fn floor(&self) -> Option<&Floor> {
        self.at.as_ref().and_then(|(_, floor)| floor.as_ref())
    }

    /// Rows of messages of the chat at hand are there from this one on.
    pub(super) fn freed(&self) -> Seq {
        self.floor().map_or(Seq(1), |floor| floor.freed)
    }

    /// Whether a message's row is gone, since it has expired.
    pub(super) fn is_freed(&mut self, check: &mut Check<'_>, chat: &Chat, seq: Seq) -> bool {
        self.turn_to(check, chat);
        seq < self.freed()
    }

    /// Looks at a message of the chat at hand.
    pub(super) fn message(&mut self, check: &mut Check<'_>, message: &Message) {
        let Some(floor) = self.floor() else { return };
        let (chat, seq, begin) = (&message.chat, message.seq, floor.begin);
        if seq == begin.first && Begin::with(message).first_sent != begin.first_sent {
            check.problem(format!(
                "chat {chat}: it begins at seq {}, and its counts are of another place",
                seq.0
            ));
        }
        if seq.0 + 1 == begin.first.0 && message.ts != floor.before_ts {
            check.problem(format!("chat {chat}: it begins after seq {}, and not at that time", seq.0));
        }
    }

    /// Looks at the last message of the chat at hand.
    pub(super) fn end_chat(&self, check: &mut Check<'_>, last: &Message) {
        if let Some(floor) = self.floor().filter(|floor| floor.begin.first.0 > last.seq.0 + 1) {
            let (chat, first) = (&last.chat, floor.begin.first.0);
            check.problem(format!("chat {chat}: it begins at seq {first}, and ends at {}", last.seq.0));
        }
    }

    /// Looks at the chats whose every message is gone.
    pub(super) fn finish(&self, check: &mut Check<'_>, derived: &mut Derived<'_>) {
        for row in self.view.rows(Kept::Floors) {
            check.step();
            let read = || {
                let (key, value) = row.into_inner().map_err(|_| "a row can't be read")?;
                if *key == *EXPIRY_KEY {
                    return Ok(None);
                }
                Ok(Some((floors::chat_of(&key)?, floors::decode(&key, &value)?)))
            };
            let (chat, floor) = match read() {
                Ok(Some(row)) => row,
                Ok(None) => continue,
                Err::<_, floors::Wrong>(wrong) => {
                    check.problem(format!("where chats begin: {wrong}"));
                    continue;
                }
            };
            if self.view.messages_of(&chat).next().is_some() {
                continue;
            }
            if floor.freed != floor.begin.first {
                check.problem(format!("chat {chat}: its messages from seq {} on are missing", floor.freed.0));
            }
            derived.without_messages(check, &chat, &floor);
        }
    }
}
