use crate::{Chat, Invalid, Seq, Side, Ts, limits::INTEGER_MAX};

/// How far one user has come in one chat, in one sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MarkerKind {
    /// The messages have reached one of the user's devices.
    Delivered,
    /// The user has read them.
    Read,
}

/// Where a marker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marker {
    /// The last message that it covers; 0 before the first move.
    pub seq: Seq,
    /// When it came to stand there; 0 before the first move.
    pub ts: Ts,
}

/// One user's two markers in one chat. The read marker is never ahead of the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Markers {
    /// What has reached one of the user's devices.
    pub delivered: Marker,
    /// What the user has read.
    pub read: Marker,
}

/// A request to move a marker. It moves forward only, and never past the chat's last message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The chat.
    pub chat: Chat,
    /// Whose marker.
    pub side: Side,
    /// Which of the two.
    pub kind: MarkerKind,
    /// The last message that it is to cover.
    pub seq: Seq,
}

/// A marker as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marked {
    /// The chat.
    pub chat: Chat,
    /// Whose marker.
    pub side: Side,
    /// Which of the two.
    pub kind: MarkerKind,
    /// Where it stands.
    pub marker: Marker,
}

impl Marker {
    /// A marker that never moved.
    pub const START: Self = Self { seq: Seq(0), ts: Ts(0) };
}

impl Markers {
    /// Markers that never moved.
    pub const START: Self = Self { delivered: Marker::START, read: Marker::START };

    /// One of the two.
    pub fn get(&self, kind: MarkerKind) -> Marker {
        match kind {
            MarkerKind::Delivered => self.delivered,
            MarkerKind::Read => self.read,
        }
    }

    /// The same, to be moved.
    pub fn get_mut(&mut self, kind: MarkerKind) -> &mut Marker {
        match kind {
            MarkerKind::Delivered => &mut self.delivered,
            MarkerKind::Read => &mut self.read,
        }
    }

    /// The markers that a mark at `seq` moves, in the order in which they move: read raises delivered first. Each move is
    /// an event with a time of its own.
    pub fn moved_by(&self, kind: MarkerKind, seq: Seq) -> impl Iterator<Item = MarkerKind> + use<> {
        let raised = match kind {
            MarkerKind::Delivered => &[MarkerKind::Delivered][..],
            MarkerKind::Read => &[MarkerKind::Delivered, MarkerKind::Read],
        };
        let stand = *self;
        raised.iter().copied().filter(move |&kind| stand.get(kind).seq < seq)
    }
}

impl Mark {
    /// Puts a request together.
    ///
    /// # Errors
    /// [`Invalid`] naming `seq`, outside 1 to [`INTEGER_MAX`], or `user`, for a stranger.
    pub fn new(chat: Chat, user: &str, kind: MarkerKind, seq: u64) -> Result<Self, Invalid> {
        let side = chat.member("user", user)?;
        if !(1..=INTEGER_MAX).contains(&seq) {
            return Err(Invalid::new("seq", "a seq is a whole number from 1 to 2^53 - 1"));
        }
        Ok(Self { chat, side, kind, seq: Seq(seq) })
    }
}

impl Marked {
    /// The name of the user whose marker it is.
    pub fn user_name(&self) -> &str {
        self.chat.user(self.side)
    }
}
