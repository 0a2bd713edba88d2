//! The server that is tormented, in a process of its own that ends with this one's hold of it.

use super::filler::Filler;
use crate::torture::{ApiKey, Connection};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// How long it may take to be ready, or to end.
const PATIENCE: Duration = Duration::from_mins(1);

pub(super) struct Server {
    data: PathBuf,
    address: SocketAddr,
    child: Option<Child>,
    /// The file of the secret, while it asks for tokens.
    secret: Option<PathBuf>,
    /// Fills its disk, where that can be done.
    pub(super) filler: Option<Filler>,
}

impl Server {
    /// One that is not started yet.
    pub(super) fn new(data: &Path, filler: Option<Filler>) -> io::Result<Self> {
        // The port must be the same after each restart, so that the clients find it again.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        Ok(Self { data: data.to_owned(), address, child: None, secret: None, filler })
    }

    /// Starts it as one that asks for tokens of this secret, or asks nobody.
    pub(super) fn restart(&mut self, secret: Option<&Path>) -> io::Result<()> {
        self.stop()?;
        self.secret = secret.map(Path::to_owned);
        self.start_again()
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Starts it and waits until it is ready.
    pub(super) fn start_again(&mut self) -> io::Result<()> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["serve", "--listen", &self.address.to_string(), "--data"]).arg(&self.data);
        if let Some(secret) = &self.secret {
            command.args(["--auth", "token", "--auth-secret-file"]).arg(secret);
        }
        if let Some(filler) = &self.filler {
            command.args(["--disk-reserve-mib", &filler.reserve_mib()?.to_string()]);
        }
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::options().create(true).append(true).open(self.data.with_extension("log"))?)
            .spawn()?;
        let begin = Instant::now();
        loop {
            let status =
                Connection::open(self.address).and_then(|mut connection| connection.status("/readyz"));
            if status.is_ok_and(|status| status == 200) {
                self.child = Some(child);
                return Ok(());
            }
            if let Some(status) = child.try_wait()? {
                return Err(io::Error::other(format!(
                    "the server does not start: {status}; see {}",
                    self.log()
                )));
            }
            if begin.elapsed() > PATIENCE {
                child.kill()?;
                child.wait()?;
                return Err(io::Error::other(format!(
                    "the server was not ready in {PATIENCE:?}; see {}",
                    self.log()
                )));
            }
            // Another process gives no event to wait for.
            thread::sleep(Duration::from_millis(10));
        }
    }

    pub(super) fn kill(&mut self) -> io::Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// Stops it as a supervisor does.
    pub(super) fn stop(&mut self) -> io::Result<()> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        kill_process(Pid::from_child(&child), Signal::TERM)?;
        let status = child.wait()?;
        if status.success() {
            Ok(())
        } else {
            Err(io::Error::other(format!("the server ended with {status}; see {}", self.log())))
        }
    }

    /// Holds it for a while, as a machine does that is at something else.
    pub(super) fn stalled(&self, time: Duration) -> io::Result<()> {
        let Some(child) = &self.child else { return Ok(()) };
        kill_process(Pid::from_child(child), Signal::STOP)?;
        thread::sleep(time);
        Ok(kill_process(Pid::from_child(child), Signal::CONT)?)
    }

    /// Makes a key that may act for any user, as an operator does.
    pub(super) fn create_key(&self) -> io::Result<ApiKey> {
        let secret = self.key(&["create", "--scope", "act"])?.trim().to_owned();
        let id = secret.split('_').nth(1).map(str::to_owned);
        id.map(|id| ApiKey { id, secret }).ok_or_else(|| io::Error::other("`chinwag key create` gave no key"))
    }

    /// Revokes one.
    pub(super) fn revoke(&self, id: &str) -> io::Result<()> {
        self.key(&["revoke", id]).map(drop)
    }

    fn key(&self, arguments: &[&str]) -> io::Result<String> {
        let mut command = Command::new(std::env::current_exe()?);
        let output = command.arg("key").args(arguments).arg("--data").arg(&self.data).output()?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let why = String::from_utf8_lossy(&output.stderr);
        Err(io::Error::other(format!("chinwag key {}: {why}", arguments.join(" "))))
    }

    fn log(&self) -> String {
        self.data.with_extension("log").display().to_string()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.kill());
    }
}
