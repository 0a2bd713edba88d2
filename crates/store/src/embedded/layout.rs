//! The data directory: who holds it, which format it has, and which life of the store it is.
//!
//! ```text
//! LOCK     locked by the process that has the store open
//! FORMAT   text: the format's version, the store's epoch, whether the creation was finished
//! KEYS     the API keys, where there are any; see `keys`
//! db/      fjall's
//! ```
//! `FORMAT` is written beside fjall rather than in it, since it must be read before fjall touches a file.

use chinwag_model::Epoch;
use std::{
    fs::{self, DirBuilder, File, TryLockError},
    io::{self, Write},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

/// The format that this program writes.
pub(super) const FORMAT: u32 = 4;
/// The first, whose every message is written anew when it is opened. Of the later ones every row is read as it is, until
/// it changes; the third knew no blocks.
pub(super) const FORMAT_1: u32 = 1;

/// Why a store can't be opened. Nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// A file or directory can't be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process has the store open.
    #[error("{} is in use by another process; a store has one server at a time", .0.display())]
    Locked(PathBuf),
    /// The store was written by a newer version of this program.
    #[error(
        "{} has format {found}; this version knows formats up to {known}. Run the version that wrote it, or a later one",
        path.display()
    )]
    NewerFormat {
        /// The data directory.
        path: PathBuf,
        /// The format found.
        found: u32,
        /// The newest format that this program knows.
        known: u32,
    },
    /// The directory holds something that is not a store of this program.
    #[error("{}: {why}", path.display())]
    NotAStore {
        /// The data directory.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// Stored bytes are not what was written.
    #[error("{} is damaged: {why}", path.display())]
    Damaged {
        /// The damaged file.
        path: PathBuf,
        /// What is wrong, and where.
        why: String,
    },
    /// A restore into it was begun and did not end.
    #[error("{} holds a part of a restored store; run the restore again, or empty the directory", .0.display())]
    Unfinished(PathBuf),
    /// The storage engine can't open its files.
    #[error("{}: the storage engine: {why}", path.display())]
    Engine {
        /// The engine's directory.
        path: PathBuf,
        /// What it says.
        why: String,
    },
}

/// Adds the path to an I/O error.
pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> OpenError {
    let path = path.to_owned();
    move |source| OpenError::Io { path, source }
}

/// An open data directory; the lock is held while it lives.
pub(super) struct Layout {
    root: PathBuf,
    epoch: Epoch,
    _lock: File,
}

/// What the file `FORMAT` says.
struct Found {
    format: u32,
    state: State,
    epoch: Epoch,
}

/// Where the creation of a store stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Begun; it holds no message yet, so it may begin again.
    Creating,
    /// A restore was begun: what it holds is a part of a store.
    Restoring,
    /// Done.
    Ready,
}

impl Layout {
    /// Opens a data directory, or creates it and one in it; `make` opens the engine in its own directory, and `migrate`
    /// brings what an older version wrote, in the format that it is told, to the present one, all of it on disk before it returns.
    pub(super) fn open<T>(
        root: &Path,
        make: impl FnOnce(&Path) -> Result<T, OpenError>,
        migrate: impl FnOnce(&T, u32) -> Result<(), OpenError>,
    ) -> Result<(Self, T), OpenError> {
        make_root(root).map_err(at(root))?;
        let lock = lock(root)?;
        let Found { format, state, epoch } = match read_format(root)? {
            Some(found) => found,
            None => Found { format: FORMAT, state: State::Creating, epoch: begin(root)? },
        };
        let layout = Self { root: root.to_owned(), epoch, _lock: lock };
        let db = layout.db();
        if state == State::Restoring {
            return Err(OpenError::Unfinished(root.to_owned()));
        }
        if state == State::Creating {
            // What an interrupted creation left holds no message: the store was never ready.
            remove(&db)?;
        } else if !db.is_dir() {
            return Err(
                layout.not_a_store("FORMAT says that the store was created, but its directory db is missing")
            );
        }
        let engine = make(&db)?;
        settle_names(root)?;
        if state == State::Ready && format != FORMAT {
            migrate(&engine, format)?;
        }
        if state == State::Creating || format != FORMAT {
            write_format(&layout.root, State::Ready, layout.epoch)?;
        }
        Ok((layout, engine))
    }

