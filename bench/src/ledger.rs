//! What was acknowledged: 24 bytes a send, and 8 a chat.

/// A send that the server acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Acked {
    /// Which chat, by its number.
    pub(crate) chat: u32,
    /// Its position in the chat.
    pub(crate) seq: u64,
    /// Which send of the run, from which its text can be made again.
    pub(crate) number: u64,
}

/// The sends of one thread that were acknowledged.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) acked: Vec<Acked>,
    /// The highest `seq` acknowledged so far, by chat.
    highest: Vec<u64>,
}

impl Ledger {
    pub(crate) fn new(chats: u32) -> Self {
        Self { acked: Vec::new(), highest: vec![0; chats as usize] }
    }

    /// What every later send of the chat must exceed, and every later pull must reach.
    pub(crate) fn floor(&self, chat: u32) -> u64 {
        self.highest[chat as usize]
    }

    /// Notes what a request brought, if anything.
    pub(crate) fn add(&mut self, acked: Option<Acked>) {
        let Some(acked) = acked else { return };
        let highest = &mut self.highest[acked.chat as usize];
        *highest = acked.seq.max(*highest);
        self.acked.push(acked);
    }
}

/// The part of a sorted list that is of one chat.
pub(crate) fn of_chat(acked: &[Acked], chat: u32) -> &[Acked] {
    let from = acked.partition_point(|acked| acked.chat < chat);
    let to = acked.partition_point(|acked| acked.chat <= chat);
    &acked[from..to]
}
