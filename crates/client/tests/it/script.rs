//! A server on a port of its own that answers each request with the next act of its script.

use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Mutex,
    task::JoinHandle,
    time::timeout,
};

/// What the server does once it has read a request to its end.
pub(crate) enum Act {
    /// Answers.
    Answer { status: u16, headers: String, body: String },
    /// Closes the connection without a word.
    DropConnection,
    /// Announces more than it sends, then closes the connection.
    CutBody,
    /// Keeps the connection and never answers.
    Silence,
    /// Sends these bytes.
    Raw(Vec<u8>),
}

impl Act {
    pub(crate) fn answer(status: u16, body: &str) -> Self {
        Self::Answer { status, headers: String::new(), body: body.to_owned() }
    }

    /// The answer with a header line more.
    pub(crate) fn with(mut self, header: &str) -> Self {
        let Self::Answer { headers, .. } = &mut self else { panic!("only an answer has headers") };
        headers.push_str(header);
        headers.push_str("\r\n");
        self
    }
}

/// A request as it was read.
pub(crate) struct Seen {
    /// Which connection it came on, from 0.
    pub(crate) connection: usize,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).expect("a JSON body")
    }
}

/// The running server.
pub(crate) struct Script {
    port: u16,
    state: Arc<Mutex<State>>,
    server: JoinHandle<()>,
}

struct State {
    acts: VecDeque<Act>,
    seen: Vec<Seen>,
}

impl Script {
    pub(crate) async fn start(acts: impl IntoIterator<Item = Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let state = Arc::new(Mutex::new(State { acts: acts.into_iter().collect(), seen: Vec::new() }));
        let shared = state.clone();
        let server = tokio::spawn(async move {
            let mut serving = tokio::task::JoinSet::new();
            for connection in 0.. {
                let (stream, _) = listener.accept().await.expect("a connection");
                serving.spawn(serve(stream, connection, shared.clone()));
            }
        });
        Self { port, state, server }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Ends the server, checks that the script was played to its end, and tells what came.
    pub(crate) async fn finish(self) -> Vec<Seen> {
        self.server.abort();
        let ended = timeout(Duration::from_mins(1), self.server)
            .await
            .expect("waited for the script's server to end");
        assert!(ended.is_err_and(|error| error.is_cancelled()), "the script's server failed");
        let mut state = self.state.lock().await;
        assert_eq!(state.acts.len(), 0, "acts left over");
        std::mem::take(&mut state.seen)
    }
}

async fn serve(mut stream: TcpStream, connection: usize, state: Arc<Mutex<State>>) {
    let mut buffer = Vec::new();
    while let Some((head, body)) = read_request(&mut stream, &mut buffer).await {
        let act = {
            let mut state = state.lock().await;
            state.seen.push(Seen { connection, head, body });
            state.acts.pop_front()
        };
        let bytes = match act {
            Some(Act::Answer { status, headers, body }) => {
                format!("HTTP/1.1 {status} Said\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len())
                    .into_bytes()
            }
            Some(Act::Raw(bytes)) => bytes,
            Some(Act::Silence) => std::future::pending().await,
            Some(Act::CutBody) => {
                let cut = b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{\"chat\":\"a";
                stream.write_all(cut).await.expect("written");
                return;
            }
            Some(Act::DropConnection) => return,
            None => panic!("a request past the end of the script"),
        };
        stream.write_all(&bytes).await.expect("written");
    }
}

/// One request off the stream; `None` where the peer closed it between two.
async fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<(String, String)> {
    loop {
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8(buffer[..end + 4].to_vec()).expect("a head of ASCII");
            let length = head
                .lines()
                .find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok())
                .unwrap_or(0);
            if buffer.len() >= end + 4 + length {
                let body = String::from_utf8(buffer[end + 4..end + 4 + length].to_vec()).expect("UTF-8");
                buffer.drain(..end + 4 + length);
                return Some((head, body));
            }
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}

/// A message of `apple:banana` as the server shows it.
pub(crate) fn message(seq: u64) -> String {
    format!(
        r#"{{"chat":"apple:banana","text":"Hello","sender":"apple","send_time":1686404158,"seq":{seq},"ts":1686404158123456,"data":{{"big":123456789012345678901234567890.10}},"later":["key"]}}"#
    )
}

pub(crate) fn page(seqs: &[u64], next: Option<u64>) -> String {
    let messages = seqs.iter().map(|&seq| message(seq)).collect::<Vec<_>>().join(",");
    let more = next.map(|next| format!(r#","has_more":true,"next_cursor":{next}"#)).unwrap_or_default();
    format!(r#"{{"messages":[{messages}]{more}}}"#)
}

pub(crate) fn problem(status: u16, code: &str) -> String {
    format!(
        r#"{{"type":"about:blank","title":"Refused","status":{status},"detail":"a sentence","code":"{code}","field":"text"}}"#
    )
}
