//! A connection to the server, plain or through TLS, and why there is none. Knows no HTTP.

use crate::{ClientError, Trust, error::chain};
use hyper::Uri;
use hyper_util::{
    client::legacy::connect::{Connected, Connection, HttpConnector},
    rt::TokioIo,
};
use std::{
    error::Error,
    fmt,
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{self, CertificateError, pki_types::ServerName},
};

/// What goes both ways.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A connection, whatever it goes through.
pub(crate) type Wire = TokioIo<Box<dyn Duplex>>;

impl Connection for Box<dyn Duplex> {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

/// Makes connections to one server.
#[derive(Clone)]
pub(crate) struct Connector {
    tcp: HttpConnector,
    /// Where the address begins with `https`.
    tls: Option<TlsConnector>,
    connect_timeout: Duration,
}

impl Connector {
    /// Connects to nothing yet.
    pub(crate) fn new(base: &Uri, trust: &Trust, connect_timeout: Duration) -> Result<Self, ClientError> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(connect_timeout));
        let tls = match base.scheme_str() {
            Some("https") => Some(TlsConnector::from(Arc::new(trust.config()?))),
            _ => None,
        };
        Ok(Self { tcp, tls, connect_timeout })
    }

    /// Connects.
    pub(crate) async fn connect(mut self, uri: Uri) -> Result<Wire, NotConnected> {
        let tcp = tower_service::Service::call(&mut self.tcp, uri.clone()).await.map_err(NotConnected::of)?;
        let Some(tls) = self.tls else { return Ok(TokioIo::new(Box::new(tcp.into_inner()))) };
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(host.clone()).map_err(NotConnected::of)?;
        let handshake = tls.connect(name, tcp.into_inner());
        let stream = timeout(self.connect_timeout, handshake).await.map_err(|_| NotConnected {
            why: format!("no handshake of TLS within {:?}", self.connect_timeout),
            untrusted: false,
        })?;
        let stream = stream.map_err(|error| why_no_handshake(&error, &host))?;
        Ok(TokioIo::new(Box::new(stream)))
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("tls", &self.tls.is_some()).finish_non_exhaustive()
    }
}

impl tower_service::Service<Uri> for Connector {
    type Response = Wire;
    type Error = NotConnected;
    type Future = Pin<Box<dyn Future<Output = Result<Wire, NotConnected>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), NotConnected>> {
        tower_service::Service::poll_ready(&mut self.tcp, cx).map_err(NotConnected::of)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().connect(uri))
    }
}

/// Why there is no connection.
#[derive(Debug)]
pub(crate) struct NotConnected {
    why: String,
    /// Whether the server has shown a certificate that is not trusted.
    untrusted: bool,
}

impl NotConnected {
    fn of(error: impl Error + 'static) -> Self {
        Self { why: chain(&error), untrusted: false }
    }

    /// What it is to a caller, where an error came of it.
    pub(crate) fn find(error: &(dyn Error + 'static)) -> Option<ClientError> {
        std::iter::successors(Some(error), |&error| error.source())
            .find_map(|error| error.downcast_ref::<Self>())
            .filter(|found| found.untrusted)
            .map(|found| ClientError::Untrusted(found.why.clone()))
    }
}

impl fmt::Display for NotConnected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl Error for NotConnected {}

impl From<NotConnected> for ClientError {
    fn from(error: NotConnected) -> Self {
        if error.untrusted { Self::Untrusted(error.why) } else { Self::Transport(error.why) }
    }
}

fn why_no_handshake(error: &io::Error, host: &str) -> NotConnected {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(why)) => {
            NotConnected { why: why_untrusted(why, host), untrusted: true }
        }
        Some(rustls::Error::InvalidMessage(_)) => NotConnected {
            why: "what answers speaks no TLS; is its address http:// and not https://?".into(),
            untrusted: false,
        },
        _ => NotConnected { why: format!("the handshake of TLS failed: {error}"), untrusted: false },
    }
}

fn why_untrusted(why: &CertificateError, host: &str) -> String {
    match why {
        // An authority of the same name has signed nothing of it.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "no authority that is trusted here has signed it".into()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            let presented = match why {
                CertificateError::NotValidForNameContext { presented, .. } => presented.join(", "),
                _ => String::new(),
            };
            let others = if presented.is_empty() { String::new() } else { format!("; it names {presented}") };
            format!("it is not for {host}{others}")
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired".into(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet, by the clock of this machine".into()
        }
        other if other.to_string().contains("CaUsedAsEndEntity") => {
            "it is the certificate of an authority, which no server may use as its own".into()
        }
        other => other.to_string(),
    }
}
