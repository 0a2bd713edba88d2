//! The data directory, for the commands that work on it, and the bar that shows how far they are.

use super::{CliError, load};
use crate::config::Flags;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use std::path::PathBuf;

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
