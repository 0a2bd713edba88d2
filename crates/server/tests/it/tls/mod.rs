//! The server through TLS: a real certificate of an authority of the test's own, and bytes within it.

pub(crate) mod authority;
mod client;
mod handshake;
mod reload;
mod times;
mod websocket;

use crate::{server::Server, wire::Connection};
use authority::{Authority, Signed};
use chinwag::tls::{Files, Tls};
use chinwag_model::Clock;
use std::{fs, sync::Arc};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, RootCertStore, SupportedProtocolVersion,
        crypto::ring,
        pki_types::{CertificateDer, ServerName, pem::PemObject as _},
        version::{TLS12, TLS13},
    },
};

/// A connection through TLS.
pub(crate) type Tunnel = Connection<TlsStream<TcpStream>>;

/// A certificate in files, and who signed it.
pub(crate) struct Certificate {
    pub(crate) authority: Authority,
    directory: TempDir,
}

impl Certificate {
    /// For localhost and 127.0.0.1.
    pub(crate) fn new() -> Self {
        Self::by(Authority::new())
    }

    pub(crate) fn by(authority: Authority) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let certificate = Self { authority, directory };
        certificate.write(&certificate.authority.sign(&["localhost", "127.0.0.1"]));
        certificate
    }

    pub(crate) fn write(&self, Signed { certificate, key }: &Signed) {
        let Files { certificate: certificate_file, key: key_file } = self.files();
        fs::write(certificate_file, certificate).expect("written");
        fs::write(key_file, key).expect("written");
    }

    pub(crate) fn files(&self) -> Files {
        Files {
            certificate: self.directory.path().join("fullchain.pem"),
            key: self.directory.path().join("privkey.pem"),
        }
    }

    pub(crate) fn tls(&self, clock: Arc<dyn Clock>) -> Arc<Tls> {
        Arc::new(Tls::open(self.files(), clock).expect("a good pair"))
    }

    /// What a client goes by that trusts the authority.
    pub(crate) fn config(
        &self,
        versions: &[&'static SupportedProtocolVersion],
        protocols: &[&str],
    ) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        let root = CertificateDer::from_pem_slice(self.authority.pem().as_bytes()).expect("PEM");
        roots.add(root).expect("a certificate");
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        config
    }

    /// Connects, and speaks the first of these protocols that the server knows.
    pub(crate) async fn connect_with(
        &self,
        server: &Server,
        versions: &[&'static SupportedProtocolVersion],
        protocols: &[&str],
    ) -> std::io::Result<Tunnel> {
        let tcp = server.connect().await.stream;
        let connector = TlsConnector::from(Arc::new(self.config(versions, protocols)));
        let name = ServerName::try_from("localhost").expect("a name");
        let stream = crate::wire::within("a handshake", connector.connect(name, tcp)).await?;
        Ok(Connection::over(stream))
    }

    /// Connects, and speaks HTTP/1.1.
    pub(crate) async fn connect(&self, server: &Server) -> Tunnel {
        self.connect_with(server, &[&TLS13, &TLS12], &["http/1.1"]).await.expect("a handshake")
    }
}
