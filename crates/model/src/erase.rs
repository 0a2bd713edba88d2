/// What was taken away of a user who is erased, or would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Erased {
    /// Messages that the user had sent.
    pub messages: u64,
    /// Reactions of the user to the peers' messages.
    pub reactions: u64,
    /// Chats in which a marker of the user stood.
    pub markers: u64,
    /// Users whom the user blocked.
    pub blocks: u64,
    /// Whether nothing of the user is left.
    pub done: bool,
}

impl Erased {
    /// How much was changed.
    pub fn changes(&self) -> u64 {
        self.messages + self.reactions + self.markers + self.blocks
    }

    /// Takes in what a later step came to.
    pub fn add(&mut self, step: &Self) {
        self.messages += step.messages;
        self.reactions += step.reactions;
        self.markers += step.markers;
        self.blocks += step.blocks;
        self.done = step.done;
    }
}
