//! A look at fjall's journals before fjall opens them.
//!
//! fjall takes the first thing in a journal that it can't read for the end of it, and cuts the rest off. That is right
//! for the torn tail of a crash, and loses acknowledged messages where the damage lies before valid batches. This
//! room tells the two apart, and refuses the second in words.
//!
//! The format, as fjall 3 writes it (little-endian): a batch is a start (tag 1, items u32, seqno u64), its items (tag 2,
//! kind u8, compression u8, keyspace u64, key length u16, value length u32, stored length u32, key, value), and an end
//! (tag 3, XXH3-64 of the items u64, trailer `FJL` 3). A journal is allocated ahead with zeros.

use super::layout::{OpenError, at};
use std::{
    fs::{self, File},
    io,
    os::unix::fs::{FileExt, MetadataExt as _},
    path::{Path, PathBuf},
};
use xxhash_rust::xxh3::xxh3_64;

const TRAILER: [u8; 4] = [b'F', b'J', b'L', 3];
const START_BYTES: usize = 13;
const ITEM_BYTES: usize = 21;
const END_BYTES: usize = 13;
/// How far a batch's number may lie above the one before: fjall's flushes and compactions take some in between.
const SEQNO_GAP_MAX: u64 = 64;

/// Examines every journal of a database, and makes the newest one's valid part durable.
///
/// Only the newest may have a torn tail: the others were synced whole before the next was begun. One batch is
/// written and synced at a time, so what a torn tail held was never acknowledged.
pub(super) fn examine(db: &Path) -> Result<(), OpenError> {
    let journals = list(db)?;
    let mut last_seqno = None;
    for (nth, path) in journals.iter().enumerate() {
        let newest = nth + 1 == journals.len();
        let bytes = fs::read(path).map_err(at(path))?;
        let valid = valid_len(&bytes, &mut last_seqno);
        let rest = without_trailing_zeros(&bytes[valid..]);
        if rest.is_empty() {
            if newest {
                settle(path, &bytes[..valid], bytes.len())?;
            }
            continue;
        }
        let damaged = |what: &str| OpenError::Damaged {
            path: path.clone(),
            why: format!(
                "from byte {valid} on it is not what was written, {what}. The file may hold acknowledged messages, so it is left as \
                 it is: look after the disk, and restore a backup"
            ),
        };
        if !newest {
            return Err(damaged("and the journal was complete once"));
        }
        let torn = torn_start(rest, last_seqno);
        if let Some(next) = next_batch(&rest[torn..]) {
            return Err(damaged(&format!("but at byte {} there is a whole batch", valid + torn + next)));
        }
        tracing::warn!(
            journal = %path.display(), valid_bytes = valid, torn_bytes = rest.len(),
            "the journal ends in a batch that a crash cut short; it was never acknowledged and is dropped"
        );
        settle(path, &bytes[..valid], valid)?;
    }
    Ok(())
}

/// Writes the valid part once more, and syncs it.
///
/// After a failed sync the system's cache may hold bytes that the disk does not, and call them clean; a process that
/// starts then would read them, and answer a repeated send with a message that the next power cut takes away.
fn settle(path: &Path, valid: &[u8], len: usize) -> Result<(), OpenError> {
    let write = || -> io::Result<()> {
        let file = File::options().write(true).open(path)?;
        file.set_len(len as u64)?;
        file.write_all_at(valid, 0)?;
        file.sync_all()
    };
    write().map_err(at(path))
}

/// The journals, the oldest first.
fn list(db: &Path) -> Result<Vec<PathBuf>, OpenError> {
    let entries = match fs::read_dir(db) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(at(db)(error)),
    };
    let mut journals = Vec::new();
    for entry in entries {
        let path = entry.map_err(at(db))?.path();
        let number =
            path.file_name().and_then(|name| name.to_str()?.strip_suffix(".jnl")?.parse::<u64>().ok());
        journals.extend(number.map(|number| (number, path)));
    }
    journals.sort();
    Ok(journals.into_iter().map(|(_, path)| path).collect())
}

/// How many journals there are, and the bytes that they take on the disk, which is less than they are long.
pub(super) fn size(db: &Path) -> Result<(usize, u64), OpenError> {
    /// What `st_blocks` counts.
    const BLOCK_BYTES: u64 = 512;
    let (mut journals, mut bytes) = (0, 0);
    for path in list(db)? {
        match fs::metadata(&path) {
            Ok(file) => {
                journals += 1;
                bytes += file.blocks() * BLOCK_BYTES;
            }
            // It was let go of meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(at(&path)(error)),
        }
    }
    Ok((journals, bytes))
}

