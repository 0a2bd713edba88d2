use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// What a request and its connection tell each other beside the reply.
#[derive(Debug, Default)]
pub struct Lifeline {
    /// The client's own end is the end of the request: nobody would read the reply. Without that a client may end its side
    /// once it has asked, and still gets its answer.
    held: AtomicBool,
    /// The request was there before its client was to come back.
    hasty: AtomicBool,
    /// The request was refused because too many were there; its client is to come back later.
    turned_away: AtomicBool,
}

impl Lifeline {
    pub(super) fn hold(&self) {
        self.held.store(true, Relaxed);
    }

    pub(super) fn let_go(&self) {
        self.held.store(false, Relaxed);
    }

    /// Whether the request ends with the client.
    pub fn is_held(&self) -> bool {
        self.held.load(Relaxed)
    }

    /// Says of the next request whether its client was told to come back later, and has not waited.
    pub fn set_hasty(&self, hasty: bool) {
        self.hasty.store(hasty, Relaxed);
    }

    pub(super) fn is_hasty(&self) -> bool {
        self.hasty.load(Relaxed)
    }

    pub(super) fn turn_away(&self) {
        self.turned_away.store(true, Relaxed);
    }

    /// Whether the request was refused because too many were there; asked once.
    pub fn was_turned_away(&self) -> bool {
        // Nobody else sets or asks meanwhile.
        let turned_away = self.turned_away.load(Relaxed);
        if turned_away {
            self.turned_away.store(false, Relaxed);
        }
        turned_away
    }
}
