//! The API keys of a data directory: the file `KEYS`, rewritten as a whole.
//!
//! It is no table of the engine, since a table that is hardly ever written holds on to the oldest journals, and since every
//! batch of a journal has its row in the change log, which no key has.
//!
//! ```text
//! chinwag keys 1
//! ID SCOPE SHA256 CREATED REVOKED NAME     a line a key; times in microseconds, `-` where it is not revoked
//! end CRC32                                of all before, in hexadecimal
//! ```

use super::{EmbeddedStore, codec::Wrong};
use crate::{
    StoreError, StoreFuture,
    keys::{KeyStore, StoredKey, put, revoke},
};
use chinwag_model::{KeyId, Scope, Ts};
use parking_lot::Mutex;
use std::{
    fmt::Write as _,
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

const HEAD: &str = "chinwag keys 1";

/// The file. Clones share it.
#[derive(Clone)]
pub(super) struct KeyFile(Arc<Mutex<PathBuf>>);

impl KeyFile {
    pub(super) fn of(root: &Path) -> Self {
        Self(Arc::new(Mutex::new(root.join("KEYS"))))
    }

    /// Reads the keys, has them changed, and writes them if `change` says so.
    fn change<T>(&self, change: impl FnOnce(&mut Vec<StoredKey>) -> (bool, T)) -> Result<T, StoreError> {
        let path = self.0.lock();
        let mut keys = read(&path)?;
        let (changed, result) = change(&mut keys);
        if changed {
            write(&path, &keys)?;
        }
        Ok(result)
    }
}

fn read(path: &Path) -> Result<Vec<StoredKey>, StoreError> {
    match fs::read_to_string(path) {
        Ok(text) => parse(&text).map_err(|wrong| StoreError::Damaged(format!("{}: {wrong}", path.display()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(StoreError::Damaged(format!("{}: {error}", path.display()))),
    }
}

/// Puts a new file in the place of the old: after a power cut there is the one or the other, whole.
fn write(path: &Path, keys: &[StoredKey]) -> Result<(), StoreError> {
    let new = path.with_extension("new");
    let prepare = || {
        let mut options = File::options();
        options.write(true).create(true).truncate(true);
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&new)?;
        file.write_all(encode(keys).as_bytes())?;
        file.sync_all()
    };
    prepare().map_err(|error| StoreError::Unavailable(format!("{}: {error}", new.display())))?;
    let directory = path.parent().unwrap_or(Path::new("."));
    let replace = || {
        fs::rename(&new, path)?;
        File::open(directory)?.sync_all()
    };
    replace().map_err(|error| StoreError::OutcomeUnknown(format!("{}: {error}", path.display())))
}

fn encode(keys: &[StoredKey]) -> String {
    let mut text = format!("{HEAD}\n");
    for key in keys {
        let hash: String = key.hash.iter().fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").expect("a string takes all");
            hex
        });
        let revoked = key.revoked.map_or("-".to_owned(), |ts| ts.0.to_string());
        let StoredKey { id, name, scope, created, .. } = key;
        writeln!(text, "{id} {} {hash} {} {revoked} {name}", scope.as_str(), created.0)
            .expect("a string takes all");
    }
    let sum = crc32fast::hash(text.as_bytes());
    writeln!(text, "end {sum:08x}").expect("a string takes all");
    text
}

fn parse(text: &str) -> Result<Vec<StoredKey>, Wrong> {
    let (body, end) = text.trim_end_matches('\n').rsplit_once('\n').ok_or("it ends too early")?;
    let sum = end.strip_prefix("end ").ok_or("it ends too early")?;
    let mut body = body.to_owned();
    body.push('\n');
    if u32::from_str_radix(sum, 16) != Ok(crc32fast::hash(body.as_bytes())) {
        return Err("its checksum is wrong");
    }
    let mut lines = body.lines();
    if lines.next() != Some(HEAD) {
        return Err("it is not a file of keys that this version knows");
    }
    lines.map(|line| parse_key(line).ok_or("a line is no key")).collect()
}

fn parse_key(line: &str) -> Option<StoredKey> {
    let mut words = line.splitn(6, ' ');
    let id = KeyId::parse(words.next()?).ok()?;
    let scope = Scope::from_name(words.next()?)?;
    let hex = words.next().filter(|hex| hex.len() == 64 && hex.is_ascii())?;
    let mut hash = [0; 32];
    for (at, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).ok()?;
    }
    let created = Ts(words.next()?.parse().ok()?);
    let revoked = match words.next()? {
        "-" => None,
        ts => Some(Ts(ts.parse().ok()?)),
    };
    Some(StoredKey { id, name: words.next()?.into(), scope, hash, created, revoked })
}

impl EmbeddedStore {
    /// On a blocking thread.
    async fn with_keys<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut Vec<StoredKey>) -> (bool, T) + Send + 'static,
    ) -> Result<T, StoreError> {
        self.inner.check_open()?;
        let file = self.inner.keys.clone();
        let changed = tokio::task::spawn_blocking(move || file.change(change)).await;
        changed.unwrap_or_else(|error| Err(StoreError::OutcomeUnknown(error.to_string())))
    }
}

impl KeyStore for EmbeddedStore {
    fn keys(&self) -> StoreFuture<'_, Vec<StoredKey>> {
        Box::pin(self.with_keys(|keys| (false, keys.clone())))
    }

    fn add_key(&self, key: StoredKey) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            if key.name.contains(char::is_control) {
                return Err(StoreError::Unavailable("the name of a key has no control characters".into()));
            }
            self.with_keys(move |keys| (true, put(keys, key))).await
        })
    }

    fn revoke_key(&self, id: KeyId, at: Ts) -> StoreFuture<'_, bool> {
        Box::pin(self.with_keys(move |keys| {
            let found = revoke(keys, &id, at);
            (found, found)
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: &str, name: &str, revoked: Option<Ts>) -> StoredKey {
        let id = KeyId::parse(id).expect("an id");
        StoredKey { id, name: name.into(), scope: Scope::Act, hash: [0xA5; 32], created: Ts(7), revoked }
    }

    #[test]
    fn what_was_written_is_read_and_damage_is_seen() {
        let keys = vec![key("a", "", None), key("b", "two words, é", Some(Ts(9)))];
        let text = encode(&keys);
        assert_eq!(parse(&text), Ok(keys));
        assert_eq!(parse(&encode(&[])), Ok(Vec::new()));
        for at in (0..text.len()).filter(|&at| text.is_char_boundary(at)) {
            assert!(parse(&text[..at]).is_err() || at == text.len() - 1, "cut at {at}");
        }
        assert!(parse(&text.replace(" act ", " read ")).is_err());
    }
}
