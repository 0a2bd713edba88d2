//! The server that is tormented, in a process of its own that ends with this one's hold of it.

use super::http::Connection;
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
}

impl Server {
    pub(super) fn start(data: &Path) -> io::Result<Self> {
        // The port must be the same after each restart, so that the clients find it again.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let mut server = Self { data: data.to_owned(), address, child: None };
        server.start_again()?;
        Ok(server)
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Starts it and waits until it is ready.
    pub(super) fn start_again(&mut self) -> io::Result<()> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["serve", "--listen", &self.address.to_string(), "--data"])
            .arg(&self.data)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::options().create(true).append(true).open(self.data.with_extension("log"))?)
            .spawn()?;
        let begin = Instant::now();
        loop {
            let answer = Connection::open(self.address).and_then(|mut connection| connection.get("/readyz"));
            if answer.is_ok_and(|answer| answer.status == 200) {
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

    fn log(&self) -> String {
        self.data.with_extension("log").display().to_string()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.kill());
    }
}
