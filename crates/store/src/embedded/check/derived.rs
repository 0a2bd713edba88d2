//! The part of the check that holds markers and inbox rows against the messages.

use super::{
    super::{
        floors::Floor,
        follower::{changed_in, derived_of},
        head::{DERIVED_KEY, Head, Standing, decode_head, inbox_key},
        reader, revisions,
        tables::{Kept, View},
    },
    Check,
};
use chinwag_model::{Chat, Message, Seq, Side, Ts};
use std::collections::HashSet;

/// What is gathered on the way through the messages.
pub(super) struct Derived<'a> {
    view: &'a View,
    /// Chats whose inbox rows may be behind, until a server opens the store.
    behind: HashSet<Chat>,
    /// Of the chat at hand.
    standing: Standing,
    markers_seen: u64,
    inbox_seen: u64,
    /// Of the chat at hand: unsent messages above either user's read marker, and the latest revision.
    gone: [u64; 2],
    revised: Ts,
    /// Rows of messages below this are gone.
    freed: Seq,
    revised_seen: u64,
}

impl<'a> Derived<'a> {
    pub(super) fn new(view: &'a View, check: &mut Check<'_>) -> Self {
        let behind = derived_of(view.inbox_row(DERIVED_KEY))
            .and_then(|upto| changed_in(view.changes_after(upto), upto));
        let behind = behind.unwrap_or_else(|error| {
            check.problem(format!("what the inbox rows lack can't be told: {error}"));
            HashSet::new()
        });
        Self {
            view,
            behind,
            standing: Standing::START,
            markers_seen: 0,
            inbox_seen: 0,
            gone: [0; 2],
            revised: Ts(0),
            freed: Seq(1),
            revised_seen: 0,
        }
    }

    /// Looks at a message, in the order of their keys.
    pub(super) fn message(&mut self, check: &mut Check<'_>, first: bool, message: &Message, freed: Seq) {
        if first {
            self.freed = freed;
            self.turn_to(check, &message.chat);
            (self.gone, self.revised) = ([0; 2], Ts(0));
        }
        self.revision(check, message);
        for side in [Side::First, Side::Second] {
            let read = self.standing.markers[side.index()].read.seq;
            let (peers, counted) = (message.sent_by(side.other()), self.standing.peers_read[side.index()]);
            if read == message.seq && peers != counted {
                check.problem(format!(
                    "chat {}: {counted} messages are counted as read up to {}, and they are {peers}",
                    message.chat, read.0
                ));
            }
        }
    }

    fn turn_to(&mut self, check: &mut Check<'_>, chat: &Chat) {
        let row = self.view.get(Kept::Markers, chat.as_str().as_bytes());
        self.standing = reader::standing_of(chat, row).unwrap_or_else(|error| {
            check.problem(error.to_string());
            Standing::START
        });
        self.markers_seen += u64::from(self.standing != Standing::START);
    }

    fn revision(&mut self, check: &mut Check<'_>, message: &Message) {
        let (chat, seq) = (&message.chat, message.seq);
        self.revised_seen += revisions::rows_of(message);
        if !revisions::has(self.view, message).is_ok_and(|has| has) {
            check.problem(format!(
                "chat {chat}: seq {} was revised, and the revisions lack it as it stands",
                seq.0
            ));
        }
        if message.revision.is_some() {
            self.revised = self.revised.max(message.changed());
        }
        let reader = message.sender.other().index();
        if message.is_unsent() && !chat.is_note_to_self() && seq > self.standing.markers[reader].read.seq {
            self.gone[reader] += 1;
        }
    }

    /// Looks at a chat whose every message was seen.
    pub(super) fn end_chat(&mut self, check: &mut Check<'_>, last: &Message) {
        let chat = &last.chat;
        for (markers, peers) in self.standing.markers.iter().zip(self.standing.peers_read) {
            let (read, delivered) = (markers.read.seq, markers.delivered.seq);
            if read > delivered || delivered > last.seq || (read.0 == 0 && peers > 0) {
                check.problem(format!(
                    "chat {chat}: a user's markers stand at {} and {} of {} messages",
                    read.0, delivered.0, last.seq.0
                ));
            }
        }
        if !self.revisions_are_counted() {
            check.problem(format!(
                "chat {chat}: its revisions are not counted as they stand: {:?} unread ones are unsent, not {:?}",
                self.gone, self.standing.peers_gone
            ));
        }
        self.inbox_rows(check, chat, &Head::of(last, self.standing));
    }

    /// Looks at a chat whose every message has expired and is gone.
    pub(super) fn without_messages(&mut self, check: &mut Check<'_>, chat: &Chat, floor: &Floor) {
        self.turn_to(check, chat);
        self.inbox_rows(check, chat, &floor.head(self.standing));
    }

    /// Whether the counts are right. Those of messages that are gone count no more, and stay where they were.
    fn revisions_are_counted(&self) -> bool {
        let Standing { markers, peers_gone, revised, .. } = &self.standing;
        // A time that is later is of markers that were forgotten, or of messages that are gone.
        *revised >= self.revised
            && [0, 1].into_iter().all(|side| {
                let whole = markers[side].read.seq.0 + 1 >= self.freed.0;
                if whole { peers_gone[side] == self.gone[side] } else { peers_gone[side] >= self.gone[side] }
            })
    }

    fn inbox_rows(&mut self, check: &mut Check<'_>, chat: &Chat, head: &Head) {
        for &side in chat.sides() {
            let user = chat.user(side);
            let key = inbox_key(user, chat);
            let row = match self.view.inbox_row(&key) {
                Ok(Some(value)) => decode_head(&key, &value).map(Some),
                Ok(None) => Ok(None),
                Err(_) => Err("the row can't be read"),
            };
            self.inbox_seen += u64::from(row != Ok(None));
            match row {
                Err(wrong) => check.problem(format!("inbox of {user}, chat {chat}: {wrong}")),
                Ok(_) if self.behind.contains(chat) => {}
                Ok(Some((_, _, shown))) if shown == *head && !head.is_removed() => {}
                Ok(None) if head.is_removed() => {}
                Ok(_) => check.problem(format!("inbox of {user}: chat {chat} is not shown as it stands")),
            }
        }
    }

    /// Looks for rows of chats that have no message.
    pub(super) fn finish(self, check: &mut Check<'_>) {
        let revised = self.view.revised().count() as u64;
        if revised != self.revised_seen {
            let seen = self.revised_seen;
            check.problem(format!("revised: {revised} rows, and messages that were revised have {seen}"));
        }
        let tables = [
            ("markers", self.view.rows(Kept::Markers), self.markers_seen),
            ("inbox", self.view.inbox(), self.inbox_seen),
        ];
        for (name, table, seen) in tables {
            let mut rows = 0;
            for row in table {
                check.step();
                rows += u64::from(row.key().is_ok_and(|key| *key != *DERIVED_KEY));
            }
            if rows != seen {
                check.problem(format!("{name}: {rows} rows, and chats with messages have {seen}"));
            }
        }
    }
}
