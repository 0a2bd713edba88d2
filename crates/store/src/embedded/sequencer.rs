//! The one writer: gives each send its `seq` and `ts`, and each marker that moves its `ts`, in the order in which they came, and gathers them in a batch.
//!
//! It never touches the disk itself; while the committer syncs one batch, it makes the next. It also keeps watch over
//! the committer, which a failed disk may hold for ever.

use super::{
    answer::{Done, What},
    blocks::{self, Blocks},
    cell::{ChatCell, Known},
    changes::{self, Change, Kind},
    committer::{Batch, Committing},
    failure::Failure,
    head::encode_standing,
    queue::{Forgetting, Item, Order, Outcome, Queue, Reply, Revising},
    recent_keys::KeyHash,
    record::{self, RowPlace},
    retained::Retained,
    revisions,
    space::Reserve,
    tables::Tables,
    timeline::Timeline,
    upkeep::Upkeep,
    wipe::Wiping,
};
use crate::{
    StoreError,
    embedded::cells::Cells,
    revise::{apply, is_repeat, reaches_the_peer},
};
use bytes::BytesMut;
use chinwag_model::{
    Block, Blocked, Chat, Draft, Hold, Mark, Marked, Marker, Markers, Message, Reviser, Seq, Side, Ts,
};
use std::{
    collections::HashMap,
    sync::{Arc, mpsc::SyncSender},
    time::Duration,
};
use tokio::sync::OwnedMutexGuard;

/// How often the committer is looked after.
const WATCH_EVERY: Duration = Duration::from_secs(1);

/// The state of the writer's thread.
pub(super) struct Sequencer {
    pub(super) queue: Arc<Queue>,
    pub(super) cells: Arc<Cells>,
    pub(super) tables: Tables,
    pub(super) timeline: Timeline,
    pub(super) retained: Arc<Retained>,
    pub(super) reserve: Arc<Reserve>,
    pub(super) failure: Failure,
    pub(super) committing: Arc<Committing>,
    pub(super) commit_max: Duration,
    pub(super) wiping: Arc<Wiping>,
    pub(super) to_committer: SyncSender<Batch>,
    pub(super) gathered: Gathered,
    pub(super) blocks: Arc<Blocks>,
}

/// The batch that is being made.
#[derive(Default)]
pub(super) struct Gathered {
    /// Every row's key and value, one after the other.
    bytes: BytesMut,
    messages: Vec<RowPlace>,
    /// The chats whose markers moved, or of which a message was revised. A row each, of where they stand at the end of the batch: of two rows with one key
    /// in a batch it is not told which would stay.
    marked: HashMap<Chat, Arc<ChatCell>>,
    /// The messages that were revised, and when they were before. Of one chat at most one.
    revised: Vec<(Arc<Message>, Option<Ts>)>,
    /// Blocks that began or ended. Of one user at most one.
    blocks: Vec<(Chat, Side, Option<Hold>)>,
    changes: Vec<Change>,
    /// The first change that takes a text away, where nothing waited to be wiped before it.
    wipe_due: Option<Ts>,
    done: Vec<Done>,
}

impl Sequencer {
    /// Runs until the queue is closed and all that it held is committed, or until the store has failed.
    pub(super) fn run(mut self) {
        let mut items = Vec::new();
        loop {
            let wake = self.queue.wait(&mut items, !self.gathered.done.is_empty(), WATCH_EVERY);
            if self.failure.is_set() || self.committer_hangs() {
                return self.give_up(items);
            }
            if !items.is_empty() {
                let room = self.reserve.check();
                self.timeline.read_clock();
                for item in items.drain(..) {
                    self.sequence(item, &room);
                }
            }
            if wake.committer_free && !self.gathered.done.is_empty() {
                self.queue.committer_is_busy();
                let batch = std::mem::take(&mut self.gathered).seal(&self.tables);
                if self.to_committer.send(batch).is_err() {
                    self.failure.set("the thread that commits has ended");
                }
            } else if wake.closed && wake.committer_free {
                return;
            }
        }
    }

