//! The certificate is replaced while the server runs.

use super::{Certificate, Tunnel, authority::Authority};
use crate::{server::Setup, wire::get};
use chinwag::tls::{Files, Look, Tls};
use std::{fs, os::unix::fs::symlink, sync::Arc};

/// The certificate that a server has shown.
fn shown(tunnel: &Tunnel) -> Vec<u8> {
    tunnel.stream.get_ref().1.peer_certificates().expect("a certificate")[0].to_vec()
}

fn open(certificate: &Certificate) -> (Arc<Tls>, Setup) {
    let setup = Setup::memory();
    let tls = certificate.tls(setup.clock.clone());
    (tls.clone(), Setup { tls: Some(tls), ..setup })
}

#[tokio::test]
async fn old_connections_go_on_and_new_ones_get_the_new_certificate() {
    let certificate = Certificate::new();
    let (tls, setup) = open(&certificate);
    let server = setup.start().await;
    let mut old = certificate.connect(&server).await;
    old.ask(get("/ping")).await.ok();
    assert_eq!(tls.look(false), Look::Same);
    certificate.write(&certificate.authority.sign(&["localhost"]));
    assert_eq!(tls.look(false), Look::Changing);
    assert_eq!(shown(&certificate.connect(&server).await), shown(&old));
    assert_eq!(tls.look(false), Look::Replaced);
    assert_eq!(tls.look(false), Look::Same);
    let mut new = certificate.connect(&server).await;
    assert_ne!(shown(&new), shown(&old));
    new.ask(get("/ping")).await.ok();
    old.ask(get("/ping")).await.ok();
    server.stop().await;
}

#[tokio::test]
async fn while_the_pair_does_not_fit_the_old_one_stays() {
    let certificate = Certificate::new();
    let (tls, setup) = open(&certificate);
    let server = setup.start().await;
    let before = shown(&certificate.connect(&server).await);
    let next = certificate.authority.sign(&["localhost"]);
    let Files { certificate: certificate_file, key: key_file } = certificate.files();
    let halves: [(&str, &dyn Fn()); 4] = [
        ("the certificate without its key", &|| {
            fs::write(&certificate_file, &next.certificate).expect("written");
        }),
        ("a certificate that is cut short", &|| {
            fs::write(&certificate_file, &next.certificate[..200]).expect("written");
        }),
        ("an empty file", &|| fs::write(&certificate_file, "").expect("written")),
        ("no file", &|| fs::remove_file(&certificate_file).expect("removed")),
    ];
    for (what, write) in halves {
        write();
        assert_eq!(tls.look(false), Look::Changing, "{what}");
        assert_eq!(tls.look(false), Look::Refused, "{what}");
        assert_eq!(tls.look(false), Look::Same, "told once: {what}");
        assert_eq!(tls.look(true), Look::Refused, "told again, who asked: {what}");
        assert_eq!(shown(&certificate.connect(&server).await), before, "{what}");
    }
    fs::write(&certificate_file, &next.certificate).expect("written");
    fs::write(&key_file, &next.key).expect("written");
    assert_eq!(tls.look(true), Look::Replaced, "at once, who asked");
    assert_ne!(shown(&certificate.connect(&server).await), before);
    server.stop().await;
}

/// As certbot does it: each name is a link into a directory of all that there were, and is set anew, one after the other.
#[tokio::test]
async fn links_that_are_set_anew() {
    let (authority, directory) = (Authority::new(), tempfile::tempdir().expect("a directory"));
    let path = directory.path().to_owned();
    let place = |name: &str| path.join(name);
    for round in 1..=2 {
        let signed = authority.sign(&["localhost"]);
        fs::write(place(&format!("fullchain{round}.pem")), signed.certificate + &authority.pem())
            .expect("written");
        fs::write(place(&format!("privkey{round}.pem")), signed.key).expect("written");
    }
    let link = |name: &str, round: u32| {
        let _none_yet = fs::remove_file(place(&format!("{name}.pem")));
        symlink(format!("{name}{round}.pem"), place(&format!("{name}.pem"))).expect("linked");
    };
    link("fullchain", 1);
    link("privkey", 1);
    let certificate = Certificate { authority, directory };
    let (tls, setup) = open(&certificate);
    let server = setup.start().await;
    let before = shown(&certificate.connect(&server).await);
    link("privkey", 2);
    assert_eq!(tls.look(false), Look::Changing);
    link("fullchain", 2);
    assert_eq!(tls.look(false), Look::Changing);
    assert_eq!(shown(&certificate.connect(&server).await), before);
    assert_eq!(tls.look(false), Look::Replaced);
    assert_ne!(shown(&certificate.connect(&server).await), before);
    // And back, while it is looked at: nothing was ever refused.
    link("privkey", 1);
    link("fullchain", 1);
    assert_eq!(tls.look(false), Look::Changing);
    assert_eq!(tls.look(false), Look::Replaced);
    server.stop().await;
}

