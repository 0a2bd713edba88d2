//! Configuration: flags over `CHINWAG_*` variables over a TOML file over the embedded defaults. Each value knows where
//! it came from.
//!
//! Reading order: `table` (which settings there are), `value` (what they may be), `file`, `flags` (where they come
//! from), this file (which of them is in force), `settings` (what the rest of the program sees), `reference`.
//!
//! **Architecture invariant:** the environment is read by whoever calls [`Config::load`]; nothing here starts anything.

mod error;
mod file;
mod flags;
mod reference;
mod settings;
mod table;
mod value;

pub use error::{ConfigError, Wrong};
pub use flags::Flags;
pub use reference::reference;
pub use settings::{Auth, LogFormat, Settings};
pub use table::DEFAULT_FILE;

use error::WrongKind;
use std::{
    ffi::{OsStr, OsString},
    fmt,
    net::SocketAddr,
    path::PathBuf,
};
use table::{SETTINGS, Setting, VARIABLE_PREFIX, nearest};
use value::{Raw, Value};

/// The variable that names the configuration file.
const CONFIG_VARIABLE: &str = "CHINWAG_CONFIG";
/// The variable that names the server to the commands that are its clients.
pub const SERVER_VARIABLE: &str = "CHINWAG_SERVER";
/// The variable that holds the token or API key of those commands.
pub const TOKEN_VARIABLE: &str = "CHINWAG_TOKEN";

