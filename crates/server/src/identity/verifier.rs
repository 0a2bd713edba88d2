//! One key that verifies signatures, of one algorithm only: what the token's own header says of `alg` chooses nothing.

use super::Unidentified;
use data_encoding::{BASE64, BASE64URL_NOPAD};
use ring::{
    hmac,
    signature::{
        ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
        UnparsedPublicKey,
    },
};
use serde::Deserialize;

/// Shortest secret for HS256, in bytes: RFC 7518, section 3.2.
const SECRET_MIN_BYTES: usize = 32;

/// How a token is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Hs256,
    Rs256,
    Es256,
    EdDsa,
}

/// Why something is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not the PEM that was looked for.
    #[error("it holds no PEM block {0}")]
    NoPem(&'static str),
    /// A key of another kind, or a damaged one.
    #[error("its key must be RSA of 2,048 bits or more, EC on the curve P-256, or Ed25519")]
    Kind,
    /// The secret is too short.
    #[error("a secret must be at least {SECRET_MIN_BYTES} bytes; `openssl rand -hex 32` makes one")]
    ShortSecret,
    /// Not a JSON Web Key Set, or one that holds no key for signatures that is known here.
    #[error("it is no JSON Web Key Set with a key for RS256, ES256 or EdDSA")]
    KeySet,
}

impl Algorithm {
    pub(super) fn from_name(name: &str) -> Option<Self> {
        [Self::Hs256, Self::Rs256, Self::Es256, Self::EdDsa].into_iter().find(|known| known.as_str() == name)
    }

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }
}

/// A key that verifies.
pub(super) struct Verifier {
    /// What the key set calls it.
    pub(super) kid: Option<String>,
    material: Material,
}

enum Material {
    Secret(hmac::Key),
    /// Modulus and exponent, big-endian.
    Rsa(RsaPublicKeyComponents<Vec<u8>>),
    /// An uncompressed point.
    EcP256(Vec<u8>),
    Ed25519(Vec<u8>),
}

pub(super) fn hmac_key(secret: &[u8]) -> Result<hmac::Key, KeyError> {
    if secret.len() < SECRET_MIN_BYTES {
        return Err(KeyError::ShortSecret);
    }
    Ok(hmac::Key::new(hmac::HMAC_SHA256, secret))
}

impl Verifier {
    /// The shared secret of HS256.
    pub(super) fn of_secret(secret: &[u8]) -> Result<Self, KeyError> {
        Ok(Self { kid: None, material: Material::Secret(hmac_key(secret)?) })
    }

    /// A public key in PEM, as `openssl pkey -pubout` writes it.
    pub(super) fn of_pem(pem: &str) -> Result<Self, KeyError> {
        let der = der_of_pem(pem, "PUBLIC KEY")?;
        let material = public_key(&der).ok_or(KeyError::Kind)?;
        Ok(Self { kid: None, material })
    }

    /// The keys of a JSON Web Key Set (RFC 7517) that are for signatures and of a kind known here.
    pub(super) fn of_key_set(json: &[u8]) -> Result<Vec<Self>, KeyError> {
        let set: JwkSet = serde_json::from_slice(json).map_err(|_| KeyError::KeySet)?;
        let keys: Vec<Self> = set.keys.into_iter().filter_map(Jwk::verifier).collect();
        if keys.is_empty() { Err(KeyError::KeySet) } else { Ok(keys) }
    }

    pub(super) fn algorithm(&self) -> Algorithm {
        match self.material {
            Material::Secret(_) => Algorithm::Hs256,
            Material::Rsa(_) => Algorithm::Rs256,
            Material::EcP256(_) => Algorithm::Es256,
            Material::Ed25519(_) => Algorithm::EdDsa,
        }
    }

    pub(super) fn verify(&self, signed: &[u8], signature: &[u8]) -> Result<(), Unidentified> {
        let good = match &self.material {
            Material::Secret(key) => hmac::verify(key, signed, signature),
            Material::Rsa(key) => key.verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature),
            Material::EcP256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(signed, signature)
            }
            Material::Ed25519(key) => UnparsedPublicKey::new(&ED25519, key).verify(signed, signature),
        };
        good.map_err(|_| Unidentified::Invalid("its signature is not good"))
    }
}

