//! The live side of a node: who is connected, and what waits for whom.
//!
//! The bus delivers each event here; it is written as JSON once and put into the bounded outbox of every session that
//! hears of it. What a session does with it, and what it missed before, is the business of [`crate::service`].
//!
//! **Architecture invariant:** this room knows neither the store nor a face; nothing in it waits, but for the task that
//! tells when a user who left stays away.

mod census;
mod close;
mod lease;
mod outbox;
mod outgoing;
mod presence;
mod room;
mod session;

pub use census::Census;
pub use close::Close;
pub use lease::{Identity, Lease};
pub(crate) use outbox::Given;
pub use outgoing::Outgoing;
pub use session::Session;

use chinwag_bus::{Bus, Listener};
use chinwag_model::{Caller, Chat, Clock, Epoch, Event, KeyId, Presence, RevisionKind, Scope, Ts, UserId};
use lease::Leases;
use outbox::Outbox;
use parking_lot::Mutex;
use presence::{Item, LastSeen, News};
use room::Room;
use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::task::AbortHandle;

/// Parts of the table of users, each with a lock of its own. A power of two.
const SHARDS: usize = 64;

/// The bounds of sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Sessions of one user at once; one more closes the oldest. At least 1.
    pub sessions_per_user_max: usize,
    /// How long a user counts as online after the last session was closed, so that a reconnect is not seen.
    pub presence_grace: Duration,
    /// Bytes that may wait for all sessions together; past that those for which the most waits are closed.
    pub outboxes_max_bytes: usize,
    /// Users whom all sessions together may watch; a session that would watch one more is refused.
    pub watches_max_users: usize,
}

/// Why no session is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotOpened {
    /// The hub is leaving.
    Leaving,
    /// All sessions together watch as many users as they may.
    TooManyWatched,
}

/// Every session of this node.
pub struct Hub {
    shards: Vec<Mutex<HashMap<UserId, Entry>>>,
    hasher: RandomState,
    bus: Arc<dyn Bus>,
    clock: Arc<dyn Clock>,
    epoch: Epoch,
    options: Options,
    news: News,
    leases: Arc<Leases>,
    /// The tasks that tell the news, and that end what is over.
    tasks: OnceLock<[AbortHandle; 2]>,
    last_seen: LastSeen,
    leaving: AtomicBool,
    /// Events that were put into an outbox, once for each.
    delivered: AtomicU64,
    room: Arc<Room>,
    /// Held while it is looked which sessions take the most room.
    making_room: Mutex<()>,
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.tasks.get().into_iter().flatten().for_each(AbortHandle::abort);
    }
}

/// What the hub knows of one user, while anyone has a session that is about them.
#[derive(Default)]
struct Entry {
    /// The user's sessions, the oldest first.
    sessions: Vec<Arc<Outbox>>,
    /// Sessions of others, and of the user, that watch the user.
    watchers: Vec<Arc<Outbox>>,
    /// The user's last session was closed, and the grace has not passed: the number of that farewell.
    leaving: Option<u64>,
    /// Whether the user was last told to be online.
    told_online: bool,
}

impl Entry {
    fn is_online(&self) -> bool {
        self.is_there() || self.leaving.is_some()
    }

    /// Whether one of the sessions is the user's own, or somebody's who acts for the user.
    fn is_there(&self) -> bool {
        self.sessions.iter().any(|session| !session.observes())
    }

    fn is_idle(&self) -> bool {
        self.sessions.is_empty() && self.watchers.is_empty() && self.leaving.is_none()
    }
}

