//! `chinwag key`

use super::{CliError, output::Output, place::DataArgs, serve::why_not_opened, time::utc};
use crate::identity::{ApiKeys, NewKey};
use chinwag_model::{Clock, KeyId, Scope, SystemClock};
use chinwag_store::{
    Store as _, StoreError,
    embedded::{EmbeddedStore, Options},
};
use clap::{Args, Subcommand, ValueEnum};
use std::sync::Arc;

const MORE: &str = "\
An API key is for your application's own back end, never for a browser or a phone. It goes into the header \
`Authorization: Bearer KEY`. The server must run with --auth token.

Scopes: read sees what any user sees; act also acts for any user; admin also acts over all users.

It opens the data directory itself, so no server may have it open.";

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
    let clock = Arc::new(SystemClock::default());
    let (What::Create { data, .. } | What::List { data } | What::Revoke { data, .. }) = &args.what;
    let store = EmbeddedStore::open(&data.directory()?, &Options::default(), clock.clone());
    let store = Arc::new(store.map_err(|error| CliError::Usage(why_not_opened(&error)))?);
    let failed = |error: StoreError| CliError::Refused(format!("the API keys: {error}"));
    let keys = ApiKeys::open(store.clone()).await.map_err(failed)?;
    let now = clock.read().wall;
    match args.what {
        What::Create { scope, name, .. } => {
            let NewKey { id, secret } = keys.create(&name, scope.into(), now).await.map_err(failed)?;
            super::output::tell(&format!(
                "made the key {id}; it is shown this once, and only its hash is kept"
            ));
            Output::new().bytes(format!("{secret}\n").as_bytes())?;
        }
        What::List { .. } => {
            let mut lines = String::new();
            for key in keys.list().await.map_err(failed)? {
                let revoked =
                    key.revoked.map_or_else(String::new, |ts| format!("  revoked {}", utc(ts.0 / 1_000_000)));
                let line = format!(
                    "{}  {:5}  {}  {}{revoked}\n",
                    key.id,
                    key.scope.as_str(),
                    utc(key.created.0 / 1_000_000),
                    key.name
                );
                lines.push_str(&line);
            }
            Output::new().bytes(lines.as_bytes())?;
        }
        What::Revoke { id, .. } => {
            if !keys.revoke(&id, now).await.map_err(failed)? {
                return Err(CliError::Refused(format!(
                    "there is no key {id}; `chinwag key list` lists them"
                )));
            }
        }
    }
    store.close().await.map_err(failed)
}
