//! `chinwag config`

use super::{
    CliError, load,
    output::{Output, escaped, tell},
};
use crate::config::{Config, DEFAULT_FILE, Flags, reference};
use clap::Args;
use serde_json::json;
use unicode_width::UnicodeWidthStr as _;

const EXAMPLES: &str = "\
Examples:
  chinwag config                           what a server started here would use
  chinwag config --default > chinwag.toml  a file with every setting, to begin your own with";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ConfigArgs {
    /// Print a JSON object of each setting's value and origin.
    #[arg(long, conflicts_with_all = ["default", "reference"])]
    json: bool,
    /// Print the documented defaults as a configuration file.
    #[arg(long, conflicts_with = "reference")]
    default: bool,
    /// Print the reference of all settings as Markdown.
    #[arg(long)]
    reference: bool,
    #[command(flatten)]
    flags: Flags,
}

pub(super) fn run(args: &ConfigArgs) -> Result<(), CliError> {
    if args.default {
        return Output::new().bytes(DEFAULT_FILE.as_bytes());
    }
    if args.reference {
        return Output::new().bytes(reference().as_bytes());
    }
    let config = load(&args.flags)?;
    for warning in config.warnings() {
        tell(&format!("chinwag: {}", escaped(warning)));
    }
    if args.json {
        print_json(&config)?;
    } else {
        print_table(&config)?;
    }
    Ok(config.check_open()?)
}

fn print_json(config: &Config) -> Result<(), CliError> {
    let settings: serde_json::Map<_, _> = config
        .rows()
        .map(|row| (row.key.to_owned(), json!({"value": row.json, "origin": row.origin.to_string()})))
        .collect();
    let mut output = Output::new();
    output.line(&serde_json::to_string(&settings).expect("text and numbers are JSON"))?;
    output.flush()
}

fn print_table(config: &Config) -> Result<(), CliError> {
    let rows = config.rows().map(|row| [row.key.to_owned(), row.toml, row.origin.to_string()]);
    let rows: Vec<_> = [["SETTING", "VALUE", "FROM"].map(str::to_owned)].into_iter().chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].width()).max().unwrap_or(0);
    let (key_columns, value_columns) = (width(0), width(1));
    let mut output = Output::new();
    for [key, value, origin] in &rows {
        let pad = " ".repeat(value_columns - value.width());
        output.line(&format!("{key:<key_columns$}  {}{pad}  {}", escaped(value), escaped(origin)))?;
    }
    output.flush()
}
