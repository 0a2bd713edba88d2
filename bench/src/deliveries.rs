//! Whether what was acknowledged came to those who listened: once each, and in order.

use crate::ledger::Acked;
use serde::Serialize;
use std::collections::{HashMap, HashSet};

/// Faults that are told in full.
const FAULTS_TOLD: usize = 10;

/// A message that a session was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Received {
    /// Its position in the chat.
    pub(crate) seq: u64,
    /// Which send of the run it came from.
    pub(crate) number: u64,
}

/// What was found of the deliveries that were due.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Deliveries {
    /// Sessions that listened.
    pub sessions: u64,
    /// Acknowledged sends, for each session that was to be given them.
    pub expected: u64,
    /// Of these, given, with the text that was sent.
    pub delivered: u64,
    /// Given though no acknowledgement came: allowed, once each.
    pub unacknowledged_delivered: u64,
    /// How many things are wrong.
    pub faults: u64,
    /// The first of them, in words.
    pub first_faults: Vec<String>,
}

impl Deliveries {
    /// Whether every session was given each message once, in order.
    pub fn passed(&self) -> bool {
        self.faults == 0 && self.delivered == self.expected
    }

    pub(crate) fn fault(&mut self, what: String) {
        self.faults += 1;
        if self.first_faults.len() < FAULTS_TOLD {
            self.first_faults.push(what);
        }
    }

    /// Compares what a session was given of a chat, in this order, with what was acknowledged in it, sorted by `seq`.
    pub(crate) fn session(&mut self, user: &str, acked: &[Acked], received: &[Received]) {
        self.sessions += 1;
        self.expected += acked.len() as u64;
        let mut given = HashMap::with_capacity(received.len());
        let mut numbers = HashSet::with_capacity(received.len());
        let mut last = 0;
        for &Received { seq, number } in received {
            if given.insert(seq, number).is_some() || !numbers.insert(number) {
                self.fault(format!("{user}: message {seq} was delivered twice"));
            } else if seq < last {
                self.fault(format!("{user}: message {seq} was delivered after message {last}"));
            }
            last = last.max(seq);
        }
        for acked in acked {
            match given.remove(&acked.seq) {
                Some(number) if number == acked.number => self.delivered += 1,
                Some(_) => self.fault(format!("{user}: message {} is not the one that was sent", acked.seq)),
                None => {
                    self.fault(format!("{user}: message {} was acknowledged and not delivered", acked.seq));
                }
            }
        }
        self.unacknowledged_delivered += given.len() as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(received: &[(u64, u64)], expected: Result<u64, &str>) {
        let acked = [(1, 10), (2, 11), (4, 13)].map(|(seq, number)| Acked { chat: 0, seq, number });
        let received: Vec<_> = received.iter().map(|&(seq, number)| Received { seq, number }).collect();
        let mut found = Deliveries::default();
        found.session("pear", &acked, &received);
        match expected {
            Ok(unacknowledged) => {
                assert!(found.passed(), "{received:?}: {found:?}");
                assert_eq!(found.unacknowledged_delivered, unacknowledged);
            }
            Err(told) => {
                assert!(!found.passed(), "{received:?} went unnoticed");
                assert!(found.first_faults[0].contains(told), "{received:?}: {found:?}");
            }
        }
    }

    #[test]
    fn each_once_and_in_order() {
        check(&[(1, 10), (2, 11), (4, 13)], Ok(0));
        check(&[(1, 10), (2, 11), (3, 12), (4, 13)], Ok(1));
        check(&[(1, 10), (4, 13)], Err("message 2 was acknowledged and not delivered"));
        check(&[], Err("message 1 was acknowledged and not delivered"));
        check(&[(1, 10), (2, 11), (2, 11), (4, 13)], Err("message 2 was delivered twice"));
        check(&[(1, 10), (2, 11), (3, 11), (4, 13)], Err("message 3 was delivered twice"));
        check(&[(2, 11), (1, 10), (4, 13)], Err("message 1 was delivered after message 2"));
        check(&[(1, 10), (2, 12), (4, 13)], Err("message 2 is not the one that was sent"));
    }
}
