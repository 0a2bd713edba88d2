//! The flags that set something, made from the table of settings.

use super::{
    table::{SETTINGS, Setting},
    value::{Kind, Raw},
};
use clap::{
    Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, ValueHint, builder::OsStringValueParser,
};
use std::{
    ffi::{OsStr, OsString},
    path::PathBuf,
};

/// The flags of a command line that set something.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// The configuration file.
    pub(super) config: Option<PathBuf>,
    /// What each setting is set to, in the order of the table.
    pub(super) given: Vec<Option<Raw>>,
}

impl Flags {
    /// The flags of a command that takes only `--config` and `--data`.
    pub fn of_data(config: Option<PathBuf>, data: Option<PathBuf>) -> Self {
        let mut data = data.map(|path| Raw::Word(path.into()));
        let take = |setting: &Setting| if setting.key == "data" { data.take() } else { None };
        Self { config, given: SETTINGS.iter().map(take).collect() }
    }
}

impl Args for Flags {
    fn augment_args(command: Command) -> Command {
        let config = Arg::new("config")
            .long("config")
            .value_name("FILE")
            .help("Configuration file (TOML) [env: CHINWAG_CONFIG]")
            .value_hint(ValueHint::FilePath)
            .value_parser(clap::value_parser!(PathBuf));
        SETTINGS
            .iter()
            .map(arg)
            .fold(command.arg(config), |command, arg| command.arg(arg.help_heading("Settings")))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn arg(setting: &Setting) -> Arg {
    let entry = setting.entry();
    let summary = format!("{} [default: {}]", entry.summary.trim_end_matches('.'), entry.default);
    let variable = format!("[env: {}]", setting.variable());
    let long = [summary.as_str(), &entry.details, &variable].map(str::to_owned);
    let long: Vec<_> = long.into_iter().filter(|part| !part.is_empty()).collect();
    let arg = Arg::new(setting.key)
        .long(setting.flag())
        .help(summary)
        .long_help(long.join("\n"))
        .value_parser(OsStringValueParser::new());
    match setting.kind {
        Kind::Address | Kind::AddressOrNone => arg.value_name("ADDRESS:PORT"),
        Kind::Path => arg.value_name("DIR").value_hint(ValueHint::DirPath),
        Kind::Choice(_) => arg.value_name("WORD"),
        Kind::Words | Kind::Url => arg.value_name("TEXT"),
        Kind::LogFilter => arg.value_name("FILTER"),
        Kind::Hosts => arg.value_name("NAME,…").action(ArgAction::Append),
        Kind::Origins => arg.value_name("ORIGIN,…").action(ArgAction::Append),
        Kind::Networks => arg.value_name("NETWORK,…").action(ArgAction::Append),
        Kind::Number { .. } => arg.value_name("NUMBER").allow_negative_numbers(true),
        // `--bench-routes` alone is yes; a value needs its `=`, so that it is not mistaken for a subcommand.
        Kind::Switch => {
            arg.value_name("BOOL").num_args(0..=1).require_equals(true).default_missing_value("true")
        }
    }
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = |setting: &Setting| {
            let words: Vec<&OsStr> =
                matches.get_many::<OsString>(setting.key)?.map(OsString::as_os_str).collect();
            Some(Raw::Word(words.join(OsStr::new(","))))
        };
        Ok(Self {
            config: matches.get_one::<PathBuf>("config").cloned(),
            given: SETTINGS.iter().map(given).collect(),
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
