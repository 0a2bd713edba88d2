//! A store of each on-disk format so far, as the executable of that time wrote it: `scripts/make-fixture` says what is in it.

use crate::process::{Server, chinwag, run};
use serde_json::Value;
use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::Command,
};

/// Every format that a released or developed version wrote, and the present one, which is the last.
const FORMATS: [u32; 4] = [1, 2, 3, 4];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../store/tests/fixtures").join(name)
}

fn unpack(format: u32) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    let mut tar = Command::new("tar");
    tar.arg("-xzf").arg(fixture(&format!("format-{format}.tar.gz"))).arg("-C").arg(dir.path());
    assert!(tar.status().expect("tar runs").success());
    dir
}

/// A reply's body.
fn get(server: &Server, path: &str) -> Value {
    let address = server.url.strip_prefix("http://").expect("an address");
    let mut socket = TcpStream::connect(address).expect("connected");
    write!(socket, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").expect("sent");
    let mut reply = String::new();
    socket.read_to_string(&mut reply).expect("read");
    let (_, body) = reply.split_once("\r\n\r\n").expect("a head and a body");
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{path}: {error}: {reply}"))
}

#[test]
fn a_store_of_each_format_is_opened_and_has_everything() {
    for format in FORMATS {
        let dir = unpack(format);
        let server = Server::start_in(dir, |command| {
            command.args(["--data", "data"]);
        });
        let expected = fs::read_to_string(fixture(&format!("format-{format}.ndjson"))).expect("read");
        let mut messages = 0;
        for line in expected.lines() {
            let expected: Value = serde_json::from_str(line).expect("JSON");
            if let Some(first) = expected.pointer("/messages/0/chat").and_then(Value::as_str) {
                let query =
                    first.replace('é', "%C3%A9").replace('日', "%E6%97%A5").replace('本', "%E6%9C%AC");
                let path = format!("/api/pull?limit=1000&chat={}", query.replace(' ', "%20"));
                assert_eq!(get(&server, &path), expected, "format {format}");
                messages += expected["messages"].as_array().map_or(0, Vec::len);
            } else {
                assert_eq!(get(&server, "/api/chats?user=apple&limit=100"), expected, "format {format}");
            }
        }
        assert_eq!(messages, 63, "format {format}");
        let inbox = get(&server, "/api/chats?user=apple&limit=100");
        assert_eq!(inbox["chats"].as_array().map(Vec::len), Some(4), "format {format}");
        // It goes on, and a repeat of an old key is held against what it stored then, or is too old to be known.
        let sent =
            run(&mut server.client(["send", "apple:banana", "on", "--as", "apple", "--json"])).expect(0);
        assert!(sent.out.contains("\"seq\":61"), "format {format}: {sent}");
        if format >= 4 {
            let refused = run(&mut server.client(["send", "apple:pest", "hello", "--as", "pest"])).expect(1);
            assert!(refused.err.contains("blocked"), "format {format}: {refused}");
        }
        let (_, dir) = server.stop();
        let checked = run(&mut chinwag(dir.path(), ["check", "--data", "data"])).expect(0).out;
        assert!(checked.contains("messages  64") && checked.contains("problems  none"), "{checked}");
        run(&mut chinwag(dir.path(), ["backup", "full", "--data", "data"])).expect(0);
        run(&mut chinwag(dir.path(), ["restore", "full", "--data", "restored"])).expect(0);
    }
}

/// Whoever makes a new format makes its fixture.
#[test]
fn the_present_format_has_a_fixture() {
    let dir = tempfile::tempdir().expect("a directory");
    run(&mut chinwag(dir.path(), ["import", "/dev/null", "--format", "export"])).expect(1);
    let format = fs::read_to_string(dir.path().join("chinwag-data/FORMAT")).expect("read");
    let present = FORMATS.last().expect("some");
    assert!(format.contains(&format!("\nformat {present}\n")), "{format}");
}
