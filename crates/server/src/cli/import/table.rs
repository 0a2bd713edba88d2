//! A plain table: sender, peer, text, time.
//!
//! All rows are read and looked at before one is imported; they are sorted on disk. What the table has no word for follows
//! from it alone, so that the same table always gives the same messages: the seq from the order of time, a `ts` that is the
//! time, or the next microsecond where the message before has that, and a key from what the row says.

use super::{CliError, Tally, next_line, refusal};
use chinwag_model::{Chat, SendKey, Seq, Side, Text, Ts, UserId, limits::TEXT_HARD_MAX_BYTES};
use chinwag_store::embedded::archive::{ImportError, Imported, Importer, Sorted, Sorter};
use chinwag_wire::TableRow;
use std::{
    collections::HashMap,
    io::{BufRead, Read},
    path::Path,
};
use xxhash_rust::xxh3::Xxh3;

/// A row with its line, or what is wrong with that line; the outer error ends it.
type Next = Result<Option<(u64, Result<TableRow, String>)>, CliError>;

/// The rows of a table, one after the other.
pub(super) type Rows<'a> = Box<dyn FnMut() -> Next + 'a>;

/// The rows of a CSV file with a head.
pub(super) fn csv<'a>(input: impl Read + 'a) -> Rows<'a> {
    let mut reader = csv::ReaderBuilder::new().from_reader(input);
    let mut columns = None;
    let mut record = csv::StringRecord::new();
    Box::new(move || {
        let [sender, peer, text, time] = match columns {
            Some(columns) => columns,
            None => *columns.insert(find_columns(&mut reader)?),
        };
        match reader.read_record(&mut record) {
            Ok(false) => Ok(None),
            Ok(true) => {
                let line = record.position().map_or(0, csv::Position::line);
                let of = |column: usize| record.get(column).unwrap_or_default().to_owned();
                let row = TableRow { sender: of(sender), peer: of(peer), text: of(text), time: of(time) };
                Ok(Some((line, Ok(row))))
            }
            Err(error) if error.is_io_error() => Err(CliError::Refused(error.to_string())),
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                let why = match error.kind() {
                    csv::ErrorKind::Utf8 { .. } => "it is not UTF-8".to_owned(),
                    csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                        format!("it has {len} fields, and the head has {expected_len}")
                    }
                    _ => error.to_string(),
                };
                Ok(Some((line, Err(why))))
            }
        }
    })
}

fn find_columns(reader: &mut csv::Reader<impl Read>) -> Result<[usize; 4], CliError> {
    let head = reader.headers().map_err(|error| CliError::Refused(format!("line 1: {error}")))?;
    let find = |name: &str| {
        let named = |column: &str| column.trim().trim_start_matches('\u{feff}').eq_ignore_ascii_case(name);
        head.iter().position(named).ok_or_else(|| {
            CliError::Refused(format!(
                "line 1: the head has no column {name}; it needs sender, peer, text and time"
            ))
        })
    };
    Ok([find("sender")?, find("peer")?, find("text")?, find("time")?])
}

/// The rows of an NDJSON file.
pub(super) fn ndjson<'a>(mut input: impl BufRead + 'a) -> Rows<'a> {
    let mut line = Vec::new();
    let mut number = 0;
    Box::new(move || {
        loop {
            if next_line(&mut input, &mut line)?.is_none() {
                return Ok(None);
            }
            number += 1;
            if !line.trim_ascii().is_empty() {
                return Ok(Some((number, TableRow::parse(&line).map_err(|invalid| invalid.to_string()))));
            }
        }
    })
}

