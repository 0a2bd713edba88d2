//! The command line: one file a subcommand, each a thin face over what the rest of the program does.
//!
//! Exit codes: 0 done, 1 the server refused or problems were found, 2 wrong use or it could not start.

mod admin;
mod backup;
mod bench;
mod block;
mod certificate;
mod chat;
mod check;
mod clock;
mod config;
mod door;
mod erase;
mod export;
mod file;
mod health;
mod import;
mod key;
mod openapi;
mod output;
mod place;
mod pull;
mod restore;
mod revise;
mod send;
mod serve;
mod tail;
mod time;
mod token;
mod torture;
mod user;

use crate::config::{CA_FILE_VARIABLE, Config, ConfigError, Flags, SERVER_VARIABLE, TOKEN_VARIABLE};
use chinwag_client::{Client, ClientError, Options, Trust};
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use output::Output;
use std::{fs, io, path::PathBuf, process::ExitCode};

const EXAMPLES: &str = "\
Examples:
  chinwag                                     serve on http://127.0.0.1:8080, data in ./chinwag-data
  chinwag send apple:banana 'Hello!' --as apple
  chinwag pull apple:banana --reverse
  chinwag chat apple:banana --as banana       talk, in the terminal
  chinwag config                              what is in force, and where each value came from

`chinwag serve --help` describes every setting.";

/// An instant-messaging server that runs beside your application.
///
/// Without a command it serves.
#[derive(Debug, Parser)]
#[command(name = "chinwag", version, args_conflicts_with_subcommands = true, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Flags,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server.
    #[command(after_help = serve::EXAMPLES)]
    Serve {
        #[command(flatten)]
        flags: Flags,
    },
    /// Send a message.
    Send(send::SendArgs),
    /// Read the messages of a chat.
    Pull(pull::PullArgs),
    /// Replace the text of a message.
    Edit(revise::EditArgs),
    /// Take a message back.
    Unsend(revise::UnsendArgs),
    /// React to a message, or take a reaction back.
    React(revise::ReactArgs),
    /// Block a user.
    Block(block::BlockArgs),
    /// Block a user no longer.
    Unblock(block::UnblockArgs),
    /// List whom a user blocks.
    Blocks(block::BlocksArgs),
    /// Talk in a chat, in the terminal.
    Chat(chat::ChatArgs),
    /// Follow the feed of a user.
    Tail(tail::TailArgs),
    /// Read a whole store, or a backup, and verify it.
    Check(check::CheckArgs),
    /// Write a backup of a store, or of what changed since another.
    Backup(backup::BackupArgs),
    /// Make a store out of backups.
    Restore(restore::RestoreArgs),
    /// Write the history as lines of JSON.
    Export(export::ExportArgs),
    /// Take history in: an export, or a plain table.
    Import(import::ImportArgs),
    /// Say that a clock that jumped ahead is right.
    Clock(clock::ClockArgs),
    /// Make, list and revoke API keys.
    Key(key::KeyArgs),
    /// Make a token for trials.
    Token(token::TokenArgs),
    /// Work on what the store holds of one user, or on the user's sessions.
    User(user::UserArgs),
    /// Measure a server, and verify what it stored.
    Bench(bench::BenchArgs),
    /// Torment a server of its own, and judge whether every promise held.
    Torture(torture::TortureArgs),
    /// Ask a server whether it is ready.
    Health(health::HealthArgs),
    /// Print the settings in force and where each came from.
    Config(config::ConfigArgs),
    /// Print the wire contract as an OpenAPI 3.1 document.
    Openapi,
    /// Print a script that completes this command line in a shell.
    #[command(
        after_help = "Example:\n  chinwag completions bash > ~/.local/share/bash-completion/completions/chinwag"
    )]
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

/// Where the server is, for the commands that are its clients.
#[derive(Debug, Args)]
struct ServerArgs {
    #[arg(
        long,
        value_name = "URL",
        value_hint = clap::ValueHint::Url,
        help = "Address of the server [env: CHINWAG_SERVER] [default: http://127.0.0.1:8080]"
    )]
    server: Option<String>,
    #[arg(
        long,
        value_name = "TOKEN",
        help = "Token or API key; better in the variable, since other users of this machine see flags [env: CHINWAG_TOKEN]"
    )]
    token: Option<String>,
    #[arg(
        long,
        value_name = "FILE",
        value_hint = clap::ValueHint::FilePath,
        help = "Certificates (PEM) that an https server is trusted by, in place of this machine's [env: CHINWAG_CA_FILE]"
    )]
    ca_file: Option<PathBuf>,
}

impl ServerArgs {
    /// What was said, by flag or variable.
    fn said(&self) -> Result<Option<String>, CliError> {
        match (&self.server, std::env::var(SERVER_VARIABLE)) {
            (Some(server), _) => Ok(Some(server.clone())),
            (None, Ok(server)) => Ok(Some(server)),
            (None, Err(std::env::VarError::NotPresent)) => Ok(None),
            (None, Err(error)) => Err(CliError::Usage(format!("{SERVER_VARIABLE}: {error}"))),
        }
    }

    fn url(&self) -> Result<String, CliError> {
        Ok(self.said()?.unwrap_or_else(|| "http://127.0.0.1:8080".to_owned()))
    }

