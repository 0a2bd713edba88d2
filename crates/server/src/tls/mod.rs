//! TLS on the way in: the certificate and its key, read from files and read again when these change.
//!
//! Reading order: `pair` (two files to what a handshake needs, or why not), `validity` (from when and until when a
//! certificate may be used), this file (which pair is in force).
//!
//! **Architecture invariant:** this room knows no connections and no settings but the names that its errors say.

mod pair;
mod validity;

pub use pair::TlsError;

use chinwag_model::Clock;
use pair::{Digest, Pair};
use parking_lot::Mutex;
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::{MissedTickBehavior, interval},
};
use tokio_rustls::rustls::ServerConfig;
use validity::{State, Validity};

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Where the certificate and its key lie, as the settings name them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// The certificate and those that lead to its authority, in PEM.
    pub certificate: PathBuf,
    /// Its private key, in PEM.
    pub key: PathBuf,
}

/// The certificate that connections are met with.
pub struct Tls {
    files: Files,
    clock: Arc<dyn Clock>,
    held: Mutex<Held>,
}

struct Held {
    config: Arc<ServerConfig>,
    digest: Digest,
    validity: Validity,
    /// What was last told of its time.
    told: State,
    /// What other files were found at the last look, and whether something came of them.
    found: Option<(Digest, bool)>,
}

/// What a look at the files came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// They are as they were.
    Same,
    /// They are others than at the last look: whoever writes them may not be done.
    Changing,
    /// Another pair is in force.
    Replaced,
    /// They can't be used; the old pair stays.
    Refused,
}

impl Tls {
    /// Reads the pair for the first time.
    ///
    /// # Errors
    /// [`TlsError`], which names the setting.
    pub fn open(files: Files, clock: Arc<dyn Clock>) -> Result<Self, TlsError> {
        let (pair, digest) = Pair::read(&files)?;
        let Pair { config, validity } = pair?;
        let held = Held { config, digest, validity, told: State::Good, found: None };
        let tls = Self { files, clock, held: Mutex::new(held) };
        tls.tell();
        Ok(tls)
    }

    /// What a handshake that begins now goes by.
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        self.held.lock().config.clone()
    }

    /// Looks at the files. A pair that is new is taken once it was found so twice in a row, or `at_once`: two files are not
    /// replaced in one step, and the first half of a chain is a chain. Reads files, and so may wait for a disk.
    pub fn look(&self, at_once: bool) -> Look {
        let look = self.look_at(Pair::read(&self.files), at_once);
        self.tell();
        look
    }

    fn look_at(&self, read: Result<(Result<Pair, TlsError>, Digest), TlsError>, at_once: bool) -> Look {
        let (pair, digest) = match read {
            Ok((pair, digest)) => (pair, digest),
            Err(error) => (Err(error), Digest::NONE),
        };
        let mut held = self.held.lock();
        if held.digest == digest {
            held.found = None;
            return Look::Same;
        }
        match held.found {
            Some((found, true)) if found == digest && !at_once => return Look::Same,
            Some((found, _)) if found == digest => {}
            _ if at_once => {}
            _ => {
                held.found = Some((digest, false));
                return Look::Changing;
            }
        }
        match pair {
            Ok(Pair { config, validity }) => {
                *held = Held { config, digest, validity, told: State::Good, found: None };
                tracing::info!("the certificate was replaced");
                Look::Replaced
            }
            Err(error) => {
                held.found = Some((digest, true));
                tracing::warn!(%error, "the certificate's files have changed and can't be used; the old one stays");
                Look::Refused
            }
        }
    }

    /// Looks at the files every few seconds, and on SIGHUP, which from this call on ends the process no more. To be called
    /// within a runtime.
    pub fn keep(self: Arc<Self>) {
        let hang_up = signal(SignalKind::hangup());
        tokio::spawn(async move {
            let mut hang_up = match hang_up {
                Ok(signal) => Some(signal),
                Err(error) => {
                    tracing::warn!(%error, "SIGHUP can't be listened to; the certificate's files are looked at nevertheless");
                    None
                }
            };
            let mut ticks = interval(LOOK_EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                let asked = async {
                    match &mut hang_up {
                        Some(signal) => drop(signal.recv().await),
                        None => std::future::pending().await,
                    }
                };
                let at_once = tokio::select! {
                    () = asked => true,
                    _ = ticks.tick() => false,
                };
                let tls = self.clone();
                // A panic there would be a defect of a library; the next look is another try.
                let _look = tokio::task::spawn_blocking(move || tls.look(at_once)).await;
            }
        });
    }

    /// Tells, once, that the time of the certificate in force has not come, ends soon or has ended.
    fn tell(&self) {
        let now = self.clock.read().wall;
        let mut held = self.held.lock();
        let state = held.validity.state(now);
        if state == held.told {
            return;
        }
        held.told = state;
        let certificate = self.files.certificate.display();
        match state {
            State::Good => {}
            State::Early { days } => {
                tracing::warn!(%certificate, days, "the certificate is not valid yet: clients will refuse it");
            }
            State::Soon { days } => {
                tracing::warn!(%certificate, days, "the certificate expires soon and was not renewed");
            }
            State::Expired { days } => {
                tracing::warn!(%certificate, days, "the certificate has expired: clients refuse it");
            }
        }
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("files", &self.files).finish_non_exhaustive()
    }
}