    /// Opens an existing store only.
    pub(super) fn open_existing<T>(
        root: &Path,
        make: impl FnOnce(&Path) -> Result<T, OpenError>,
        migrate: impl FnOnce(&T, u32) -> Result<(), OpenError>,
    ) -> Result<(Self, T), OpenError> {
        match root.join("FORMAT").try_exists() {
            Ok(true) => Self::open(root, make, migrate),
            Ok(false) => {
                Err(OpenError::NotAStore { path: root.to_owned(), why: "there is no store here".into() })
            }
            Err(error) => Err(at(root)(error)),
        }
    }

    /// Begins a restore in a directory that is empty or does not exist, or that holds a part of a restore, which begins
    /// again. The store has a new epoch, and is not opened by anyone until [`Self::finish`].
    pub(super) fn begin_restore<T>(
        root: &Path,
        make: impl FnOnce(&Path) -> Result<T, OpenError>,
    ) -> Result<(Self, T), OpenError> {
        make_root(root).map_err(at(root))?;
        let lock = lock(root)?;
        let not_empty = |why: &str| OpenError::NotAStore { path: root.to_owned(), why: why.into() };
        match read_format(root)? {
            Some(Found { state: State::Restoring, .. }) => {}
            Some(_) => {
                return Err(not_empty("there is a store here already; restore into an empty directory"));
            }
            None => {
                for entry in fs::read_dir(root).map_err(at(root))? {
                    let name = entry.map_err(at(root))?.file_name();
                    if name != "LOCK" && name != "lost+found" {
                        let name = name.to_string_lossy();
                        return Err(not_empty(&format!(
                            "it holds {name:?} already; restore into an empty directory"
                        )));
                    }
                }
            }
        }
        let layout = Self { root: root.to_owned(), epoch: new_epoch(root)?, _lock: lock };
        write_format(root, State::Restoring, layout.epoch)?;
        remove(&layout.db())?;
        let engine = make(&layout.db())?;
        Ok((layout, engine))
    }

    /// Ends a restore: the store may be opened.
    pub(super) fn finish(&self) -> Result<(), OpenError> {
        settle_names(&self.root)?;
        write_format(&self.root, State::Ready, self.epoch)
    }

    /// Takes a restore back: the directory is empty again. The engine is closed.
    pub(super) fn take_back(self) -> Result<(), OpenError> {
        remove(&self.db())?;
        for name in ["FORMAT", "LOCK"] {
            let path = self.root.join(name);
            fs::remove_file(&path).map_err(at(&path))?;
        }
        Ok(())
    }

    /// Gives the store a new epoch: places in its feeds that were given out before are none any more.
    pub(super) fn renew_epoch(&mut self) -> Result<(), OpenError> {
        self.epoch = new_epoch(&self.root)?;
        write_format(&self.root, State::Ready, self.epoch)
    }

    /// The engine's directory.
    pub(super) fn db(&self) -> PathBuf {
        self.root.join("db")
    }

    /// The data directory.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Which life of the store it is; a new or restored store has another.
    pub(super) fn epoch(&self) -> Epoch {
        self.epoch
    }

    fn not_a_store(&self, why: &str) -> OpenError {
        OpenError::NotAStore { path: self.root.clone(), why: why.into() }
    }
}

/// Makes the data directory where it is missing: what people wrote to each other is for its owner alone. One that is there
/// stays as open as it is.
fn make_root(root: &Path) -> io::Result<()> {
    if let Some(parent) = root.parent() {
        fs::create_dir_all(parent)?;
    }
    match DirBuilder::new().mode(0o700).create(root) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists || !root.is_dir() => Err(error),
        _ => Ok(()),
    }
}

