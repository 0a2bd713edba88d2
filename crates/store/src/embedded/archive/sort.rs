//! Rows of a table in the order of their chats and times, however many: sorted on disk, beside the store.

use super::import::ImportError;
use chinwag_model::Chat;
use fjall::{Database, Keyspace};
use std::path::{Path, PathBuf};

/// Rows of a batch.
const BATCH_ROWS: usize = 4_096;

/// Sorts rows by chat, then by time, then by the order in which they came. What it wrote is gone when it is.
pub struct Sorter {
    rows: Keyspace,
    db: Database,
    _scratch: Scratch,
    waiting: Vec<(Vec<u8>, Vec<u8>)>,
}

/// A row in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sorted {
    /// The chat.
    pub chat: String,
    /// Its time, in microseconds since the Unix epoch.
    pub time_us: u64,
    /// Which row of the table it was.
    pub number: u64,
    /// What was given with it.
    pub content: Vec<u8>,
}

struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        // What can't be removed is found, and removed, by the next one.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Sorter {
    /// A sorter that writes into this directory, which is made, and removed in the end.
    ///
    /// # Errors
    /// [`ImportError::Store`].
    pub fn new(directory: &Path) -> Result<Self, ImportError> {
        match std::fs::remove_dir_all(directory) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(failed(directory, &error));
            }
            _ => {}
        }
        std::fs::create_dir_all(directory).map_err(|error| failed(directory, &error))?;
        let scratch = Scratch(directory.to_owned());
        let open = || {
            let db = Database::builder(directory).open()?;
            let rows = db.keyspace("rows", fjall::KeyspaceCreateOptions::default)?;
            Ok((db, rows))
        };
        let (db, rows) = open().map_err(|error: fjall::Error| failed(directory, &error))?;
        Ok(Self { rows, db, _scratch: scratch, waiting: Vec::new() })
    }

    /// Takes a row.
    ///
    /// # Errors
    /// [`ImportError::Store`].
    pub fn add(
        &mut self,
        chat: &Chat,
        time_us: u64,
        number: u64,
        content: Vec<u8>,
    ) -> Result<(), ImportError> {
        let mut key = chat.as_str().as_bytes().to_vec();
        key.push(0);
        key.extend_from_slice(&time_us.to_be_bytes());
        key.extend_from_slice(&number.to_be_bytes());
        self.waiting.push((key, content));
        if self.waiting.len() < BATCH_ROWS { Ok(()) } else { self.flush() }
    }

    /// Gives all rows, sorted.
    ///
    /// # Errors
    /// [`ImportError::Store`], and those of `take`.
    pub fn each<E: From<ImportError>>(
        mut self,
        take: &mut dyn FnMut(Sorted) -> Result<(), E>,
    ) -> Result<(), E> {
        self.flush()?;
        for row in self.rows.iter() {
            let (key, content) = row.into_inner().map_err(|error| scratch(&error))?;
            let at = key.len().checked_sub(17).ok_or_else(|| scratch(&"a row is too short"))?;
            let number = |from: usize| {
                let bytes = key.get(from..from + 8).and_then(|bytes| bytes.try_into().ok());
                bytes.map(u64::from_be_bytes).unwrap_or_default()
            };
            let chat = String::from_utf8_lossy(&key[..at]).into_owned();
            let (time_us, number) = (number(at + 1), number(at + 9));
            take(Sorted { chat, time_us, number, content: content.to_vec() })?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), ImportError> {
        let mut batch = self.db.batch();
        for (key, content) in self.waiting.drain(..) {
            batch.insert(&self.rows, key, content);
        }
        batch.commit().map_err(|error| scratch(&error))
    }
}

fn failed(directory: &Path, error: &dyn std::fmt::Display) -> ImportError {
    ImportError::Store(format!("{}: {error}", directory.display()))
}

fn scratch(error: &dyn std::fmt::Display) -> ImportError {
    ImportError::Store(format!("the rows can't be sorted: {error}"))
}
