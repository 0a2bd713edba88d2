//! The port of metrics: what it serves, and that it takes nothing from the server.

use super::Exposition;
use crate::{
    server::{Server, Setup},
    wire::{Connection, Reply, get, hello, post, request, within},
};
use chinwag::{
    lifecycle::{Shutdown, Trigger},
    scrape::{self, Options},
};
use std::{net::SocketAddr, time::Duration};
use tokio::{net::TcpListener, task::JoinHandle};

struct Port {
    address: SocketAddr,
    trigger: Trigger,
    serving: JoinHandle<()>,
}

impl Port {
    async fn of(server: &Server, options: Options) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (trigger, shutdown) = Shutdown::new();
        let serving = tokio::spawn(scrape::serve(listener, server.app.clone(), options, shutdown));
        Self { address, trigger, serving }
    }

    async fn ask(&self, request: impl AsRef<[u8]>) -> Reply {
        Connection::to(self.address).await.ask(request).await
    }

    async fn stop(self) {
        self.trigger.fire();
        within("the port to close", self.serving).await.expect("no panic");
    }
}

fn text(reply: &Reply) -> &str {
    str::from_utf8(&reply.body).expect("UTF-8")
}

#[tokio::test(flavor = "multi_thread")]
async fn it_tells_metrics_in_the_format_that_is_asked_for() {
    let server = Setup::embedded().start().await;
    server.ask(post("/api/send", hello("one"))).await.ok();
    let port = Port::of(&server, Options::default()).await;
    let reply = port.ask(get("/metrics")).await;
    assert_eq!(reply.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let told = Exposition::parse(text(&reply), false);
    assert_eq!(told.get(r#"chinwag_requests_total{face="http",verb="send"}"#), 1.0);
    // What a Prometheus server of today sends.
    let accept =
        "Accept: application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    let reply = port.ask(request("GET /metrics", &[accept], "")).await;
    assert_eq!(
        reply.header("content-type"),
        Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
    );
    let told = Exposition::parse(text(&reply), true);
    assert_eq!(told.get("chinwag_messages_stored_total"), 1.0);
    port.stop().await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_serves_nothing_else() {
    let server = Setup::memory().start().await;
    let port = Port::of(&server, Options::default()).await;
    assert_eq!(port.ask(get("/healthz")).await.ok()["status"], "alive");
    assert_eq!(port.ask(get("/readyz")).await.ok()["status"], "ready");
    for path in
        ["/", "/api/pull?chat=a:b", "/api/ws?user=a", "/ping", "/keys", "/backup", "/metrics/x", "//metrics"]
    {
        assert_eq!(port.ask(get(path)).await.status, 404, "{path}");
    }
    assert_eq!(port.ask(post("/api/send", hello("x"))).await.status, 404);
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let reply = port.ask(request(&format!("{method} /metrics"), &[], "")).await;
        assert_eq!((reply.status, reply.header("allow")), (405, Some("GET, HEAD")), "{method}");
    }
    let mut head = Connection::to(port.address).await;
    head.write(request("HEAD /metrics", &[], "")).await;
    assert_eq!(head.head().await.status, 200);
    head.ended().await;
    // A page of another site, and a name of another's.
    let foreign = request("GET /metrics", &["Origin: https://evil.example"], "");
    port.ask(foreign).await.refused(403, "origin", "");
    port.ask(request("GET /metrics", &["Host: evil.example"], "")).await.refused(403, "host", "");
    assert_eq!(port.ask(request("GET /metrics", &["Host: chat.example.com:9090"], "")).await.status, 200);
    server.app.leave();
    assert_eq!(port.ask(get("/readyz")).await.status, 503);
    assert_eq!(
        Exposition::parse(text(&port.ask(get("/metrics")).await), false).get("chinwag_connections"),
        0.0
    );
    port.stop().await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_slow_there_is_cut_and_a_flood_takes_nothing_from_the_server() {
    let server = Setup::memory().start().await;
    let options =
        Options { connections_max: 4, connection_max: Duration::from_millis(300), ..Options::default() };
    let port = Port::of(&server, options).await;
    // All of its connections, and more, that say a part of a request and no more.
    let mut slow = Vec::new();
    for _ in 0..12 {
        let mut connection = Connection::to(port.address).await;
        connection.write("GET /metrics HTTP/1.1\r\nHost: loc").await;
        slow.push(connection);
    }
    server.ask(post("/api/send", hello("beside the slow"))).await.ok();
    for connection in &mut slow {
        connection.ended().await;
    }
    let flood: Vec<_> = (0..200)
        .map(|_| {
            let address = port.address;
            tokio::spawn(async move { Connection::to(address).await.ask(get("/metrics")).await.status })
        })
        .collect();
    for n in 0..20 {
        server.ask(post("/api/send", hello(&format!("in the flood, {n}")))).await.ok();
    }
    for one in flood {
        assert_eq!(within("a reply to each", one).await.expect("no panic"), 200);
    }
    let sends = server.app.snapshot().await.text(chinwag::metrics::Format::Prometheus);
    assert_eq!(Exposition::parse(&sends, false).get("chinwag_messages_stored_total"), 21.0);
    port.stop().await;
    server.stop().await;
}