fn lock(root: &Path) -> Result<File, OpenError> {
    let path = root.join("LOCK");
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(at(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked(root.to_owned())),
        Err(TryLockError::Error(error)) => Err(at(&path)(error)),
    }
}

/// Starts a store in a directory that holds none, and gives it its epoch.
fn begin(root: &Path) -> Result<Epoch, OpenError> {
    if root.join("db").try_exists().map_err(at(root))? {
        return Err(OpenError::NotAStore {
            path: root.to_owned(),
            why: "it has a directory db, but no file FORMAT; restore FORMAT, or name another data directory"
                .into(),
        });
    }
    let epoch = new_epoch(root)?;
    write_format(root, State::Creating, epoch)?;
    Ok(epoch)
}

fn new_epoch(root: &Path) -> Result<Epoch, OpenError> {
    getrandom::u64().map(Epoch).map_err(|error| at(root)(io::Error::other(error.to_string())))
}

/// Removes a directory, if it is there.
fn remove(dir: &Path) -> Result<(), OpenError> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(dir)(error)),
        _ => Ok(()),
    }
}

fn write_format(root: &Path, state: State, epoch: Epoch) -> Result<(), OpenError> {
    let state = match state {
        State::Creating => "creating",
        State::Restoring => "restoring",
        State::Ready => "ready",
    };
    let text = format!("chinwag store\nformat {FORMAT}\nepoch {:016x}\nstate {state}\n", epoch.0);
    let (path, new) = (root.join("FORMAT"), root.join("FORMAT.new"));
    let write = || {
        let mut file = File::create(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, &path)?;
        File::open(root)?.sync_all()
    };
    write().map_err(at(&path))
}

/// Makes the names of all directories durable, from that of the data directory itself down.
///
/// The engine syncs what it writes into a table's directory, but not the directory's own name. Were that lost, the next start
/// would pass over the table's rows in the journal without a word.
fn settle_names(root: &Path) -> Result<(), OpenError> {
    let sync = |path: &Path| File::open(path).and_then(|directory| directory.sync_all()).map_err(at(path));
    let above = root.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    sync(above)?;
    let mut next = vec![root.to_owned()];
    while let Some(directory) = next.pop() {
        sync(&directory)?;
        for entry in fs::read_dir(&directory).map_err(at(&directory))? {
            let entry = entry.map_err(at(&directory))?;
            if entry.file_type().map_err(at(&entry.path()))?.is_dir() {
                next.push(entry.path());
            }
        }
    }
    Ok(())
}

