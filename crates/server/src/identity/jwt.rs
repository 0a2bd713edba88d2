//! One JSON Web Token (RFC 7519) in its compact form, read and signed.

use super::{
    LEEWAY, Unidentified,
    verifier::{Algorithm, KeyError, der_of_pem},
};
use crate::hub::Identity;
use chinwag_model::{Caller, Ts, UserId};
use data_encoding::BASE64URL_NOPAD;
use ring::{
    hmac,
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
    },
};
use serde::Deserialize;

/// What a token must say besides who it is for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expectations {
    /// What `aud` must be or hold, if anything.
    pub audience: Option<String>,
    /// What `iss` must be, if anything.
    pub issuer: Option<String>,
}

/// A token whose signature is not yet verified.
pub(super) struct Parsed<'a> {
    pub(super) algorithm: Algorithm,
    pub(super) kid: Option<String>,
    /// The bytes that were signed.
    pub(super) signed: &'a [u8],
    pub(super) signature: Vec<u8>,
    payload: &'a str,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Payload {
    sub: Option<serde_json::Value>,
    exp: Option<f64>,
    nbf: Option<f64>,
    iat: Option<f64>,
    iss: Option<String>,
    aud: Option<Audience>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

/// What a verified token says.
#[derive(Debug, Clone)]
pub(super) struct Claims {
    user: UserId,
    expires: Ts,
    /// From when it holds.
    from: Ts,
}

impl<'a> Parsed<'a> {
    pub(super) fn read(token: &'a str) -> Result<Self, Unidentified> {
        let malformed = || Unidentified::Invalid("it is no signed JSON Web Token in its compact form");
        let (signed, signature) = token.rsplit_once('.').ok_or_else(malformed)?;
        let (header, payload) = signed.split_once('.').ok_or_else(malformed)?;
        if payload.contains('.') {
            return Err(malformed());
        }
        let header = BASE64URL_NOPAD.decode(header.as_bytes()).map_err(|_| malformed())?;
        let Header { alg, kid, crit } = serde_json::from_slice(&header).map_err(|_| malformed())?;
        if crit.is_some() {
            return Err(Unidentified::Invalid("it needs an extension that this server does not know"));
        }
        let algorithm = Algorithm::from_name(&alg)
            .ok_or(Unidentified::Invalid("its alg must be HS256, RS256, ES256 or EdDSA"))?;
        let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).map_err(|_| malformed())?;
        Ok(Self { algorithm, kid, signed: signed.as_bytes(), signature, payload })
    }

    /// What it says. To be asked once the signature is verified.
    pub(super) fn claims(&self, expected: &Expectations) -> Result<Claims, Unidentified> {
        let malformed = || Unidentified::Invalid("its claims can't be read");
        let payload = BASE64URL_NOPAD.decode(self.payload.as_bytes()).map_err(|_| malformed())?;
        let payload: Payload = serde_json::from_slice(&payload).map_err(|_| malformed())?;
        if let Some(issuer) = &expected.issuer
            && payload.iss.as_ref() != Some(issuer)
        {
            return Err(Unidentified::Invalid("it is of another issuer"));
        }
        if let Some(audience) = &expected.audience
            && !payload.aud.is_some_and(|said| said.holds(audience))
        {
            return Err(Unidentified::Invalid("it is for another audience"));
        }
        let expires = payload.exp.ok_or(Unidentified::Invalid("it has no exp"))?;
        let from = [payload.nbf, payload.iat].into_iter().flatten().fold(0.0, f64::max);
        let sub = payload.sub.as_ref().and_then(serde_json::Value::as_str).ok_or(Unidentified::BadSubject)?;
        let user = UserId::parse("sub", sub).map_err(|_| Unidentified::BadSubject)?;
        Ok(Claims { user, expires: ts(expires), from: ts(from) })
    }
}