/// A ticket of before is no way around the new certificate.
#[tokio::test]
async fn a_session_of_the_old_certificate_is_not_gone_on_with() {
    use tokio_rustls::{
        TlsConnector,
        rustls::{HandshakeKind, pki_types::ServerName, version::TLS13},
    };
    let certificate = Certificate::new();
    let (tls, setup) = open(&certificate);
    let server = setup.start().await;
    let config = Arc::new(certificate.config(&[&TLS13], &["http/1.1"]));
    let connect = async || {
        let name = ServerName::try_from("localhost").expect("a name");
        let stream = TlsConnector::from(config.clone()).connect(name, server.connect().await.stream).await;
        let mut tunnel = Tunnel::over(stream.expect("a handshake"));
        // What comes with the reply holds the ticket.
        tunnel.ask(get("/ping")).await.ok();
        tunnel.stream.get_ref().1.handshake_kind()
    };
    assert_eq!(connect().await, Some(HandshakeKind::Full));
    assert_eq!(connect().await, Some(HandshakeKind::Resumed));
    certificate.write(&certificate.authority.sign(&["localhost"]));
    assert_eq!(tls.look(true), Look::Replaced);
    assert_eq!(connect().await, Some(HandshakeKind::Full));
    server.stop().await;
}

#[test]
fn what_can_not_be_used_is_refused_in_words_that_name_the_setting() {
    let certificate = Certificate::new();
    let clock = Setup::memory().clock;
    let Files { certificate: certificate_file, key: key_file } = certificate.files();
    let good = certificate.authority.sign(&["localhost"]);
    let other = certificate.authority.sign(&["localhost"]);
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIGjMF8=\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let damaged = good.certificate.replacen("MII", "MIA", 1);
    for (certificate_pem, key_pem, setting, words) in [
        ("", good.key.as_str(), "tls_cert_file", "holds no certificate in PEM"),
        (&good.key, &good.key, "tls_cert_file", "holds no certificate in PEM"),
        (&good.certificate[..300], &good.key, "tls_cert_file", "cut short"),
        (&damaged, &good.key, "tls_cert_file", "damaged"),
        (&good.certificate, "", "tls_key_file", "holds no private key in PEM"),
        (&good.certificate, &good.certificate, "tls_key_file", "holds no private key in PEM"),
        (&good.certificate, encrypted, "tls_key_file", "is encrypted"),
        (&good.certificate, &other.key, "tls_key_file", "not that of the certificate in"),
    ] {
        fs::write(&certificate_file, certificate_pem).expect("written");
        fs::write(&key_file, key_pem).expect("written");
        let error = Tls::open(certificate.files(), clock.clone()).expect_err(words).to_string();
        assert!(error.starts_with(setting) && error.contains(words), "{error}");
        let path = if setting == "tls_key_file" { &key_file } else { &certificate_file };
        assert!(error.contains(&path.display().to_string()), "{error}");
    }
    fs::remove_file(&key_file).expect("removed");
    fs::write(&certificate_file, &good.certificate).expect("written");
    let error = Tls::open(certificate.files(), clock.clone()).expect_err("no key").to_string();
    assert!(error.starts_with("tls_key_file") && error.contains("No such file"), "{error}");
    fs::write(&key_file, vec![b'x'; 300_000]).expect("written");
    let error = Tls::open(certificate.files(), clock).expect_err("no key").to_string();
    assert!(error.contains("longer than 262144 bytes"), "{error}");
}
