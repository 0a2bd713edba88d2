//! Reading a backup without restoring it: whether it is whole, and whether every row is what was written.

use super::{
    BackupError, Head,
    format::{BackupReader, Frame, Rows},
};
use crate::embedded::{
    blocks, changes,
    codec::Wrong,
    floors::{self, EXPIRY_KEY, decode_expiry},
    head::decode_standing,
    record::{self, Row},
    tables::Kept,
};
use chinwag_model::{Message, Ts};
use std::io::Read;

/// What a whole backup holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupCheck {
    /// What it says of itself.
    pub head: Head,
    /// Chats with a message in it.
    pub chats: u64,
    /// Messages.
    pub messages: u64,
    /// Chats whose markers are in it.
    pub markers: u64,
    /// Entries of the change log.
    pub changes: u64,
    /// Time of the oldest message.
    pub first_ts: Option<Ts>,
    /// Time of the newest message.
    pub last_ts: Option<Ts>,
    /// Its bytes.
    pub bytes: u64,
}

/// Reads a backup's head only.
///
/// # Errors
/// [`BackupError`]: it is not a backup that this version can read.
pub fn head_of(input: impl Read) -> Result<Head, BackupError> {
    BackupReader::begin(input).map(|(_, head)| head)
}

/// Reads a whole backup and verifies every part and every row of it; `progress` is told how many bytes were read.
///
/// # Errors
/// [`BackupError`] that says what is wrong, and where.
pub fn check_backup(input: impl Read, progress: &mut dyn FnMut(u64)) -> Result<BackupCheck, BackupError> {
    let (mut reader, head) = BackupReader::begin(input)?;
    let whole = head.base.is_none();
    let mut checking = Checking {
        found: BackupCheck {
            head,
            chats: 0,
            messages: 0,
            markers: 0,
            changes: 0,
            first_ts: None,
            last_ts: None,
            bytes: 0,
        },
        whole,
        before: None,
        last_change: Ts(0),
    };
    loop {
        let at = reader.at();
        match reader.next()? {
            Frame::Rows(table, rows) => {
                checking.rows(table, &rows).map_err(|why| BackupError::Damaged { at, why })?;
            }
            Frame::End => break,
        }
        progress(reader.at());
    }
    if checking.last_change != checking.found.head.newest.ts && checking.found.changes > 0 {
        let why = "its change log does not end where its head says".into();
        return Err(BackupError::Damaged { at: reader.at(), why });
    }
    Ok(BackupCheck { bytes: reader.at(), ..checking.found })
}

struct Checking {
    found: BackupCheck,
    /// Whether its messages are all messages, in order.
    whole: bool,
    before: Option<Message>,
    last_change: Ts,
}

impl Checking {
    fn rows(&mut self, table: Kept, rows: &Rows) -> Result<(), String> {
        for row in rows.iter() {
            let (key, value) = row?;
            let of_row = |wrong: Wrong| match record::split_key(key) {
                Ok((chat, seq)) if table == Kept::Messages => format!("message {chat} {}: {wrong}", seq.0),
                _ => format!("{table:?}: {}: {wrong}", key.escape_ascii()),
            };
            match table {
                Kept::Messages => self.message(key, value).map_err(of_row)?,
                Kept::Markers => {
                    decode_standing(key, value).map_err(of_row)?;
                    self.found.markers += 1;
                }
                Kept::Changes => self.changes(key, value).map_err(of_row)?,
                Kept::Floors if key == EXPIRY_KEY => {
                    decode_expiry(value).map_err(of_row)?;
                }
                Kept::Floors => {
                    floors::decode(key, value).map_err(of_row)?;
                }
                Kept::Blocks => drop(blocks::decode(key, value).map_err(of_row)?),
            }
        }
        Ok(())
    }

    fn message(&mut self, key: &[u8], value: &[u8]) -> Result<(), Wrong> {
        let (Row::Present(message) | Row::WithoutNth(message)) = record::decode_any(None, key, value)?;
        let found = &mut self.found;
        found.messages += 1;
        found.first_ts = Some(found.first_ts.map_or(message.ts, |ts| ts.min(message.ts)));
        found.last_ts = Some(found.last_ts.map_or(message.ts, |ts| ts.max(message.ts)));
        let same = self.before.as_ref().filter(|before| before.chat == message.chat);
        if let (Some(before), true) = (same, self.whole)
            && (before.seq.0 + 1 != message.seq.0 || before.ts >= message.ts)
        {
            return Err("it does not follow the one before it");
        }
        found.chats += u64::from(same.is_none());
        self.before = Some(message);
        Ok(())
    }

    fn changes(&mut self, key: &[u8], value: &[u8]) -> Result<(), Wrong> {
        let changes = changes::decode(key, value)?;
        self.found.changes += changes.len() as u64;
        for change in changes {
            if change.ts <= self.last_change {
                return Err("it is not later than the one before it");
            }
            self.last_change = change.ts;
        }
        Ok(())
    }
}
