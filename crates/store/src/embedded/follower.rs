//! The thread that writes the inbox rows, some seconds behind the changes that they are derived from.
//!
//! A row is written once for all that happened to its chat meanwhile, so nothing is done for each recipient of each
//! message. After a crash the change log says which rows are behind: see [`replay`].

use super::{
    changes,
    failure::Failure,
    head::{Head, decode_derived, encode_derived, encode_head, inbox_key},
    overlay::{Generation, Overlay},
    reader,
    tables::{Tables, engine},
};
use crate::StoreError;
use bytes::BytesMut;
use chinwag_model::{Chat, Side, Ts};
use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// How often the rows are written, where few chats wait.
const EVERY: Duration = Duration::from_secs(5);
/// Rows of one batch. The committer may have to wait for one, so it is small; each is synced, since a batch that is cut
/// short by a crash must be the journal's last.
pub(super) const BATCH_ROWS: usize = 1_024;

/// Chats whose rows are written before the end.
const LAST_CHATS_MAX: usize = 8_192;

/// The state of the follower's thread.
pub(super) struct Follower {
    pub(super) overlay: Arc<Overlay>,
    pub(super) tables: Tables,
    pub(super) failure: Failure,
    /// The time up to which the rows on disk show everything.
    pub(super) derived: Arc<AtomicU64>,
}

impl Follower {
    /// Runs until the overlay has ended or the store has failed.
    pub(super) fn run(self) {
        loop {
            let ended = self.overlay.wait(EVERY);
            if self.failure.is_set() {
                return;
            }
            if let Some((heads, upto)) = self.overlay.take() {
                // Those who wait for the end don't wait for this: the next start reads the log.
                if ended && heads.chats.len() > LAST_CHATS_MAX {
                    return;
                }
                if let Err(error) = self.write(&heads, upto) {
                    return self.failure.set(&format!("the inbox rows could not be written: {error}"));
                }
                self.derived.store(upto.0, Relaxed);
                self.overlay.let_go();
            }
            if ended {
                return;
            }
        }
    }

    fn write(&self, heads: &Generation, upto: Ts) -> fjall::Result<()> {
        let mut rows: Vec<(&Chat, Side, &Head)> = heads
            .chats
            .iter()
            .flat_map(|(chat, head)| chat.sides().iter().map(move |&side| (chat, side, head)))
            .collect();
        // In the order of their keys, so that neighbours are written together.
        rows.sort_unstable_by(|(a, left, _), (b, right, _)| {
            (a.user(*left), a.as_str()).cmp(&(b.user(*right), b.as_str()))
        });
        let mut chunks = rows.chunks(BATCH_ROWS).peekable();
        while let Some(chunk) = chunks.next() {
            write_heads(&self.tables, chunk, chunks.peek().is_none().then_some(upto))?;
        }
        Ok(())
    }
}

/// Writes inbox rows in one batch, and with them that all is derived up to a time. A chat that was removed has none.
pub(super) fn write_heads(
    tables: &Tables,
    rows: &[(&Chat, Side, &Head)],
    derived: Option<Ts>,
) -> fjall::Result<()> {
    let mut bytes = BytesMut::new();
    let stands = rows.iter().filter(|(_, _, head)| !head.is_removed());
    let mut places: Vec<_> =
        stands.map(|(chat, side, head)| encode_head(chat, *side, head, &mut bytes)).collect();
    places.extend(derived.map(|upto| encode_derived(upto, &mut bytes)));
    let bytes = bytes.freeze();
    let mut batch = tables.batch(rows.len() + 1);
    for (chat, side, _) in rows.iter().filter(|(_, _, head)| head.is_removed()) {
        batch.remove(&tables.inbox, inbox_key(chat.user(*side), chat));
    }
    for place in places {
        batch.insert(&tables.inbox, bytes.slice(place.key), bytes.slice(place.value));
    }
    Tables::commit(batch)
}

/// The time up to which the inbox rows show everything; the beginning of time in a new store.
pub(super) fn derived_upto(tables: &Tables) -> Result<Ts, StoreError> {
    derived_of(tables.inbox.get(super::head::DERIVED_KEY))
}

