//! Pages of inboxes: the first one that a user asks for, the usual one, and the one after a message came.

use crate::{
    BenchError, Failure, Report, Rng, Server,
    connection::Connection,
    content::Buffer,
    process::ProcessId,
    reply,
    report::{op_report, process_report},
    tally::OpTally,
};
use chinwag_wire::{InboxReply, WireMessage};
use indicatif::ProgressBar;
use std::{
    collections::{BTreeMap, HashSet},
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

/// Chats on a page.
const PAGE_CHATS: usize = 25;
/// Connections that fill the inboxes.
const FILLERS: u32 = 64;

/// Users of many chats, who look at their inboxes.
#[derive(Debug, Clone)]
pub struct Inbox {
    /// Where they are.
    pub server: Server,
    /// How many users.
    pub users: u32,
    /// How many chats each has, with a message in each.
    pub chats: u32,
    /// Whether to send these messages first; else an earlier run on this store did.
    pub fill: bool,
    /// How long the usual pages are measured, and how long those after a message.
    pub duration: Duration,
    /// Seed of the choices of user and chat.
    pub seed: u64,
}

/// Fills the inboxes where asked to, measures pages of them on one connection, and verifies each page and, at the end,
/// every whole inbox.
///
/// # Errors
/// [`BenchError`] where it could not be run; what was answered wrongly is counted in the report.
pub async fn inbox(plan: Inbox, server: Option<ProcessId>, bar: &ProgressBar) -> Result<Report, BenchError> {
    if plan.users == 0 || plan.chats == 0 {
        return Err(BenchError::Plan("there must be at least one user and one chat".into()));
    }
    if plan.fill {
        bar.set_length(u64::from(plan.users) * u64::from(plan.chats));
        bar.set_message("filling the inboxes");
        fill(&plan, bar).await?;
    }
    bar.set_message("reading the inboxes");
    let mut reader = Reader::connect(plan).await?;
    let before = server.map(ProcessId::usage).transpose()?;
    let (first, page, after_send) =
        (reader.first().await?, reader.usual().await?, reader.after_sends().await?);
    let after = server.map(ProcessId::usage).transpose()?;
    bar.set_message("reading every inbox to its end");
    reader.read_all().await?;
    let Reader { plan, failures, .. } = reader;
    let seconds = plan.duration.as_secs_f64();
    let mut report = Report {
        load: format!("pages of {PAGE_CHATS} of the inboxes of {} users of {} chats", plan.users, plan.chats),
        seconds,
        failed: failures.values().sum(),
        wrong: failures.iter().filter(|(failure, _)| failure.is_wrong()).map(|(_, count)| count).sum(),
        failures: failures.iter().map(|(failure, count)| (failure.to_string(), *count)).collect(),
        process: before
            .zip(after)
            .map(|usage| process_report(usage, first.succeeded + page.succeeded + after_send.succeeded, 0)),
        ..Report::default()
    };
    for (name, [p50, p99], tally) in [
        ("first", ["first_p50_ms", "first_p99_ms"], first),
        ("page", ["page_p50_ms", "page_p99_ms"], page),
        ("after send", ["after_send_p50_ms", "after_send_p99_ms"], after_send),
    ] {
        let op = op_report(name, &tally, seconds);
        report.figures.extend([(p50, op.p50_ms), (p99, op.p99_ms)]);
        report.ops.push(op);
    }
    Ok(report)
}

/// The names and messages of a run, the same in every run of the same size.
impl Inbox {
    fn user(&self, user: u32) -> String {
        format!("i{}-{user:06}", self.chats)
    }

    fn peer(peer: u32) -> String {
        format!("p{peer:08}")
    }

    fn chat(&self, user: u32, peer: u32) -> String {
        format!("{}:{}", self.user(user), Self::peer(peer))
    }

    /// A message of the peer; the same number is the same send.
    fn send(&self, (user, peer): (u32, u32), number: u64) -> String {
        let (chat, sender) = (self.chat(user, peer), Self::peer(peer));
        format!(
            r#"{{"chat":"{chat}","sender":"{sender}","text":"{number} in {chat}","key":"inbox-{number}"}}"#
        )
    }
}

/// One message in each chat of each user, in turn.
async fn fill(plan: &Inbox, bar: &ProgressBar) -> Result<(), BenchError> {
    let mut filling = JoinSet::new();
    for first in 0..FILLERS.min(plan.chats) {
        let (plan, bar) = (plan.clone(), bar.clone());
        filling.spawn(async move {
            let mut connection = Connection::open(&plan.server).await?;
            let mut request = Buffer::default();
            for peer in (first..plan.chats).step_by(FILLERS as usize) {
                for user in 0..plan.users {
                    request.write_post("/api/send", &plan.send((user, peer), 0), plan.server.fields());
                    let result = match connection.exchange(request.bytes()).await {
                        Ok(reply) => reply::accepted(&reply).map(drop),
                        Err(failure) => Err(failure),
                    };
                    result.map_err(|failure| BenchError::Unfit(format!("filling an inbox: {failure}")))?;
                    bar.inc(1);
                }
            }
            Ok::<_, BenchError>(())
        });
    }
    while let Some(filler) = filling.join_next().await {
        filler.expect("a filler panicked")?;
    }
    Ok(())
}

struct Reader {
    plan: Inbox,
    connection: Connection,
    request: Buffer,
    /// Chooses user and chat.
    rng: Rng,
    /// Numbers the sends: none that another run has, or the server would answer with that run's message.
    numbers: Rng,
    failures: BTreeMap<Failure, u64>,
}

/// What is looked at of a page that is right.
struct Seen {
    next: Option<u64>,
    /// Chats and the unread messages of each.
    chats: Vec<(String, u64)>,
    unread_total: u64,
}

impl Reader {
    async fn connect(plan: Inbox) -> Result<Self, BenchError> {
        let connection = Connection::open(&plan.server).await?;
        let run = getrandom::u64().map_err(|error| BenchError::Unfit(format!("no randomness: {error}")))?;
        let (rng, numbers) = (Rng::new(plan.seed), Rng::new(run));
        Ok(Self { plan, connection, request: Buffer::default(), rng, numbers, failures: BTreeMap::new() })
    }

    /// The first page of each user, once.
    async fn first(&mut self) -> Result<OpTally, BenchError> {
        let mut tally = OpTally::new();
        for user in 0..self.plan.users {
            self.measure(user, None, &mut tally).await?;
        }
        Ok(tally)
    }

    /// The first page of any user, again and again.
    async fn usual(&mut self) -> Result<OpTally, BenchError> {
        let mut tally = OpTally::new();
        let end = Instant::now() + self.plan.duration;
        while Instant::now() < end {
            let user = self.rng.below(self.plan.users);
            self.measure(user, None, &mut tally).await?;
        }
        Ok(tally)
    }

    /// The first page of any user after a message came to the user, which must be on top.
    async fn after_sends(&mut self) -> Result<OpTally, BenchError> {
        let mut tally = OpTally::new();
        let end = Instant::now() + self.plan.duration;
        while Instant::now() < end {
            let (user, peer) = (self.rng.below(self.plan.users), self.rng.below(self.plan.chats));
            let number = self.numbers.next_u64();
            let body = self.plan.send((user, peer), number);
            self.request.write_post("/api/send", &body, self.plan.server.fields());
            let sent = match self.connection.exchange(self.request.bytes()).await {
                Ok(reply) => reply::accepted(&reply)
                    .and_then(|body| serde_json::from_slice(body).map_err(|_| Failure::Wrong("no message")))
                    .map(|message: WireMessage<'_>| message.ts),
                Err(failure) => Err(failure),
            };
            match sent {
                Ok(ts) => self.measure(user, Some((self.plan.chat(user, peer), ts)), &mut tally).await?,
                Err(failure) => self.fail(failure).await?,
            }
        }
        Ok(tally)
    }

    async fn fail(&mut self, failure: Failure) -> Result<(), BenchError> {
        *self.failures.entry(failure).or_default() += 1;
        self.connection = Connection::open(&self.plan.server).await?;
        Ok(())
    }

    /// Asks for a first page, which must begin with this chat and `ts`, where they are known.
    async fn measure(
        &mut self,
        user: u32,
        top: Option<(String, u64)>,
        tally: &mut OpTally,
    ) -> Result<(), BenchError> {
        let start = Instant::now();
        match self.page(user, 0, top).await {
            Ok((_, replied)) => tally.succeed(replied - start, true, true),
            Err(failure) => self.fail(failure).await?,
        }
        Ok(())
    }

    /// A page, and when its reply was there.
    async fn page(
        &mut self,
        user: u32,
        cursor: u64,
        top: Option<(String, u64)>,
    ) -> Result<(Seen, Instant), Failure> {
        let path = format!("/api/chats?user={}&limit={PAGE_CHATS}&cursor={cursor}", self.plan.user(user));
        self.request.write_get(&path, self.plan.server.fields());
        let reply = self.connection.exchange(self.request.bytes()).await?;
        let replied = Instant::now();
        let page: InboxReply<'_> = serde_json::from_slice(reply::accepted(&reply)?)
            .map_err(|_| Failure::Wrong("a reply is no page of an inbox"))?;
        if let Some((chat, ts)) = top
            && !page.chats.first().is_some_and(|first| first.chat == chat && first.last_message.ts == ts)
        {
            return Err(Failure::Wrong("the chat of the latest message is not on top"));
        }
        if cursor == 0 && page.chats.len() != PAGE_CHATS.min(self.plan.chats as usize)
            || page.has_more != page.next_cursor.is_some()
        {
            return Err(Failure::Wrong("a page of an inbox has another size"));
        }
        if !page.chats.windows(2).all(|pair| pair[0].last_message.ts > pair[1].last_message.ts) {
            return Err(Failure::Wrong("a page of an inbox is not in order"));
        }
        let owner = self.plan.user(user);
        for entry in &page.chats {
            let right = entry.chat == format!("{owner}:{}", entry.peer)
                && entry.last_message.chat == entry.chat
                && entry.last_message.sender == entry.peer
                && entry.last_message.text.ends_with(&*entry.chat);
            // All are messages of the peer, and none was read.
            if !right || entry.unread != entry.last_message.seq {
                return Err(Failure::Wrong("an entry of an inbox is not what was sent, or miscounts"));
            }
        }
        let chats = page.chats.iter().map(|entry| (entry.chat.clone().into_owned(), entry.unread)).collect();
        Ok((Seen { next: page.next_cursor, chats, unread_total: page.unread_total }, replied))
    }

    /// Reads every inbox to its end: each chat once, and the sum of the unread.
    async fn read_all(&mut self) -> Result<(), BenchError> {
        for user in 0..self.plan.users {
            if let Err(failure) = self.whole(user).await {
                self.fail(failure).await?;
            }
        }
        Ok(())
    }

    async fn whole(&mut self, user: u32) -> Result<(), Failure> {
        let (mut cursor, mut seen, mut unread) = (0, HashSet::new(), 0);
        loop {
            let (page, _) = self.page(user, cursor, None).await?;
            for (chat, count) in page.chats {
                unread += count;
                if !seen.insert(chat) {
                    return Err(Failure::Wrong("an inbox has a chat twice"));
                }
            }
            match page.next {
                Some(next) if cursor == 0 || next < cursor => cursor = next,
                Some(_) => return Err(Failure::Wrong("a page of an inbox leads back")),
                None if seen.len() != self.plan.chats as usize => {
                    return Err(Failure::Wrong("an inbox misses a chat"));
                }
                None if page.unread_total != unread => {
                    return Err(Failure::Wrong("an inbox miscounts all that is unread"));
                }
                None => return Ok(()),
            }
        }
    }
}