/// The length of the part that is whole batches. Their numbers rise, and are not in their checksums.
fn valid_len(bytes: &[u8], last_seqno: &mut Option<u64>) -> usize {
    let mut at = 0;
    while let Some((len, seqno)) = batch(&bytes[at..])
        && last_seqno.is_none_or(|last| last < seqno)
    {
        at += len;
        *last_seqno = Some(seqno);
    }
    at
}

/// The length of the batch at the front of `bytes` whose number was torn and nothing else; 0 where there is none.
///
/// A batch is written in several calls, and a crash may keep the later ones alone. The number is in no checksum, so a batch
/// whose start was lost in part, which reads as zeros, can look whole.
fn torn_start(bytes: &[u8], last_seqno: Option<u64>) -> usize {
    let Some((len, found)) = batch(bytes) else { return 0 };
    let last = last_seqno.unwrap_or(0);
    let is_left_of = |written: u64| {
        written.to_le_bytes().iter().zip(found.to_le_bytes()).all(|(&byte, left)| left == byte || left == 0)
    };
    let torn = (1..=SEQNO_GAP_MAX).any(|gap| is_left_of(last.saturating_add(gap)));
    if torn { len } else { 0 }
}

/// Where in `bytes` a whole batch begins.
fn next_batch(bytes: &[u8]) -> Option<usize> {
    (0..bytes.len()).find(|&at| bytes[at] == 1 && batch(&bytes[at..]).is_some())
}

/// The bytes up to the last that is not zero: by the block, since tens of megabytes of zeros may follow.
fn without_trailing_zeros(mut bytes: &[u8]) -> &[u8] {
    const BLOCK: [u8; 4_096] = [0; 4_096];
    while let Some((rest, last)) = bytes.split_last_chunk()
        && *last == BLOCK
    {
        bytes = rest;
    }
    let zeros = bytes.iter().rev().take_while(|&&byte| byte == 0).count();
    &bytes[..bytes.len() - zeros]
}

/// The length and the number of the batch at the front of `bytes`, if there is a whole one with the right checksum.
fn batch(bytes: &[u8]) -> Option<(usize, u64)> {
    let number = |at: usize, len: usize| {
        let digits = bytes.get(at..at + len)?;
        Some(digits.iter().rev().fold(0, |number, &digit| number << 8 | usize::from(digit)))
    };
    if *bytes.first()? != 1 {
        return None;
    }
    let items = number(1, 4)?;
    let seqno = number(5, 8)? as u64;
    let mut at = START_BYTES;
    for _ in 0..items {
        if *bytes.get(at)? != 2 {
            return None;
        }
        let (key, stored) = (number(at + 11, 2)?, number(at + 17, 4)?);
        at += ITEM_BYTES + key + stored;
    }
    let end = bytes.get(at..at + END_BYTES)?;
    let sum = xxh3_64(bytes.get(START_BYTES..at)?).to_le_bytes();
    (items > 0 && end[0] == 3 && end[1..9] == sum && end[9..] == TRAILER).then_some((at + END_BYTES, seqno))
}

#[cfg(test)]
mod tests {
    use super::*;
    use fjall::{Database, KeyspaceCreateOptions, PersistMode};

    /// A database with one journal of ten batches, its bytes, and its batches' lengths.
    fn journal() -> (tempfile::TempDir, PathBuf, Vec<usize>) {
        let dir = tempfile::tempdir().expect("a directory");
        let db = Database::builder(dir.path()).open().expect("opened");
        let keyspace = db.keyspace("messages", KeyspaceCreateOptions::default).expect("opened");
        for batch in 0..10_u8 {
            let mut rows = db.batch().durability(Some(PersistMode::SyncData));
            for row in 0..=batch {
                rows.insert(&keyspace, [batch, row], vec![row; 50]);
            }
            rows.commit().expect("committed");
        }
        drop((keyspace, db));
        let path = list(dir.path()).expect("listed").pop().expect("one");
        // A few of the zeros behind the batches are enough.
        let file = File::options().write(true).open(&path).expect("opened");
        file.set_len(8_192).expect("cut");
        let bytes = fs::read(&path).expect("read");
        let mut lens = Vec::new();
        let mut at = 0;
        while let Some((len, _)) = batch(&bytes[at..]) {
            at += len;
            lens.push(len);
        }
        (dir, path, lens)
    }

