use crate::BenchError;
use std::net::{SocketAddr, ToSocketAddrs};

/// The address of a server.
#[derive(Debug, Clone)]
pub struct Server {
    authority: String,
    address: SocketAddr,
}

impl Server {
    /// Takes `http://HOST:PORT` and looks the host up.
    ///
    /// # Errors
    /// [`BenchError::Plan`] where that is no such address, [`BenchError::Connect`] where the host is not known.
    pub fn parse(url: &str) -> Result<Self, BenchError> {
        let wrong = || BenchError::Plan(format!("{url:?} is not an address such as http://localhost:8080"));
        let authority = url.strip_prefix("http://").ok_or_else(wrong)?.trim_end_matches('/');
        let visible = authority.bytes().all(|byte| byte.is_ascii_graphic());
        if authority.is_empty() || authority.contains(['/', '?', '#', '@']) || !visible {
            return Err(wrong());
        }
        let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let with_port = if has_port { authority.to_owned() } else { format!("{authority}:80") };
        let unknown = |why| BenchError::Connect { server: url.to_owned(), why };
        let address = with_port
            .to_socket_addrs()
            .map_err(unknown)?
            .next()
            .ok_or_else(|| unknown(std::io::Error::new(std::io::ErrorKind::NotFound, "no address")))?;
        Ok(Self { authority: authority.to_owned(), address })
    }

    /// What the header `Host` says.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Where to connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}
