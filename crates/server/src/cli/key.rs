//! `chinwag key`

use super::{
    CliError, admin,
    output::{Output, escaped},
    place::DataArgs,
    serve::why_not_opened,
    time::utc,
};
use crate::{
    admin::write_keys,
    identity::{ApiKeys, NewKey},
};
use chinwag_model::{Clock, KeyId, Scope, SystemClock, Ts};
use chinwag_store::{
    Store as _, StoreError,
    embedded::{EmbeddedStore, OpenError, Options},
};
use clap::{Args, Subcommand, ValueEnum};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use std::{fmt::Write as _, path::Path, sync::Arc};

const MORE: &str = "\
An API key is for your application's own back end, never for a browser or a phone. It goes into the header \
`Authorization: Bearer KEY`. The server must run with --auth token.

Scopes: read sees what any user sees; act also acts for any user; admin also acts over all users.

It talks to the server that has the data directory open, over the socket in it, and opens the directory itself where none has.";

#[derive(Debug, Args)]
#[command(after_help = MORE)]
pub(super) struct KeyArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make a key, and print it this once.
    Create {
        /// What it may do.
        #[arg(long, value_enum)]
        scope: ScopeWord,
        /// What it is for.
        #[arg(long, default_value = "", hide_default_value = true, value_parser = name)]
        name: String,
        #[command(flatten)]
        data: DataArgs,
    },
    /// List the keys, revoked ones too.
    List {
        #[command(flatten)]
        data: DataArgs,
    },
    /// Revoke a key.
    Revoke {
        /// The id of the key, as `list` shows it.
        #[arg(value_parser = |id: &str| KeyId::parse(id).map_err(|invalid| invalid.detail))]
        id: KeyId,
        #[command(flatten)]
        data: DataArgs,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ScopeWord {
    Read,
    Act,
    Admin,
}

impl From<ScopeWord> for Scope {
    fn from(word: ScopeWord) -> Self {
        match word {
            ScopeWord::Read => Self::Read,
            ScopeWord::Act => Self::Act,
            ScopeWord::Admin => Self::Admin,
        }
    }
}

fn name(name: &str) -> Result<String, &'static str> {
    if name.contains(char::is_control) { Err("a name has no control characters") } else { Ok(name.into()) }
}

pub(super) async fn run(args: KeyArgs) -> Result<(), CliError> {
    let (What::Create { data, .. } | What::List { data } | What::Revoke { data, .. }) = &args.what;
    let is_first_step = matches!(args.what, What::Create { .. });
    let data = if is_first_step { data.directory_to_write() } else { data.store_to_write() }?;
    let clock = Arc::new(SystemClock::default());
    match EmbeddedStore::open(&data, &Options::default(), clock.clone()) {
        Ok(store) => {
            let store = Arc::new(store);
            let keys = ApiKeys::open(store.clone()).await.map_err(|error| failed(&error))?;
            work(args.what, &keys, clock.read().wall).await?;
            store.close().await.map_err(|error| failed(&error))
        }
        Err(OpenError::Locked(_)) => ask(args.what, &data).await,
        Err(error) => Err(CliError::Usage(why_not_opened(&error))),
    }
}

fn failed(error: &StoreError) -> CliError {
    CliError::Refused(format!("the API keys: {error}"))
}

/// On a store that no server has open.
async fn work(what: What, keys: &ApiKeys, now: Ts) -> Result<(), CliError> {
    match what {
        What::Create { scope, name, .. } => {
            let made = keys.create(&name, scope.into(), now).await;
            let NewKey { id, secret } = made.map_err(|error| failed(&error))?;
            show_new(id.as_str(), &secret)
        }
        What::List { .. } => show_all(&write_keys(&keys.list().await.map_err(|error| failed(&error))?)),
        What::Revoke { id, .. } => match keys.revoke(&id, now).await {
            Ok(true) => Ok(()),
            Ok(false) => {
                Err(CliError::Refused(format!("there is no key {id}; `chinwag key list` lists them")))
            }
            Err(error) => Err(failed(&error)),
        },
    }
}

/// Asks the server that has it open.
async fn ask(what: What, data: &Path) -> Result<(), CliError> {
    match what {
        What::Create { scope, name, .. } => {
            let name = utf8_percent_encode(&name, NON_ALPHANUMERIC);
            let path = format!("/keys?scope={}&name={name}", Scope::from(scope).as_str());
            let made = admin::all(admin::tell(data, &path).await?).await?;
            let (id, secret) = made.trim_end().split_once(' ').ok_or_else(not_understood)?;
            show_new(id, secret)
        }
        What::List { .. } => show_all(&admin::all(admin::ask(data, "/keys").await?).await?),
        What::Revoke { id, .. } => admin::tell(data, &format!("/keys/revoke?id={id}")).await.map(drop),
    }
}

fn not_understood() -> CliError {
    CliError::Refused("the server's answer is not understood".into())
}

fn show_new(id: &str, secret: &str) -> Result<(), CliError> {
    super::output::tell(&format!("made the key {id}; it is shown this once, and only its hash is kept"));
    Output::new().bytes(format!("{secret}\n").as_bytes())
}

/// Shows the lines of [`write_keys`] to people.
fn show_all(lines: &str) -> Result<(), CliError> {
    let mut text = String::new();
    for line in lines.lines() {
        let (id, scope, created, revoked, name) = parts(line).ok_or_else(not_understood)?;
        let date = |us: &str| us.parse::<u64>().map(|us| utc(us / 1_000_000)).map_err(|_| not_understood());
        let revoked = if revoked == "-" { String::new() } else { format!("  revoked {}", date(revoked)?) };
        writeln!(text, "{id}  {scope:5}  {}  {}{revoked}", date(created)?, escaped(name))
            .expect("a string takes all");
    }
    Output::new().bytes(text.as_bytes())
}

fn parts(line: &str) -> Option<(&str, &str, &str, &str, &str)> {
    let mut words = line.splitn(5, ' ');
    Some((words.next()?, words.next()?, words.next()?, words.next()?, words.next()?))
}
