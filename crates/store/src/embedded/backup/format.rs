//! A backup, byte for byte.
//!
//! ```text
//! magic     16 bytes "chinwag backup\r\n"
//! frames    kind u8 | length of the body u32 | body | checksum u32
//!           checksum: CRC-32 of the frame's number from 0 (u64), of its kind, length and body
//! head      kind 1, the first frame
//!           version of the backup's format u32 = 1, format of the store u32, epoch u64
//!           upto u64: the store's latest time; digest u64 of the change log's row of that time, 0 in an empty store
//!           whole u8 = 0, or 1 and base u64, digest u64: the change log's row that it goes on from
//!           taken u64: when; version of the program: length u8, UTF-8
//! rows      kind 2: table u8, then rows: length of the key (varint), key, length of the value (varint), value
//! end       kind 3, the last frame: number of tables u8, rows of each u64; digest u64: XXH3 of all bytes before this frame
//! ```
//! Integers are big-endian. Rows are those of the store, each with its own checksum: see [`super::super::record`],
//! [`super::super::changes`] and [`super::super::head`].

use super::{BackupError, Head, Place};
use crate::embedded::{
    codec::{Reader, Wrong, put_varint},
    tables::Kept,
};
use bytes::{BufMut, BytesMut};
use chinwag_model::{Epoch, Ts};
use std::io::{self, Read, Write};
use xxhash_rust::xxh3::Xxh3;

/// The version of the backup's format that this program writes, and the newest that it reads.
const VERSION: u32 = 1;
const MAGIC: &[u8; 16] = b"chinwag backup\r\n";
const HEAD: u8 = 1;
const ROWS: u8 = 2;
const END: u8 = 3;
/// Bytes of rows past which a frame ends.
const FRAME_BYTES: usize = 256 << 10;
/// A longer frame is none of ours: one with a row of the largest message is far shorter.
const FRAME_MAX_BYTES: usize = 1 << 20;

/// Rows of each table, in the order of [`Kept::ALL`].
pub(super) type Counts = [u64; Kept::ALL.len()];

/// Writes a backup, a frame at a time.
pub(super) struct BackupWriter<W> {
    out: W,
    digest: Xxh3,
    bytes: u64,
    frames: u64,
    counts: Counts,
    /// The rows of the frame that is being made, and of which table they are.
    rows: BytesMut,
    table: Option<Kept>,
}

impl<W: Write> BackupWriter<W> {
    /// Begins a backup.
    pub(super) fn begin(out: W, head: &Head) -> io::Result<Self> {
        let mut writer = Self {
            out,
            digest: Xxh3::new(),
            bytes: 0,
            frames: 0,
            counts: Counts::default(),
            rows: BytesMut::new(),
            table: None,
        };
        writer.put(MAGIC)?;
        writer.frame(HEAD, &encode_head(head))?;
        Ok(writer)
    }

    /// Adds a row. Whether a frame was written for it.
    pub(super) fn row(&mut self, table: Kept, key: &[u8], value: &[u8]) -> io::Result<bool> {
        let full = self.table != Some(table) || self.rows.len() >= FRAME_BYTES;
        if full {
            self.flush_rows()?;
            self.table = Some(table);
            self.rows.put_u8(table.byte());
        }
        for part in [key, value] {
            put_varint(&mut self.rows, part.len() as u64);
            self.rows.put_slice(part);
        }
        self.counts[usize::from(table.byte())] += 1;
        Ok(full)
    }

    /// Ends the backup; how many bytes it has.
    pub(super) fn end(mut self) -> io::Result<u64> {
        self.flush_rows()?;
        let mut body = BytesMut::new();
        body.put_u8(u8::try_from(self.counts.len()).expect("a few tables"));
        self.counts.iter().for_each(|count| body.put_u64(*count));
        body.put_u64(self.digest.digest());
        self.frame(END, &body)?;
        self.out.flush()?;
        Ok(self.bytes)
    }

