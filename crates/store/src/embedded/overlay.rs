//! The heads that the inbox rows on disk do not show yet.
//!
//! The task that answers puts them here; the [`follower`](super::follower) takes them all at once, writes them, and lets
//! go of them. Two generations, so that what is being written is still found here.

use super::head::Head;
use chinwag_model::{Chat, Ts, UserId};
use parking_lot::{Condvar, Mutex};
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

/// Chats that may wait here; past it, writes are refused as busy. About half a KiB each.
const MAX_CHATS: usize = 1 << 17;
/// From this many on they are written without waiting longer.
const MANY_CHATS: usize = 1 << 14;

/// The heads that are not on disk as inbox rows.
pub(super) struct Overlay {
    state: Mutex<State>,
    wake: Condvar,
    chats: AtomicUsize,
}

struct State {
    fresh: Generation,
    /// Those that the follower writes now.
    old: Arc<Generation>,
    /// The latest change that was put here.
    upto: Ts,
    ended: bool,
}

/// Heads, and whose inboxes they are of.
#[derive(Default)]
pub(super) struct Generation {
    pub(super) chats: HashMap<Chat, Head>,
    users: HashMap<UserId, Vec<Chat>>,
}

impl Generation {
    fn put(&mut self, chat: &Chat, head: Head) {
        if let Some(known) = self.chats.get_mut(chat) {
            *known = head;
            return;
        }
        self.chats.insert(chat.clone(), head);
        for &side in chat.sides() {
            match self.users.get_mut(chat.user(side)) {
                Some(chats) => chats.push(chat.clone()),
                None => drop(self.users.insert(chat.user_id(side), vec![chat.clone()])),
            }
        }
    }

    fn of_user<'a>(&'a self, user: &str) -> impl Iterator<Item = (Chat, Head)> + use<'a> {
        let chats = self.users.get(user).map_or(&[][..], |chats| chats);
        chats.iter().map(|chat| (chat.clone(), self.chats[chat]))
    }
}

impl Overlay {
    /// An overlay of a store whose inbox rows show everything up to `upto`.
    pub(super) fn new(upto: Ts) -> Self {
        let state = State { fresh: Generation::default(), old: Arc::default(), upto, ended: false };
        Self { state: Mutex::new(state), wake: Condvar::new(), chats: AtomicUsize::new(0) }
    }

    /// Whether writes must wait for the follower.
    pub(super) fn is_full(&self) -> bool {
        self.chats.load(Relaxed) >= MAX_CHATS
    }

    /// Chats whose heads are here, about.
    pub(super) fn len(&self) -> usize {
        self.chats.load(Relaxed)
    }

    /// Puts in the heads after changes, which are the next ones up to `upto`.
    pub(super) fn put(&self, heads: &[(Chat, Head)], upto: Ts) {
        let mut state = self.state.lock();
        let state = &mut *state;
        for (chat, head) in heads {
            state.fresh.put(chat, *head);
        }
        state.upto = state.upto.max(upto);
        self.chats.store(state.fresh.chats.len() + state.old.chats.len(), Relaxed);
        if state.fresh.chats.len() >= MANY_CHATS {
            self.wake.notify_one();
        }
    }

    /// A user's heads, the older first.
    pub(super) fn of_user(&self, user: &str) -> Vec<(Chat, Head)> {
        let state = self.state.lock();
        state.old.of_user(user).chain(state.fresh.of_user(user)).collect()
    }

    /// Waits, at most `longest`, for many heads or for the end; whether it is the end.
    pub(super) fn wait(&self, longest: Duration) -> bool {
        let mut state = self.state.lock();
        let idle = |state: &mut State| !state.ended && state.fresh.chats.len() < MANY_CHATS;
        self.wake.wait_while_for(&mut state, idle, longest);
        state.ended
    }

    /// Lets the follower end.
    pub(super) fn end(&self) {
        self.state.lock().ended = true;
        self.wake.notify_one();
    }

    /// Gives all heads to be written, and the time up to which they show everything; they stay here until
    /// [`Self::let_go`]. `None` where there is none.
    pub(super) fn take(&self) -> Option<(Arc<Generation>, Ts)> {
        let mut state = self.state.lock();
        if state.fresh.chats.is_empty() {
            return None;
        }
        state.old = Arc::new(std::mem::take(&mut state.fresh));
        Some((state.old.clone(), state.upto))
    }

    /// Lets go of the heads that were taken: they are on disk.
    pub(super) fn let_go(&self) {
        let mut state = self.state.lock();
        state.old = Arc::default();
        self.chats.store(state.fresh.chats.len(), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(changed: u64) -> Head {
        Head { changed: Ts(changed), ..Head::EMPTY }
    }

    fn chat(name: &str) -> Chat {
        Chat::parse(name).expect("valid").0
    }

    #[test]
    fn heads_stay_until_they_are_written() {
        let overlay = Overlay::new(Ts(0));
        assert!(overlay.take().is_none());
        overlay.put(&[(chat("a:b"), head(1)), (chat("a:c"), head(2))], Ts(2));
        let (taken, upto) = overlay.take().expect("two");
        assert_eq!((taken.chats.len(), upto), (2, Ts(2)));
        overlay.put(&[(chat("a:b"), head(3)), (chat("b:b"), head(4))], Ts(4));
        let of = |user| overlay.of_user(user).into_iter().map(|(_, head)| head.changed.0).collect::<Vec<_>>();
        assert_eq!((of("a"), of("b"), of("c"), of("d")), (vec![1, 2, 3], vec![1, 3, 4], vec![2], vec![]));
        overlay.let_go();
        assert_eq!((of("a"), of("c")), (vec![3], vec![]));
        assert_eq!(overlay.take().expect("two more").1, Ts(4));
    }

    #[test]
    fn it_is_full_until_the_follower_has_written() {
        let overlay = Overlay::new(Ts(0));
        let mut heads: Vec<_> = (0..MAX_CHATS).map(|n| (chat(&format!("a:{n}")), head(1))).collect();
        let last = heads.pop().expect("the last");
        overlay.put(&heads, Ts(1));
        assert!(!overlay.is_full());
        let taken = overlay.take();
        overlay.put(&[last], Ts(1));
        assert!(overlay.is_full(), "what is being written counts too");
        assert!(!overlay.wait(Duration::ZERO));
        drop(taken);
        overlay.let_go();
        assert!(!overlay.is_full());
        overlay.end();
        assert!(overlay.wait(Duration::from_mins(1)));
    }
}
