//! Reads a whole store and verifies what it holds.

mod derived;
mod floors;

use super::{
    Options, blocks,
    changes::{self, Kind},
    layout::{Layout, OpenError},
    messages, migrate, reader, record,
    tables::{Kept, Tables, View},
};
use chinwag_model::{Message, Seq, Ts};
use derived::Derived;
use floors::Begins;
use std::{collections::BTreeMap, path::Path};
use xxhash_rust::xxh3::xxh3_64;

/// Problems past this many are counted, not told.
const PROBLEMS_MAX: usize = 100;
/// Rows between two reports of progress.
const REPORT_EVERY_ROWS: u64 = 10_000;

/// How far a check is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckProgress {
    /// Rows read.
    pub done: u64,
    /// Rows that there are, about.
    pub total_estimate: u64,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CheckReport {
    /// Chats with a message.
    pub chats: u64,
    /// Messages.
    pub messages: u64,
    /// Entries of the change log.
    pub changes: u64,
    /// Time of the oldest message.
    pub first_ts: Option<Ts>,
    /// Time of the newest message.
    pub last_ts: Option<Ts>,
    /// What is wrong, in words; at most 100, and then how many more.
    pub problems: Vec<String>,
}

/// Reads a whole store that no server has open: every checksum, every chat's seq without a gap, its rising ts and the
/// count of either user's messages, the markers, the change log, which must name the same messages, and the inbox rows,
/// which must show the same as messages and markers, but for chats that the log says they are still behind on.
///
/// A store of an older format is migrated first, as a server does that opens it.
///
/// # Errors
/// [`OpenError`] where the store can't be opened. What is wrong inside it is in the report.
pub fn check(data: &Path, progress: &mut dyn FnMut(CheckProgress)) -> Result<CheckReport, OpenError> {
    let (_layout, tables) = Layout::open_existing(
        data,
        |db| Tables::open(db, &Options::default()),
        |tables, format| migrate::all(data, tables, format),
    )?;
    Ok(check_view(&tables.view(), progress))
}

/// Checks a store as it is at one moment; a server may go on with it.
pub(super) fn check_view(view: &View, progress: &mut dyn FnMut(CheckProgress)) -> CheckReport {
    let mut check = Check {
        report: CheckReport::default(),
        problems: 0,
        rows: CheckProgress { done: 0, total_estimate: view.rows_estimate() },
        progress,
    };
    // Messages since the log's first entry must be in it, the older ones were trimmed from it.
    let log_start = log_start(view);
    let mut begins = Begins::new(view, &mut check);
    let mut derived = Derived::new(view, &mut check);
    let stored = check.messages(view, log_start, &mut derived, &mut begins);
    begins.finish(&mut check, &mut derived);
    derived.finish(&mut check);
    let logged = check.changes(view, &mut begins);
    check.blocks(view);
    if stored != logged {
        check.problem(format!(
            "the change log names {} messages, the store holds {} of its time{}",
            logged.count,
            stored.count,
            if stored.count == logged.count { ", and they are not the same" } else { "" }
        ));
    }
    (check.progress)(CheckProgress { total_estimate: check.rows.done, ..check.rows });
    if check.problems > PROBLEMS_MAX {
        check.report.problems.push(format!("and {} more", check.problems - PROBLEMS_MAX));
    }
    check.report
}

struct Check<'a> {
    report: CheckReport,
    problems: usize,
    rows: CheckProgress,
    progress: &'a mut dyn FnMut(CheckProgress),
}

/// A set of messages, known by its size and a sum that does not depend on their order.
#[derive(Default, PartialEq, Eq, Debug)]
struct Set {
    count: u64,
    sum: u64,
}

impl Set {
    fn add(&mut self, chat: &str, seq: Seq, ts: Ts) {
        let mut one = chat.as_bytes().to_vec();
        one.extend_from_slice(&seq.0.to_be_bytes());
        one.extend_from_slice(&ts.0.to_be_bytes());
        self.count += 1;
        self.sum = self.sum.wrapping_add(xxh3_64(&one));
    }
}

