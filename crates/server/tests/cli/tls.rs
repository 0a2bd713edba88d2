//! A server with a certificate, as an operator sets it up and as clients reach it.

use crate::{
    authority::{Authority, Signed},
    process::{Ended, Running, Server, chinwag, run},
};
use chinwag::identity::SigningKey;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use rustix::process::Signal;
use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpListener,
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    thread,
};
use tempfile::{TempDir, tempdir};
use tokio_rustls::rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    crypto::ring::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

fn write(directory: &Path, signed: &Signed) {
    fs::write(directory.join("cert.pem"), &signed.certificate).expect("written");
    fs::write(directory.join("key.pem"), &signed.key).expect("written");
}

/// A directory with a certificate for this machine, its key, and the certificate of its authority in `ca.pem`.
fn directory(authority: &Authority) -> TempDir {
    let directory = tempdir().expect("a directory");
    write(directory.path(), &authority.sign(&["localhost", "127.0.0.1"]));
    fs::write(directory.path().join("ca.pem"), authority.pem()).expect("written");
    directory
}

const PAIR: [&str; 4] = ["--tls-cert-file", "cert.pem", "--tls-key-file", "key.pem"];

fn start(authority: &Authority) -> Server {
    let server = Server::start_in(directory(authority), |command| {
        command.args(PAIR);
    });
    assert!(server.url.starts_with("https://127.0.0.1:"), "{}", server.url);
    server
}

/// What curl says of a request: the version of HTTP, the status and the body.
fn curl(server: &Server, args: &[&str], path: &str) -> Ended {
    let mut command = Command::new("curl");
    command
        .current_dir(server.directory.path())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").expect("a path"));
    command.args([
        "--silent",
        "--show-error",
        "--max-time",
        "60",
        "--write-out",
        "\n%{http_version} %{http_code}",
    ]);
    run(command.args(args).arg(format!("{}{path}", server.url)))
}

#[test]
fn curl_speaks_each_version_of_http_and_of_tls() {
    let server = start(&Authority::new());
    let send = r#"{"chat":"apple:banana","text":"through curl","sender":"apple"}"#;
    for (args, version) in [
        (&["--http2"][..], "2"),
        (&["--http1.1"], "1.1"),
        (&["--http2", "--tls-max", "1.2"], "2"),
        (&["--http1.1", "--tls-max", "1.2"], "1.1"),
        (&["--tlsv1.3"], "2"),
    ] {
        let posts = [args, &["--cacert", "ca.pem", "--json", send]].concat();
        let ended = curl(&server, &posts, "/api/send").expect(0);
        assert!(ended.out.ends_with(&format!("\n{version} 200")), "{args:?}: {ended}");
        let refused = curl(&server, &[args, &["--cacert", "ca.pem"]].concat(), "/nowhere").expect(0);
        assert!(refused.out.contains("\"no_such_path\""), "{refused}");
        assert!(refused.out.ends_with(&format!("\n{version} 404")), "{args:?}: {refused}");
    }
    let headers = curl(&server, &["--cacert", "ca.pem", "--head"], "/api/pull?chat=apple:banana").expect(0);
    assert!(headers.out.contains("strict-transport-security: max-age=86400"), "{headers}");
    // 60: the certificate is not trusted. 35: no version that both speak.
    curl(&server, &[], "/ping").expect(60);
    curl(&server, &["--cacert", "ca.pem", "--tls-max", "1.1"], "/ping").expect(35);
    server.stop().0.expect(0);
}