/// Imports a table into the store in `data`. Times after `latest` are none that anything was sent at.
pub(super) fn import(
    mut rows: Rows<'_>,
    mut importer: Importer,
    mut tally: Tally,
    data: &Path,
    latest: Ts,
) -> Result<Tally, CliError> {
    let store = |error: ImportError| CliError::Refused(error.to_string());
    let mut sorter = Sorter::new(&data.join("import-scratch")).map_err(store)?;
    while let Some((line, row)) = rows()? {
        match row.and_then(|row| Row::of(&row, latest)) {
            Ok(row) => sorter.add(&row.chat, row.time_us, line, row.content).map_err(store)?,
            // All that is wrong is told at once.
            Err(why) => tally.tell_bad(line, &why),
        }
    }
    if tally.bad > 0 && !tally.skip_bad {
        return Err(CliError::Refused(format!(
            "{} rows can't be imported, and nothing was; --skip-bad leaves them out",
            tally.bad
        )));
    }
    let mut series: Option<Series> = None;
    let done = sorter.each(&mut |sorted| {
        let line = sorted.number;
        let series = match &mut series {
            Some(series) if series.chat.as_str() == sorted.chat => series,
            other => other.insert(Series::new(&sorted.chat)?),
        };
        let message = series.next(&sorted)?;
        match importer.message(message) {
            Ok(fate) => tally.count(fate),
            Err(error) => {
                series.last_seq -= 1;
                refusal(&mut tally, line, &error)?;
            }
        }
        Ok::<_, CliError>(())
    });
    importer.finish().map_err(store)?;
    done.map(|()| tally)
}

impl From<ImportError> for CliError {
    fn from(error: ImportError) -> Self {
        Self::Refused(error.to_string())
    }
}

/// A row that can be imported.
struct Row {
    chat: Chat,
    time_us: u64,
    /// Whether the second user sent it, and the text.
    content: Vec<u8>,
}

impl Row {
    fn of(row: &TableRow, latest: Ts) -> Result<Self, String> {
        let name =
            |field, name: &str| UserId::parse(field, name).map(drop).map_err(|invalid| invalid.to_string());
        name("sender", &row.sender)?;
        name("peer", &row.peer)?;
        let chat =
            Chat::parse(&format!("{}:{}", row.sender, row.peer)).map_err(|invalid| invalid.to_string())?.0;
        let text =
            Text::parse(row.text.as_str(), TEXT_HARD_MAX_BYTES).map_err(|invalid| invalid.to_string())?;
        let time_us = super::super::time::parse(&row.time).map_err(|why| format!("time: {why}"))?;
        if time_us > latest.0 {
            return Err("time: it is more than an hour ahead of this machine's clock".into());
        }
        let second = chat.side_of(&row.sender) == Some(Side::Second);
        Ok(Self { content: [&[u8::from(second)], text.as_str().as_bytes()].concat(), chat, time_us })
    }
}

/// The messages of one chat, as they come in order of time.
struct Series {
    chat: Chat,
    last_seq: u64,
    last_ts: u64,
    /// The time of the last row, and how often each row of that time came.
    time_us: u64,
    same: HashMap<Vec<u8>, u64>,
}

impl Series {
    fn new(name: &str) -> Result<Self, CliError> {
        let (chat, _) = Chat::parse(name).map_err(|invalid| CliError::Refused(invalid.to_string()))?;
        Ok(Self { chat, last_seq: 0, last_ts: 0, time_us: 0, same: HashMap::new() })
    }

    fn next(&mut self, row: &Sorted) -> Result<Imported, CliError> {
        if row.time_us != self.time_us {
            self.time_us = row.time_us;
            self.same.clear();
        }
        let nth = self.same.entry(row.content.clone()).and_modify(|nth| *nth += 1).or_insert(0);
        let mut hasher = Xxh3::new();
        hasher.update(&row.time_us.to_be_bytes());
        hasher.update(&nth.to_be_bytes());
        hasher.update(&row.content);
        let key = format!("import-{:032x}", hasher.digest128());
        self.last_seq += 1;
        self.last_ts = row.time_us.max(self.last_ts + 1);
        let (second, text) = row.content.split_first().unwrap_or((&0, &[]));
        Ok(Imported {
            chat: self.chat.clone(),
            seq: Seq(self.last_seq),
            ts: Ts(self.last_ts),
            sender: if *second == 1 { Side::Second } else { Side::First },
            text: String::from_utf8_lossy(text).into(),
            key: Some(SendKey::parse(&key).map_err(|invalid| CliError::Refused(invalid.to_string()))?),
            data: None,
            revision: None,
        })
    }
}