fn read_format(root: &Path) -> Result<Option<Found>, OpenError> {
    let path = root.join("FORMAT");
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(at(&path)(error)),
    };
    let mut lines = text.lines();
    let damaged = |why: &str| OpenError::Damaged { path: path.clone(), why: why.into() };
    if lines.next() != Some("chinwag store") {
        return Err(damaged("it is not the FORMAT file of a store"));
    }
    let mut field = |name: &str| {
        let value = lines.next().and_then(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.ok_or_else(|| damaged(&format!("the line \"{name} …\" is missing")))
    };
    let format = field("format")?.parse().map_err(|_| damaged("the format is not a number"))?;
    if format > FORMAT {
        return Err(OpenError::NewerFormat { path: root.to_owned(), found: format, known: FORMAT });
    }
    if format < FORMAT_1 {
        return Err(damaged("there is no such format"));
    }
    let epoch = field("epoch")?;
    let digits = epoch.len() == 16 && epoch.bytes().all(|byte| byte.is_ascii_hexdigit());
    let epoch = u64::from_str_radix(epoch, 16).ok().filter(|_| digits);
    let epoch = Epoch(epoch.ok_or_else(|| damaged("the epoch is not 16 hexadecimal digits"))?);
    let state = match field("state")? {
        "creating" => State::Creating,
        "restoring" => State::Restoring,
        "ready" => State::Ready,
        _ => return Err(damaged("the state is unknown")),
    };
    Ok(Some(Found { format, state, epoch }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(root: &Path) -> Result<Layout, OpenError> {
        let migrate = |(): &(), _: u32| fs::write(root.join("migrated"), "").map_err(at(root));
        Layout::open(root, |db| fs::create_dir_all(db).map_err(at(db)), migrate).map(|(layout, ())| layout)
    }

    #[test]
    fn a_store_keeps_its_epoch_and_has_one_holder() {
        let dir = tempfile::tempdir().expect("a directory");
        let root = dir.path().join("data");
        let layout = open(&root).expect("new");
        let epoch = layout.epoch();
        assert!(matches!(open(&root), Err(OpenError::Locked(_))));
        drop(layout);
        assert_eq!(open(&root).expect("again").epoch(), epoch);
    }

    #[test]
    fn an_empty_directory_is_fine_and_foreign_ones_are_left_alone() {
        let dir = tempfile::tempdir().expect("a directory");
        fs::create_dir(dir.path().join("lost+found")).expect("made");
        drop(open(dir.path()).expect("a directory with nothing of ours in it"));

        fs::remove_file(dir.path().join("FORMAT")).expect("removed");
        fs::write(dir.path().join("db/precious"), "x").expect("written");
        assert!(matches!(open(dir.path()), Err(OpenError::NotAStore { .. })));
        assert!(dir.path().join("db/precious").exists());
    }

    #[test]
    fn an_interrupted_creation_begins_again() {
        let dir = tempfile::tempdir().expect("a directory");
        write_format(dir.path(), State::Creating, Epoch(0x0123_4567_89ab_cdef)).expect("written");
        fs::create_dir(dir.path().join("db")).expect("made");
        fs::write(dir.path().join("db/half"), "x").expect("written");
        let layout = open(dir.path()).expect("begun again");
        assert_eq!(layout.epoch(), Epoch(0x0123_4567_89ab_cdef));
        assert!(!layout.db().join("half").exists());
    }

    #[test]
    fn the_format_before_is_migrated_once() {
        let dir = tempfile::tempdir().expect("a directory");
        let migrated = dir.path().join("migrated");
        let epoch = open(dir.path()).expect("new").epoch();
        assert!(!migrated.exists());
        let path = dir.path().join("FORMAT");
        let present = fs::read_to_string(&path).expect("read");
        fs::write(&path, present.replace("format 4", "format 1")).expect("written");
        assert_eq!(open(dir.path()).expect("migrated").epoch(), epoch);
        assert_eq!(fs::read_to_string(&path).expect("read"), present);
        fs::remove_file(&migrated).expect("it was called");
        open(dir.path()).expect("again");
        assert!(!migrated.exists());
    }

    #[test]
    fn what_is_not_understood_is_refused_and_not_touched() {
        let dir = tempfile::tempdir().expect("a directory");
        drop(open(dir.path()).expect("new"));
        let path = dir.path().join("FORMAT");
        let good = fs::read_to_string(&path).expect("read");
        let refused = |text: &str| {
            fs::write(&path, text).expect("written");
            let error = open(dir.path()).err().expect(text);
            assert_eq!(fs::read_to_string(&path).expect("read"), text);
            error
        };
        let newer = refused(&good.replace("format 4", "format 5"));
        assert!(matches!(newer, OpenError::NewerFormat { found: 5, known: 4, .. }), "{newer}");
        for text in [
            "",
            "hello\n",
            &good.replace("format 4", "format x"),
            &good.replace("format 4", "format 0"),
            &good.replace("epoch ", "epoch x"),
            &good.replace("state ready\n", ""),
        ] {
            let error = refused(text);
            assert!(matches!(error, OpenError::Damaged { .. }), "{text:?}: {error}");
        }
        fs::write(&path, good).expect("written");
        fs::remove_dir(dir.path().join("db")).expect("removed");
        assert!(matches!(open(dir.path()), Err(OpenError::NotAStore { .. })));
    }
}