impl Audience {
    fn holds(&self, audience: &str) -> bool {
        match self {
            Self::One(one) => one == audience,
            Self::Many(many) => many.iter().any(|one| one == audience),
        }
    }
}

impl Claims {
    /// Who it is at a time. What is opened with it ends at its `exp`, or, where that has passed and the leeway not, with the
    /// leeway.
    pub(super) fn identity(&self, now: Ts) -> Result<Identity, Unidentified> {
        let leeway = u64::try_from(LEEWAY.as_micros()).expect("a minute");
        let last = Ts(self.expires.0.saturating_add(leeway));
        if now >= last {
            return Err(Unidentified::Expired);
        }
        if now.0.saturating_add(leeway) < self.from.0 {
            return Err(Unidentified::Invalid("it is not valid yet"));
        }
        let until = if now < self.expires { self.expires } else { last };
        Ok(Identity { caller: Caller::User(self.user.clone()), until: Some(until) })
    }
}

/// Seconds since the epoch, which may have a fraction, as microseconds.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "what is out of range saturates: always or never"
)]
fn ts(seconds: f64) -> Ts {
    Ts((seconds * 1e6) as u64)
}

/// What signs tokens for trials.
pub enum SigningKey {
    /// HS256
    Secret(hmac::Key),
    /// RS256
    Rsa(Box<RsaKeyPair>),
    /// ES256
    EcP256(EcdsaKeyPair),
    /// `EdDSA`
    Ed25519(Ed25519KeyPair),
}

impl SigningKey {
    /// The shared secret of HS256.
    ///
    /// # Errors
    /// [`KeyError`] where it is too short.
    pub fn of_secret(secret: &[u8]) -> Result<Self, KeyError> {
        Ok(Self::Secret(super::verifier::hmac_key(secret)?))
    }

    /// A private key in PEM, PKCS#8.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn of_pem(pem: &str) -> Result<Self, KeyError> {
        let der = der_of_pem(pem, "PRIVATE KEY")?;
        if let Ok(pair) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der) {
            return Ok(Self::Ed25519(pair));
        }
        let random = SystemRandom::new();
        if let Ok(pair) = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der, &random) {
            return Ok(Self::EcP256(pair));
        }
        let pair = RsaKeyPair::from_pkcs8(&der).map_err(|_| KeyError::Kind)?;
        Ok(Self::Rsa(Box::new(pair)))
    }

    fn algorithm(&self) -> Algorithm {
        match self {
            Self::Secret(_) => Algorithm::Hs256,
            Self::Rsa(_) => Algorithm::Rs256,
            Self::EcP256(_) => Algorithm::Es256,
            Self::Ed25519(_) => Algorithm::EdDsa,
        }
    }

    /// A signed token with these claims.
    ///
    /// # Errors
    /// [`KeyError::Kind`] where the key can't sign.
    pub fn sign(&self, kid: Option<&str>, claims: &serde_json::Value) -> Result<String, KeyError> {
        let mut header = serde_json::json!({ "alg": self.algorithm().as_str(), "typ": "JWT" });
        if let Some(kid) = kid {
            header["kid"] = kid.into();
        }
        let encode = |json: &serde_json::Value| BASE64URL_NOPAD.encode(json.to_string().as_bytes());
        let signed = format!("{}.{}", encode(&header), encode(claims));
        let random = SystemRandom::new();
        let signature = match self {
            Self::Secret(key) => hmac::sign(key, signed.as_bytes()).as_ref().to_vec(),
            Self::Ed25519(pair) => pair.sign(signed.as_bytes()).as_ref().to_vec(),
            Self::EcP256(pair) => {
                pair.sign(&random, signed.as_bytes()).map_err(|_| KeyError::Kind)?.as_ref().to_vec()
            }
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, signed.as_bytes(), &mut signature)
                    .map_err(|_| KeyError::Kind)?;
                signature
            }
        };
        Ok(format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature)))
    }
}
