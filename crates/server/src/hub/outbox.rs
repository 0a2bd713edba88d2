//! What waits for one session, bounded in events and bytes.

use super::{
    Close, Outgoing,
    room::{EVENT_BYTES, Room},
};
use chinwag_model::{
    Message, UserId,
    limits::{OUTBOX_MAX_BYTES, OUTBOX_MAX_EVENTS},
};
use parking_lot::{Mutex, MutexGuard};
use std::{
    collections::VecDeque,
    ops::{Deref, DerefMut},
    sync::Arc,
    task::{Context, Poll, Waker},
};

/// Where so many events wait, that someone writes is not worth a place: it would be late, and whoever told it again and
/// again could close another's session with it.
const TYPING_MAX_WAITING: usize = 32;
/// What such an event is called.
const TYPING: &str = "typing";
/// What tells a message for the first time is called.
const MESSAGE: &str = "message";

/// A session's outbox. While the session catches up an outbox that is full is emptied, and the session catches up once
/// more; after that it has fallen behind.
#[derive(Default)]
pub(super) struct Outbox {
    state: Mutex<State>,
    /// The users whom the session watches.
    watch: Box<[UserId]>,
    /// Whether somebody only looks on: the user is not there for it.
    observes: bool,
    /// What it counts for; `None` in tests of it alone.
    room: Option<Arc<Room>>,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Arc<Outgoing>>,
    waiting_bytes: usize,
    /// What the room was told of.
    counted_bytes: usize,
    /// Of each whom the session watches, whether it is kept from it by a block, as far as that is known. Empty where nothing
    /// is.
    silent: Box<[Option<bool>]>,
    /// The session takes from here; before that it catches up.
    live: bool,
    /// Something may have been lost.
    resync: bool,
    /// Messages that were unsent while the session catches up, whose text it may have read before.
    unsent: Vec<Arc<Message>>,
    closed: Option<Close>,
    waker: Option<Waker>,
}

/// What an outbox gives.
#[derive(Debug)]
pub(crate) enum Given {
    /// The next event.
    Event(Arc<Outgoing>),
    /// Catch up from the store before more is taken: something may have been lost.
    Resync,
    /// It is over.
    Closed(Close),
}

/// An outbox that is looked at or changed. What it then holds is counted.
struct Locked<'a> {
    state: MutexGuard<'a, State>,
    room: Option<&'a Room>,
}

impl Deref for Locked<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.state
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.state
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        let now = self.state.weight();
        let before = std::mem::replace(&mut self.state.counted_bytes, now);
        if let Some(room) = self.room.filter(|_| now != before) {
            room.moved(before, now);
        }
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        if let Some(room) = &self.room {
            room.moved(self.state.get_mut().counted_bytes, 0);
            room.unwatch(self.watch.len());
        }
    }
}

impl Outbox {
    /// An outbox of a session that watches these users, whose places in the room are taken. `observes`: somebody only looks on.
    pub(super) fn new(watch: Vec<UserId>, observes: bool, room: Arc<Room>) -> Self {
        Self { state: Mutex::default(), watch: watch.into(), observes, room: Some(room) }
    }

    /// Whether somebody only looks on: the user is not there for it.
    pub(super) fn observes(&self) -> bool {
        self.observes
    }

    /// The users whom the session watches.
    pub(super) fn watch(&self) -> &[UserId] {
        &self.watch
    }

    /// What waits, in bytes.
    pub(super) fn weight(&self) -> usize {
        self.state.lock().counted_bytes
    }

