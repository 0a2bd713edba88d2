//! Tickets: they stand in for a token for one handshake, where a browser can't set a header. They are kept by the node that
//! gave them, in memory.

use crate::hub::Identity;
use chinwag_model::Ts;
use data_encoding::BASE64URL_NOPAD;
use parking_lot::Mutex;
use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

/// How long a ticket may wait to be used.
const TICKET_MAX: Duration = Duration::from_secs(30);
/// Tickets that may wait at once; one more, and the oldest is of no use any more.
const TICKETS_MAX: usize = 100_000;

#[derive(Default)]
pub(super) struct Tickets(Mutex<Table>);

#[derive(Default)]
struct Table {
    waiting: HashMap<[u8; 32], (Identity, Ts)>,
    /// In the order in which they were given, those used among them.
    given: VecDeque<([u8; 32], Ts)>,
}

impl Tickets {
    /// Gives one, and says when it ends.
    pub(super) fn give(&self, identity: Identity, now: Ts) -> Result<(String, Ts), getrandom::Error> {
        let mut ticket = [0; 32];
        getrandom::fill(&mut ticket)?;
        let ends = Ts(now.0 + u64::try_from(TICKET_MAX.as_micros()).expect("half a minute"));
        let mut table = self.0.lock();
        while let Some((oldest, until)) = table.given.front().copied()
            && (until <= now || table.given.len() >= TICKETS_MAX)
        {
            table.given.pop_front();
            table.waiting.remove(&oldest);
        }
        table.given.push_back((ticket, ends));
        table.waiting.insert(ticket, (identity, ends));
        Ok((BASE64URL_NOPAD.encode(&ticket), ends))
    }

    /// Takes one, if it is still good.
    pub(super) fn take(&self, ticket: &str, now: Ts) -> Option<Identity> {
        let ticket: [u8; 32] = BASE64URL_NOPAD.decode(ticket.as_bytes()).ok()?.try_into().ok()?;
        let (identity, ends) = self.0.lock().waiting.remove(&ticket)?;
        (now < ends).then_some(identity)
    }
}