    /// Bytes so far, of the frames that are written.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    fn flush_rows(&mut self) -> io::Result<()> {
        if self.table.take().is_none() {
            return Ok(());
        }
        let mut rows = std::mem::take(&mut self.rows);
        self.frame(ROWS, &rows)?;
        rows.clear();
        self.rows = rows;
        Ok(())
    }

    fn frame(&mut self, kind: u8, body: &[u8]) -> io::Result<()> {
        let start = frame_start(kind, body.len());
        let sum = checksum(self.frames, &start, body);
        self.frames += 1;
        self.put(&start)?;
        self.put(body)?;
        self.put(&sum.to_be_bytes())
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.digest.update(bytes);
        self.bytes += bytes.len() as u64;
        self.out.write_all(bytes)
    }
}

/// What a backup's frames hold, after its head.
pub(super) enum Frame {
    /// Rows of a table.
    Rows(Kept, Rows),
    /// The end: the backup is whole.
    End,
}

/// The rows of one frame.
pub(super) struct Rows(Vec<u8>);

impl Rows {
    /// Each row's key and value.
    pub(super) fn iter(&self) -> impl Iterator<Item = Result<(&[u8], &[u8]), Wrong>> {
        let mut rest = Reader(self.0.get(1..).unwrap_or_default());
        std::iter::from_fn(move || (!rest.is_empty()).then(|| Ok((part(&mut rest)?, part(&mut rest)?))))
    }
}

fn part<'a>(rest: &mut Reader<'a>) -> Result<&'a [u8], Wrong> {
    let len = usize::try_from(rest.varint()?).map_err(|_| "a row is too long")?;
    rest.bytes(len)
}

/// Reads a backup, a frame at a time, and verifies that it is whole.
pub(super) struct BackupReader<R> {
    input: R,
    digest: Xxh3,
    at: u64,
    frames: u64,
    counts: Counts,
}

impl<R: Read> BackupReader<R> {
    /// Reads a backup's head.
    pub(super) fn begin(input: R) -> Result<(Self, Head), BackupError> {
        let mut reader = Self { input, digest: Xxh3::new(), at: 0, frames: 0, counts: Counts::default() };
        let mut magic = [0; MAGIC.len()];
        let got = reader.fill(&mut magic)?;
        if magic[..got] != MAGIC[..got] || got == 0 {
            return Err(BackupError::NotABackup);
        }
        if got < magic.len() {
            return Err(BackupError::CutShort { at: reader.at });
        }
        let (at, kind, body) = reader.frame()?;
        if kind != HEAD {
            return Err(damaged(at, "it does not begin with its head"));
        }
        let head = decode_head(&body).map_err(|refusal| match refusal {
            Refusal::Newer(found) => BackupError::Newer { found, known: VERSION },
            Refusal::Wrong(why) => damaged(at, why),
        })?;
        Ok((reader, head))
    }

    /// Reads on. After [`Frame::End`] there is nothing more, and nothing may follow.
    pub(super) fn next(&mut self) -> Result<Frame, BackupError> {
        let before = self.digest.digest();
        let (at, kind, body) = self.frame()?;
        let wrong = |why| damaged(at, why);
        match kind {
            ROWS => {
                let table = body.first().copied().and_then(Kept::of_byte);
                let table = table.ok_or_else(|| wrong("rows of an unknown table"))?;
                let rows = Rows(body);
                for row in rows.iter() {
                    row.map_err(wrong)?;
                    self.counts[usize::from(table.byte())] += 1;
                }
                Ok(Frame::Rows(table, rows))
            }
            END => {
                self.verify_end(&body, before).map_err(wrong)?;
                if self.fill(&mut [0])? > 0 {
                    return Err(damaged(self.at - 1, "something follows its end"));
                }
                Ok(Frame::End)
            }
            _ => Err(wrong("a part of an unknown kind")),
        }
    }

