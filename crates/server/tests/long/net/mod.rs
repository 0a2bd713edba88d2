//! Hostile clients and broken networks, on loopback: the server lives, says what is wrong, and serves good requests beside.

mod bytes;
mod descriptors;
mod flood;
mod hostile;
mod slow;
mod vanish;

use crate::{http::Connection, watchdog::PATIENCE};
use serde_json::json;
use socket2::SockRef;
use std::{
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

/// Good requests that go on while others do their worst. Every one must succeed.
struct Beside {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: thread::JoinHandle<Good>,
}

/// What became of them.
struct Good {
    /// Their own, so that it holds nothing but them.
    chat: String,
    /// Sends, as many as pulls and as requests of newcomers.
    sends: usize,
    slowest: Duration,
}

impl Beside {
    /// `name` is not another's who sends to the same server.
    fn start(address: SocketAddr, name: &str) -> Self {
        let chat = format!("good:{name}");
        let stop = Arc::new(AtomicBool::new(false));
        let until = stop.clone();
        let thread = thread::spawn(move || {
            let mut kept = Connection::open(address).expect("a connection");
            let mut good = Good { chat, sends: 0, slowest: Duration::ZERO };
            while !until.load(Relaxed) {
                let begin = Instant::now();
                good.turn(&mut kept);
                ping(address);
                good.slowest = good.slowest.max(begin.elapsed());
            }
            good
        });
        Self { address, stop, thread }
    }

    /// Ends it, and holds the server to every send.
    fn finish(self) -> Good {
        self.stop.store(true, Relaxed);
        let good = self.thread.join().expect("every good request succeeds");
        assert!(good.sends > 0);
        good.verify(self.address);
        good
    }
}

impl Good {
    /// A send, and a pull that finds it.
    fn turn(&mut self, connection: &mut Connection) {
        let text = self.sends.to_string();
        let sent = connection.send(&self.chat, "good", &text, None).expect("an answer to a good send");
        assert_eq!((sent.status, &sent.body["text"]), (200, &json!(text)), "{sent:?}");
        let pull = json!({"chat": self.chat, "reverse": true, "limit": 1});
        let page = connection.post("/api/pull", &pull).expect("an answer to a good pull");
        assert_eq!((page.status, &page.body["messages"][0]), (200, &sent.body), "{page:?}");
        self.sends += 1;
    }

    fn verify(&self, address: SocketAddr) {
        let stored =
            Connection::open(address).expect("a connection").pull_all(&self.chat, false).expect("all of it");
        let texts: Vec<_> =
            stored.iter().map(|message| message["text"].as_str().unwrap_or_default()).collect();
        let sent: Vec<_> = (0..self.sends).map(|number| number.to_string()).collect();
        let first = (0..sent.len().max(texts.len()))
            .find(|at| texts.get(*at) != sent.get(*at).map(String::as_str).as_ref());
        assert_eq!(first, None, "{} are stored of {}", texts.len(), sent.len());
    }
}

/// A good request of somebody who has just come.
fn ping(address: SocketAddr) {
    let pong =
        Connection::open(address).and_then(|mut connection| connection.get("/ping")).expect("an answer");
    assert_eq!(pong.status, 200, "{pong:?}");
}

/// A connection that vanishes without a trace when it is dropped: none waits out its time in the system's tables.
fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
    Ok(stream)
}

/// Waits until the server has ended or reset a connection, whatever it sends before; what that was.
fn read_to_end(stream: &mut TcpStream) -> Vec<u8> {
    read_until(stream, |_| false)
}

/// The same, or until what was read is enough.
fn read_until(stream: &mut TcpStream, is_enough: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let mut read = Vec::new();
    let mut space = [0; 16 * 1024];
    while !is_enough(&read) {
        match stream.read(&mut space) {
            Ok(0) => return read,
            Ok(bytes) => read.extend_from_slice(&space[..bytes]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                let late = matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut);
                assert!(
                    !late,
                    "waited {PATIENCE:?} for the end of a connection, after {}",
                    read.escape_ascii()
                );
                return read;
            }
        }
    }
    read
}

/// Whether the server has ended or reset a connection by now.
fn is_ended(mut stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).expect("a socket");
    let mut space = [0; 1024];
    let ended = loop {
        match stream.read(&mut space) {
            Ok(0) => break true,
            Ok(_) => {}
            Err(error) => break error.kind() != io::ErrorKind::WouldBlock,
        }
    };
    stream.set_nonblocking(false).expect("a socket");
    ended
}

/// A WebSocket of which one thing at a time is asked.
struct WebSocket(TcpStream, Vec<u8>);

impl WebSocket {
    fn open(address: SocketAddr, user: &str) -> Self {
        let mut stream = connect(address).expect("a connection");
        let handshake = crate::frame::handshake(&format!("/api/ws?user={user}"));
        stream.write_all(handshake.as_bytes()).expect("it is taken");
        let mut socket = Self(stream, Vec::new());
        loop {
            if let Some(end) = socket.1.windows(4).position(|window| window == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&socket.1[..end]).into_owned();
                assert!(head.starts_with("HTTP/1.1 101"), "{head}");
                socket.1.drain(..end + 4);
                return socket;
            }
            socket.more();
        }
    }

    /// Asks, and gives the answer's status.
    fn ask(&mut self, request: &serde_json::Value) -> u64 {
        let frame = crate::frame::masked(crate::frame::TEXT, request.to_string().as_bytes());
        self.0.write_all(&frame).expect("it is taken");
        loop {
            if let Some((frame, bytes)) = crate::frame::parse(&self.1) {
                self.1.drain(..bytes);
                let said: serde_json::Value = serde_json::from_slice(&frame.payload).unwrap_or_default();
                if said["reply"] == request["id"] {
                    return said["status"].as_u64().unwrap_or_else(|| panic!("{said}"));
                }
            } else {
                self.more();
            }
        }
    }

    fn more(&mut self) {
        let mut space = [0; 4096];
        let bytes = self.0.read(&mut space).expect("bytes of a WebSocket");
        assert!(bytes > 0, "a WebSocket ended after {}", self.1.escape_ascii());
        self.1.extend_from_slice(&space[..bytes]);
    }
}
