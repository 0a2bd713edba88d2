//! The history of a load, and whether the server's promises held in it.
//!
//! A send that was answered must be there at its place, as it was answered, for ever. One that was refused must never be
//! there. One whose answer never came may be there, at most once: the first look after it settles which, also for ever.

use crate::child::Server;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Instant,
};

/// One message that somebody meant to send, however often it was tried.
#[derive(Debug, Clone)]
pub(crate) struct Send {
    pub(crate) chat: String,
    pub(crate) sender: String,
    pub(crate) text: String,
    pub(crate) key: Option<String>,
    pub(crate) began: Instant,
    pub(crate) outcome: Outcome,
}

/// What is known of a send.
#[derive(Debug, Clone)]
pub(crate) enum Outcome {
    /// It was answered with this message, at that moment; `None` where it was found, not answered.
    Stored(Value, Option<Instant>),
    /// It was refused, or shown not to be there.
    NotStored,
    /// No answer, or the answer that nobody knows.
    Unknown,
}

/// All sends of a test, over all its rounds.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) sends: Vec<Send>,
}

impl Ledger {
    /// How many are known to be stored.
    pub(crate) fn stored(&self) -> usize {
        self.sends.iter().filter(|send| matches!(send.outcome, Outcome::Stored(..))).count()
    }

    /// Holds the promises against the server.
    ///
    /// # Panics
    /// With each promise that did not hold.
    pub(crate) fn verify(&mut self, server: &Server) {
        let broken = self.broken(server);
        assert!(
            broken.is_empty(),
            "{} promises broken:\n{}\n{}",
            broken.len(),
            broken.join("\n"),
            server.printed()
        );
    }

    /// Reads every chat from the server, in both directions; which promises did not hold.
    pub(crate) fn broken(&mut self, server: &Server) -> Vec<String> {
        let mut connection = server.connect();
        let chats: BTreeSet<String> = self.sends.iter().map(|send| send.chat.clone()).collect();
        let mut broken = Vec::new();
        for chat in chats {
            let mut messages = connection.pull_all(&chat, true).expect("a page");
            messages.reverse();
            let forward = connection.pull_all(&chat, false).expect("a page");
            if messages != forward {
                broken.push(format!("{chat}: forward and reverse differ"));
            }
            self.hold(&chat, &messages, &mut broken);
        }
        broken
    }

    fn hold(&mut self, chat: &str, messages: &[Value], broken: &mut Vec<String>) {
        let mut last_ts = 0;
        for (message, expected) in messages.iter().zip(1_u64..) {
            let ts = message["ts"].as_u64().unwrap_or_default();
            if message["seq"].as_u64() != Some(expected) {
                broken.push(format!("{chat}: {message} stands at place {expected}"));
            }
            if ts <= last_ts || message["send_time"].as_u64() != Some(ts / 1_000_000) {
                broken.push(format!("{chat}: the time of {message}, after one at {last_ts}"));
            }
            last_ts = ts;
        }
        let mut unclaimed: BTreeMap<usize, &Value> = messages.iter().enumerate().collect();
        for send in self.sends.iter().filter(|send| send.chat == chat) {
            let Outcome::Stored(answered, _) = &send.outcome else { continue };
            let place =
                answered["seq"].as_u64().and_then(|seq| usize::try_from(seq).ok()).unwrap_or_default();
            match unclaimed.remove(&place.wrapping_sub(1)) {
                Some(message) if message == answered => {}
                Some(message) => broken.push(format!("{chat}: answered {answered}, but it holds {message}")),
                None => broken
                    .push(format!("{chat}: answered {answered}, but it is lost, or its place given twice")),
            }
        }
        self.settle(chat, unclaimed, broken);
        self.hold_order(chat, broken);
    }

    /// Finds the sends without an answer among the messages that nobody claimed.
    fn settle(&mut self, chat: &str, unclaimed: BTreeMap<usize, &Value>, broken: &mut Vec<String>) {
        type Said<'a> = (&'a str, &'a str, Option<&'a str>);
        let mut found: HashMap<Said<'_>, Vec<&Value>> = HashMap::new();
        for message in unclaimed.into_values() {
            let said = |name: &str| message[name].as_str();
            let what = (said("sender").unwrap_or_default(), said("text").unwrap_or_default(), said("key"));
            found.entry(what).or_default().push(message);
        }
        for send in self.sends.iter_mut().filter(|send| send.chat == chat) {
            if matches!(send.outcome, Outcome::Unknown) {
                let messages =
                    found.get_mut(&(send.sender.as_str(), send.text.as_str(), send.key.as_deref()));
                send.outcome = match messages.and_then(Vec::pop) {
                    Some(message) => Outcome::Stored(message.clone(), None),
                    // With a key it may be tried again.
                    None if send.key.is_some() => Outcome::Unknown,
                    None => Outcome::NotStored,
                };
            }
        }
        for message in found.into_values().flatten() {
            broken.push(format!(
                "{chat}: {message} is there, but nobody sent it, or it was sent once and is there twice"
            ));
        }
    }

    /// What was answered before another send began stands before it.
    fn hold_order(&self, chat: &str, broken: &mut Vec<String>) {
        let answered =
            self.sends.iter().filter(|send| send.chat == chat).filter_map(|send| match &send.outcome {
                Outcome::Stored(message, Some(ended)) => Some((send.began, *ended, message["seq"].as_u64()?)),
                _ => None,
            });
        let mut by_begin: Vec<_> = answered.collect();
        let mut by_end = by_begin.clone();
        by_begin.sort_by_key(|&(began, ..)| began);
        by_end.sort_by_key(|&(_, ended, _)| ended);
        let mut ends = by_end.into_iter().peekable();
        let mut highest = 0;
        for (began, _, seq) in by_begin {
            while let Some((.., ended_seq)) = ends.next_if(|&(_, ended, _)| ended < began) {
                highest = highest.max(ended_seq);
            }
            if seq <= highest {
                broken.push(format!("{chat}: {seq} was sent after {highest} was answered"));
            }
        }
    }
}
