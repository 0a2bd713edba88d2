//! A server that keeps chats in memory and, where it is told to, lies.

use crate::{
    inbox,
    live::{self, Feeds},
};
use chinwag_wire::{PullReply, PullRequest, SendRequest, WireMessage};
use parking_lot::Mutex;
use std::{borrow::Cow, collections::HashMap, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// What is wrong with the server. `every` counts sends, but for those that say otherwise; the first 100 sends are served
/// well, so that a run can begin.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    None,
    /// Acknowledges, gives a place, and does not keep.
    LosesEvery(u64),
    /// Reads a chat to its end but for the last message.
    LosesTheLast,
    /// Keeps two of one.
    StoresTwice(u64),
    /// Keeps another text than was sent.
    AltersStored(u64),
    /// Answers with another text than was sent.
    AcknowledgesAnother(u64),
    /// Gives a place that it gave before.
    RepeatsSeq(u64),
    /// Leaves out one message of a page.
    PagesWithGaps,
    /// Answers every pull of the newest with this.
    AnswersPullsWith(&'static str),
    /// Keeps and acknowledges, and does not tell those who listen.
    DeliversNot(u64),
    /// Tells those who listen twice.
    DeliversTwice(u64),
    /// Tells those who listen another text than was sent.
    DeliversAnother(u64),
    /// Closes the sessions of the chat instead of telling them.
    ClosesSessions(u64),
    /// Says that it cannot tell what a session missed.
    Forgets,
    /// Counts one message too many as unread.
    MiscountsUnread,
    /// Shows none of the chats whose name ends with 7.
    HidesChats,
    /// Shows the chat of the latest message last.
    ShowsOldestFirst,
    /// 503.
    Refuses(u64),
    /// Closes the connection instead of an answer, with nothing kept.
    Disconnects(u64),
    /// Closes the connection instead of an answer, with the message kept.
    StoresAndDisconnects(u64),
    /// Stops serving anything for a while, once.
    StallsOnce {
        /// Sends before.
        after: u64,
        /// How long.
        lasts: Duration,
    },
}

#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) text: String,
    pub(crate) sender: String,
    key: Option<String>,
    pub(crate) seq: u64,
    pub(crate) ts: u64,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    chats: HashMap<String, Vec<Stored>>,
    last_seqs: HashMap<String, u64>,
    sends: u64,
    pub(crate) feeds: Feeds,
}

