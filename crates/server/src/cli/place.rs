//! The data directory, for the commands that work on it, and the bar that shows how far they are.

use super::{CliError, load};
use crate::config::Flags;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use std::{
    fs::{self, File, TryLockError},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

/// Which data directory.
#[derive(Debug, Args)]
pub(super) struct DataArgs {
    #[arg(
        long,
        value_name = "DIR",
        value_hint = clap::ValueHint::DirPath,
        help = "Directory of the messages [env: CHINWAG_DATA] [default: ./chinwag-data]"
    )]
    data: Option<PathBuf>,
    #[arg(
        long,
        value_name = "FILE",
        value_hint = clap::ValueHint::FilePath,
        help = "Configuration file (TOML) [env: CHINWAG_CONFIG]"
    )]
    config: Option<PathBuf>,
}

impl DataArgs {
    /// The directory, as flag, variable, file or default say.
    pub(super) fn directory(&self) -> Result<PathBuf, CliError> {
        Ok(load(&Flags::of_data(self.config.clone(), self.data.clone()))?.settings().data)
    }

    /// The same, to write there where no server does.
    pub(super) fn directory_to_write(&self) -> Result<PathBuf, CliError> {
        let data = self.directory()?;
        refuse_foreign_data(&data)?;
        Ok(data)
    }

    /// The same, of a store that is there.
    pub(super) fn store_to_write(&self) -> Result<PathBuf, CliError> {
        let data = self.directory_to_write()?;
        require_store(&data)?;
        Ok(data)
    }
}

/// Whether there is a store: where one would be made, a wrong directory would look like one that holds nothing.
fn require_store(data: &Path) -> Result<(), CliError> {
    if data.join("FORMAT").exists() {
        return Ok(());
    }
    Err(CliError::Usage(format!("cannot open the store: {}: there is no store here", data.display())))
}

/// Keeps root from making files in a store that its server, which is not root, could not open.
pub(super) fn refuse_foreign_data(data: &Path) -> Result<(), CliError> {
    let there = fs::metadata(data.join("FORMAT")).or_else(|_| fs::metadata(data));
    let owner = there.map_or(0, |there| there.uid());
    if owner == 0 || !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    // A server that has it open writes by itself what it is asked for.
    let is_held = File::open(data.join("LOCK"))
        .is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)));
    if is_held {
        return Ok(());
    }
    Err(CliError::Usage(format!(
        "{}: it belongs to the user {owner}, whose server could not open what root makes there; run this as that user, such \
         as by `sudo -u '#{owner}'`",
        data.display()
    )))
}

/// A bar that counts rows. It draws on standard error, and only where that is a terminal.
pub(super) fn bar_of_rows() -> ProgressBar {
    bar("{bar:40} {percent}%  {human_pos} of about {human_len} rows  {eta} left")
}

/// A bar that counts changes.
pub(super) fn bar_of_changes(total: u64) -> ProgressBar {
    let bar = bar("{bar:40} {percent}%  {human_pos} of about {human_len} changes  {eta} left");
    bar.set_length(total);
    bar
}

/// A bar that counts bytes of a file of this size.
pub(super) fn bar_of_bytes(total: u64) -> ProgressBar {
    let bar = bar("{bar:40} {percent}%  {bytes} of {total_bytes}  {eta} left");
    bar.set_length(total);
    bar
}

fn bar(template: &str) -> ProgressBar {
    ProgressBar::new(0).with_style(ProgressStyle::with_template(template).expect("the template is right"))
}
