//! From when and until when a certificate may be used.

use chinwag_model::Ts;
use std::time::Duration;
use tokio_rustls::rustls::{
    CertificateError, Error, RootCertStore,
    client::verify_server_cert_signed_by_trust_anchor,
    crypto::ring::default_provider,
    pki_types::{CertificateDer, UnixTime},
    server::ParsedCertificate,
};

const DAY: Duration = Duration::from_hours(24);
/// The longest before its end that a certificate is told to end soon.
const SOON_MAX: Duration = Duration::from_hours(14 * 24);
/// That is told when so much of its time is left: whoever renews in time has done it at a third.
const SOON_PART: u32 = 10;
/// The end of the year 9999, by which a certificate says that it has no end.
const NO_END: Duration = Duration::from_secs(253_402_300_799);

/// When a certificate may be used, since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Validity {
    from: Duration,
    until: Duration,
}

/// How a certificate stands at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Good,
    /// It is valid in so many days.
    Early {
        days: u64,
    },
    /// It is valid for so many days.
    Soon {
        days: u64,
    },
    /// It has been invalid for so many days.
    Expired {
        days: u64,
    },
}

impl Validity {
    /// Of the first certificate of a chain.
    ///
    /// The library tells a certificate's times only in refusing it: it is asked about the first moment and the last.
    pub(super) fn of(chain: &[CertificateDer<'_>]) -> Result<Self, Error> {
        let first = chain.first().ok_or(Error::NoCertificatesPresented)?;
        let parsed = ParsedCertificate::try_from(first)?;
        let from = match refusal(&parsed, Duration::ZERO) {
            Error::InvalidCertificate(CertificateError::NotValidYetContext { not_before, .. }) => {
                Duration::from_secs(not_before.as_secs())
            }
            _ => Duration::ZERO,
        };
        let until = match refusal(&parsed, NO_END) {
            Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. }) => {
                Duration::from_secs(not_after.as_secs())
            }
            _ => NO_END,
        };
        Ok(Self { from, until })
    }

    pub(super) fn state(self, now: Ts) -> State {
        let now = Duration::from_micros(now.0);
        let soon = ((self.until.saturating_sub(self.from)) / SOON_PART).min(SOON_MAX);
        let days = |time: Duration| time.as_secs() / DAY.as_secs();
        if now < self.from {
            State::Early { days: days(self.from.saturating_sub(now)) }
        } else if now > self.until {
            State::Expired { days: days(now.saturating_sub(self.until)) }
        } else if now + soon >= self.until {
            State::Soon { days: days(self.until.saturating_sub(now)) }
        } else {
            State::Good
        }
    }
}

/// Why nobody who trusts nobody trusts this certificate at a moment.
fn refusal(certificate: &ParsedCertificate<'_>, at: Duration) -> Error {
    let algorithms = default_provider().signature_verification_algorithms.all;
    let at = UnixTime::since_unix_epoch(at);
    verify_server_cert_signed_by_trust_anchor(certificate, &RootCertStore::empty(), &[], at, algorithms)
        .expect_err("with no authority there is none that has signed it")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    /// The first moment of a day, as the clock has it.
    fn at(days: u64) -> Ts {
        Ts(days * 86_400_000_000)
    }

    fn of(params: &CertificateParams) -> Validity {
        let key = KeyPair::generate().expect("a key");
        Validity::of(&[params.self_signed(&key).expect("signed").der().clone()]).expect("read")
    }

    #[test]
    fn a_certificate_of_ninety_days() {
        let mut params = CertificateParams::new(["localhost".to_owned()]).expect("a name");
        params.not_before = date_time_ymd(2030, 1, 1);
        params.not_after = date_time_ymd(2030, 4, 1);
        let validity = of(&params);
        // Days from 1970 to 2030, leap days among them.
        let first = 60 * 365 + 15;
        assert_eq!(validity.state(at(first - 3)), State::Early { days: 3 });
        assert_eq!(validity.state(at(first)), State::Good);
        assert_eq!(validity.state(at(first + 80)), State::Good);
        assert_eq!(validity.state(at(first + 81)), State::Soon { days: 9 });
        assert_eq!(validity.state(at(first + 90)), State::Soon { days: 0 });
        assert_eq!(validity.state(at(first + 92)), State::Expired { days: 2 });
    }

    #[test]
    fn a_certificate_without_an_end_and_one_of_an_authority() {
        let mut params = CertificateParams::new(["localhost".to_owned()]).expect("a name");
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(9999, 12, 31);
        assert_eq!(of(&params).state(at(365 * 500)), State::Good);
        params.not_after = date_time_ymd(2001, 1, 1);
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        assert!(matches!(of(&params).state(at(365 * 40)), State::Expired { .. }));
    }

    #[test]
    fn what_is_no_certificate() {
        for der in [vec![], vec![0x30, 0x03, 0x01], vec![0xFF; 1_000]] {
            assert!(Validity::of(&[der.into()]).is_err());
        }
        assert!(Validity::of(&[]).is_err());
    }
}
