//! Whom the log names as a request's peer, where proxies stand between.

use crate::process::{Server, chinwag, run};
use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};
use tempfile::tempdir;

/// A server that logs who makes each request.
fn server(settings: &[&str]) -> Server {
    Server::start_in(tempdir().expect("a directory"), |command| {
        command.args(["--log", "info,chinwag::http=debug"]).args(settings);
    })
}

/// Asks for `path`, with more lines in the head, and gives the peer that the log names.
fn peer(server: &mut Server, path: &str, lines: &str) -> String {
    let address = server.url.strip_prefix("http://").expect("an address");
    let mut connection = TcpStream::connect(address).expect("it listens");
    let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{lines}\r\n");
    connection.write_all(head.as_bytes()).expect("it takes a request");
    let mut reply = String::new();
    connection.read_to_string(&mut reply).expect("it answers");
    let line = server.running.line(&format!("path=\"{path}\""));
    let at = line.find("peer=").expect("the line names the peer") + "peer=".len();
    line[at..].split(' ').next().expect("a word").to_owned()
}

#[test]
fn a_proxy_is_believed_where_it_was_named_and_by_the_header_that_it_writes() {
    let lines =
        "X-Forwarded-For: 198.51.100.1, 192.0.2.7, 127.0.0.2\r\nForwarded: for=\"[2001:db8::7]:80\"\r\n";
    for (settings, expected) in [
        (&[][..], "127.0.0.1"),
        (&["--trusted-proxies", "192.0.2.0/24"], "127.0.0.1"),
        (&["--trusted-proxies", "127.0.0.0/8"], "192.0.2.7"),
        (&["--trusted-proxies", "127.0.0.0/8,192.0.2.7"], "198.51.100.1"),
        (&["--trusted-proxies", "127.0.0.1", "--forwarding-header", "forwarded"], "2001:db8::7"),
    ] {
        let mut server = server(settings);
        assert_eq!(peer(&mut server, "/one", lines), expected, "{settings:?}");
        assert_eq!(peer(&mut server, "/two", ""), "127.0.0.1", "{settings:?}");
        server.stop().0.expect(0);
    }
}

#[test]
fn networks_of_settings_are_shown_as_they_were_given_or_refused() {
    let dir = tempdir().expect("a directory");
    let given = "192.0.2.7, 10.0.0.0/8,2001:DB8::/32";
    let shown = run(&mut chinwag(dir.path(), ["config", "--proxy-protocol", given])).expect(0);
    assert!(shown.out.contains(r#"["192.0.2.7", "10.0.0.0/8", "2001:db8::/32"]"#), "{shown}");
    for bad in ["localhost", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.1,,10.0.0.2"] {
        for setting in ["--proxy-protocol", "--trusted-proxies"] {
            run(&mut chinwag(dir.path(), ["config", setting, bad]))
                .expect(2)
                .says(&format!("{}: {bad:?}", setting[2..].replace('-', "_")));
        }
    }
}