    fn rows(dir: &Path) -> usize {
        let db = Database::builder(dir).open().expect("opened");
        let keyspace = db.keyspace("messages", KeyspaceCreateOptions::default).expect("opened");
        keyspace.iter().filter_map(|row| row.key().ok()).count()
    }

    #[test]
    fn what_fjall_writes_is_understood() {
        let (dir, path, lens) = journal();
        // fjall may write batches of its own before ours.
        assert!(lens.len() >= 10, "{lens:?}");
        let before = fs::read(&path).expect("read");
        examine(dir.path()).expect("whole");
        assert_eq!(fs::read(&path).expect("read"), before);
        assert_eq!(rows(dir.path()), 55);
    }

    #[test]
    fn a_torn_tail_is_dropped_wherever_it_was_torn() {
        let (dir, path, lens) = journal();
        let whole = fs::read(&path).expect("read");
        let (end, last) = (lens.iter().sum::<usize>(), *lens.last().expect("ten"));
        for keep in (0..last).step_by(101).chain([last - 1]) {
            // Cut off, and followed by the zeros that were allocated ahead.
            let mut torn = whole.clone();
            torn[end - last + keep..].fill(0);
            fs::write(&path, &torn).expect("written");
            examine(dir.path()).expect("a torn tail");
            assert_eq!(rows(dir.path()), 45, "{keep} bytes kept");
            // Cut off at the end of the file.
            fs::write(&path, &whole[..end - last + keep]).expect("written");
            examine(dir.path()).expect("a torn tail");
            assert_eq!(rows(dir.path()), 45, "{keep} bytes kept");
        }
        // Bytes that arrived out of order: the end without the middle.
        let mut torn = whole.clone();
        torn[end - last + 20..end - 20].fill(0);
        fs::write(&path, &torn).expect("written");
        examine(dir.path()).expect("a torn tail");
        assert_eq!(rows(dir.path()), 45);
    }

    #[test]
    fn a_last_batch_whose_start_was_lost_in_part_is_dropped() {
        let (dir, path, lens) = journal();
        let whole = fs::read(&path).expect("read");
        let last = lens[..lens.len() - 1].iter().sum::<usize>();
        for (from, to) in (0..START_BYTES).flat_map(|from| (from + 1..=START_BYTES).map(move |to| (from, to)))
        {
            let mut torn = whole.clone();
            torn[last + from..last + to].fill(0);
            fs::write(&path, &torn).expect("written");
            examine(dir.path())
                .unwrap_or_else(|error| panic!("bytes {from} to {to} of the start lost: {error}"));
            // Where only zeros were lost, nothing was.
            let left = if torn == whole { 55 } else { 45 };
            assert_eq!(rows(dir.path()), left, "bytes {from} to {to}");
        }
    }

    #[test]
    fn a_number_that_was_damaged_is_not_taken_for_a_torn_one() {
        let (dir, path, lens) = journal();
        let whole = fs::read(&path).expect("read");
        // The last batch but one seems to come after the last, which may have been acknowledged.
        let at = lens[..lens.len() - 2].iter().sum::<usize>() + 5;
        let mut broken = whole.clone();
        broken[at] ^= 0x50;
        fs::write(&path, &broken).expect("written");
        assert!(matches!(examine(dir.path()), Err(OpenError::Damaged { .. })));
        assert_eq!(fs::read(&path).expect("read"), broken);
    }

    #[test]
    fn damage_before_a_valid_batch_is_refused_and_left_alone() {
        let (dir, path, lens) = journal();
        let whole = fs::read(&path).expect("read");
        let end: usize = lens[..lens.len() - 1].iter().sum();
        for at in (0..end).step_by(23) {
            let mut broken = whole.clone();
            broken[at] ^= 0x55;
            fs::write(&path, &broken).expect("written");
            let error = examine(dir.path()).expect_err(&format!("damage at byte {at} of {lens:?}"));
            assert!(matches!(error, OpenError::Damaged { .. }), "byte {at}: {error}");
            assert_eq!(fs::read(&path).expect("read"), broken, "byte {at}");
        }
    }

    #[test]
    fn a_journal_that_was_complete_may_not_be_torn() {
        let (dir, path, lens) = journal();
        let end: usize = lens.iter().sum();
        let whole = fs::read(&path).expect("read");
        fs::write(&path, &whole[..end - 1]).expect("written");
        fs::write(path.with_file_name("999.jnl"), [0; 64]).expect("written");
        assert!(matches!(examine(dir.path()), Err(OpenError::Damaged { .. })));
    }
}