#[derive(Deserialize)]
struct JwkSet {
    keys: Vec<Jwk>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl Jwk {
    /// `None` for one that is for something else. A symmetric key does not belong into a set that is published.
    fn verifier(self) -> Option<Verifier> {
        let bytes = |text: Option<String>| BASE64URL_NOPAD.decode(text?.as_bytes()).ok();
        let of_length = |text, length| bytes(text).filter(|bytes| bytes.len() == length);
        if self.usage.as_ref().is_some_and(|usage| usage != "sig") {
            return None;
        }
        let material = match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => Material::Rsa(RsaPublicKeyComponents {
                n: unpadded(&bytes(self.n)?),
                e: unpadded(&bytes(self.e)?),
            }),
            ("EC", Some("P-256")) => {
                Material::EcP256([vec![4], of_length(self.x, 32)?, of_length(self.y, 32)?].concat())
            }
            ("OKP", Some("Ed25519")) => Material::Ed25519(of_length(self.x, 32)?),
            _ => return None,
        };
        let verifier = Verifier { kid: self.kid, material };
        let same = self.alg.is_none_or(|alg| alg == verifier.algorithm().as_str());
        same.then_some(verifier)
    }
}

/// A number without the zeros before it.
fn unpadded(number: &[u8]) -> Vec<u8> {
    let zeros = number.iter().take_while(|&&byte| byte == 0).count();
    number[zeros..].to_vec()
}

/// The bytes of a PEM block (RFC 7468).
pub(super) fn der_of_pem(pem: &str, label: &'static str) -> Result<Vec<u8>, KeyError> {
    let none = || KeyError::NoPem(label);
    let (_, rest) = pem.split_once(&format!("-----BEGIN {label}-----")).ok_or_else(none)?;
    let (body, _) = rest.split_once(&format!("-----END {label}-----")).ok_or_else(none)?;
    let body: String = body.split_ascii_whitespace().collect();
    BASE64.decode(body.as_bytes()).map_err(|_| none())
}

/// What stands before the key in the `SubjectPublicKeyInfo` (RFC 5280) of the kinds whose keys have one length.
const ED25519_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
const P256_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// The algorithm of an RSA key: its object identifier and a NULL.
const RSA_ALGORITHM: [u8; 13] =
    [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];

fn public_key(der: &[u8]) -> Option<Material> {
    if let Some(key) = der.strip_prefix(&ED25519_PREFIX).filter(|key| key.len() == 32) {
        return Some(Material::Ed25519(key.to_vec()));
    }
    if let Some(point) = der.strip_prefix(&P256_PREFIX).filter(|point| point.len() == 65) {
        return Some(Material::EcP256(point.to_vec()));
    }
    let (info, _) = value(der, 0x30)?;
    let (algorithm, rest) = value(info, 0x30)?;
    if algorithm != RSA_ALGORITHM {
        return None;
    }
    let (bits, _) = value(rest, 0x03)?;
    let (numbers, _) = value(bits.strip_prefix(&[0])?, 0x30)?;
    let (n, rest) = value(numbers, 0x02)?;
    let (e, _) = value(rest, 0x02)?;
    let (n, e) = (unpadded(n), unpadded(e));
    (n.len() >= 256).then_some(Material::Rsa(RsaPublicKeyComponents { n, e }))
}

/// The value that `der` begins with, of this tag, and what comes after it.
fn value(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&short, rest) = der.strip_prefix(&[tag])?.split_first()?;
    let (length, rest) = match short {
        0..=0x7f => (usize::from(short), rest),
        0x81 => (usize::from(*rest.first()?), &rest[1..]),
        0x82 => (usize::from(u16::from_be_bytes(*rest.first_chunk()?)), &rest[2..]),
        _ => return None,
    };
    rest.split_at_checked(length)
}