    fn sequence(&mut self, item: Item, room: &Result<(), StoreError>) {
        let Item { order, cell, reply } = item;
        match order {
            Order::Send { draft, hash } => self.send(draft, hash, cell, reply, room),
            Order::Mark { mark, peers } => self.mark(mark, peers, cell, reply, room),
            Order::Block { block, full, turn } => self.block(block, full, turn, cell, reply, room),
            Order::Revise(revising) => self.revise(revising, cell, reply, room),
            Order::Forget(forgetting) => self.forget(forgetting, cell, reply, room),
        }
    }

    fn send(
        &mut self,
        draft: Draft,
        hash: Option<KeyHash>,
        cell: Arc<ChatCell>,
        reply: Reply,
        room: &Result<(), StoreError>,
    ) {
        if let Some(hash) = hash {
            let now = self.timeline.peek().max(self.retained.reach().reached);
            match cell.known(hash, now, self.timeline.is_held()) {
                Known::No => {}
                Known::OnDisk(seq) => return reply.give(Ok(Outcome::Compare(seq, draft))),
                Known::Here(message) if is_repeat(&message, &draft) => {
                    // Perhaps its first send is still on its way to the disk. Batches are committed in order, so once
                    // this one is, that one was.
                    return self.gathered.done.push(Done { what: What::Replayed(message), reply });
                }
                Known::Here(_) => return reply.give(Err(StoreError::KeyReused)),
            }
        }
        if let Err(full) = room {
            return reply.give(Err(full.clone()));
        }
        if cell.is_blocked(draft.sender) {
            return reply.give(Err(StoreError::Blocked));
        }
        let ts = self.timeline.take();
        let (message, weight) = cell.assign(draft, ts, hash);
        if let Some(weight) = weight {
            self.cells.reweigh(&message.chat, &cell, weight);
            cell.prune_keys(ts, self.timeline.is_held());
        }
        self.gathered.add(&message);
        self.gathered.done.push(Done { what: What::Stored(message, cell), reply });
    }

    fn revise(
        &mut self,
        revising: Revising,
        cell: Arc<ChatCell>,
        reply: Reply,
        room: &Result<(), StoreError>,
    ) {
        let Revising { revise, stands, forget, turn } = revising;
        if let Reviser::User(by) = revise.by
            && reaches_the_peer(&revise.change)
            && cell.is_blocked(by)
        {
            return reply.give(Err(StoreError::Blocked));
        }
        let message = match apply(&stands, &revise, self.timeline.peek()) {
            Ok(Some(message)) => Arc::new(message),
            Ok(None) => return reply.give(Ok(Outcome::Revised(stands))),
            Err(refused) => return reply.give(Err(refused)),
        };
        if let Err(full) = room {
            return reply.give(Err(full.clone()));
        }
        // The time that was looked at.
        let ts = self.timeline.take();
        let gone = cell.revise(&message, forget);
        self.gathered.messages.push(record::encode(&message, &mut self.gathered.bytes));
        let (chat, seq) = (message.chat.clone(), message.seq);
        self.gathered.changes.push(Change { ts, kind: Kind::Revised, chat: chat.clone(), seq });
        self.gathered.revised.push((message.clone(), stands.revision.as_ref().map(|revision| revision.ts)));
        self.gathered.marked.insert(chat, cell.clone());
        if revise.change.takes_away() && self.wiping.note(ts) {
            self.gathered.wipe_due = Some(ts);
        }
        let kind = revise.change.kind(&message);
        let what = What::Revised { message, kind, gone, cell, _turn: turn };
        self.gathered.done.push(Done { what, reply });
    }

    fn forget(
        &mut self,
        forgetting: Forgetting,
        cell: Arc<ChatCell>,
        reply: Reply,
        room: &Result<(), StoreError>,
    ) {
        let Forgetting { chat, side, gone, removable, turn } = forgetting;
        let had = cell.markers(side) != Markers::START;
        if let Err(full) = room {
            return reply.give(Err(full.clone()));
        }
        let ts = self.timeline.take();
        let (gone, removed) = cell.forget(side, gone, removable, ts);
        let kind = Kind::Forgotten(side);
        self.gathered.changes.push(Change { ts, kind, chat: chat.clone(), seq: Seq(0) });
        self.gathered.marked.insert(chat.clone(), cell.clone());
        let what = What::Forgotten { chat, side, ts, gone, had, removed, cell, _turn: turn };
        self.gathered.done.push(Done { what, reply });
    }