    fn lock(&self) -> Locked<'_> {
        Locked { state: self.state.lock(), room: self.room.as_deref() }
    }

    /// Puts in that a user who is watched came or went, unless a block keeps that from the session.
    pub(super) fn push_presence(&self, user: &UserId, event: Arc<Outgoing>) {
        let at = self.watch.iter().position(|watched| watched == user);
        let mut state = self.lock();
        if at.is_none_or(|at| state.silent.get(at) != Some(&Some(true))) {
            state.push(event);
        }
    }

    /// A user is kept from the session by a block from now on, or no longer. Whether the session watches that user, and this
    /// is news to it.
    pub(super) fn silence(&self, user: &UserId, silent: bool) -> bool {
        let Some(at) = self.watch.iter().position(|watched| watched == user) else { return false };
        let before = self.lock().known(self.watch.len())[at].replace(silent);
        before.unwrap_or(false) != silent
    }

    /// Takes in what the store says of those whom the session watches, in their order, but for those of whom a block that
    /// came later has said it.
    pub(super) fn learn(&self, silent: Vec<bool>) {
        if silent.contains(&true) {
            for (known, silent) in self.lock().known(self.watch.len()).iter_mut().zip(silent) {
                known.get_or_insert(silent);
            }
        }
    }

    /// Whether a block keeps the watched user in this place from the session.
    pub(super) fn is_silent(&self, at: usize) -> bool {
        self.lock().silent.get(at) == Some(&Some(true))
    }

    /// Puts in one more event.
    pub(super) fn push(&self, event: Arc<Outgoing>) {
        self.lock().push(event);
    }

    /// How many events wait, and their bytes.
    pub(super) fn waiting(&self) -> (usize, usize) {
        let state = self.lock();
        (state.waiting.len(), state.waiting_bytes)
    }

    /// A message was unsent, and now stands as `told` tells it: what waits carries its text no more. To be called before
    /// that it was unsent is put in.
    pub(super) fn take_back(&self, message: &Arc<Message>, told: &Arc<Outgoing>) {
        let mut state = self.lock();
        if state.closed.is_some() {
            return;
        }
        let is_of_it = |event: &Arc<Outgoing>| event.about == told.about;
        if state.waiting.iter().any(is_of_it) {
            // What else was done to it need not be told any more.
            state.waiting.retain(|event| !is_of_it(event) || event.name == MESSAGE);
            state.waiting.iter_mut().filter(|event| is_of_it(event)).for_each(|event| *event = told.clone());
            state.waiting_bytes = state.waiting.iter().map(|event| event.json.len()).sum();
        }
        if !state.live {
            if state.unsent.len() < OUTBOX_MAX_EVENTS {
                state.unsent.push(message.clone());
            } else {
                state.close(Close::FellBehind);
                state.wake();
            }
        }
    }

    /// The messages that were unsent since this was last asked, of a session that catches up.
    pub(super) fn unsent(&self) -> Vec<Arc<Message>> {
        std::mem::take(&mut self.lock().unsent)
    }

    /// Something may have been lost.
    pub(super) fn resync(&self) {
        let mut state = self.lock();
        if state.closed.is_none() {
            state.start_again();
            state.wake();
        }
    }

    /// Ends the session; the first reason stays. What waits is not given any more. Whether it had not ended before.
    pub(super) fn close(&self, why: Close) -> bool {
        let mut state = self.lock();
        let open = state.closed.is_none();
        if open {
            state.close(why);
            state.wake();
        }
        open
    }

    /// Why the session has ended, if it has. The task is woken when it does.
    pub(super) fn poll_closed(&self, cx: &mut Context<'_>) -> Poll<Close> {
        let mut state = self.lock();
        match state.closed {
            Some(why) => Poll::Ready(why),
            None => state.wait(cx),
        }
    }

    /// From now on the session reads its events up to date from the store; what comes meanwhile is kept for later.
    pub(super) fn catch_up(&self) {
        let mut state = self.lock();
        state.live = false;
        state.resync = false;
    }

    /// Takes the next event.
    pub(super) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Given> {
        let mut state = self.lock();
        state.live = true;
        state.unsent = Vec::new();
        if let Some(why) = state.closed {
            return Poll::Ready(Given::Closed(why));
        }
        if state.resync {
            return Poll::Ready(Given::Resync);
        }
        match state.waiting.pop_front() {
            Some(event) => {
                state.waiting_bytes -= event.json.len();
                if state.waiting.is_empty() {
                    // An idle session keeps nothing.
                    state.waiting = VecDeque::new();
                }
                Poll::Ready(Given::Event(event))
            }
            None => state.wait(cx),
        }
    }
}

