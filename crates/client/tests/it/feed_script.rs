//! A server on a port of its own that treats each connection as its script says, one after the other.

use futures_util::{SinkExt as _, StreamExt as _};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        handshake::derive_accept_key,
        protocol::{CloseFrame, Role},
    },
};

/// What the server does with a connection.
pub(crate) enum Visit {
    /// Answers the handshake with these bytes, and closes the connection.
    Answer(String),
    /// Takes the handshake, and does this; then waits until the client has gone.
    Feed(Vec<Down>),
}

/// What comes down a WebSocket.
pub(crate) enum Down {
    Text(String),
    Binary,
    /// A ping, of which the pong is waited for.
    Ping,
    /// A close frame, after which the client's is waited for.
    Close(u16),
    /// The connection ends without a word.
    Drop,
}

/// The running server.
pub(crate) struct FeedScript {
    port: u16,
    server: JoinHandle<Vec<String>>,
}

impl FeedScript {
    pub(crate) async fn start(visits: impl IntoIterator<Item = Visit>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let visits: Vec<_> = visits.into_iter().collect();
        let server = tokio::spawn(async move {
            let mut paths = Vec::new();
            for visit in visits {
                let (stream, _) = listener.accept().await.expect("a connection");
                paths.push(match visit {
                    Visit::Answer(bytes) => answer(stream, &bytes).await,
                    Visit::Feed(downs) => feed(stream, downs).await,
                });
            }
            paths
        });
        Self { port, server }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Waits until the script was played to its end and the last client has gone; tells what each connection asked for.
    pub(crate) async fn finish(self) -> Vec<String> {
        timeout(Duration::from_mins(1), self.server)
            .await
            .expect("waited for the script's end")
            .expect("the script's server did not fail")
    }
}

async fn answer(mut stream: TcpStream, bytes: &str) -> String {
    let head = read_head(&mut stream).await;
    stream.write_all(bytes.as_bytes()).await.expect("written");
    path(&head)
}

async fn feed(mut stream: TcpStream, downs: Vec<Down>) -> String {
    let head = read_head(&mut stream).await;
    let key = head.lines().find_map(|line| line.strip_prefix("sec-websocket-key: ")).expect("a key");
    let accept = derive_accept_key(key.as_bytes());
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: {accept}\r\n\r\n"
    );
    stream.write_all(answer.as_bytes()).await.expect("written");
    play(&mut WebSocketStream::from_raw_socket(stream, Role::Server, None).await, downs).await;
    path(&head)
}

/// The head of a request; a client says no more before it has an answer.
async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        assert!(stream.read_buf(&mut head).await.expect("a request") > 0, "the request ends early");
    }
    String::from_utf8(head).expect("a head of ASCII")
}

fn path(head: &str) -> String {
    head.split(' ').nth(1).expect("a path").to_owned()
}

async fn play(socket: &mut WebSocketStream<TcpStream>, downs: Vec<Down>) {
    for down in downs {
        match down {
            Down::Text(text) => socket.send(Message::text(text)).await.expect("sent"),
            Down::Binary => socket.send(Message::binary("x")).await.expect("sent"),
            Down::Ping => {
                socket.send(Message::Ping("are you there".into())).await.expect("sent");
                let pong = socket.next().await.expect("the client is there").expect("a frame");
                assert_eq!(pong, Message::Pong("are you there".into()));
            }
            Down::Close(code) => {
                let frame = CloseFrame { code: code.into(), reason: "a reason".into() };
                socket.close(Some(frame)).await.expect("sent");
                let answer = socket.next().await.expect("the client is there").expect("a frame");
                assert!(
                    matches!(&answer, Message::Close(Some(frame)) if u16::from(frame.code) == code),
                    "{answer}"
                );
                return;
            }
            Down::Drop => return,
        }
    }
    while let Some(Ok(message)) = socket.next().await {
        assert!(!message.is_text() && !message.is_binary(), "a subscription says nothing: {message}");
    }
}
