//! One small document from an `http` or `https` URL, or to one. Nothing is followed, cached or tried twice.

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Method, Request, Uri,
    client::conn::http1,
    header::{ACCEPT, CONTENT_TYPE, HOST},
    rt::{Read, Write},
};
use hyper_util::rt::TokioIo;
use std::{sync::Arc, time::Duration};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::ServerName},
};

/// The longest that it may take in all.
const FETCH_MAX: Duration = Duration::from_secs(10);
/// The largest document.
const DOCUMENT_MAX_BYTES: usize = 1 << 20;

/// Gets a document; an error says why not, in words.
pub(crate) async fn get(url: &str) -> Result<Vec<u8>, String> {
    ask(url, Method::GET, Vec::new()).await
}

/// Gives a document of JSON; an error says why it was not taken, in words.
pub(crate) async fn post_json(url: &str, json: Vec<u8>) -> Result<(), String> {
    ask(url, Method::POST, json).await.map(drop)
}

async fn ask(url: &str, method: Method, body: Vec<u8>) -> Result<Vec<u8>, String> {
    let uri: Uri = url.parse().map_err(|_| "it is not a URL".to_owned())?;
    let host = uri.host().ok_or("the URL names no host")?.trim_matches(['[', ']']).to_owned();
    let whole = async {
        let tcp = |port| TcpStream::connect((host.clone(), uri.port_u16().unwrap_or(port)));
        match uri.scheme_str() {
            Some("http") => {
                exchange(tcp(80).await.map_err(|error| error.to_string())?, &uri, method, body).await
            }
            Some("https") => {
                let tcp = tcp(443).await.map_err(|error| error.to_string())?;
                let name = ServerName::try_from(host.clone()).map_err(|error| error.to_string())?;
                let tls = connector()?.connect(name, tcp).await.map_err(|error| error.to_string())?;
                exchange(tls, &uri, method, body).await
            }
            _ => Err("a URL begins with http:// or https://".into()),
        }
    };
    timeout(FETCH_MAX, whole).await.map_err(|_| format!("no whole answer within {FETCH_MAX:?}"))?
}

/// Trusts whom the system trusts.
fn connector() -> Result<TlsConnector, String> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        return Err("the system has no certificates of authorities (package ca-certificates)".into());
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

async fn exchange<S>(stream: S, uri: &Uri, method: Method, body: Vec<u8>) -> Result<Vec<u8>, String>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    TokioIo<S>: Read + Write,
{
    let words = |error: hyper::Error| error.to_string();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(words)?;
    let connection = tokio::spawn(connection);
    let target = uri.path_and_query().map_or("/", hyper::http::uri::PathAndQuery::as_str);
    let host = uri.authority().map_or("", hyper::http::uri::Authority::as_str);
    let request = Request::builder()
        .method(method)
        .uri(target)
        .header(HOST, host)
        .header(ACCEPT, "application/json")
        .header(CONTENT_TYPE, "application/json")
        .body(Full::<Bytes>::new(body.into()))
        .map_err(|error| error.to_string())?;
    let reply = sender.send_request(request).await.map_err(words)?;
    if !reply.status().is_success() {
        return Err(format!("the answer was {}", reply.status()));
    }
    let body = Limited::new(reply.into_body(), DOCUMENT_MAX_BYTES).collect().await;
    connection.abort();
    Ok(body.map_err(|error| error.to_string())?.to_bytes().to_vec())
}
