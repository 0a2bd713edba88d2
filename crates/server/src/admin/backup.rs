//! `GET /backup?since=…&bytes_a_second=…`: a backup, as it is taken.

use super::{
    Answer,
    stream::{Failed, stream},
    text,
};
use chinwag_model::Ts;
use chinwag_store::embedded::{
    Maintenance,
    backup::{BackupError, Since},
};
use hyper::StatusCode;

/// What is asked for.
struct Wanted {
    since: Since,
    bytes_a_second: Option<u64>,
}

impl Wanted {
    fn parse(query: &str) -> Result<Self, String> {
        let mut wanted = Self { since: Since::Beginning, bytes_a_second: None };
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            match name {
                "since" => {
                    wanted.since = match value.parse() {
                        Ok(ts) => Since::Time(Ts(ts)),
                        Err(_) => Since::Backup(value.parse().map_err(|why| format!("since: {why}"))?),
                    };
                }
                "bytes_a_second" => {
                    let number = value.parse().map_err(|_| "bytes_a_second is not a number".to_owned())?;
                    wanted.bytes_a_second = Some(number);
                }
                _ => return Err(format!("{name} is not known here")),
            }
        }
        Ok(wanted)
    }
}

pub(super) async fn answer(query: &str, store: &Maintenance) -> Answer {
    let wanted = match Wanted::parse(query) {
        Ok(wanted) => wanted,
        Err(why) => return text(StatusCode::BAD_REQUEST, why),
    };
    let store = store.clone();
    stream("backup", move |out| {
        let taken = store.backup(wanted.since, wanted.bytes_a_second, out, &mut |_| {});
        let report = taken.map_err(|error| match error {
            BackupError::Refused(_) => Failed { status: StatusCode::CONFLICT, why: error.to_string() },
            error => Failed { status: StatusCode::INTERNAL_SERVER_ERROR, why: error.to_string() },
        })?;
        let upto_us = report.head.newest.ts.0;
        tracing::info!(bytes = report.bytes, rows = report.rows, upto_us, "a backup was taken");
        Ok(())
    })
    .await
}
