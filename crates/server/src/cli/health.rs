//! `chinwag health`, for health checks where there is no curl.

use super::{CliError, ServerArgs, load, output::Output};
use crate::config::Flags;
use chinwag_client::{Client, Options, Trust};
use clap::Args;
use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

/// Shorter than the time-out of any supervisor's health check.
const TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 it takes writes, 1 it does not, or does not answer within 2 s.")]
pub(super) struct HealthArgs {
    #[arg(
        long,
        value_name = "URL",
        value_hint = clap::ValueHint::Url,
        help = "Address of the server [env: CHINWAG_SERVER] [default: the address of CHINWAG_LISTEN, on this machine]"
    )]
    server: Option<String>,
    #[arg(
        long,
        value_name = "FILE",
        value_hint = clap::ValueHint::FilePath,
        help = "Certificates (PEM) that the server of --server is trusted by [env: CHINWAG_CA_FILE]"
    )]
    ca_file: Option<PathBuf>,
}

/// Docker takes every exit code but 0 and 1 for something else, so a bad address is 1 too.
pub(super) async fn run(args: &HealthArgs) -> Result<(), CliError> {
    check(args).await.map_err(|error| match error {
        CliError::Usage(why) => CliError::Refused(why),
        other => other,
    })
}

async fn check(args: &HealthArgs) -> Result<(), CliError> {
    let options = Options { connect_timeout: TIMEOUT, try_timeout: TIMEOUT, ..Options::default() };
    let mut server = ServerArgs { server: args.server.clone(), token: None, ca_file: args.ca_file.clone() };
    server.server = server.said()?;
    let client = if server.server.is_some() {
        server.bare_client(options)?
    } else {
        let settings = load(&Flags::default())?.settings();
        let scheme = if settings.tls_cert_file.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}", reachable(settings.listen));
        // The certificate is for the server's name, not for this address, and what is asked is whether it serves: one that
        // has expired is not mended by a restart. Nothing is told to whoever answers.
        let client = Client::trusting(&url, options, &Trust::Anyone);
        server.server = Some(url);
        client.map_err(|error| CliError::Usage(error.to_string()))?
    };
    client.ready().await.map_err(|error| CliError::of_client(&error, &server))?;
    let mut output = Output::new();
    output.line("ready")?;
    output.flush()
}

/// A server that listens on every address is reached by loopback.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}
