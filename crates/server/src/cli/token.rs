//! `chinwag token`

use super::{CliError, door, load, output::Output};
use crate::{config::Flags, identity::SigningKey};
use chinwag_model::{Clock, SystemClock, UserId};
use clap::Args;
use serde_json::json;
use std::{fs, path::PathBuf};

const MORE: &str = "\
It signs with the secret of the setting auth_secret_file (HS256), or with --key FILE, a private key in PEM (PKCS#8), whose \
public key the server has in auth_key_file. `iss` and `aud` are those that the settings ask for.

Your application makes its users' tokens itself, once it knows who they are; this is for trials.

Example:
  CHINWAG_TOKEN=$(chinwag token --sub apple) chinwag send apple:banana 'Hello!' --as apple";

#[derive(Debug, Args)]
#[command(after_help = MORE)]
pub(super) struct TokenArgs {
    /// Whose token.
    #[arg(long, value_name = "USER", value_parser = |name: &str| UserId::parse("sub", name).map_err(|invalid| invalid.detail))]
    sub: UserId,
    /// How long it is good for, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 3_600)]
    ttl: u32,
    /// A private key to sign with instead of the secret.
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    key: Option<PathBuf>,
    /// Which of the keys of a key set it is signed with: the token's `kid`.
    #[arg(long)]
    kid: Option<String>,
    /// Configuration file (TOML) [env: `CHINWAG_CONFIG`]
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    config: Option<PathBuf>,
}

pub(super) fn run(args: &TokenArgs) -> Result<(), CliError> {
    let auth = load(&Flags::of_data(args.config.clone(), None))?.settings().auth;
    let key = match (&args.key, &auth.secret_file) {
        (Some(path), _) => {
            let wrong =
                |why: &dyn std::fmt::Display| CliError::Usage(format!("--key: {}: {why}", path.display()));
            SigningKey::of_pem(&fs::read_to_string(path).map_err(|error| wrong(&error))?)
                .map_err(|error| wrong(&error))
        }
        (None, Some(path)) => SigningKey::of_secret(&door::secret(path)?)
            .map_err(|error| CliError::Usage(format!("auth_secret_file: {path}: {error}"))),
        (None, None) => Err(CliError::Usage(
            "there is nothing to sign with: set auth_secret_file, or name a private key with --key FILE"
                .into(),
        )),
    }?;
    let now = SystemClock::default().read().wall.0 / 1_000_000;
    let mut claims = json!({ "sub": args.sub.as_str(), "iat": now, "exp": now + u64::from(args.ttl) });
    for (name, value) in [("aud", &auth.audience), ("iss", &auth.issuer)] {
        if let Some(value) = value {
            claims[name] = value.as_str().into();
        }
    }
    let token = key.sign(args.kid.as_deref(), &claims);
    let token = token.map_err(|error| CliError::Usage(format!("the key can't sign: {error}")))?;
    Output::new().bytes(format!("{token}\n").as_bytes())
}