impl Hub {
    /// A hub that listens to `bus`. To be made within a tokio runtime, where its task runs until the hub is dropped.
    pub fn new(bus: &Arc<dyn Bus>, clock: Arc<dyn Clock>, epoch: Epoch, options: Options) -> Arc<Self> {
        let hub = Arc::new(Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            bus: bus.clone(),
            clock,
            epoch,
            options: Options { sessions_per_user_max: options.sessions_per_user_max.max(1), ..options },
            news: News::default(),
            leases: Arc::default(),
            tasks: OnceLock::new(),
            last_seen: LastSeen::default(),
            leaving: AtomicBool::new(false),
            delivered: AtomicU64::new(0),
            room: Arc::new(Room::new(options.outboxes_max_bytes, options.watches_max_users)),
            making_room: Mutex::default(),
        });
        bus.listen(hub.clone());
        let teller = tokio::spawn(presence::tell(Arc::downgrade(&hub), hub.news.clone()));
        let expirer = tokio::spawn(lease::expire(Arc::downgrade(&hub), hub.leases.clone()));
        hub.tasks.get_or_init(|| [teller.abort_handle(), expirer.abort_handle()]);
        hub
    }

    /// The bus, to publish on.
    pub fn bus(&self) -> &Arc<dyn Bus> {
        &self.bus
    }

    /// Opens a session: from now on its outbox gathers what its user, and those whom it watches, have to hear. It ends
    /// with its identity.
    ///
    /// # Errors
    /// [`NotOpened`].
    pub fn open(
        self: &Arc<Self>,
        identity: Identity,
        user: UserId,
        watch: Vec<UserId>,
    ) -> Result<Session, NotOpened> {
        if self.leaving.load(Relaxed) {
            return Err(NotOpened::Leaving);
        }
        if !self.room.watch(watch.len()) {
            return Err(NotOpened::TooManyWatched);
        }
        let observes = matches!(identity.caller, Caller::Key { scope: Scope::Read, .. });
        let outbox = Arc::new(Outbox::new(watch, observes, self.room.clone()));
        {
            let mut shard = self.shard(user.as_str()).lock();
            let entry = shard.entry(user.clone()).or_default();
            if !observes {
                if !entry.is_online() {
                    self.news.look_at(user.clone());
                }
                entry.leaving = None;
            }
            entry.sessions.push(outbox.clone());
            // Neither those who observe nor the user's own push out the others.
            let alike = |session: &Arc<Outbox>| session.observes() == observes;
            if entry.sessions.iter().filter(|session| alike(session)).count()
                > self.options.sessions_per_user_max
                && let Some(oldest) = entry.sessions.iter().position(alike)
            {
                entry.sessions.remove(oldest).close(Close::Replaced);
            }
        }
        for watched in outbox.watch() {
            let mut shard = self.shard(watched.as_str()).lock();
            shard.entry(watched.clone()).or_default().watchers.push(outbox.clone());
        }
        let lease = self.leases.give(identity, &outbox);
        let session = Session::new(self.clone(), user, outbox, lease);
        if self.leaving.load(Relaxed) {
            // It may have come too late to be found by those who close all.
            session.outbox().close(Close::Restart);
        }
        Ok(session)
    }

    /// Ends all sessions of a user and forgets when the user was seen. Those sessions leave no trace either, whenever they are
    /// closed: from now on the user is not there, until there is a new one.
    pub fn forget(&self, user: &UserId) {
        let mut shard = self.shard(user.as_str()).lock();
        self.last_seen.forget(user);
        let Some(entry) = shard.get_mut(user) else { return };
        for session in entry.sessions.drain(..) {
            session.close(Close::Ended);
        }
        entry.leaving = None;
        // Whoever watches is told in turn, after what there is to tell already.
        self.news.look_at(user.clone());
    }

    /// Ends all sessions of a user; how many there were.
    pub fn end(&self, user: &UserId) -> usize {
        let shard = self.shard(user.as_str()).lock();
        let Some(entry) = shard.get(user) else { return 0 };
        entry.sessions.iter().filter(|session| session.close(Close::Ended)).count()
    }

    /// Whether a user is there.
    pub fn presence(&self, user: &UserId) -> Presence {
        let online = self.shard(user.as_str()).lock().get(user).is_some_and(Entry::is_online);
        let last_seen = if online { None } else { self.last_seen.get(user) };
        Presence { user: user.clone(), online, last_seen }
    }

    /// Ends the sessions of a key.
    pub fn revoke(&self, key: &KeyId) {
        self.leases.revoke(key);
    }

    /// What the wall clock says.
    pub(crate) fn now(&self) -> Ts {
        self.clock.read().wall
    }

    /// What the steady clock says.
    pub(crate) fn steady(&self) -> Duration {
        self.clock.read().steady
    }

    /// Closes every session, and takes no more.
    pub fn leave(&self) {
        self.leaving.store(true, Relaxed);
        for shard in &self.shards {
            for entry in shard.lock().values() {
                for session in &entry.sessions {
                    session.close(Close::Restart);
                }
            }
        }
    }

    fn shard(&self, user: &str) -> &Mutex<HashMap<UserId, Entry>> {
        let hash = usize::try_from(self.hasher.hash_one(user) & (SHARDS as u64 - 1));
        &self.shards[hash.expect("smaller than the number of shards")]
    }

    /// Takes a session off the tables.
    fn close(&self, user: &UserId, outbox: &Arc<Outbox>) {
        let of = |other: &Arc<Outbox>| Arc::ptr_eq(other, outbox);
        {
            let mut shard = self.shard(user.as_str()).lock();
            if let Some(entry) = shard.get_mut(user) {
                // One that was replaced is not there any more: the farewell was another's.
                let was_there = entry.is_there();
                entry.sessions.retain(|session| !of(session));
                if was_there && !entry.is_there() {
                    self.last_seen.put(user, self.clock.read().wall);
                    entry.leaving = Some(self.news.left(user.clone(), self.options.presence_grace));
                }
            }
        }
        for watched in outbox.watch() {
            let mut shard = self.shard(watched.as_str()).lock();
            if let Some(entry) = shard.get_mut(watched) {
                entry.watchers.retain(|watcher| !of(watcher));
                if entry.is_idle() {
                    shard.remove(watched);
                }
            }
        }
    }

    /// From now on the two users of a chat hear nothing of one another's coming and going, or hear it again; their sessions
    /// that watch are told how that looks.
    fn silence(&self, chat: &Chat, silent: bool) {
        for &side in chat.sides() {
            let peer = chat.user_id(side.other());
            let sessions = {
                let shard = self.shard(chat.user(side)).lock();
                shard.get(chat.user(side)).map_or_else(Vec::new, |entry| entry.sessions.clone())
            };
            for session in sessions.iter().filter(|session| session.silence(&peer, silent)) {
                let presence = if silent { Presence::unknown(&peer) } else { self.presence(&peer) };
                session.push(Arc::new(Outgoing::of(&Event::Presence(presence), self.epoch)));
            }
        }
    }

    /// Closes the sessions for which the most waits, where too much waits for all.
    fn make_room(&self) {
        if !self.room.is_over() {
            return;
        }
        let Some(_making) = self.making_room.try_lock() else { return };
        let mut sessions = Vec::new();
        for shard in &self.shards {
            for entry in shard.lock().values() {
                let waiting = entry.sessions.iter().map(|session| (session.weight(), session.clone()));
                sessions.extend(waiting.filter(|(bytes, _)| *bytes > 0));
            }
        }
        let closed = self.room.heaviest(sessions);
        tracing::warn!(
            sessions = closed.len(),
            "too much waits for all sessions: those furthest behind are closed"
        );
        for session in closed {
            session.close(Close::FellBehind);
        }
    }

    /// Publishes how a user stands, if that is news.
    fn tell(&self, item: Item) {
        let (user, over) = match item {
            Item::LookAt(user) => (user, None),
            Item::GraceOver(user, number) => (user, Some(number)),
        };
        let online = {
            let mut shard = self.shard(user.as_str()).lock();
            let Some(entry) = shard.get_mut(&user) else { return };
            // Another number: came back meanwhile, and left again.
            if over.is_some() && entry.leaving == over {
                entry.leaving = None;
            }
            let online = entry.is_online();
            let news = std::mem::replace(&mut entry.told_online, online) != online;
            if entry.is_idle() {
                shard.remove(&user);
            }
            if !news {
                return;
            }
            online
        };
        let last_seen = if online { None } else { self.last_seen.get(&user) };
        self.bus.publish(Event::Presence(Presence { user, online, last_seen }));
    }
}

