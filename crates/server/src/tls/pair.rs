//! Two files, and what a handshake needs of them; or why they can't be used. Nothing here shows what a file holds.

use super::{Files, validity::Validity};
use ring::digest::{Context, SHA256};
use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
    sync::Arc,
};
use tokio_rustls::rustls::{
    Error, ServerConfig,
    crypto::ring::{Ticketer, default_provider},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    sign::{CertifiedKey, SingleCertAndKey},
};

/// The longest file that is read: a chain of a dozen certificates is a tenth of it.
const FILE_MAX_BYTES: u64 = 256 * 1024;

/// Why a certificate and a key can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {path}: {why}")]
pub struct TlsError {
    setting: &'static str,
    path: String,
    why: String,
}

impl TlsError {
    fn certificate(files: &Files, why: impl Into<String>) -> Self {
        Self { setting: "tls_cert_file", path: files.certificate.display().to_string(), why: why.into() }
    }

    fn key(files: &Files, why: impl Into<String>) -> Self {
        Self { setting: "tls_key_file", path: files.key.display().to_string(), why: why.into() }
    }
}

/// What two files held, so that a change of either is noticed; the key itself is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Digest([u8; 32]);

impl Digest {
    /// Of files that can't be read.
    pub(super) const NONE: Self = Self([0; 32]);

    fn of(certificate: &[u8], key: &[u8]) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(&(certificate.len() as u64).to_be_bytes());
        context.update(certificate);
        context.update(key);
        Self(context.finish().as_ref().try_into().expect("SHA-256 has 32 bytes"))
    }
}

/// A certificate with its key.
pub(super) struct Pair {
    pub(super) config: Arc<ServerConfig>,
    pub(super) validity: Validity,
}

impl Pair {
    /// Reads the files: what they are good for, and their digest. The outer error is that they can't be read.
    pub(super) fn read(files: &Files) -> Result<(Result<Self, TlsError>, Digest), TlsError> {
        let certificate =
            read(&files.certificate).map_err(|error| TlsError::certificate(files, error.to_string()))?;
        let key = read(&files.key).map_err(|error| TlsError::key(files, error.to_string()))?;
        Ok((Self::of(files, &certificate, &key), Digest::of(&certificate, &key)))
    }

    fn of(files: &Files, certificate: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let chain = CertificateDer::pem_slice_iter(certificate)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| TlsError::certificate(files, "it is cut short, or not PEM"))?;
        if chain.is_empty() {
            return Err(TlsError::certificate(files, "it holds no certificate in PEM"));
        }
        let key_of_file =
            PrivateKeyDer::from_pem_slice(key).map_err(|_| TlsError::key(files, why_no_key(key)))?;
        let certified = CertifiedKey::from_der(chain, key_of_file, &default_provider())
            .map_err(|error| why_no_pair(files, &error))?;
        let validity = Validity::of(&certified.cert).map_err(|error| {
            TlsError::certificate(files, format!("the certificate can't be used: {error}"))
        })?;
        let config = config(certified).map_err(|error| TlsError::certificate(files, error.to_string()))?;
        Ok(Self { config: Arc::new(config), validity })
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let length = File::open(path)?.take(FILE_MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if length as u64 > FILE_MAX_BYTES {
        return Err(io::Error::other(format!("it is longer than {FILE_MAX_BYTES} bytes")));
    }
    Ok(bytes)
}

fn why_no_key(key: &[u8]) -> &'static str {
    let encrypted = b"ENCRYPTED";
    if key.windows(encrypted.len()).any(|window| window == encrypted) {
        "the key is encrypted, and nobody is there to type its password: openssl pkey -in FILE -out NEW-FILE"
    } else {
        "it holds no private key in PEM (PKCS #8, or the older forms of RSA and EC)"
    }
}

fn why_no_pair(files: &Files, error: &Error) -> TlsError {
    match error {
        Error::InconsistentKeys(_) => TlsError::key(
            files,
            format!(
                "this key is not that of the certificate in {} (tls_cert_file)",
                files.certificate.display()
            ),
        ),
        Error::InvalidCertificate(_) => {
            TlsError::certificate(files, "its first certificate is damaged, or of an unknown kind")
        }
        _ => TlsError::key(
            files,
            "the key is damaged, or neither RSA (2048 bits or more), P-256, P-384 nor Ed25519",
        ),
    }
}

fn config(certified: CertifiedKey) -> Result<ServerConfig, Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // Who comes back shows a ticket in the place of a whole handshake; the server keeps nothing for that. The tickets end
    // with the pair, so that a certificate which was replaced is met by nobody.
    config.session_storage = Arc::new(tokio_rustls::rustls::server::NoServerSessionStorage {});
    config.ticketer = Ticketer::new()?;
    Ok(config)
}
