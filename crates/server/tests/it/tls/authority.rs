//! An authority of a test's own, and the certificates that it signs.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    date_time_ymd,
};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

static AUTHORITIES: AtomicU32 = AtomicU32::new(0);

/// Signs certificates.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, in PEM.
#[derive(Debug, Clone)]
pub(crate) struct Signed {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Authority {
    /// One that no other is named as.
    pub(crate) fn new() -> Self {
        Self::of_name(&format!("authority {} of tests", AUTHORITIES.fetch_add(1, Relaxed)))
    }

    pub(crate) fn of_name(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("signed"))
    }

    /// Its own certificate, in PEM.
    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for these names, which does not end.
    pub(crate) fn sign(&self, names: &[&str]) -> Signed {
        self.sign_from_to(names, 2000, 4000)
    }

    /// A certificate for these names, from the first day of one year to that of another.
    pub(crate) fn sign_from_to(&self, names: &[&str], from: i32, to: i32) -> Signed {
        let names: Vec<_> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).expect("names");
        params.not_before = date_time_ymd(from, 1, 1);
        params.not_after = date_time_ymd(to, 1, 1);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.0).expect("signed").pem();
        Signed { certificate, key: key.serialize_pem() }
    }
}