/// The same, of its row.
pub(super) fn derived_of(row: fjall::Result<Option<fjall::UserValue>>) -> Result<Ts, StoreError> {
    match row.map_err(|error| engine(&error))? {
        None => Ok(Ts(0)),
        Some(value) => {
            decode_derived(&value).map_err(|wrong| StoreError::Damaged(format!("the inbox rows: {wrong}")))
        }
    }
}

/// The chats that changed after a time, each once, as the change log names them.
pub(super) fn changed_since(tables: &Tables, since: Ts) -> Result<HashSet<Chat>, StoreError> {
    changed_in(tables.changes.range((since.0 + 1).to_be_bytes()..), since)
}

/// The same, of the rows that end after it.
pub(super) fn changed_in(rows: fjall::Iter, since: Ts) -> Result<HashSet<Chat>, StoreError> {
    let mut chats = HashSet::new();
    for row in rows {
        let (key, value) = row.into_inner().map_err(|error| engine(&error))?;
        let changes = changes::decode(&key, &value)
            .map_err(|wrong| StoreError::Damaged(format!("the change log: {wrong}")))?;
        chats.extend(changes.into_iter().filter(|change| change.ts > since).map(|change| change.chat));
    }
    Ok(chats)
}

/// Puts what the inbox rows lack into an overlay, when a store is opened.
pub(super) fn replay(tables: &Tables, upto: Ts) -> Result<(Overlay, Ts), StoreError> {
    let derived = derived_upto(tables)?;
    let overlay = Overlay::new(derived);
    let chats = changed_since(tables, derived)?;
    if !chats.is_empty() {
        tracing::info!(chats = chats.len(), "inboxes of chats that changed last are read again");
    }
    for chat in chats {
        let missing = || StoreError::Damaged(format!("chat {chat}: it changed, and has no message"));
        let head = reader::head(&tables.view(), &chat)?.ok_or_else(missing)?;
        overlay.put(&[(chat, head)], upto);
    }
    Ok((overlay, derived))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{contract::user, embedded::Options};

    fn follower() -> (tempfile::TempDir, Follower) {
        let dir = tempfile::tempdir().expect("a directory");
        let follower = Follower {
            overlay: Arc::new(Overlay::new(Ts(0))),
            tables: Tables::open(&dir.path().join("db"), &Options::default()).expect("opened"),
            failure: Failure::none(),
            derived: Arc::default(),
        };
        (dir, follower)
    }

    fn heads() -> Vec<(Chat, Head)> {
        let chat = |n| Chat::parse(&format!("a:b{n}")).expect("a chat").0;
        let head = |n| Head { last: chinwag_model::Seq(1), last_ts: Ts(n), changed: Ts(n), ..Head::EMPTY };
        (1..=3 * BATCH_ROWS as u64).map(|n| (chat(n), head(n))).collect()
    }

    #[test]
    fn rows_are_written_in_batches_and_then_the_time_that_they_show() {
        let (_dir, follower) = follower();
        let (overlay, tables, derived) =
            (follower.overlay.clone(), follower.tables.clone(), follower.derived.clone());
        let heads = heads();
        let upto = Ts(heads.len() as u64);
        overlay.put(&heads, upto);
        overlay.end();
        follower.run();
        assert_eq!((derived.load(Relaxed), derived_upto(&tables)), (upto.0, Ok(upto)));
        assert!(overlay.of_user("a").is_empty());
        let mut rows = reader::inbox(&tables, &user("a")).expect("read");
        rows.sort_by_key(|(_, _, head)| head.changed);
        let expected = heads.iter().map(|(chat, head)| (chat.clone(), Side::First, *head));
        assert!(rows.into_iter().eq(expected));
        let of_peer = reader::inbox(&tables, &user("b7")).expect("read");
        assert_eq!(of_peer, [(heads[6].0.clone(), Side::Second, heads[6].1)]);
    }

    #[test]
    fn a_store_that_has_failed_is_left_alone() {
        let (_dir, follower) = follower();
        let (overlay, tables) = (follower.overlay.clone(), follower.tables.clone());
        overlay.put(&heads(), Ts(9));
        overlay.end();
        follower.failure.set("the test says so");
        follower.run();
        assert_eq!((derived_upto(&tables), tables.inbox.is_empty().expect("read")), (Ok(Ts(0)), true));
    }
}
