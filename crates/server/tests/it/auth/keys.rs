//! Each algorithm, each way to name a key, and a key set that changes.

use super::{Guarded, bearer, claims};
use crate::{server::NOW, wire::request};
use chinwag::identity::{KeySet, SigningKey, Source};
use chinwag_model::ManualClock;
use data_encoding::{BASE64, BASE64URL_NOPAD};
use futures_util::future::select;
use ring::{
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair,
        RsaPublicKeyComponents,
    },
};
use serde_json::{Value, json};
use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::watch,
};

const RSA: &str = include_str!("rsa-of-tests.pem");
const RSA_PUBLIC: &str = include_str!("rsa-of-tests.pub.pem");

/// The set of a provider that does not answer.
const HANGS: &str = "hangs";

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", BASE64.encode(der))
}

fn text(bytes: &[u8]) -> String {
    BASE64URL_NOPAD.encode(bytes)
}

/// A fresh key: what signs, and the key of a set that verifies.
fn ed25519(kid: &str) -> (SigningKey, Value) {
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key");
    let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).expect("a key");
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": text(pair.public_key().as_ref())});
    (SigningKey::of_pem(&pem("PRIVATE KEY", pkcs8.as_ref())).expect("a key"), jwk)
}

fn p256(kid: &str) -> (SigningKey, Value, Vec<u8>) {
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).expect("a key");
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random);
    let point = pair.expect("a key").public_key().as_ref().to_vec();
    let jwk = json!({
        "kty": "EC", "crv": "P-256", "kid": kid, "alg": "ES256", "use": "sig",
        "x": text(&point[1..33]), "y": text(&point[33..]),
    });
    (SigningKey::of_pem(&pem("PRIVATE KEY", pkcs8.as_ref())).expect("a key"), jwk, point)
}

fn rsa_jwk(kid: &str) -> Value {
    let body: String = RSA.lines().filter(|line| !line.starts_with("-----")).collect();
    let pair = RsaKeyPair::from_pkcs8(&BASE64.decode(body.as_bytes()).expect("base64")).expect("a key");
    let RsaPublicKeyComponents { n, e } = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public());
    json!({"kty": "RSA", "kid": kid, "n": text(&n), "e": text(&e)})
}

/// What the server says to a token.
async fn answer(guarded: &Guarded, token: &str) -> (u16, Option<String>) {
    let reply = guarded.server.ask(request("GET /api/chats?user=apple", &[&bearer(token)], "")).await;
    (reply.status, reply.json()["code"].as_str().map(str::to_owned))
}

fn served() -> (u16, Option<String>) {
    (200, None)
}

fn invalid() -> (u16, Option<String>) {
    (401, Some("token_invalid".into()))
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(NOW))
}

#[tokio::test]
async fn a_public_key_of_each_kind_in_pem() {
    let (ec, _, point) = p256("e");
    let prefix = [
        0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
        0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
    ];
    let (ed, jwk) = ed25519("d");
    let raw = BASE64URL_NOPAD.decode(jwk["x"].as_str().expect("x").as_bytes()).expect("base64");
    let ed_prefix = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
    let rsa = SigningKey::of_pem(RSA).expect("a key");
    for (signing, public) in [
        (rsa, RSA_PUBLIC.to_owned()),
        (ec, pem("PUBLIC KEY", &[&prefix[..], &point].concat())),
        (ed, pem("PUBLIC KEY", &[&ed_prefix[..], &raw].concat())),
    ] {
        let clock = clock();
        let keys = KeySet::open(None, Some(&public), None, clock.clone()).await.expect("a key");
        let guarded = Guarded::with(keys, clock).await;
        let good = signing.sign(None, &claims("apple")).expect("signed");
        assert_eq!(answer(&guarded, &good).await, served());
        // The public key is public: as an HMAC secret it must not do.
        let confused = SigningKey::of_secret(public.as_bytes()).expect("long enough");
        let confused = confused.sign(None, &claims("apple")).expect("signed");
        assert_eq!(answer(&guarded, &confused).await, invalid());
        guarded.server.stop().await;
    }
    for bad in ["", "hello", &RSA_PUBLIC[..200], &pem("PUBLIC KEY", b"no key")] {
        assert!(KeySet::check_pem(bad).is_err(), "{bad}");
    }
    assert!(KeySet::check_secret(&[0; 31]).is_err());
}

#[tokio::test]
async fn a_key_set_in_a_file_names_its_keys() {
    let (ed, ed_jwk) = ed25519("d");
    let (ec, p256_jwk, _) = p256("e");
    let (other, _) = ed25519("d");
    let rsa = SigningKey::of_pem(RSA).expect("a key");
    let symmetric = json!({"kty": "oct", "kid": "s", "k": text(&[1; 32])});
    let encrypting = json!({"kty": "OKP", "crv": "X25519", "kid": "x", "x": text(&[1; 32])});
    let set = json!({"keys": [symmetric, encrypting, ed_jwk, p256_jwk, rsa_jwk("r")]});
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("jwks.json");
    std::fs::write(&path, set.to_string()).expect("written");
    let clock = clock();
    let source = Some(Source::File(path));
    let guarded =
        Guarded::with(KeySet::open(None, None, source, clock.clone()).await.expect("a set"), clock).await;
    let claims = claims("apple");
    for (key, kid, expected) in [
        (&ed, Some("d"), served()),
        (&ec, Some("e"), served()),
        (&rsa, Some("r"), served()),
        (&ed, None, served()),
        (&ed, Some("e"), invalid()),
        (&ec, Some("nobody"), invalid()),
        (&other, Some("d"), invalid()),
        (&SigningKey::of_secret(&[1; 32]).expect("32"), Some("s"), invalid()),
    ] {
        let token = key.sign(kid, &claims).expect("signed");
        assert_eq!(answer(&guarded, &token).await, expected, "{kid:?}");
    }
    guarded.server.stop().await;
}

