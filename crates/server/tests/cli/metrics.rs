//! Metrics through the executable: the port, the operator's socket, and the word that opens the port to others.

use crate::process::{Server, chinwag, run};
use std::{
    io::{Read, Write},
    net::TcpStream,
    os::unix::net::UnixStream,
    time::Duration,
};

fn ask(mut stream: impl Read + Write, path: &str) -> String {
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").expect("written");
    let mut reply = String::new();
    stream.read_to_string(&mut reply).expect("read");
    reply
}

#[test]
fn metrics_are_told_on_a_port_of_their_own_and_on_the_operators_socket() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut server = Server::start_in(dir, |command| {
        command.args(["--metrics-listen", "127.0.0.1:0"]);
    });
    run(&mut server.client(["send", "apple:banana", "one", "--as", "apple"])).expect(0);
    let line = server.running.line("metrics, for whoever asks: http://");
    let address = line.split("http://").nth(1).expect("an address").trim_end_matches("/metrics").to_owned();
    let of_port = || {
        let stream = TcpStream::connect(&address).expect("connected");
        stream.set_read_timeout(Some(Duration::from_mins(1))).expect("set");
        ask(stream, "/metrics")
    };
    let of_socket = || {
        let stream = UnixStream::connect(server.directory.path().join("chinwag-data/admin.sock"));
        let stream = stream.expect("connected");
        stream.set_read_timeout(Some(Duration::from_mins(1))).expect("set");
        ask(stream, "/metrics")
    };
    for told in [of_port(), of_socket()] {
        assert!(told.starts_with("HTTP/1.1 200 OK\r\n"), "{told}");
        for line in [
            r#"chinwag_requests_total{face="http",verb="send"} 1"#,
            "chinwag_messages_stored_total 1",
            "chinwag_ready 1.0",
        ] {
            assert!(told.lines().any(|told| told == line), "{line} is not in {told}");
        }
        assert!(!told.contains("apple") && !told.contains("banana"), "no user is named");
    }
    let (ended, _) = server.stop();
    ended.expect(0);
}

#[test]
fn without_the_setting_there_is_no_port() {
    let (ended, _) = Server::start().stop();
    assert!(!ended.expect(0).err.contains("metrics"));
}

#[test]
fn telling_metrics_beyond_loopback_must_be_asked_for_in_words() {
    let dir = tempfile::tempdir().expect("a directory");
    for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.1:9090"] {
        for command in ["config", "serve"] {
            run(&mut chinwag(dir.path(), [command, "--metrics-listen", listen]))
                .expect(2)
                .says(&format!(
                    "metrics_listen: {listen} (flag --metrics-listen) can be reached from other machines"
                ))
                .says("--metrics-open");
        }
        let open = ["config", "--metrics-listen", listen, "--metrics-open"];
        run(&mut chinwag(dir.path(), open)).expect(0);
    }
    for fine in ["", "127.0.0.1:9090", "[::1]:9090", "localhost:9090"] {
        run(&mut chinwag(dir.path(), ["config", "--metrics-listen", fine])).expect(0);
    }
    run(&mut chinwag(dir.path(), ["config", "--metrics-listen", "9090"]))
        .expect(2)
        .says("it must be \"\" for none, or an IP address or localhost, and a port, such as 127.0.0.1:9090");
}

#[test]
fn a_clock_that_is_trusted_needs_no_confirmation_and_one_of_no_server_has_none() {
    let dir = tempfile::tempdir().expect("a directory");
    run(&mut chinwag(dir.path(), ["clock", "confirm"]))
        .expect(2)
        .says("where no server runs there is nothing to confirm: start it first");
    let server = Server::start_in(dir, |_| {});
    run(&mut server.client(["clock", "confirm"])).expect(0).says("the clock was not in doubt; it is 2");
}
