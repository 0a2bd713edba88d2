//! What a supervisor, such as systemd, is told: the datagrams of `sd_notify(3)`, where it asked for them.

use std::{
    ffi::OsString,
    io,
    os::{
        linux::net::SocketAddrExt as _,
        unix::{
            ffi::OsStrExt as _,
            net::{SocketAddr, UnixDatagram},
        },
    },
    path::Path,
};

/// The variable that names the supervisor's socket.
pub const SUPERVISOR_VARIABLE: &str = "NOTIFY_SOCKET";

/// How the server stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It serves.
    Ready,
    /// It ends.
    Stopping,
}

/// Who watches over the process, if anyone said so.
#[derive(Debug, Clone, Default)]
pub struct Supervisor(Option<OsString>);

impl Supervisor {
    /// That of the socket in [`SUPERVISOR_VARIABLE`]; `None` for nobody.
    pub fn new(socket: Option<OsString>) -> Self {
        Self(socket.filter(|socket| !socket.is_empty()))
    }

    /// Tells it. What it can't be told is a line of the log: the server serves without it.
    pub fn tell(&self, standing: Standing) {
        let Some(socket) = &self.0 else { return };
        let words: &[u8] = match standing {
            Standing::Ready => b"READY=1",
            Standing::Stopping => b"STOPPING=1",
        };
        // A name that begins with @ is of the abstract namespace.
        let address = match socket.as_bytes().strip_prefix(b"@") {
            Some(name) => SocketAddr::from_abstract_name(name),
            None => SocketAddr::from_pathname(Path::new(socket)),
        };
        let send = |address: io::Result<SocketAddr>| {
            UnixDatagram::unbound()?.send_to_addr(words, &address?).map(drop)
        };
        if let Err(error) = send(address) {
            tracing::warn!(%error, socket = ?socket, "the supervisor can't be told that the server is {standing:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(address: &SocketAddr, name: OsString) -> String {
        let socket = UnixDatagram::bind_addr(address).expect("bound");
        Supervisor::new(Some(name)).tell(Standing::Ready);
        let mut words = [0; 64];
        let length = socket.recv(&mut words).expect("it was told before this");
        String::from_utf8_lossy(&words[..length]).into_owned()
    }

    #[test]
    fn sockets_with_a_path_and_without_one() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("notify");
        assert_eq!(
            told(&SocketAddr::from_pathname(&path).expect("short"), path.clone().into_os_string()),
            "READY=1"
        );
        let name = format!("chinwag-test-{}", path.display());
        let address = SocketAddr::from_abstract_name(&name).expect("short");
        assert_eq!(told(&address, format!("@{name}").into()), "READY=1");
    }

    #[test]
    fn nobody_is_told_nothing() {
        Supervisor::new(None).tell(Standing::Ready);
        Supervisor::new(Some("".into())).tell(Standing::Ready);
        Supervisor::new(Some("/nowhere/at/all".into())).tell(Standing::Stopping);
    }
}
