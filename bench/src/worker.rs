//! One connection's way through the load.

use crate::{
    Content, Failure, Form, Plan, Rng, Stage, Which, Work,
    choice::Chooser,
    connection::Connection,
    content::Buffer,
    dues::{Dues, Window},
    ledger::Acked,
    pace::{Arrivals, active_at},
    reply,
    tally::{Op, Tally},
};
use parking_lot::Mutex;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use tokio::{net::TcpStream, time::timeout};

/// How long a connection waits after it could not be made.
const RECONNECT_WAIT: Duration = Duration::from_millis(20);
/// How long an open loop may go on after its end to serve what it is behind with.
const DRAIN_MAX: Duration = Duration::from_secs(15);
/// One pull in this many is read in full; the others' outlines only.
const FULL_CHECK_EVERY: u64 = 32;

pub(crate) struct Worker {
    pub(crate) plan: Arc<Plan>,
    pub(crate) content: Arc<Content>,
    pub(crate) dues: Option<Arc<Dues>>,
    pub(crate) tally: Arc<Mutex<Tally>>,
    pub(crate) window: Window,
    pub(crate) chooser: Chooser,
    pub(crate) rng: Rng,
    pub(crate) connection: Option<Connection>,
    pub(crate) request: Buffer,
    pub(crate) scratch: Vec<u8>,
    /// Requests answered or failed, for the progress bar.
    pub(crate) done: Arc<AtomicU64>,
}

/// A request that is about to be sent.
#[derive(Debug, Clone, Copy)]
struct Next {
    op: Op,
    chat: u32,
    number: u64,
    /// The highest `seq` of the chat acknowledged before.
    floor: u64,
}

impl Worker {
    /// Sends one request after the other.
    pub(crate) async fn closed(mut self) {
        loop {
            let now = Instant::now();
            if now >= self.window.end {
                return;
            }
            self.step(now).await;
        }
    }

    /// Sends one request after the other while the stages have room for the connection of this rank, from 0.
    pub(crate) async fn staged(mut self, stages: Arc<[Stage]>, rank: usize) {
        let rank = f64::from(u32::try_from(rank).expect("far fewer connections"));
        loop {
            let now = Instant::now();
            if now >= self.window.end {
                return;
            }
            if active_at(&stages, now - self.window.start) > rank {
                self.step(now).await;
            } else {
                self.connection = None;
                tokio::time::sleep(RECONNECT_WAIT).await;
            }
        }
    }

    /// Takes arrivals as they come.
    pub(crate) async fn open(mut self, arrivals: Arc<Arrivals>) {
        while let Some(intended) = arrivals.next().await {
            let now = Instant::now();
            if now > self.window.end + DRAIN_MAX {
                self.tally.lock().fail(Failure::Unserved);
            } else if let Some(patience) = self.plan.patience
                && now > intended + patience
            {
                let others = now.checked_sub(patience).map_or(0, |since| arrivals.give_up(since));
                self.tally.lock().fail_all(Failure::NoConnection, 1 + others);
            } else {
                self.step(intended).await;
            }
        }
    }

    /// Sends one request that was to start at `intended`, and counts what comes of it.
    async fn step(&mut self, intended: Instant) {
        let next = self.choose();
        if let (Some(dues), Op::Send) = (&self.dues, next.op) {
            dues.note(next.number, intended);
        }
        let limit = self.plan.request_timeout;
        let result = match timeout(limit, self.exchange(next)).await {
            Ok(result) => result,
            Err(_) => Err(Failure::Timeout),
        };
        let ended = Instant::now();
        self.done.fetch_add(1, Relaxed);
        let Window { measured_from, end, .. } = self.window;
        let connect_failed = matches!(result, Err(Failure::Connect(_)));
        {
            let mut tally = self.tally.lock();
            if self.plan.timeline {
                let answer = result.as_ref().map(|_| ended - intended);
                tally.in_second(ended.saturating_duration_since(self.window.start), answer);
            }
            match result {
                Ok(acked) => {
                    tally.ledger.add(acked);
                    let ended_in = ended >= measured_from && ended <= end;
                    tally.succeed(next.op, ended - intended, intended >= measured_from, ended_in);
                }
                Err(failure) => {
                    if !matches!(failure, Failure::Status { .. } | Failure::Wrong(_)) {
                        self.connection = None;
                    }
                    tally.fail(failure);
                }
            }
        }
        if self.connection.as_ref().is_some_and(|connection| connection.closing) {
            self.connection = None;
        }
        if connect_failed {
            tokio::time::sleep(RECONNECT_WAIT).await;
        }
    }

    /// Chooses the next request and writes it.
    fn choose(&mut self) -> Next {
        let (op, which, form) = match self.plan.work {
            Work::Noop => (Op::Noop, Which::Spread, Form::Post),
            Work::Verbs { sends, pulls, form } => {
                let op = if self.rng.unit() < sends { Op::Send } else { Op::Pull };
                (op, pulls, form)
            }
        };
        let hot = op == Op::Pull && which == Which::Hot;
        let chat = if hot { 0 } else { self.chooser.choose(&mut self.rng) };
        let number = if op == Op::Pull { self.rng.next_u64() } else { self.content.number() };
        match op {
            Op::Send => self.content.write_send(&mut self.request, "/api/send", chat, number),
            Op::Noop => self.content.write_send(&mut self.request, "/bench/noop", chat, number),
            Op::Pull => self.content.write_pull(&mut self.request, chat, form),
        }
        let floor = self.tally.lock().ledger.floor(chat);
        Next { op, chat, number, floor }
    }

    /// Sends the request and checks its reply; of a send, gives what was acknowledged.
    async fn exchange(&mut self, next: Next) -> Result<Option<Acked>, Failure> {
        let Next { op, chat, number, floor } = next;
        let connection = match &mut self.connection {
            Some(connection) => connection,
            None => self.connection.insert(connect(&self.plan).await?),
        };
        let reply = connection.exchange(self.request.bytes()).await?;
        let body = match reply::accepted(&reply) {
            // A no-op may answer without a body.
            Err(Failure::Status { status: 204, .. }) if op == Op::Noop => &[],
            other => other?,
        };
        match op {
            Op::Noop => Ok(None),
            Op::Send => {
                let seq = reply::sent(body, &self.content, (chat, number), floor, &mut self.scratch)?;
                Ok(Some(Acked { chat, seq, number }))
            }
            Op::Pull => {
                reply::page_outline(body)?;
                if number.is_multiple_of(FULL_CHECK_EVERY) {
                    reply::page_in_full(body, &self.content.chats().name(chat), floor)?;
                }
                Ok(None)
            }
        }
    }
}

async fn connect(plan: &Plan) -> Result<Connection, Failure> {
    let made = TcpStream::connect(plan.server.address()).await;
    let stream = made.map_err(|error| Failure::Connect(error.kind()))?;
    stream.set_nodelay(true).map_err(|error| Failure::Connect(error.kind()))?;
    Ok(Connection::new(stream))
}
