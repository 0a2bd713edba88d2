//! A file that appears under its name only once it is whole and on disk, or standard output.

use super::CliError;
use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Write},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

/// Bytes that are written at once.
const BUFFER_BYTES: usize = 1 << 20;

/// Where a command writes to.
pub(super) enum Target {
    /// Standard output.
    Stdout,
    /// A file, and the name under which it is written.
    File { path: PathBuf, part: PathBuf },
}

impl Target {
    /// What `OUT` names; `-` is standard output.
    pub(super) fn new(out: &Path) -> Result<Self, CliError> {
        if out == Path::new("-") {
            return Ok(Self::Stdout);
        }
        let name =
            out.file_name().ok_or_else(|| CliError::Usage(format!("{}: not a file", out.display())))?;
        let mut part = OsString::from(".");
        part.push(name);
        part.push(".part");
        Ok(Self::File { path: out.to_owned(), part: out.with_file_name(part) })
    }

    /// Writes it.
    pub(super) fn write<T>(
        &self,
        write: impl FnOnce(&mut dyn Write) -> Result<T, CliError>,
    ) -> Result<T, CliError> {
        self.write_checked(write, |_, _| Ok(()))
    }

    /// Writes it; a file gets its name once `check` has looked at what is on disk.
    pub(super) fn write_checked<T>(
        &self,
        write: impl FnOnce(&mut dyn Write) -> Result<T, CliError>,
        check: impl FnOnce(&Path, &T) -> Result<(), CliError>,
    ) -> Result<T, CliError> {
        match self {
            Self::Stdout => {
                let mut out = BufWriter::with_capacity(BUFFER_BYTES, io::stdout().lock());
                let written = write(&mut out)?;
                out.flush()?;
                Ok(written)
            }
            Self::File { path, part } => {
                let named = || -> Result<T, CliError> {
                    let mut out = BufWriter::with_capacity(BUFFER_BYTES, create(part)?);
                    let written = write(&mut out)?;
                    out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
                    check(part, &written)?;
                    fs::rename(part, path)?;
                    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
                    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()?;
                    Ok(written)
                };
                named().map_err(|error| {
                    // What is left of it is of no use; that it can't be removed either is no news.
                    let _ = fs::remove_file(part);
                    match error {
                        CliError::Refused(why) => CliError::Refused(format!("{}: {why}", path.display())),
                        error => error,
                    }
                })
            }
        }
    }
}

/// A file for its owner alone: what people wrote to each other is in it. One that was left half written is taken away first, since
/// it may be open to others.
fn create(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}