#[test]
fn the_commands_of_a_client_go_through_tls() {
    let server = start(&Authority::new());
    let send = ["send", "apple:banana", "through TLS", "--as", "apple"];
    let untrusted = run(&mut server.client(send)).expect(1);
    untrusted.says("not trusted: no authority that is trusted here has signed it").says("--ca-file names");
    run(server.client(send).args(["--ca-file", "ca.pem"])).expect(0);
    let trusted = |mut command: Command| {
        command.env("CHINWAG_CA_FILE", "ca.pem");
        command
    };
    let pulled = run(&mut trusted(server.client(["pull", "apple:banana"]))).expect(0);
    assert!(pulled.out.contains("through TLS"), "{pulled}");
    // What the system trusts, in a file of the operator's.
    run(server.client(send).env("SSL_CERT_FILE", "ca.pem")).expect(0);
    let mut tail = Running::start(&mut trusted(server.client(["tail", "--as", "banana"])));
    tail.line("live after");
    run(&mut trusted(server.client(send))).expect(0);
    tail.out_line("through TLS");
    run(server.client(send).args(["--ca-file", "none"]))
        .expect(2)
        .says("--ca-file (or CHINWAG_CA_FILE): none: No such");
    run(server.client(send).args(["--ca-file", "key.pem"]))
        .expect(2)
        .says("key.pem: it holds no certificate in PEM");
    server.stop().0.expect(0);
}

/// As a container does it: by the server's own settings, over loopback, whatever name the certificate is for.
#[test]
fn health_asks_by_the_settings_of_the_server() {
    let authority = Authority::new();
    let directory = directory(&authority);
    write(directory.path(), &authority.sign_from_to(&["chat.example.org"], 2000, 2001));
    let server = Server::start_in(directory, |command| {
        command.args(PAIR);
    });
    let address = server.url.strip_prefix("https://").expect("TLS").to_owned();
    let health = |args: &[&str]| {
        let mut command = chinwag(server.directory.path(), ["health"]);
        command.args(args).env("CHINWAG_LISTEN", &address);
        command
    };
    let by_settings = |mut command: Command| {
        run(command.env("CHINWAG_TLS_CERT_FILE", "cert.pem").env("CHINWAG_TLS_KEY_FILE", "key.pem"))
    };
    assert_eq!(by_settings(health(&[])).expect(0).out, "ready\n");
    run(&mut health(&[])).expect(1).says("the address begins with https://");
    // Whom one names, one gets.
    run(&mut health(&["--server", &server.url])).expect(1).says("is not trusted");
    run(&mut health(&["--server", &server.url, "--ca-file", "ca.pem"])).expect(1).says("it has expired");
    let (ended, directory) = server.stop();
    ended.expect(0).says("the certificate has expired");
    let server = Server::start_in(directory, |_| {});
    let address = server.url.strip_prefix("http://").expect("no TLS").to_owned();
    let mut command = chinwag(server.directory.path(), ["health"]);
    assert_eq!(run(command.env("CHINWAG_LISTEN", address)).expect(0).out, "ready\n");
    server.stop().0.expect(0);
}

#[test]
fn a_new_certificate_is_taken_while_the_server_runs() {
    let (first, second) = (Authority::new(), Authority::new());
    let mut server = start(&first);
    let next = second.sign(&["localhost", "127.0.0.1"]);
    fs::write(server.directory.path().join("ca2.pem"), second.pem()).expect("written");
    fs::write(server.directory.path().join("cert.pem"), &next.certificate).expect("written");
    server.running.signal(Signal::HUP);
    let line = server.running.line("can't be used; the old one stays");
    assert!(line.contains("tls_key_file: key.pem: this key is not that of the certificate"), "{line}");
    curl(&server, &["--cacert", "ca.pem"], "/ping").expect(0);
    fs::write(server.directory.path().join("key.pem"), &next.key).expect("written");
    server.running.signal(Signal::HUP);
    server.running.line("the certificate was replaced");
    curl(&server, &["--cacert", "ca.pem"], "/ping").expect(60);
    curl(&server, &["--cacert", "ca2.pem"], "/ping").expect(0);
    let ended = server.stop().0.expect(0);
    assert!(!ended.err.contains("PRIVATE"), "{ended}");
}

/// Nobody says that the files have changed.
#[test]
fn a_new_certificate_is_found() {
    let authority = Authority::new();
    let mut server = start(&authority);
    write(server.directory.path(), &authority.sign(&["127.0.0.1"]));
    server.running.line("the certificate was replaced");
    server.stop().0.expect(0);
}

