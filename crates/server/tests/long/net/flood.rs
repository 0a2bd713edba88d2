//! More connections than there may be.

use super::{connect, is_ended, ping, read_to_end};
use crate::{
    child::{Server, check_store, serve},
    watchdog::until,
};
use serde_json::json;
use std::io::Write as _;

const CONNECTIONS_MAX: usize = 256;
/// So many come between two good requests; fewer than it takes to push a newcomer out before it has asked.
const WAVE: usize = 32;
const FLOOD: usize = 2_048;

#[test]
fn a_flood_of_connections_without_a_request_keeps_nobody_out() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("data");
    let mut command = serve(&data);
    command.args(["--connections-max", &CONNECTIONS_MAX.to_string()]);
    let server = Server::spawn(command);
    let address = server.address();
    server.await_ready();
    let mut socket = super::WebSocket::open(address, "listener");
    let before = server.resident_bytes();
    let mut flood = Vec::new();
    let mut good = 0;
    for wave in 0..FLOOD / WAVE {
        for number in 0..WAVE {
            let mut stream = connect(address).expect("the kernel takes it");
            if number % 2 == 0 {
                // The other half says nothing at all.
                let _cut_already = stream.write_all(b"POST /api/send HTTP/1.1\r\nHost: local");
            }
            flood.push(stream);
        }
        ping(address);
        let request =
            json!({"id": wave, "op": "send", "chat": "a:listener", "sender": "a", "text": "beside"});
        assert_eq!(socket.ask(&request), 200);
        good += 2;
    }
    // All but those that there may be are gone before any time-out could have ended them.
    until(
        "the flood to have pushed itself out",
        || server.printed(),
        || (flood.iter().filter(|stream| !is_ended(stream)).count() <= CONNECTIONS_MAX).then_some(()),
    );
    let grown = server.resident_bytes().saturating_sub(before) >> 20;
    println!("{FLOOD} connections, {CONNECTIONS_MAX} allowed; {good} good requests beside; {grown} MiB more");
    assert!(grown < 64, "{grown} MiB");
    server.await_line("a word about it", "all connections are taken; those that wait longest are closed");
    for stream in &mut flood {
        let _ = stream.shutdown(std::net::Shutdown::Write);
    }
    for stream in &mut flood {
        read_to_end(stream);
    }
    ping(address);
    drop(socket);
    server.stop();
    check_store(&data);
}
