//! Clients whose packets vanish: nothing comes back, no acknowledgement and no reset. In a network of the test's own.

use super::Beside;
use crate::{
    child::{Server, check_store},
    frame::handshake,
    http::Connection,
    random::full,
    watchdog::{PATIENCE, until},
};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::{
    fs::File,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    os::fd::AsFd as _,
    process::Command,
    thread,
    time::Instant,
};

/// Set in the process that has a network of its own.
const INSIDE: &str = "CHINWAG_TEST_INSIDE";
const TEST: &str = "net::vanish::clients_whose_packets_vanish_are_missed_and_dropped";

/// Runs `body` in a network of its own, which goes with it.
fn in_a_network(body: impl FnOnce()) {
    if !rustix::process::getuid().is_root() {
        assert!(!full(), "only root can make the network of {TEST}");
        println!("{TEST}: NOT RUN: only root can make its network");
        return;
    }
    if std::env::var_os(INSIDE).is_some_and(|inside| inside == TEST) {
        return body();
    }
    let itself = std::env::current_exe().expect("this test's executable");
    let status = Command::new("unshare")
        .args(["--net", "--mount", "--propagation", "private"])
        .arg(itself)
        .args([TEST, "--exact", "--nocapture", "--test-threads=1"])
        .env(INSIDE, TEST)
        .status()
        .expect("unshare, of util-linux");
    assert!(status.success(), "{TEST}, in a network of its own: {status}");
}

fn run(words: &str) {
    let mut words = words.split(' ');
    let status = Command::new(words.next().expect("a command")).args(words).status();
    assert!(status.is_ok_and(|status| status.success()), "a command that makes the network");
}

/// A cable between here and a place where clients are.
fn lay_a_cable() {
    for words in [
        "mkdir -p /run/netns",
        "mount -t tmpfs tmpfs /run/netns",
        "ip link set lo up",
        "ip netns add clients",
        "ip link add here type veth peer name there",
        "ip link set there netns clients",
        "ip addr add 192.0.2.1/24 dev here",
        "ip link set here up",
        "ip -n clients addr add 192.0.2.2/24 dev there",
        "ip -n clients link set there up",
    ] {
        run(words);
    }
}

/// A client at the other end of the cable that has asked for this, and read what came at first.
fn client(address: SocketAddr, request: String) -> TcpStream {
    let opened = thread::spawn(move || {
        let there = File::open("/run/netns/clients").expect("the other end of the cable");
        move_into_link_name_space(there.as_fd(), Some(LinkNameSpaceType::Network)).expect("root may");
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE).expect("connected");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        stream.write_all(request.as_bytes()).expect("it is taken");
        assert!(stream.read(&mut [0; 16]).expect("a reply begins") > 0);
        stream
    });
    opened.join().expect("a client")
}

#[test]
fn clients_whose_packets_vanish_are_missed_and_dropped() {
    in_a_network(|| {
        lay_a_cable();
        let directory = tempfile::tempdir().expect("a directory");
        let data = directory.path().join("data");
        let mut command = Command::new(env!("CARGO_BIN_EXE_chinwag"));
        command.args(["serve", "--listen", "192.0.2.1:0", "--auth", "open", "--disk-reserve-mib", "0"]);
        command.args(["--write-timeout-s", "2", "--ping-interval-s", "2", "--heartbeat-s", "1"]);
        command.args(["--presence-grace-s", "0", "--data"]).arg(&data);
        let server = Server::spawn(command);
        let address = server.address();
        let mut asks = Connection::open(address).expect("a connection");
        let mut online = |user: &str| {
            let presence = asks.get(&format!("/api/presence?user={user}")).expect("an answer");
            presence.body["users"][user]["online"].as_bool().expect("whether the user is there")
        };
        let events = |user: &str| format!("GET /api/events?user={user} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let clients = [
            ("stream", client(address, events("stream"))),
            ("socket", client(address, handshake("/api/ws?user=socket"))),
            ("pumped", client(address, handshake("/api/ws?user=pumped"))),
        ];
        for (user, _) in &clients {
            assert!(online(user), "{user}");
        }
        let good = Beside::start(address, "well");
        let before = server.descriptors();
        run("ip -n clients link set there down");
        let begin = Instant::now();
        // One of them is sent much, of which nothing arrives.
        let mut pump = Connection::open(address).expect("a connection");
        for _ in 0..16 {
            let sent = pump.send("pump:pumped", "pump", &"x".repeat(16_000), None).expect("an answer");
            assert_eq!(sent.status, 200, "{sent:?}");
        }
        for (user, _) in &clients {
            until(
                "one whose packets vanish to be missed",
                || server.printed(),
                || (!online(user)).then_some(()),
            );
            println!("{user}: missed {:?} after the cable was cut", begin.elapsed());
        }
        let gone = || server.descriptors() < before;
        until("their connections to be dropped", || server.printed(), || gone().then_some(()));
        let good = good.finish();
        println!("{} good turns beside, {:?} the slowest", good.sends, good.slowest);
        drop(clients);
        server.stop();
        check_store(&data);
    });
}