/// Serves what the channel holds to whoever asks, and counts; an empty text is a 500, and while it is [`HANGS`] nobody hears a word.
async fn provider(mut set: watch::Receiver<String>) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/jwks.json", listener.local_addr().expect("an address"));
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            count.fetch_add(1, SeqCst);
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") && stream.read_buf(&mut head).await.expect("a request") > 0 {}
            let body = set.wait_for(|set| set != HANGS).await.expect("the test goes on").clone();
            let status = if body.is_empty() { "500 Broken" } else { "200 OK" };
            let reply = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            // Whoever has gone meanwhile does not want it.
            let _gone = stream.write_all(reply.as_bytes()).await;
        }
    });
    (url, asked)
}

#[tokio::test]
async fn a_key_set_at_a_url_is_read_again_within_bounds() {
    let ((old, old_jwk), (new, new_jwk)) = (ed25519("old"), ed25519("new"));
    let (publish, set) = watch::channel(json!({"keys": [old_jwk]}).to_string());
    let (url, asked) = provider(set).await;
    let clock = clock();
    let source = Some(Source::Url(url));
    let guarded =
        Guarded::with(KeySet::open(None, None, source, clock.clone()).await.expect("a set"), clock).await;
    let old = old.sign(Some("old"), &claims("apple")).expect("signed");
    let new = new.sign(Some("new"), &claims("apple")).expect("signed");
    assert_eq!(answer(&guarded, &old).await, served());

    // Rotated; it was read a moment ago, so that whoever makes up kids makes no load on the provider.
    publish.send_replace(json!({"keys": [new_jwk]}).to_string());
    for _ in 0..5 {
        assert_eq!(answer(&guarded, &new).await, invalid());
    }
    assert_eq!(asked.load(SeqCst), 1);
    // It can't be read: the old set stays.
    publish.send_replace(String::new());
    guarded.clock.advance(Duration::from_secs(30));
    assert_eq!(answer(&guarded, &new).await, invalid());
    assert_eq!(answer(&guarded, &old).await, served());
    assert_eq!(asked.load(SeqCst), 2);
    // It can: the new key is known, and the old one, though verified before, no more.
    publish.send_replace(json!({"keys": [new_jwk]}).to_string());
    guarded.clock.advance(Duration::from_secs(30));
    assert_eq!(answer(&guarded, &new).await, served());
    assert_eq!(answer(&guarded, &old).await, invalid());
    assert_eq!(asked.load(SeqCst), 3);
    guarded.server.stop().await;
}

#[tokio::test]
async fn a_key_that_was_taken_off_the_set_is_forgotten_within_the_hour() {
    let ((one, one_jwk), (_, two_jwk)) = (ed25519("one"), ed25519("two"));
    let (publish, set) = watch::channel(json!({"keys": [one_jwk, two_jwk]}).to_string());
    let (url, _) = provider(set).await;
    let clock = clock();
    let source = Some(Source::Url(url));
    let guarded =
        Guarded::with(KeySet::open(None, None, source, clock.clone()).await.expect("a set"), clock).await;
    let lasting = super::claims_but("apple", &json!({"exp": super::NOW_S + 9_000}));
    let token = one.sign(Some("one"), &lasting).expect("signed");
    assert_eq!(answer(&guarded, &token).await, served());
    publish.send_replace(json!({"keys": [two_jwk]}).to_string());
    guarded.clock.advance(Duration::from_hours(1));
    assert_eq!(answer(&guarded, &token).await, invalid());
    guarded.server.stop().await;
}

/// Those whose tokens are known do not all wait for a provider that hangs.
#[tokio::test]
async fn an_old_key_set_is_read_again_by_one_request_and_awaited_by_no_other() {
    let ((one, one_jwk), (_, two_jwk)) = (ed25519("one"), ed25519("two"));
    let (publish, set) = watch::channel(json!({"keys": [one_jwk]}).to_string());
    let (url, asked) = provider(set).await;
    let clock = clock();
    let source = Some(Source::Url(url));
    let keys = KeySet::open(None, None, source, clock.clone()).await.expect("a set");
    let guarded = Guarded::with(keys, clock).await;
    let lasting = super::claims_but("apple", &json!({"exp": super::NOW_S + 9_000}));
    let token = one.sign(Some("one"), &lasting).expect("signed");
    publish.send_replace(HANGS.into());
    guarded.clock.advance(Duration::from_hours(1));
    {
        let (mut first, mut second) = (pin!(answer(&guarded, &token)), pin!(answer(&guarded, &token)));
        let (answered, waits) = select(first.as_mut(), second.as_mut()).await.factor_first();
        assert_eq!(answered, served());
        // The other one still waits, and hears what the provider says in the end.
        publish.send_replace(json!({"keys": [two_jwk]}).to_string());
        assert_eq!((waits.await, asked.load(SeqCst)), (invalid(), 2));
    }
    guarded.server.stop().await;
}