    /// Whom an https server is trusted by.
    fn trust(&self) -> Result<(Trust, String), CliError> {
        let said = self.ca_file.clone().or_else(|| std::env::var_os(CA_FILE_VARIABLE).map(PathBuf::from));
        let Some(path) = said.filter(|path| !path.as_os_str().is_empty()) else {
            return Ok((Trust::System, String::new()));
        };
        let what = format!("--ca-file (or {CA_FILE_VARIABLE}): {}: ", path.display());
        let pem = fs::read(&path).map_err(|error| CliError::Usage(format!("{what}{error}")))?;
        Ok((Trust::Only(pem), what))
    }

    /// A client without a token.
    fn bare_client(&self, options: Options) -> Result<Client, CliError> {
        let url = self.url()?;
        if !url.starts_with("https://") {
            return Client::with(&url, options).map_err(|error| CliError::Usage(error.to_string()));
        }
        let (trust, what) = self.trust()?;
        Client::trusting(&url, options, &trust).map_err(|error| CliError::Usage(format!("{what}{error}")))
    }

    /// The token or key that was said, by flag or variable.
    fn token(&self) -> Option<String> {
        self.token.clone().or_else(|| std::env::var(TOKEN_VARIABLE).ok())
    }

    fn client(&self) -> Result<Client, CliError> {
        let client = self.bare_client(Options::default())?;
        Ok(match self.token() {
            Some(token) => client.with_token(&token),
            None => client,
        })
    }
}

/// Why a command did not do what it should.
#[derive(Debug)]
enum CliError {
    /// The server refused, or something is wrong with what was looked at: 1.
    Refused(String),
    /// Used wrongly, or it can't start: 2.
    Usage(String),
    /// Whoever read its output has gone; nothing to tell anyone.
    PipeClosed,
}

impl From<io::Error> for CliError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::PipeClosed,
            _ => Self::Refused(format!("the output can't be written: {error}")),
        }
    }
}

impl From<ConfigError> for CliError {
    fn from(error: ConfigError) -> Self {
        Self::Usage(error.to_string())
    }
}

impl CliError {
    /// A failed request to the server at `url`.
    fn of_client(error: &ClientError, server: &ServerArgs) -> Self {
        let hint = match error {
            ClientError::Request(_) => return Self::Usage(error.to_string()),
            ClientError::Untrusted(_) => server
                .url()
                .map(|url| format!(" (at {url}; --ca-file names the certificates to trust)"))
                .unwrap_or_default(),
            _ if error.problem().is_some() => String::new(),
            _ => server.url().map(|url| format!(" (at {url}; --server names another)")).unwrap_or_default(),
        };
        Self::Refused(format!("{}{hint}", output::escaped(&error.to_string())))
    }
}

/// Runs the command line of this process.
pub async fn run() -> ExitCode {
    let Cli { command, serve } = parse();
    let result = match command.unwrap_or(Command::Serve { flags: serve }) {
        Command::Serve { flags } => serve::run(&flags).await,
        Command::Send(args) => send::run(args).await,
        Command::Pull(args) => pull::run(args).await,
        Command::Edit(args) => revise::edit(args).await,
        Command::Unsend(args) => revise::unsend(args).await,
        Command::React(args) => revise::react(args).await,
        Command::Block(args) => block::block(args).await,
        Command::Unblock(args) => block::unblock(args).await,
        Command::Blocks(args) => block::blocks(args).await,
        Command::Chat(args) => chat::run(args).await,
        Command::Tail(args) => tail::run(args).await,
        Command::Check(args) => check::run(&args).await,
        Command::Backup(args) => backup::run(&args).await,
        Command::Restore(args) => restore::run(&args),
        Command::Export(args) => export::run(&args).await,
        Command::Import(args) => import::run(&args),
        Command::Clock(args) => clock::run(args).await,
        Command::Key(args) => key::run(args).await,
        Command::Token(args) => token::run(&args),
        Command::User(args) => user::run(&args).await,
        Command::Bench(args) => bench::run(args).await,
        Command::Torture(args) => torture::run(&args),
        Command::Health(args) => health::run(&args).await,
        Command::Config(args) => config::run(&args),
        Command::Openapi => openapi::run(),
        Command::Completions { shell } => completions(shell),
    };
    match result {
        Ok(()) | Err(CliError::PipeClosed) => ExitCode::SUCCESS,
        Err(CliError::Refused(why)) => fail(&why, 1),
        Err(CliError::Usage(why)) => fail(&why, 2),
    }
}

fn parse() -> Cli {
    let parsed = command_line().try_get_matches().and_then(|matches| Cli::from_arg_matches(&matches));
    parsed.unwrap_or_else(|error| error.exit())
}

/// The command line. Without a command it takes what `serve` takes, but its help shows only what a newcomer needs.
fn command_line() -> clap::Command {
    Cli::command().mut_args(|arg| {
        let shown = ["config", "listen", "data", "help", "version"].contains(&arg.get_id().as_str());
        arg.hide(!shown)
    })
}

fn fail(why: &str, code: u8) -> ExitCode {
    for line in why.lines() {
        output::tell(&format!("chinwag: {line}"));
    }
    ExitCode::from(code)
}

/// The settings of this process.
fn load(flags: &Flags) -> Result<Config, CliError> {
    Ok(Config::load(flags, std::env::vars_os())?)
}

fn completions(shell: clap_complete::Shell) -> Result<(), CliError> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command_line(), "chinwag", &mut script);
    Output::new().bytes(&script)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        command_line().debug_assert();
    }
}
