use crate::BenchError;
use std::net::{SocketAddr, ToSocketAddrs};

/// The address of a server, and who asks it.
#[derive(Clone)]
pub struct Server {
    authority: String,
    /// What every request says besides.
    fields: String,
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
        Ok(Self { authority: authority.to_owned(), fields: format!("host: {authority}"), address })
    }

    /// The same server, asked with a token or an API key.
    ///
    /// # Errors
    /// [`BenchError::Plan`] where it can stand in no header.
    pub fn with_token(self, token: &str) -> Result<Self, BenchError> {
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(BenchError::Plan("the token holds what no token holds".into()));
        }
        Ok(Self { fields: format!("host: {}\r\nauthorization: Bearer {token}", self.authority), ..self })
    }

    /// The header's fields that every request has, each on a line; the last without its end.
    pub(crate) fn fields(&self) -> &str {
        &self.fields
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

/// Without the token.
impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server")
            .field("authority", &self.authority)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}
