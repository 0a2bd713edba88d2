//! Traces, as a collector gets them: a small one that reads OTLP over HTTP.

use crate::{
    server::{Server, Setup},
    socket::{HANDSHAKE, Socket, TEXT, frame},
    wire::{JSON, get, hello, post, request, within},
};
use chinwag::trace::Tracer;
use chinwag_model::ManualClock;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// A collector, and the documents that it was given.
struct Collector {
    endpoint: String,
    given: UnboundedReceiver<Value>,
}

impl Collector {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let (sender, given) = unbounded_channel();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut read = Vec::new();
                let (head, length) = loop {
                    assert!(stream.read_buf(&mut read).await.expect("read") > 0, "it ended early");
                    let text = String::from_utf8_lossy(&read).into_owned();
                    let Some((head, _)) = text.split_once("\r\n\r\n") else { continue };
                    let length = head.lines().find_map(|line| {
                        let (name, value) = line.split_once(": ")?;
                        name.eq_ignore_ascii_case("content-length")
                            .then(|| value.parse::<usize>().expect("a number"))
                    });
                    break (head.to_owned(), length.expect("a length"));
                };
                assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{head}");
                assert!(head.to_ascii_lowercase().contains("content-type: application/json"), "{head}");
                while read.len() < head.len() + 4 + length {
                    assert!(stream.read_buf(&mut read).await.expect("read") > 0, "it ended early");
                }
                let document = serde_json::from_slice(&read[head.len() + 4..]).expect("JSON");
                let reply =
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
                stream.write_all(reply).await.expect("written");
                if sender.send(document).is_err() {
                    return;
                }
            }
        });
        Self { endpoint, given }
    }

    /// The spans that came until now, once all that was told has been sent; each held to its form.
    async fn spans(&mut self, tracer: &Tracer) -> Vec<Value> {
        within("the spans to be sent", tracer.flush()).await;
        let mut spans = Vec::new();
        while let Ok(document) = self.given.try_recv() {
            let resource = &document["resourceSpans"][0];
            let name = json!({"key": "service.name", "value": {"stringValue": "chinwag"}});
            assert_eq!(resource["resource"]["attributes"][0], name);
            let more = resource["scopeSpans"][0]["spans"].as_array().expect("spans").clone();
            spans.extend(more);
        }
        for span in &spans {
            let hex = |name: &str, digits: usize| {
                let id = span[name].as_str().expect("an id");
                assert!(id.len() == digits && u128::from_str_radix(id, 16).is_ok_and(|id| id != 0), "{span}");
            };
            hex("traceId", 32);
            hex("spanId", 16);
            let ns = |name: &str| span[name].as_str().and_then(|ns| ns.parse::<u128>().ok()).expect("a time");
            assert!(ns("startTimeUnixNano") <= ns("endTimeUnixNano"), "{span}");
        }
        spans
    }
}

fn traced(server: &Server, endpoint: &str, one_in: u64) -> Tracer {
    let clock = Arc::new(ManualClock::at(crate::server::NOW));
    let tracer = Tracer::start(endpoint, one_in, clock, server.app.metrics().clone());
    server.app.trace_to(tracer.clone());
    tracer
}

fn attribute<'a>(span: &'a Value, key: &str) -> &'a Value {
    let attributes = span["attributes"].as_array().expect("attributes");
    let found = attributes.iter().find(|attribute| attribute["key"] == key);
    let value = found.map_or(&Value::Null, |attribute| &attribute["value"]);
    value.get("stringValue").or(value.get("intValue")).unwrap_or(&Value::Null)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_a_span_of_its_callers_trace_and_the_stores_work_is_within_it() {
    let mut collector = Collector::start().await;
    let server = Setup::embedded().start().await;
    let tracer = traced(&server, &collector.endpoint, 1);
    let traceparent = format!("Traceparent: 00-{TRACE}-{PARENT}-01");
    server.ask(request("POST /api/send", &[JSON, &traceparent], hello("not in a span"))).await.ok();
    server.ask(request("GET /no/such/path", &[&traceparent], "")).await.refused(404, "no_such_path", "");
    let spans = collector.spans(&tracer).await;
    assert_eq!(spans.len(), 3, "{spans:#?}");
    let named = |name: &str| spans.iter().find(|span| span["name"] == name).expect("a span of that name");
    let (send, append, other) = (named("send"), named("store.append"), named("other"));
    for span in &spans {
        assert_eq!(span["traceId"], TRACE);
    }
    assert_eq!((&send["parentSpanId"], &send["kind"]), (&json!(PARENT), &json!(2)));
    assert_eq!((&append["parentSpanId"], &append["kind"]), (&send["spanId"], &json!(1)));
    assert_eq!(attribute(send, "chinwag.face"), "http");
    assert_eq!(attribute(send, "http.response.status_code"), "200");
    assert_eq!(attribute(send, "chinwag.code"), &Value::Null);
    assert_eq!(attribute(other, "http.response.status_code"), "404");
    assert_eq!(attribute(other, "chinwag.code"), "no_such_path");
    let text = serde_json::to_string(&spans).expect("JSON");
    for hidden in ["apple", "banana", "not in a span", "/no/such/path"] {
        assert!(!text.contains(hidden), "{hidden} is in {text}");
    }

    // A WebSocket's requests lie within its handshake.
    let mut connection = server.connect().await;
    let headers: Vec<_> = HANDSHAKE.iter().copied().chain([traceparent.as_str()]).collect();
    connection.write(request("GET /api/ws?user=apple", &headers, "")).await;
    assert_eq!(connection.head().await.status, 101);
    let mut socket = Socket::of(connection);
    socket.write(frame(TEXT, r#"{"id":1,"op":"pull","chat":"apple:banana"}"#)).await;
    assert_eq!(socket.reply().await["status"], 200);
    let spans = collector.spans(&tracer).await;
    let named = |name: &str| spans.iter().find(|span| span["name"] == name).expect("a span of that name");
    assert_eq!(named("ws")["parentSpanId"], PARENT);
    assert_eq!(named("pull")["parentSpanId"], named("ws")["spanId"]);
    assert_eq!(named("store.page")["parentSpanId"], named("pull")["spanId"]);
    assert_eq!(attribute(named("pull"), "chinwag.face"), "websocket");
    server.stop_with(socket).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_decides_and_of_the_others_one_in_so_many_is_traced() {
    let mut collector = Collector::start().await;
    let server = Setup::memory().start().await;
    let tracer = traced(&server, &collector.endpoint, 10);
    let mut connection = server.connect().await;
    for _ in 0..100 {
        connection.ask(get("/ping")).await.ok();
    }
    assert_eq!(collector.spans(&tracer).await.len(), 10);
    let with =
        |flags: &str| request("GET /ping", &[&format!("Traceparent: 00-{TRACE}-{PARENT}-{flags}")], "");
    for _ in 0..20 {
        connection.ask(with("00")).await.ok();
    }
    assert!(collector.spans(&tracer).await.is_empty());
    for _ in 0..20 {
        connection.ask(with("01")).await.ok();
    }
    assert_eq!(collector.spans(&tracer).await.len(), 20);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_down_harms_nothing_and_what_it_missed_is_counted() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let nobody = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let server = Setup::memory().start().await;
    let tracer = traced(&server, &nobody, 1);
    for _ in 0..5 {
        server.ask(post("/api/send", hello("x"))).await.ok();
    }
    within("the spans to be given up", tracer.flush()).await;
    assert_eq!(server.app.metrics().spans_lost.get(), 10, "five requests, and what the store did for each");
    server.stop().await;
}
