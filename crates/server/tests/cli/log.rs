//! The lines of the log, which name the request that they were written for.

use crate::process::{Server, chinwag, run};
use serde_json::Value;
use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// One request that is refused, and one WebSocket that is opened and says something that is.
fn ask(server: &Server) {
    let address = server.url.strip_prefix("http://").expect("an address");
    let connect = || {
        let stream = TcpStream::connect(address).expect("connected");
        stream.set_read_timeout(Some(Duration::from_mins(1))).expect("set");
        stream
    };
    let mut stream = connect();
    let of_trace = |path: &str, more: &str| {
        format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\ntraceparent: 00-{TRACE}-00f067aa0ba902b7-01\r\n{more}\r\n"
        )
    };
    stream.write_all(of_trace("/no/such/path", "Connection: close\r\n").as_bytes()).expect("written");
    let mut reply = String::new();
    stream.read_to_string(&mut reply).expect("read");
    assert!(reply.contains(&format!("x-request-id: {TRACE}")), "{reply}");

    let mut stream = connect();
    let handshake = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    stream.write_all(of_trace("/api/ws?user=apple", handshake).as_bytes()).expect("written");
    // A text of `{}` under a mask of zeros, which is no request.
    stream.write_all(&[0x81, 0x82, 0, 0, 0, 0, b'{', b'}']).expect("written");
    let mut reply = Vec::new();
    while !String::from_utf8_lossy(&reply).contains("\"status\":400") {
        let mut part = [0; 4_096];
        let read = stream.read(&mut part).expect("read");
        assert!(read > 0, "{}", String::from_utf8_lossy(&reply));
        reply.extend_from_slice(&part[..read]);
    }
}

#[test]
fn each_line_of_a_request_names_it_in_both_formats() {
    for format in ["text", "json"] {
        let dir = tempfile::tempdir().expect("a directory");
        let server = Server::start_in(dir, |command| {
            command.args(["--log", "info,chinwag=debug", "--log-format", format]);
        });
        ask(&server);
        let (ended, _) = server.stop();
        let lines: Vec<_> = ended.expect(0).err.lines().map(str::to_owned).collect();
        for words in ["a request", "refused", "no_such_path", "missing_field"] {
            let named = lines.iter().filter(|line| line.contains(words));
            let named: Vec<_> = named.filter(|line| line.contains(TRACE)).collect();
            assert!(!named.is_empty(), "{words:?} is in no line that names its request: {lines:#?}");
        }
        for line in &lines {
            if format == "json" {
                let line: Value =
                    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
                assert!(line["message"].is_string(), "{line}");
                assert!(line.get("request_id").is_none_or(|id| id == TRACE), "{line}");
            } else if line.contains(TRACE) {
                assert!(line.ends_with(&format!(" request_id={TRACE}")), "{line}");
            }
        }
        let of_none = |line: &String| line.contains("listening on") || line.contains("ended in order");
        assert!(lines.iter().filter(|line| of_none(line)).all(|line| !line.contains("request_id")));
    }
}

#[test]
fn a_collector_of_traces_that_is_down_is_said_once() {
    let dir = tempfile::tempdir().expect("a directory");
    // Nobody listens on a port that no program may take by itself.
    let mut server = Server::start_in(dir, |command| {
        command.args(["--otlp-endpoint", "http://127.0.0.1:1"]);
    });
    let send = |server: &Server| {
        run(&mut server.client(["send", "apple:banana", "x", "--as", "apple"])).expect(0);
    };
    let words = "the collector of traces takes none";
    send(&server);
    assert!(server.running.line(words).contains("http://127.0.0.1:1/v1/traces"));
    send(&server);
    let (ended, directory) = server.stop();
    let ended = ended.expect(0);
    assert_eq!(ended.err.matches(words).count(), 1, "{ended}");
    run(&mut chinwag(
        directory.path(),
        ["serve", "--listen", "127.0.0.1:0", "--otlp-endpoint", "collector:4318"],
    ))
    .expect(2)
    .says("otlp_endpoint: \"collector:4318\" must be a URL that begins with http:// or https://");
}