    /// Bytes read so far.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    fn verify_end(&self, body: &[u8], digest: u64) -> Result<(), Wrong> {
        let mut end = Reader(body);
        // An older program knew fewer.
        let tables = usize::from(end.u8()?);
        if tables > self.counts.len() {
            return Err("its end counts other tables");
        }
        for (at, count) in self.counts.into_iter().enumerate() {
            if (if at < tables { end.u64()? } else { 0 }) != count {
                return Err("its end counts other rows than there are");
            }
        }
        if end.u64()? != digest || !end.is_empty() {
            return Err("its end has the digest of something else");
        }
        Ok(())
    }

    /// A frame: where it begins, its kind and its body.
    fn frame(&mut self) -> Result<(u64, u8, Vec<u8>), BackupError> {
        let at = self.at;
        let mut start = [0; 5];
        self.fill_all(&mut start)?;
        let [kind, len @ ..] = start;
        let len = u32::from_be_bytes(len) as usize;
        if len > FRAME_MAX_BYTES {
            return Err(damaged(at, "a part is longer than any can be"));
        }
        let mut body = vec![0; len];
        self.fill_all(&mut body)?;
        let mut sum = [0; 4];
        self.fill_all(&mut sum)?;
        if u32::from_be_bytes(sum) != checksum(self.frames, &start, &body) {
            return Err(damaged(at, "the checksum of a part does not match"));
        }
        self.frames += 1;
        Ok((at, kind, body))
    }

    fn fill_all(&mut self, into: &mut [u8]) -> Result<(), BackupError> {
        if self.fill(into)? == into.len() { Ok(()) } else { Err(BackupError::CutShort { at: self.at }) }
    }

    /// Reads until `into` is full or the input ends; how many bytes.
    fn fill(&mut self, into: &mut [u8]) -> Result<usize, BackupError> {
        let mut got = 0;
        while got < into.len() {
            match self.input.read(&mut into[got..]) {
                Ok(0) => break,
                Ok(n) => got += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.at += got as u64;
        self.digest.update(&into[..got]);
        Ok(got)
    }
}

fn damaged(at: u64, why: &str) -> BackupError {
    BackupError::Damaged { at, why: why.into() }
}

fn frame_start(kind: u8, len: usize) -> [u8; 5] {
    let [a, b, c, d] = u32::try_from(len).expect("a frame is at most 1 MiB").to_be_bytes();
    [kind, a, b, c, d]
}

fn checksum(number: u64, start: &[u8], body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&number.to_be_bytes());
    hasher.update(start);
    hasher.update(body);
    hasher.finalize()
}

fn encode_head(head: &Head) -> BytesMut {
    let mut body = BytesMut::new();
    body.put_u32(VERSION);
    body.put_u32(head.store_format);
    body.put_u64(head.newest.epoch.0);
    body.put_u64(head.newest.ts.0);
    body.put_u64(head.newest.digest);
    match head.base {
        None => body.put_u8(0),
        Some(base) => {
            body.put_u8(1);
            body.put_u64(base.ts.0);
            body.put_u64(base.digest);
        }
    }
    body.put_u64(head.taken.0);
    body.put_u8(u8::try_from(head.program.len()).expect("a version is short"));
    body.put_slice(head.program.as_bytes());
    body
}

enum Refusal {
    Newer(u32),
    Wrong(Wrong),
}

impl From<Wrong> for Refusal {
    fn from(why: Wrong) -> Self {
        Self::Wrong(why)
    }
}

fn decode_head(body: &[u8]) -> Result<Head, Refusal> {
    let mut body = Reader(body);
    // First of all, and in every version to come: whether the rest can be understood.
    let version = u32::from_be_bytes(body.array()?);
    if version > VERSION {
        return Err(Refusal::Newer(version));
    }
    let store_format = u32::from_be_bytes(body.array()?);
    let epoch = Epoch(body.u64()?);
    let newest = Place { epoch, ts: Ts(body.u64()?), digest: body.u64()? };
    let base = match body.u8()? {
        0 => None,
        _ => Some(Place { epoch, ts: Ts(body.u64()?), digest: body.u64()? }),
    };
    let taken = Ts(body.u64()?);
    let len = body.u8()?;
    let program = body.str(len.into())?.to_owned();
    if version == 0 || !body.is_empty() {
        return Err("the head makes no sense".into());
    }
    Ok(Head { store_format, newest, base, taken, program })
}
