//! A client of HTTP/2, of a library.

use crate::{server::Server, tls::Certificate, wire::within};
use http_body_util::{BodyExt as _, StreamBody, combinators::BoxBody};
use hyper::{
    HeaderMap, Request, Response,
    body::{Bytes, Frame, Incoming},
    client::conn::http2::{SendRequest, handshake},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use std::convert::Infallible;
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_rustls::rustls::version::TLS13;

pub(crate) type Body = BoxBody<Bytes, Infallible>;

/// A connection.
pub(crate) struct Http2 {
    pub(crate) sender: SendRequest<Body>,
    /// Ready at the connection's end.
    pub(crate) connection: JoinHandle<Result<(), hyper::Error>>,
}

/// A whole reply.
#[derive(Debug)]
pub(crate) struct Whole {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Whole {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    #[track_caller]
    pub(crate) fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{self:?}");
        self.json()
    }

    #[track_caller]
    pub(crate) fn refused(&self, status: u16, code: &str) {
        assert_eq!(self.headers["content-type"], "application/problem+json", "{self:?}");
        assert_eq!((self.status, self.json()["code"].as_str()), (status, Some(code)), "{self:?}");
    }
}

impl Http2 {
    pub(crate) async fn open(certificate: &Certificate, server: &Server) -> Self {
        let tunnel =
            certificate.connect_with(server, &[&TLS13], &["h2", "http/1.1"]).await.expect("a handshake");
        assert_eq!(tunnel.stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let (sender, connection) =
            handshake(TokioExecutor::new(), TokioIo::new(tunnel.stream)).await.expect("a connection");
        Self { sender, connection: tokio::spawn(connection) }
    }

    /// Sends a request; the head of its reply.
    pub(crate) async fn begin(&mut self, request: Request<Body>) -> Response<Incoming> {
        within("the connection to be ready", self.sender.ready()).await.expect("ready");
        within("a reply", self.sender.send_request(request)).await.expect("a reply")
    }

    /// A request and its whole reply.
    pub(crate) async fn ask(&mut self, request: Request<Body>) -> Whole {
        whole(self.begin(request).await).await
    }
}

pub(crate) async fn whole(reply: Response<Incoming>) -> Whole {
    let (head, body) = reply.into_parts();
    let body = within("a whole reply", body.collect()).await.expect("a whole reply").to_bytes();
    Whole { status: head.status.as_u16(), headers: head.headers, body }
}

/// A request; `headers` are whole lines.
pub(crate) fn request(line: &str, headers: &[&str], body: impl Into<Bytes>) -> Request<Body> {
    let body = body.into();
    let full = http_body_util::Full::new(body).boxed();
    build(line, headers, full)
}

/// A request whose body comes as it is sent there.
pub(crate) fn slow_request(line: &str, headers: &[&str]) -> (mpsc::Sender<Bytes>, Request<Body>) {
    let (sender, mut pieces) = mpsc::channel::<Bytes>(1);
    let stream = futures_util::stream::poll_fn(move |cx| {
        pieces.poll_recv(cx).map(|piece| piece.map(|piece| Ok::<_, Infallible>(Frame::data(piece))))
    });
    let body = StreamBody::new(SyncStream(stream)).boxed();
    (sender, build(line, headers, body))
}

/// A boxed body is to be shared between threads, which nobody does.
struct SyncStream<S>(S);

impl<S: futures_util::Stream + Unpin> futures_util::Stream for SyncStream<S> {
    type Item = S::Item;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<S::Item>> {
        std::pin::Pin::new(&mut self.0).poll_next(cx)
    }
}

fn build(line: &str, headers: &[&str], body: Body) -> Request<Body> {
    let (method, path) = line.split_once(' ').expect("a method and a path");
    let mut request = Request::builder().method(method).uri(format!("https://localhost{path}"));
    for header in headers {
        let (name, value) = header.split_once(": ").expect("a header");
        request = request.header(name, value);
    }
    request.body(body).expect("a request")
}

/// A POST of JSON.
pub(crate) fn post(path: &str, body: impl Into<Bytes>) -> Request<Body> {
    request(&format!("POST {path}"), &[crate::wire::JSON], body)
}

/// A GET without a body.
pub(crate) fn get(path: &str) -> Request<Body> {
    request(&format!("GET {path}"), &[], "")
}
