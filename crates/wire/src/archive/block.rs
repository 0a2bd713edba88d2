//! The line of a block.

use super::{Line, WireMarkers, line, number, read_markers, write_markers};
use chinwag_model::{Block, Chat, Hold, Invalid, Side, Ts};
use serde::Serialize;
use std::collections::BTreeMap;

/// A block in an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveBlock {
    /// The chat of the two.
    pub chat: Chat,
    /// Which of them blocks the other.
    pub by: Side,
    /// Since when, and where the markers stood then.
    pub hold: Hold,
}

#[derive(Serialize)]
struct BlockOut<'a> {
    r#type: &'static str,
    user: &'a str,
    peer: &'a str,
    ts: u64,
    markers: BTreeMap<&'a str, WireMarkers>,
}

/// The line of a block.
pub fn encode_archive_block(chat: &Chat, by: Side, hold: &Hold) -> Vec<u8> {
    line(&BlockOut {
        r#type: "block",
        user: chat.user(by),
        peer: chat.user(by.other()),
        ts: hold.since.0,
        markers: write_markers(chat, &hold.markers),
    })
}

pub(super) fn block(fields: &Line<'_>) -> Result<ArchiveBlock, Invalid> {
    let (user, peer) = (fields.required_string("user")?, fields.required_string("peer")?);
    let Block { chat, by, .. } = Block::new(&user, &peer, true)?;
    let hold = Hold { since: Ts(number(fields, "ts")?), markers: read_markers(fields, &chat)? };
    Ok(ArchiveBlock { chat, by, hold })
}

#[cfg(test)]
mod tests {
    use crate::{ArchiveBlock, ArchiveLine, encode_archive_block};
    use chinwag_model::{Chat, Hold, Marker, Markers, Seq, Side, Ts};

    #[test]
    fn a_block_comes_back_as_it_went() {
        let chat = Chat::parse("apple:banana").expect("a chat").0;
        let marker = Marker { seq: Seq(3), ts: Ts(30) };
        let markers = [Markers::START, Markers { delivered: marker, read: Marker::START }];
        for by in [Side::First, Side::Second] {
            let hold = Hold { since: Ts(1_686_404_158_123_456), markers };
            let line = encode_archive_block(&chat, by, &hold);
            let Ok(ArchiveLine::Block(read)) = ArchiveLine::parse(&line) else { panic!("{line:?}") };
            assert_eq!(read, ArchiveBlock { chat: chat.clone(), by, hold });
        }
        let oneself = br#"{"type":"block","user":"a","peer":"a","ts":1,"markers":{}}"#;
        assert_eq!(ArchiveLine::parse(oneself).expect_err("oneself").field, "peer");
    }
}