#[test]
fn settings_that_do_not_fit_are_refused_before_anything_is_touched() {
    let authority = Authority::new();
    let directory = directory(&authority);
    fs::write(directory.path().join("other.pem"), authority.sign(&["localhost"]).key).expect("written");
    let serve = |args: &[&str]| {
        let mut command = chinwag(directory.path(), ["serve", "--listen", "127.0.0.1:0"]);
        run(command.args(args)).expect(2)
    };
    serve(&["--tls-cert-file", "cert.pem"]).says("tls_key_file: it is not set, and tls_cert_file is");
    serve(&["--tls-key-file", "key.pem"]).says("tls_cert_file: it is not set, and tls_key_file is");
    serve(&["--tls-cert-file", "none", "--tls-key-file", "key.pem"])
        .says("tls_cert_file: none: No such file");
    serve(&["--tls-cert-file", "cert.pem", "--tls-key-file", "other.pem"])
        .says("tls_key_file: other.pem: this key is not that of the certificate in cert.pem (tls_cert_file)");
    serve(&["--hsts-max-age-s", "-1"]).says("hsts_max_age_s");
    assert!(!directory.path().join("chinwag-data").exists(), "it must touch nothing");
}

/// A server of key sets, through TLS, that answers each connection with this one.
fn serve_key_set(authority: &Authority, body: String) -> String {
    let Signed { certificate, key } = authority.sign(&["localhost"]);
    let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).expect("PEM")];
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("PEM");
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("a pair");
    let (config, listener) = (Arc::new(config), TcpListener::bind("127.0.0.1:0").expect("a port"));
    let url = format!("https://localhost:{}/jwks.json", listener.local_addr().expect("bound").port());
    // It ends with the process of the test.
    thread::spawn(move || {
        for tcp in listener.incoming().flatten() {
            let mut tls = StreamOwned::new(ServerConnection::new(config.clone()).expect("a session"), tcp);
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                // Whoever does not trust the certificate says no more.
                if !matches!(tls.read(&mut byte), Ok(1)) {
                    break;
                }
                head.extend(byte);
            }
            let reply = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            let _gone = tls.write_all(reply.as_bytes()).and_then(|()| tls.flush());
        }
    });
    url
}

#[test]
fn a_key_set_is_fetched_through_tls_from_whom_the_system_trusts() {
    let authority = Authority::new();
    let directory = directory(&authority);
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&ring::rand::SystemRandom::new()).expect("a key");
    let public = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).expect("a key").public_key().as_ref().to_vec();
    let set = serde_json::json!({"keys": [{
        "kty": "OKP", "crv": "Ed25519", "kid": "one", "x": data_encoding::BASE64URL_NOPAD.encode(&public),
    }]});
    let url = serve_key_set(&authority, set.to_string());
    let serve = || {
        let mut command = chinwag(directory.path(), ["serve", "--listen", "127.0.0.1:0", "--auth", "token"]);
        command.args(["--auth-jwks", &url, "--disk-reserve-mib", "0"]).stdin(Stdio::null());
        command
    };
    run(&mut serve()).expect(2).says(&format!("auth_jwks: {url}: ")).says("UnknownIssuer");
    let mut running = Running::start(serve().env("SSL_CERT_FILE", "ca.pem"));
    let line = running.line("listening on ");
    let server = line.split("listening on ").nth(1).and_then(|rest| rest.split(' ').next()).expect("a URL");
    let pem = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        data_encoding::BASE64.encode(pkcs8.as_ref())
    );
    let claims = serde_json::json!({"sub": "apple", "exp": 32_000_000_000_u64});
    let token = SigningKey::of_pem(&pem).expect("a key").sign(Some("one"), &claims).expect("signed");
    let send = |token: &str| {
        let mut command = chinwag(directory.path(), ["send", "apple:banana", "Hello", "--as", "apple"]);
        run(command.env("CHINWAG_SERVER", server).env("CHINWAG_TOKEN", token))
    };
    send(&token).expect(0);
    send("nonsense").expect(1).says("(token_invalid, 401)");
    running.signal(Signal::TERM);
    running.end().expect(0);
}
