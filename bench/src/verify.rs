//! After a load: each acknowledged send is there, once, in its place, with its text.

use crate::{BenchError, Content, Server, connection::Connection, content::Buffer, ledger::Acked, reply};
use chinwag_wire::PullReply;
use indicatif::ProgressBar;
use parking_lot::Mutex;
use serde::Serialize;
use std::{collections::HashSet, collections::VecDeque, sync::Arc, time::Duration};
use tokio::{task::JoinSet, time::timeout};

/// Chats that are read back at once.
const READERS: usize = 16;
/// Faults that are told in full.
const FAULTS_TOLD: usize = 10;
/// The longest that one page may take.
const PAGE_MAX: Duration = Duration::from_mins(1);

/// What the verification found.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Verification {
    /// Sends that the server acknowledged.
    pub acknowledged: u64,
    /// Of these, found in their place and with their text.
    pub found: u64,
    /// Sends of this run that were stored though no acknowledgement came: allowed, once each.
    pub unacknowledged_found: u64,
    /// Chats that were read.
    pub chats: u64,
    /// How many things are wrong.
    pub faults: u64,
    /// The first of them, in words.
    pub first_faults: Vec<String>,
}

impl Verification {
    /// Whether all is as it was acknowledged.
    pub fn passed(&self) -> bool {
        self.faults == 0 && self.found == self.acknowledged
    }

    fn fault(&mut self, what: String) {
        self.faults += 1;
        if self.first_faults.len() < FAULTS_TOLD {
            self.first_faults.push(what);
        }
    }

    fn add(&mut self, other: Self) {
        self.acknowledged += other.acknowledged;
        self.found += other.found;
        self.unacknowledged_found += other.unacknowledged_found;
        self.chats += other.chats;
        self.faults += other.faults;
        self.first_faults.extend(other.first_faults);
        self.first_faults.truncate(FAULTS_TOLD);
    }
}

/// Reads every chat of `acked` from its first acknowledged send to its end and compares.
///
/// # Errors
/// [`BenchError`] where the server can't be read from; what is wrong with what was read is in the result.
pub(crate) async fn verify(
    server: &Server,
    content: &Arc<Content>,
    mut acked: Vec<Acked>,
    bar: &ProgressBar,
) -> Result<Verification, BenchError> {
    acked.sort_unstable();
    bar.set_length(acked.len() as u64);
    bar.set_position(0);
    let chats: VecDeque<Vec<Acked>> =
        acked.chunk_by(|a, b| a.chat == b.chat).map(<[Acked]>::to_vec).collect();
    drop(acked);
    let chats = Arc::new(Mutex::new(chats));
    let mut readers = JoinSet::new();
    for _ in 0..READERS {
        let (server, content, chats, bar) = (server.clone(), content.clone(), chats.clone(), bar.clone());
        readers.spawn(async move {
            let mut reader = Reader::connect(&server, content).await?;
            let mut total = Verification::default();
            loop {
                let Some(acked) = chats.lock().pop_front() else { return Ok(total) };
                total.add(reader.chat(&acked).await?);
                bar.inc(acked.len() as u64);
            }
        });
    }
    let mut total = Verification::default();
    while let Some(reader) = readers.join_next().await {
        total.add(reader.expect("a reader panicked")?);
    }
    Ok(total)
}

struct Reader {
    content: Arc<Content>,
    connection: Connection,
    request: Buffer,
    scratch: Vec<u8>,
}

impl Reader {
    async fn connect(server: &Server, content: Arc<Content>) -> Result<Self, BenchError> {
        let connection = Connection::open(server).await?;
        Ok(Self { content, connection, request: Buffer::default(), scratch: Vec::new() })
    }

    /// Compares one chat with what was acknowledged in it, sorted by `seq`.
    async fn chat(&mut self, acked: &[Acked]) -> Result<Verification, BenchError> {
        let mut state = ChatState::new(acked);
        let mut cursor = acked[0].seq - 1;
        loop {
            self.content.write_page(&mut self.request, acked[0].chat, cursor);
            let unfit = |why: String| BenchError::Unfit(format!("reading back what was sent: {why}"));
            let exchange = timeout(PAGE_MAX, self.connection.exchange(self.request.bytes())).await;
            let reply = exchange.map_err(|_| unfit("no page in time".into()))?;
            let reply = reply.map_err(|failure| unfit(failure.to_string()))?;
            let body = reply::accepted(&reply).map_err(|failure| unfit(failure.to_string()))?;
            let page: PullReply<'_> =
                serde_json::from_slice(body).map_err(|error| unfit(error.to_string()))?;
            for message in &page.messages {
                cursor += 1;
                if message.seq == cursor {
                    state.message(&self.content, message, &mut self.scratch);
                } else {
                    state.found.fault(format!("{}: {} where {cursor} belongs", message.chat, message.seq));
                    cursor = message.seq;
                }
            }
            match page.next_cursor {
                Some(next) if next == cursor && !page.messages.is_empty() => {}
                Some(next) => {
                    state
                        .found
                        .fault(format!("a page that ends at {cursor} says that the next begins at {next}"));
                    break;
                }
                None => break,
            }
        }
        Ok(state.finish(&self.content))
    }
}

/// What is known of one chat while it is read.
struct ChatState<'a> {
    acked: &'a [Acked],
    /// How many of them have been passed.
    passed: usize,
    numbers: HashSet<u64>,
    unacked: HashSet<u64>,
    found: Verification,
}

impl<'a> ChatState<'a> {
    fn new(acked: &'a [Acked]) -> Self {
        let mut found =
            Verification { acknowledged: acked.len() as u64, chats: 1, ..Verification::default() };
        for pair in acked.windows(2).filter(|pair| pair[0].seq == pair[1].seq) {
            found.fault(format!("two sends were both acknowledged as message {} of one chat", pair[0].seq));
        }
        let numbers = acked.iter().map(|acked| acked.number).collect();
        Self { acked, passed: 0, numbers, unacked: HashSet::new(), found }
    }

    fn message(&mut self, content: &Content, message: &chinwag_wire::WireMessage<'_>, scratch: &mut Vec<u8>) {
        let chat = self.acked[0].chat;
        let due = self.acked.get(self.passed).filter(|due| due.seq == message.seq);
        if let Some(due) = due {
            while self.acked.get(self.passed).is_some_and(|acked| acked.seq == message.seq) {
                self.passed += 1;
            }
            if content.is(message, chat, due.number, scratch) {
                self.found.found += 1;
            } else {
                self.found.fault(format!("{} {}: not the message that was sent", message.chat, message.seq));
            }
            return;
        }
        match content.origin(&message.text) {
            Some(number) if self.numbers.contains(&number) || !self.unacked.insert(number) => {
                self.found.fault(format!("{} {}: stored twice", message.chat, message.seq));
            }
            Some(_) => self.found.unacknowledged_found += 1,
            None => {}
        }
    }

    fn finish(mut self, content: &Content) -> Verification {
        for lost in &self.acked[self.passed..] {
            let name = content.chats().name(lost.chat);
            self.found.fault(format!("{name} {}: acknowledged and lost", lost.seq));
        }
        self.found
    }
}
