//! The flags that say what a load is made of.

use super::super::{CliError, ServerArgs};
use chinwag_bench::{Chats, Form, Load, Plan, ProcessId, Skew, Which, Work};
use chinwag_model::Chat;
use clap::{Args, ValueEnum};
use std::time::Duration;

/// Of every load on a server.
#[derive(Debug, Args)]
pub(super) struct LoadArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// Connections at once; with a rate, most requests in flight.
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub(super) connections: usize,
    /// Chats to send into, u00000000a:u00000000b the first.
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    chats: u32,
    /// One chat to send into and to pull, instead.
    #[arg(long, value_name = "A:B", conflicts_with = "chats")]
    chat: Option<String>,
    /// Choose chat k in proportion to 1/k^S, instead of all alike.
    #[arg(long, value_name = "S")]
    zipf: Option<f64>,
    /// Bytes of each text.
    #[arg(long, value_name = "N", default_value_t = 100)]
    text_bytes: usize,
    /// Send without keys.
    #[arg(long)]
    no_keys: bool,
    /// Which chats are pulled.
    #[arg(long, value_enum, default_value_t = Pulled::Hot)]
    pulls: Pulled,
    /// How a pull is written.
    #[arg(long, value_enum, default_value_t = PullForm::GetBody)]
    pull_form: PullForm,
    /// Seconds before it is measured.
    #[arg(long, value_name = "S", default_value = "1", value_parser = seconds)]
    pub(super) warm_up: Duration,
    /// Seconds that one request may take.
    #[arg(long, value_name = "S", default_value = "30", value_parser = seconds)]
    timeout: Duration,
    /// Threads of the load generator.
    #[arg(long, value_name = "N", default_value_t = 1)]
    threads: usize,
    /// Seed of the choices of chat and verb.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// The server's process, on this machine: tells its processor time, memory and writes too.
    #[arg(long, value_name = "PID")]
    pid: Option<u32>,
}

/// Which chats are pulled.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Pulled {
    /// The first one, always.
    Hot,
    /// Any, chosen as the sends choose theirs.
    Spread,
}

/// How a pull is written.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum PullForm {
    /// `GET` with a JSON body.
    GetBody,
    /// `GET` with a query string.
    Query,
    /// `POST` with a JSON body.
    Post,
}

impl LoadArgs {
    pub(super) fn chats(&self) -> Result<Chats, CliError> {
        match &self.chat {
            None => Ok(Chats::Numbered(self.chats)),
            Some(name) => {
                let (chat, _) =
                    Chat::parse(name).map_err(|invalid| CliError::Usage(invalid.detail.into()))?;
                Ok(Chats::One(chat))
            }
        }
    }

    pub(super) fn process(&self) -> Option<ProcessId> {
        self.pid.map(ProcessId)
    }

    /// The verbs, `sends` of them (0 to 1) sends.
    pub(super) fn verbs(&self, sends: f64) -> Work {
        let pulls = match self.pulls {
            Pulled::Hot => Which::Hot,
            Pulled::Spread => Which::Spread,
        };
        let form = match self.pull_form {
            PullForm::GetBody => Form::GetBody,
            PullForm::Query => Form::Query,
            PullForm::Post => Form::Post,
        };
        Work::Verbs { sends, pulls, form }
    }

    pub(super) fn plan(&self, load: Load, work: Work, duration: Duration) -> Result<Plan, CliError> {
        Ok(Plan {
            server: self.server.bench_server()?,
            load,
            work,
            skew: self.zipf.map_or(Skew::Uniform, |exponent| Skew::Zipf { exponent }),
            text_bytes: self.text_bytes,
            keyed: !self.no_keys,
            warm_up: self.warm_up,
            duration,
            request_timeout: self.timeout,
            threads: self.threads,
            seed: self.seed,
            patience: None,
            timeline: false,
        })
    }
}

/// Seconds, such as `10`, `0.5` or `30s`.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let number = text.strip_suffix('s').unwrap_or(text);
    let seconds: f64 = number.parse().map_err(|_| format!("{text:?} is not a number of seconds"))?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

/// A share in per cent, such as `20%` or `20`.
pub(super) fn share(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').unwrap_or(text);
    match number.parse::<f64>() {
        Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(percent / 100.0),
        _ => Err(format!("{text:?} is not a share such as 20%")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_shares() {
        assert_eq!(seconds("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        assert_eq!(share("20%"), Ok(0.2));
        for bad in ["", "x", "-1", "s", "inf"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
        for bad in ["", "101%", "-1", "x%", "NaN"] {
            assert!(share(bad).is_err(), "{bad}");
        }
    }
}