    fn mark(
        &mut self,
        mark: Mark,
        peers: u64,
        cell: Arc<ChatCell>,
        reply: Reply,
        room: &Result<(), StoreError>,
    ) {
        let Mark { chat, side, kind, seq } = mark;
        // None moves where the chat was removed meanwhile.
        let seq = if cell.head().is_removed() { Seq(0) } else { seq };
        let mut raised = cell.markers(side).moved_by(kind, seq).peekable();
        if let (Some(_), Err(full)) = (raised.peek(), room) {
            return reply.give(Err(full.clone()));
        }
        let mut moved = Vec::new();
        let mut gone = [0; 2];
        for kind in raised {
            let marker = Marker { seq, ts: self.timeline.take() };
            gone = cell.mark(side, kind, marker, peers);
            let kind_of_change = Kind::Marker(side, kind);
            self.gathered.changes.push(Change {
                ts: marker.ts,
                kind: kind_of_change,
                chat: chat.clone(),
                seq,
            });
            moved.push(Marked { chat: chat.clone(), side, kind, marker });
        }
        if !moved.is_empty() {
            self.gathered.marked.insert(chat.clone(), cell.clone());
        }
        // One that does not move waits like the others: what moved it may still be on its way to the disk.
        let stands = Marked { marker: cell.markers(side).get(kind), chat, side, kind };
        let silent = cell.is_silent();
        self.gathered
            .done
            .push(Done { what: What::Marked { stands, moved, peers, gone, silent, cell }, reply });
    }

    fn block(
        &mut self,
        block: Block,
        full: bool,
        turn: OwnedMutexGuard<()>,
        cell: Arc<ChatCell>,
        reply: Reply,
        room: &Result<(), StoreError>,
    ) {
        let Block { chat, by, on } = block;
        let before = cell.blocks_since(by);
        let since = on.then(|| before.unwrap_or_else(|| self.timeline.peek()));
        let stands = Blocked { chat, by, since };
        if since == before {
            return reply.give(Ok(Outcome::Blocked(stands)));
        }
        if on && full {
            return reply.give(Err(StoreError::TooManyBlocks));
        }
        if let Err(full) = room {
            return reply.give(Err(full.clone()));
        }
        cell.block(by, since);
        let hold = since.map(|since| Hold { since, markers: cell.standing().markers });
        self.gathered.blocks.push((stands.chat.clone(), by, hold));
        if on {
            self.blocks.begin();
        }
        let silent = cell.is_silent();
        self.gathered
            .done
            .push(Done { what: What::Blocked { stands, silent, _cell: cell, _turn: turn }, reply });
    }

    fn committer_hangs(&self) -> bool {
        let Some(since) = self.committing.since() else { return false };
        if since < self.commit_max {
            return false;
        }
        self.failure.set(&format!("a commit has not returned in {} s", since.as_secs()));
        for done in self.committing.take() {
            done.fail(StoreError::OutcomeUnknown("the disk does not answer".into()));
        }
        true
    }

    /// Answers all that will not be written: none of it has reached the engine.
    fn give_up(self, items: Vec<Item>) {
        let late = self.queue.abandon();
        let replies = items.into_iter().chain(late).map(|item| item.reply);
        for reply in replies.chain(self.gathered.done.into_iter().map(|done| done.reply)) {
            reply.give(Err(StoreError::Unavailable("the store has failed".into())));
        }
    }
}

impl Gathered {
    fn add(&mut self, message: &chinwag_model::Message) {
        self.messages.push(record::encode(message, &mut self.bytes));
        let (ts, chat, seq) = (message.ts, message.chat.clone(), message.seq);
        self.changes.push(Change { ts, kind: Kind::Message, chat, seq });
    }

    /// How many rows it comes to, at most.
    fn rows_most(&self) -> usize {
        self.messages.len() + self.marked.len() + 3 * self.revised.len() + self.blocks.len() + 2
    }