/// The variable that names the file with the certificates that those commands trust.
pub const CA_FILE_VARIABLE: &str = "CHINWAG_CA_FILE";
/// What is set for the commands that are clients, and is no setting.
const OF_CLIENTS: [&str; 3] = [SERVER_VARIABLE, TOKEN_VARIABLE, CA_FILE_VARIABLE];

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The embedded file.
    Default,
    /// A line of the configuration file.
    File {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// A variable of the environment.
    Variable(String),
    /// A flag, with its dashes.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}, line {line}", path.display()),
            Self::Variable(name) => write!(f, "variable {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

/// The settings in force, each with its origin.
#[derive(Debug)]
pub struct Config {
    /// In the order of the table.
    values: Vec<(Value, Origin)>,
    warnings: Vec<String>,
}

/// One setting in force, as it is shown.
#[derive(Debug)]
pub struct Row<'a> {
    /// The setting's key.
    pub key: &'static str,
    /// Its value as TOML.
    pub toml: String,
    /// Its value as JSON.
    pub json: serde_json::Value,
    /// Where it came from.
    pub origin: &'a Origin,
}

impl Config {
    /// Puts the settings together from flags and an environment.
    ///
    /// # Errors
    /// [`ConfigError`] with everything that is wrong, of every layer.
    pub fn load(
        flags: &Flags,
        environment: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<Self, ConfigError> {
        let environment = Environment::read(environment);
        let mut wrong = Vec::new();
        let mut given: Vec<(Raw, Origin)> = SETTINGS.iter().map(default).collect();
        if let Some(path) = flags.config.clone().or(environment.config) {
            for file::Given { setting, raw, origin } in file::read(&path, &mut wrong) {
                given[setting] = (raw, origin);
            }
        }
        let variables = environment
            .given
            .into_iter()
            .map(|(setting, raw)| (setting, raw, Origin::Variable(SETTINGS[setting].variable())));
        let flags = flags.given.iter().enumerate().filter_map(|(setting, raw)| {
            Some((setting, raw.clone()?, Origin::Flag(format!("--{}", SETTINGS[setting].flag()))))
        });
        for (setting, raw, origin) in variables.chain(flags) {
            given[setting] = (raw, origin);
        }
        let mut values = Vec::with_capacity(SETTINGS.len());
        for (Setting { key, kind }, (raw, origin)) in SETTINGS.iter().zip(given) {
            match kind.read(&raw) {
                Some(value) => values.push((value, origin)),
                None => wrong.push(WrongKind::Value { key, origin, raw, allowed: kind.allowed() }.into()),
            }
        }
        if wrong.is_empty() {
            let mut config = Self { values, warnings: environment.warnings };
            config.warn_of_idle_keys();
            Ok(config)
        } else {
            Err(ConfigError(wrong))
        }
    }

    /// Whoever names a key for tokens may think that tokens are asked for.
    fn warn_of_idle_keys(&mut self) {
        if self.value("auth").0 != Value::Text("open".into()) {
            return;
        }
        for key in ["auth_secret_file", "auth_key_file", "auth_jwks"] {
            let (value, origin) = self.value(key);
            if *value != Value::Text(String::new()) {
                let why = "auth is \"open\": no request is asked for a token; set auth = \"token\"";
                self.warnings.push(format!("{key} ({origin}) is set, and {why}"));
            }
        }
    }

    /// What is odd, but no error.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Each setting in force, in the order of the reference.
    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        SETTINGS.iter().zip(&self.values).map(|(setting, (value, origin))| Row {
            key: setting.key,
            toml: value.to_string(),
            json: value.to_json(),
            origin,
        })
    }

    /// The settings for the rest of the program.
    pub fn settings(&self) -> Settings {
        Settings::of(self)
    }

    /// Whether a server may run so. Without authentication, listening beyond the own machine must be asked for in words;
    /// so must telling metrics there.
    ///
    /// # Errors
    /// [`ConfigError`] that says why not, and what to do.
    pub fn check_open(&self) -> Result<(), ConfigError> {
        if let Some((listen, origin)) = self.reachable("listen")
            && self.value("auth").1 == Origin::Default
        {
            return Err(Wrong::from(WrongKind::NotOpen { listen, origin }).into());
        }
        if let Some((listen, origin)) = self.reachable("metrics_listen")
            && self.value("metrics_open").0 != Value::Switch(true)
        {
            return Err(Wrong::from(WrongKind::MetricsNotOpen { listen, origin }).into());
        }
        Ok(())
    }

    /// The address of a setting, where other machines can reach it.
    fn reachable(&self, key: &str) -> Option<(SocketAddr, Origin)> {
        let (Value::Address(address), origin) = self.value(key) else { return None };
        (!address.ip().to_canonical().is_loopback()).then(|| (*address, origin.clone()))
    }

    fn value(&self, key: &str) -> &(Value, Origin) {
        let at = SETTINGS.iter().position(|setting| setting.key == key).expect("a test asks for every key");
        &self.values[at]
    }
}

/// The default of a setting, as the embedded file gives it.
fn default(setting: &Setting) -> (Raw, Origin) {
    (file::raw_of_toml(setting.entry().default), Origin::Default)
}

/// What the environment sets.
#[derive(Debug, Default)]
struct Environment {
    config: Option<PathBuf>,
    given: Vec<(usize, Raw)>,
    warnings: Vec<String>,
}

impl Environment {
    fn read(variables: impl Iterator<Item = (OsString, OsString)>) -> Self {
        let mut found = Self::default();
        let names: Vec<String> = SETTINGS.iter().map(Setting::variable).collect();
        for (name, value) in variables {
            // A name that is not UTF-8 is none of ours.
            let Some(name) = name.to_str().filter(|name| name.starts_with(VARIABLE_PREFIX)) else { continue };
            if name == CONFIG_VARIABLE {
                found.config = Some(value.into());
            } else if let Some(setting) = names.iter().position(|known| known == name) {
                found.given.push((setting, Raw::Word(value)));
            } else if !OF_CLIENTS.contains(&name) && !name.starts_with("CHINWAG_TEST_") {
                found.warnings.push(unknown_variable(name, &value, &names));
            }
        }
        found.warnings.sort();
        found
    }
}

fn unknown_variable(name: &str, value: &OsStr, names: &[String]) -> String {
    // Kubernetes gives every pod such variables for a Service that is named chinwag.
    let of_kubernetes = name == "CHINWAG_PORT" && value.to_string_lossy().contains("://")
        || name.starts_with("CHINWAG_PORT_")
        || name.starts_with("CHINWAG_SERVICE_");
    let known = names.iter().map(String::as_str).chain([CONFIG_VARIABLE]).chain(OF_CLIENTS);
    let hint = match nearest(name, known) {
        _ if of_kubernetes => " (Kubernetes sets it for a Service named chinwag)".to_owned(),
        _ if name == "CHINWAG_PORT" => "; the port is part of CHINWAG_LISTEN".to_owned(),
        Some(near) => format!("; did you mean {near}?"),
        None => String::new(),
    };
    format!("the variable {name} is no setting and is ignored{hint}")
}
