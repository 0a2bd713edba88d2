use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// How a handler tells its connection that the client's own end is the end of the request: nobody would read the reply.
///
/// Without that a client may end its side once it has asked, and still gets its answer.
#[derive(Debug, Default)]
pub struct Lifeline(AtomicBool);

impl Lifeline {
    pub(super) fn hold(&self) {
        self.0.store(true, Relaxed);
    }

    pub(super) fn let_go(&self) {
        self.0.store(false, Relaxed);
    }

    /// Whether the request ends with the client.
    pub fn is_held(&self) -> bool {
        self.0.load(Relaxed)
    }
}
