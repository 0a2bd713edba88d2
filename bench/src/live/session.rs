//! A user's session: a WebSocket on the user's feed.

use super::socket::Socket;
use crate::{BenchError, Content, Failure, Server, content::percent_encoded, deliveries::Received};
use chinwag_wire::{MessageEvent, WireEvent};
use indicatif::ProgressBar;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use tokio::{task::JoinSet, time::timeout};

/// What every event of a message begins with.
const MESSAGE: &str = r#"{"type":"message","#;
/// The longest that a session may take to open.
const OPEN_MAX: Duration = Duration::from_mins(1);
/// Descriptors for all that is not a session.
const SPARE_DESCRIPTORS: usize = 256;

/// An open session.
#[derive(Debug)]
pub(super) struct Session {
    socket: Socket,
    chat: u32,
}

/// A user who listens, and the user's one chat.
#[derive(Debug, Clone)]
pub(super) struct Listener {
    pub(super) user: String,
    pub(super) chat: u32,
}

/// A session that is live.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) session: Session,
    /// Where its feed stands.
    pub(super) id: String,
    /// From the first packet to its `ready`.
    pub(super) took: Duration,
}

/// What a session was told.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// A message of this run.
    Message(Received),
    /// From here on it is live.
    Ready {
        /// Where the feed stands.
        id: String,
        /// Whether all that was missed has been told.
        recovered: bool,
    },
    /// Anything else.
    Other,
}

impl Session {
    /// Opens the session of a user, whose one chat this is. `rank` is its number among those of the run.
    pub(super) async fn open(
        server: &Server,
        rank: usize,
        user: &str,
        chat: u32,
        since: Option<&str>,
    ) -> Result<Self, Failure> {
        let since = since.map(|id| format!("&since={id}")).unwrap_or_default();
        let user = percent_encoded(user);
        let socket = Socket::open(server, rank, &format!("/api/ws?user={user}{since}")).await?;
        Ok(Self { socket, chat })
    }

    /// Waits for the next event. What is no message as it was sent is a failure.
    pub(super) async fn next(
        &mut self,
        content: &Content,
        scratch: &mut Vec<u8>,
    ) -> Result<(Told, Instant), Failure> {
        let chat = self.chat;
        let told = told(self.socket.next().await?, content, chat, scratch)?;
        Ok((told, self.socket.arrived()))
    }

    /// Waits until the session is live and gives the id where it stands.
    pub(super) async fn ready(
        &mut self,
        content: &Content,
        scratch: &mut Vec<u8>,
    ) -> Result<String, Failure> {
        loop {
            match self.next(content, scratch).await?.0 {
                Told::Ready { id, recovered: true } => return Ok(id),
                Told::Ready { recovered: false, .. } => {
                    return Err(Failure::Wrong("a new session is told that it missed something"));
                }
                Told::Message(_) | Told::Other => {}
            }
        }
    }
}

/// Reads an event. A text of another run, or of no run, is told as something else.
fn told(json: &str, content: &Content, chat: u32, scratch: &mut Vec<u8>) -> Result<Told, Failure> {
    let wrong = |_| Failure::Wrong("what came is no event");
    if json.starts_with(MESSAGE) {
        // Straight to it: an event's kind is otherwise found by a first reading.
        let MessageEvent { message, .. } = serde_json::from_str(json).map_err(wrong)?;
        let Some(number) = content.origin(&message.text) else { return Ok(Told::Other) };
        if !content.is(&message, chat, number, scratch) {
            return Err(Failure::Wrong("a message was delivered that was not so sent"));
        }
        return Ok(Told::Message(Received { seq: message.seq, number }));
    }
    Ok(match WireEvent::parse(json).map_err(wrong)? {
        WireEvent::Ready(ready) => Told::Ready { id: ready.id.into_owned(), recovered: ready.recovered },
        _ => Told::Other,
    })
}

/// Opens the session of each listener, `at_once` of them at a time; the results in the listeners' order.
pub(super) async fn open_all(
    server: &Server,
    content: &Arc<Content>,
    listeners: &Arc<[Listener]>,
    at_once: usize,
    bar: &ProgressBar,
) -> Vec<Result<Opened, Failure>> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut opening = JoinSet::new();
    for _ in 0..at_once {
        let (next, server, content, listeners, bar) =
            (next.clone(), server.clone(), content.clone(), listeners.clone(), bar.clone());
        opening.spawn(async move {
            let (mut scratch, mut opened) = (Vec::new(), Vec::new());
            loop {
                let rank = next.fetch_add(1, Relaxed);
                let Some(listener) = listeners.get(rank) else { return opened };
                let open = open(&server, &content, listener, rank, &mut scratch);
                let result = timeout(OPEN_MAX, open).await.unwrap_or(Err(Failure::Timeout));
                opened.push((rank, result));
                bar.inc(1);
            }
        });
    }
    let mut all: Vec<_> = opening.join_all().await.into_iter().flatten().collect();
    all.sort_unstable_by_key(|&(rank, _)| rank);
    all.into_iter().map(|(_, result)| result).collect()
}

async fn open(
    server: &Server,
    content: &Content,
    listener: &Listener,
    rank: usize,
    scratch: &mut Vec<u8>,
) -> Result<Opened, Failure> {
    let start = Instant::now();
    let mut session = Session::open(server, rank, &listener.user, listener.chat, None).await?;
    let id = session.ready(content, scratch).await?;
    Ok(Opened { session, id, took: start.elapsed() })
}

/// All of them, or why there can be no load.
pub(super) fn all_open(opened: Vec<Result<Opened, Failure>>) -> Result<Vec<Opened>, BenchError> {
    let opened: Result<Vec<_>, _> = opened.into_iter().collect();
    opened.map_err(|failure| BenchError::Unfit(format!("opening the sessions: {failure}")))
}

/// Makes sure that this process may open so many sockets, raising its own limit as far as the system lets it.
pub(super) fn make_room(sockets: usize) -> Result<(), BenchError> {
    let needed = (sockets + SPARE_DESCRIPTORS) as u64;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    if let Some(maximum) = limit.maximum.filter(|&maximum| maximum < needed) {
        return Err(BenchError::Plan(format!(
            "{sockets} sessions need {needed} file descriptors, and this machine lets a process have {maximum} \
             (ulimit -Hn)"
        )));
    }
    setrlimit(Resource::Nofile, Rlimit { current: Some(needed), maximum: limit.maximum }).map_err(|why| {
        BenchError::Io { what: "raising the limit of file descriptors".into(), why: why.into() }
    })
}