impl Check<'_> {
    fn problem(&mut self, what: String) {
        self.problems += 1;
        if self.problems <= PROBLEMS_MAX {
            self.report.problems.push(what);
        }
    }

    fn step(&mut self) {
        self.rows.done += 1;
        if self.rows.done.is_multiple_of(REPORT_EVERY_ROWS) {
            (self.progress)(self.rows);
        }
    }

    fn messages(
        &mut self,
        view: &View,
        log_start: Ts,
        derived: &mut Derived<'_>,
        begins: &mut Begins<'_>,
    ) -> Set {
        let mut since_log = Set::default();
        let mut before: Option<Message> = None;
        for row in view.rows(Kept::Messages) {
            self.step();
            let (key, value) = match row.into_inner() {
                Ok(row) => row,
                Err(error) => {
                    self.problem(format!("messages: a row can't be read: {error}"));
                    continue;
                }
            };
            let message = match record::decode(None, &key, &value) {
                Ok(message) => message,
                Err(wrong) => {
                    let name = record::split_key(&key).map_or_else(
                        |_| String::from_utf8_lossy(&key).into_owned(),
                        |(chat, seq)| format!("{chat} {}", seq.0),
                    );
                    self.problem(format!("message {name}: {wrong}"));
                    continue;
                }
            };
            let same = before.as_ref().filter(|before| before.chat == message.chat);
            if let (None, Some(last)) = (same, &before) {
                begins.end_chat(self, last);
                derived.end_chat(self, last);
            }
            if same.is_none() {
                begins.turn_to(self, &message.chat);
            }
            begins.message(self, &message);
            self.message(same, &message, begins.freed());
            derived.message(self, same.is_none(), &message, begins.freed());
            if message.ts >= log_start {
                since_log.add(message.chat.as_str(), message.seq, message.ts);
            }
            before = Some(message);
        }
        if let Some(last) = &before {
            begins.end_chat(self, last);
            derived.end_chat(self, last);
        }
        since_log
    }

    fn message(&mut self, before: Option<&Message>, message: &Message, freed: Seq) {
        self.report.messages += 1;
        self.report.chats += u64::from(before.is_none());
        self.report.first_ts = Some(self.report.first_ts.map_or(message.ts, |ts| ts.min(message.ts)));
        self.report.last_ts = Some(self.report.last_ts.map_or(message.ts, |ts| ts.max(message.ts)));
        let expected = before.map_or(freed.0, |before| before.seq.0 + 1);
        let (chat, seq) = (&message.chat, message.seq.0);
        if seq != expected {
            self.problem(format!("chat {chat}: seq {seq} stands where {expected} belongs"));
        }
        if before.is_some_and(|before| before.ts >= message.ts) {
            self.problem(format!("chat {chat}: seq {seq} is not later than the one before it"));
        }
        let nth = 1 + before.map_or(0, |before| before.sent_by(message.sender));
        // What the first counts of a chat whose older ones are gone is held against where the chat begins.
        if message.nth != nth && (before.is_some() || freed == Seq(1)) {
            self.problem(format!(
                "chat {chat}: seq {seq} counts {} of its sender's messages, not {nth}",
                message.nth
            ));
        }
    }

    fn blocks(&mut self, view: &View) {
        for row in view.rows(Kept::Blocks) {
            self.step();
            let decoded = row
                .into_inner()
                .map_err(|error| error.to_string())
                .and_then(|(key, value)| blocks::decode(&key, &value).map_err(Into::into));
            if let Err(wrong) = decoded {
                self.problem(format!("blocks: {wrong}"));
            }
        }
    }

    fn changes(&mut self, view: &View, begins: &mut Begins<'_>) -> Set {
        let mut logged = Set::default();
        let mut last = Ts(0);
        let mut missing = BTreeMap::new();
        for row in view.changes() {
            self.step();
            let decoded = row
                .into_inner()
                .map_err(|error| error.to_string())
                .and_then(|(key, value)| changes::decode(&key, &value).map_err(Into::into));
            let changes = match decoded {
                Ok(changes) => changes,
                Err(wrong) => {
                    self.problem(format!("change log: {wrong}"));
                    continue;
                }
            };
            for change in changes {
                self.report.changes += 1;
                if change.ts <= last {
                    self.problem(format!("change log: {} is not later than the one before it", change.ts.0));
                }
                last = change.ts;
                let of_message = matches!(change.kind, Kind::Revised | Kind::Message);
                if of_message && begins.is_freed(self, &change.chat, change.seq) {
                    continue;
                }
                match change.kind {
                    Kind::Revised => {
                        let stands = messages::message_of(view, &change.chat, change.seq);
                        if !stands
                            .is_ok_and(|message| message.revision.is_some() && message.changed() >= change.ts)
                        {
                            self.problem(format!(
                                "change log: message {} of {} was revised and does not stand so",
                                change.seq.0, change.chat
                            ));
                        }
                    }
                    Kind::Message => logged.add(change.chat.as_str(), change.seq, change.ts),
                    Kind::Marker(side, kind) => {
                        let row = view.get(Kept::Markers, change.chat.as_str().as_bytes());
                        let stands = reader::standing_of(&change.chat, row)
                            .map(|standing| standing.markers[side.index()].get(kind));
                        if !stands.is_ok_and(|marker| marker.seq >= change.seq && marker.ts >= change.ts) {
                            // Unless it is forgotten later.
                            missing.insert((change.chat, side), change.seq);
                        }
                    }
                    Kind::Forgotten(side) => drop(missing.remove(&(change.chat, side))),
                }
            }
        }
        for ((chat, _), seq) in missing {
            let seq = seq.0;
            self.problem(format!("change log: a marker of {chat} came to {seq} and does not stand there"));
        }
        logged
    }
}

/// The time of the log's first entry; of a log that can't be read, the beginning of time.
fn log_start(view: &View) -> Ts {
    let Some(first) = view.changes().next() else { return Ts(u64::MAX) };
    let changes = first.into_inner().ok().and_then(|(key, value)| changes::decode(&key, &value).ok());
    changes.and_then(|changes| Some(changes.first()?.ts)).unwrap_or(Ts(0))
}

#[cfg(test)]
mod tests;
