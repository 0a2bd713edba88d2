//! The settings of TLS, read and checked; each error names its setting.

use super::CliError;
use crate::{
    config::Settings,
    tls::{Files, Tls},
};
use chinwag_model::Clock;
use std::sync::Arc;

/// The certificate and the key that the settings name; `None` for no TLS.
pub(super) fn read(settings: &Settings, clock: Arc<dyn Clock>) -> Result<Option<Arc<Tls>>, CliError> {
    let missing = |this: &str, other: &str| {
        CliError::Usage(format!("{this}: it is not set, and {other} is: TLS needs both, or neither"))
    };
    let files = match (&settings.tls_cert_file, &settings.tls_key_file) {
        (None, None) => return Ok(None),
        (Some(certificate), Some(key)) => Files { certificate: certificate.into(), key: key.into() },
        (Some(_), None) => return Err(missing("tls_key_file", "tls_cert_file")),
        (None, Some(_)) => return Err(missing("tls_cert_file", "tls_key_file")),
    };
    let tls = Tls::open(files, clock).map_err(|error| CliError::Usage(error.to_string()))?;
    Ok(Some(Arc::new(tls)))
}