impl Listener for Hub {
    fn deliver(&self, event: &Event) {
        let mut outgoing = None;
        let mut write = || outgoing.get_or_insert_with(|| Arc::new(Outgoing::of(event, self.epoch))).clone();
        if let Event::Presence(presence) = event {
            if let Some(entry) = self.shard(presence.user.as_str()).lock().get(&presence.user) {
                entry.watchers.iter().for_each(|watcher| watcher.push_presence(&presence.user, write()));
                self.delivered.fetch_add(entry.watchers.len() as u64, Relaxed);
            }
            return self.make_room();
        }
        if let Event::Block { stands, silent } = event {
            self.silence(&stands.chat, *silent);
        }
        let unsent = match event {
            Event::Revised { message, kind: RevisionKind::Unsend } => Some(message),
            _ => None,
        };
        let mut taken_back = None;
        for hearer in event.hearers() {
            let shard = self.shard(hearer).lock();
            if let Some(entry) = shard.get(hearer) {
                if let Some(message) = unsent {
                    let of = || Arc::new(Outgoing::of(&Event::Message(message.clone()), self.epoch));
                    let told = taken_back.get_or_insert_with(of);
                    entry.sessions.iter().for_each(|session| session.take_back(message, told));
                }
                entry.sessions.iter().for_each(|session| session.push(write()));
                self.delivered.fetch_add(entry.sessions.len() as u64, Relaxed);
            }
        }
        self.make_room();
    }

    fn lost(&self) {
        for shard in &self.shards {
            for entry in shard.lock().values() {
                entry.sessions.iter().for_each(|session| session.resync());
            }
        }
    }
}