/// The running server; it ends with its value.
pub(crate) struct Fake {
    port: u16,
    state: Arc<Mutex<State>>,
    server: JoinHandle<()>,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Fake {
    pub(crate) async fn start(fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let state = Arc::new(Mutex::new(State::default()));
        let gate = Arc::new(tokio::sync::RwLock::new(()));
        let shared = state.clone();
        let server = tokio::spawn(async move {
            let mut serving = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                serving.spawn(serve(stream, shared.clone(), gate.clone(), fault));
            }
        });
        Self { port, state, server }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Messages kept, but for those of the preparation of a hot chat.
    pub(crate) fn stored_by_load(&self, prepared: bool) -> u64 {
        let kept: usize = self.state.lock().chats.values().map(Vec::len).sum();
        kept as u64 - if prepared { 11 } else { 0 }
    }
}

type Gate = Arc<tokio::sync::RwLock<()>>;

async fn serve(mut stream: TcpStream, state: Arc<Mutex<State>>, gate: Gate, fault: Fault) {
    let mut buffer = Vec::new();
    while let Some((path, body)) = read_request(&mut stream, &mut buffer).await {
        let answer = match path.as_str() {
            "/bench/noop" => Some((200, "{}".to_owned())),
            path if path.starts_with("/api/ws?") => {
                let (_, query) = path.split_once('?').expect("a query");
                return live::serve(stream, &state, query, fault).await;
            }
            path if path.starts_with("/api/chats?") => {
                let (_, query) = path.split_once('?').expect("a query");
                Some((200, inbox::page(&state.lock().chats, query, fault)))
            }
            "/api/send" => {
                let count = {
                    let mut state = state.lock();
                    state.sends += 1;
                    state.sends
                };
                if let Fault::StallsOnce { after, lasts } = fault
                    && count == after
                {
                    let _nobody_else = gate.write().await;
                    tokio::time::sleep(lasts).await;
                }
                send(&state, &body, count, fault)
            }
            _ => Some((200, pull(&state, &path, &body, fault))),
        };
        let _pass = gate.read().await;
        let Some((status, body)) = answer else { return };
        let head = format!("HTTP/1.1 {status} Said\r\nContent-Length: {}\r\n\r\n", body.len());
        if stream.write_all((head + &body).as_bytes()).await.is_err() {
            return;
        }
    }
}

/// `None` closes the connection.
fn send(state: &Mutex<State>, body: &[u8], count: u64, fault: Fault) -> Option<(u16, String)> {
    let request = SendRequest::parse(body).expect("a send");
    let hits = |every| count > 100 && count.is_multiple_of(every);
    let mut state = state.lock();
    let State { chats, last_seqs, feeds, .. } = &mut *state;
    let chat = chats.entry(request.chat.clone().into_owned()).or_default();
    let last_seq = last_seqs.entry(request.chat.clone().into_owned()).or_default();
    let seq = *last_seq + 1;
    let mut stored = Stored {
        text: request.text.into_owned(),
        sender: request.sender.into_owned(),
        key: request.key.map(Cow::into_owned),
        seq,
        ts: count,
    };
    let mut answer = stored.clone();
    match fault {
        Fault::Refuses(every) if hits(every) => {
            let problem = r#"{"type":"t","title":"t","status":503,"detail":"d","code":"overloaded"}"#;
            return Some((503, problem.to_owned()));
        }
        Fault::Disconnects(every) if hits(every) => return None,
        Fault::StoresAndDisconnects(every) if hits(every) => {
            chat.push(stored);
            *last_seq = seq;
            return None;
        }
        Fault::LosesEvery(every) if hits(every) => {}
        Fault::StoresTwice(every) if hits(every) => {
            chat.push(stored.clone());
            stored.seq += 1;
            *last_seq = stored.seq;
            chat.push(stored);
            return Some((200, serde_json::to_string(&wire(&request.chat, &answer)).expect("JSON")));
        }
        Fault::AltersStored(every) if hits(every) => {
            stored.text.push('!');
            chat.push(stored);
        }
        Fault::AcknowledgesAnother(every) if hits(every) => {
            answer.text.push('!');
            chat.push(stored);
        }
        Fault::RepeatsSeq(every) if hits(every) => {
            answer.seq = 1;
            return Some((200, serde_json::to_string(&wire(&request.chat, &answer)).expect("JSON")));
        }
        _ => chat.push(stored),
    }
    *last_seq = seq;
    feeds.publish(&request.chat, &answer, fault, count);
    let message = serde_json::to_string(&wire(&request.chat, &answer)).expect("JSON");
    Some((200, message))
}

fn pull(state: &Mutex<State>, path: &str, body: &[u8], fault: Fault) -> String {
    let request = match path.split_once('?') {
        Some((_, query)) => PullRequest::parse_query(query).expect("a pull"),
        None => PullRequest::parse_json(body).expect("a pull"),
    };
    let newest = request.reverse == Some(true);
    if let (true, Fault::AnswersPullsWith(answer)) = (newest, fault) {
        return answer.to_owned();
    }
    let state = state.lock();
    let all = state.chats.get(&*request.chat).map(Vec::as_slice).unwrap_or_default();
    let (mut page, left): (Vec<&Stored>, bool) = if newest {
        (all.iter().rev().take(10).collect(), all.len() > 10)
    } else {
        let shown = if matches!(fault, Fault::LosesTheLast) { &all[..all.len() - 1] } else { all };
        let at = shown.partition_point(|stored| stored.seq <= request.cursor.unwrap_or(0));
        // Small pages, so that reading back takes several.
        (shown.iter().skip(at).take(7).collect(), shown.len() > at + 7)
    };
    let last = page.last().map_or(0, |last| last.seq);
    if newest && matches!(fault, Fault::PagesWithGaps) && page.len() > 2 {
        page.remove(1);
    }
    let next = if newest { last.saturating_sub(1) } else { last };
    let messages = page.into_iter().map(|stored| wire(&request.chat, stored)).collect();
    let reply = PullReply { messages, has_more: left, next_cursor: left.then_some(next) };
    serde_json::to_string(&reply).expect("JSON")
}

pub(crate) fn wire<'a>(chat: &'a str, stored: &'a Stored) -> WireMessage<'a> {
    WireMessage {
        chat: chat.into(),
        text: stored.text.as_str().into(),
        sender: stored.sender.as_str().into(),
        send_time: 1,
        seq: stored.seq,
        ts: stored.ts,
        key: stored.key.as_deref().map(Into::into),
        data: None,
        edited_ts: None,
        unsent: false,
        reactions: std::collections::BTreeMap::new(),
    }
}

/// The path and the body of one request; `None` where the peer closed the connection between two.
async fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<(String, Vec<u8>)> {
    loop {
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = std::str::from_utf8(&buffer[..end]).expect("a head of ASCII");
            let path = head.split(' ').nth(1).expect("a path").to_owned();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            let whole = end + 4 + length.unwrap_or(0);
            if buffer.len() >= whole {
                let body = buffer[end + 4..whole].to_vec();
                buffer.drain(..whole);
                return Some((path, body));
            }
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}