impl State {
    fn push(&mut self, event: Arc<Outgoing>) {
        if self.closed.is_some() || self.resync {
            return;
        }
        let bytes = self.waiting_bytes + event.json.len();
        if event.name == TYPING && self.waiting.len() >= TYPING_MAX_WAITING {
            return;
        }
        let full =
            self.waiting.len() >= OUTBOX_MAX_EVENTS || (bytes > OUTBOX_MAX_BYTES && !self.waiting.is_empty());
        match (full, self.live) {
            (false, _) => {
                self.waiting_bytes = bytes;
                self.waiting.push_back(event);
            }
            (true, true) => self.close(Close::FellBehind),
            (true, false) => self.start_again(),
        }
        self.wake();
    }

    /// What it holds, in bytes.
    fn weight(&self) -> usize {
        self.waiting_bytes + self.waiting.len() * EVENT_BYTES
    }

    /// What is known of those whom the session watches.
    fn known(&mut self, watched: usize) -> &mut [Option<bool>] {
        if self.silent.is_empty() {
            self.silent = vec![None; watched].into();
        }
        &mut self.silent
    }

    fn wait<T>(&mut self, cx: &Context<'_>) -> Poll<T> {
        match &mut self.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn start_again(&mut self) {
        self.resync = true;
        self.empty();
    }

    fn close(&mut self, why: Close) {
        self.closed = Some(why);
        self.unsent = Vec::new();
        self.empty();
    }

    fn empty(&mut self) {
        self.waiting = VecDeque::new();
        self.waiting_bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use std::task::Waker;

    fn event(bytes: usize) -> Arc<Outgoing> {
        Arc::new(Outgoing {
            name: "message",
            id: None,
            recovered: None,
            about: None,
            json: Bytes::from(vec![b'x'; bytes]),
        })
    }

    fn take(outbox: &Outbox) -> Poll<Given> {
        outbox.poll_next(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_live_session_that_takes_nothing_has_fallen_behind_one_past_the_bound() {
        for (bytes, fit) in [(1, OUTBOX_MAX_EVENTS), (OUTBOX_MAX_BYTES / 4, 4), (OUTBOX_MAX_BYTES + 1, 1)] {
            let outbox = Outbox::default();
            assert!(take(&outbox).is_pending());
            (0..fit).for_each(|_| outbox.push(event(bytes)));
            assert!(matches!(take(&outbox), Poll::Ready(Given::Event(_))), "{fit} fit");
            outbox.push(event(bytes));
            outbox.push(event(bytes));
            assert!(matches!(take(&outbox), Poll::Ready(Given::Closed(Close::FellBehind))), "{fit} and one");
            let state = outbox.state.lock();
            assert_eq!(
                (state.waiting.capacity(), state.waiting_bytes),
                (0, 0),
                "what is closed holds nothing"
            );
        }
    }

    #[test]
    fn who_types_closes_nobody() {
        let outbox = Outbox::default();
        assert!(take(&outbox).is_pending());
        let typing = Arc::new(Outgoing { name: TYPING, ..(*event(1)).clone() });
        (0..2 * OUTBOX_MAX_EVENTS).for_each(|_| outbox.push(typing.clone()));
        outbox.push(event(1));
        for _ in 0..TYPING_MAX_WAITING {
            assert!(matches!(take(&outbox), Poll::Ready(Given::Event(event)) if event.name == TYPING));
        }
        assert!(matches!(take(&outbox), Poll::Ready(Given::Event(event)) if event.name == "message"));
    }

    #[test]
    fn one_that_catches_up_starts_again_instead() {
        let outbox = Outbox::default();
        (0..=OUTBOX_MAX_EVENTS).for_each(|_| outbox.push(event(1)));
        outbox.push(event(1));
        assert!(matches!(take(&outbox), Poll::Ready(Given::Resync)));
        outbox.catch_up();
        outbox.push(event(1));
        assert!(matches!(take(&outbox), Poll::Ready(Given::Event(_))));
        assert!(take(&outbox).is_pending());
    }

    #[test]
    fn the_first_reason_to_close_stays() {
        let outbox = Outbox::default();
        outbox.close(Close::Replaced);
        outbox.close(Close::Restart);
        outbox.resync();
        assert!(matches!(take(&outbox), Poll::Ready(Given::Closed(Close::Replaced))));
    }
}