    /// Makes the engine's batch of it. The messages' rows share one buffer; the change log's has its own, since it stays
    /// in memory far longer than they do, and would keep them there.
    fn seal(self, tables: &Tables) -> Batch {
        let mut rows = tables.batch(self.rows_most());
        let bytes = self.bytes.freeze();
        let mut size = bytes.len();
        for (message, before) in &self.revised {
            revisions::put(message, *before, tables, &mut rows);
        }
        for place in self.messages {
            rows.insert(&tables.messages, bytes.slice(place.key), bytes.slice(place.value));
        }
        let mut bytes = BytesMut::new();
        let encode =
            |(chat, cell): (&Chat, &Arc<ChatCell>)| encode_standing(chat, &cell.standing(), &mut bytes);
        let markers: Vec<_> = self.marked.iter().map(encode).collect();
        let bytes = bytes.freeze();
        size += bytes.len();
        for place in markers {
            rows.insert(&tables.markers, bytes.slice(place.key), bytes.slice(place.value));
        }
        let mut bytes = BytesMut::new();
        for (chat, by, hold) in self.blocks {
            match hold {
                Some(hold) => {
                    let place = blocks::encode(&chat, by, &hold, &mut bytes);
                    let row = bytes.split().freeze();
                    rows.insert(&tables.blocks, row.slice(place.key), row.slice(place.value));
                }
                None => rows.remove(&tables.blocks, blocks::key(&chat, by)),
            }
        }
        let mut bytes = BytesMut::new();
        if let Some(place) = changes::encode(&self.changes, &mut bytes) {
            let bytes = bytes.freeze();
            size += bytes.len();
            rows.insert(&tables.changes, bytes.slice(place.key), bytes.slice(place.value));
        }
        if let Some(due) = self.wipe_due {
            let mut bytes = BytesMut::new();
            let place = Upkeep::TakenBack.encode(due, &mut bytes);
            let bytes = bytes.freeze();
            size += bytes.len();
            rows.insert(&tables.upkeep, bytes.slice(place.key), bytes.slice(place.value));
        }
        Batch { rows, bytes: size, done: self.done }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::ClockWatch,
        contract::{START, draft},
        embedded::{Options, cell::Loaded},
    };
    use chinwag_model::ManualClock;
    use std::sync::mpsc::sync_channel;

    /// A disk that holds a commit for ever: who waits for it hears that the outcome is unknown, who waits behind it that
    /// nothing was stored, and the store has failed.
    #[test]
    fn a_commit_that_hangs_fails_the_store() {
        let dir = tempfile::tempdir().expect("a directory");
        let tables = Tables::open(&dir.path().join("db"), &Options::default()).expect("opened");
        let queue = Arc::new(Queue::new(10, 1_000));
        let committing = Arc::new(Committing::default());
        let failure = Failure::none();
        let (to_committer, _never_taken) = sync_channel(1);
        let cell = Arc::new(ChatCell::new(Loaded::default()));
        let wait = || Reply::new(queue.admit(&draft("a:b", "a", "x")).expect("room"));

        let (reply, mut at_the_disk) = wait();
        let (message, _) = cell.assign(draft("a:b", "a", "x"), START, None);
        committing.begin(vec![Done { what: What::Stored(message, cell.clone()), reply }]);
        queue.committer_is_busy();
        let (reply, mut behind) = wait();
        let order = Order::Send { draft: draft("a:b", "a", "y"), hash: None };
        queue.push(Item { order, cell, reply });

        let clock = Arc::new(ManualClock::at(START));
        let retained = Retained::of(&tables.view()).expect("read");
        let sequencer = Sequencer {
            queue: queue.clone(),
            cells: Arc::new(Cells::new(0)),
            blocks: Arc::new(Blocks::of(&tables).expect("read")),
            tables,
            timeline: Timeline::new(Arc::new(ClockWatch::new(clock)), START),
            retained: Arc::new(retained),
            reserve: Arc::new(Reserve::new(dir.path().to_owned(), 0)),
            failure: failure.clone(),
            committing,
            commit_max: Duration::ZERO,
            wiping: Arc::new(Wiping::new(None, None)),
            to_committer,
            gathered: Gathered::default(),
        };
        sequencer.run();

        assert!(failure.is_set());
        assert!(matches!(at_the_disk.try_recv(), Ok(Err(StoreError::OutcomeUnknown(_)))));
        assert!(matches!(behind.try_recv(), Ok(Err(StoreError::Unavailable(_)))));
    }
}
