//! The bounded cache of hot chats. It never holds, and never lets exist, two cells of one chat.

use super::cell::ChatCell;
use crate::{
    StoreError,
    vitals::{Asked, CacheVitals},
};
use chinwag_model::Chat;
use quick_cache::{DefaultHashBuilder, Lifecycle, OptionsBuilder, Weighter, sync::Cache};
use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// Below this, one hot chat could fill a part of the cache.
const CAPACITY_MIN_BYTES: u64 = 1 << 20;
/// What a hot chat takes, about.
const CELL_ESTIMATE_BYTES: u64 = 4_096;

/// The hot chats.
pub(super) struct Cells {
    cache: Cache<Chat, Hot, WeightOfHot, DefaultHashBuilder, KeepUsed>,
    hits: AtomicU64,
    misses: AtomicU64,
}

/// A cell and what it counts for. The weight stands beside the cell, since the cache subtracts what it once added.
#[derive(Clone)]
struct Hot {
    cell: Arc<ChatCell>,
    weight_bytes: u64,
}

#[derive(Clone)]
struct WeightOfHot;

impl Weighter<Chat, Hot> for WeightOfHot {
    fn weight(&self, _chat: &Chat, hot: &Hot) -> u64 {
        hot.weight_bytes
    }
}

/// Keeps a cell while anyone uses it: a send that is on its way is known to its chat's only cell.
#[derive(Clone)]
struct KeepUsed;

impl Lifecycle<Chat, Hot> for KeepUsed {
    type RequestState = ();

    fn is_pinned(&self, _chat: &Chat, hot: &Hot) -> bool {
        Arc::strong_count(&hot.cell) > 1
    }
}

impl Cells {
    /// A cache of about `capacity_bytes`.
    pub(super) fn new(capacity_bytes: u64) -> Self {
        let capacity_bytes = capacity_bytes.max(CAPACITY_MIN_BYTES);
        let options = OptionsBuilder::new()
            .estimated_items_capacity(
                usize::try_from(capacity_bytes / CELL_ESTIMATE_BYTES).unwrap_or(usize::MAX),
            )
            .weight_capacity(capacity_bytes)
            .build()
            .expect("both capacities are given");
        let cache = Cache::with_options(options, WeightOfHot, DefaultHashBuilder::default(), KeepUsed);
        Self { cache, hits: AtomicU64::new(0), misses: AtomicU64::new(0) }
    }

    /// The cell of a chat; where it is not hot, `load` reads it, once, however many ask.
    pub(super) async fn get(
        &self,
        chat: &Chat,
        load: impl Future<Output = Result<ChatCell, StoreError>>,
    ) -> Result<Arc<ChatCell>, StoreError> {
        match self.cache.get_value_or_guard_async(chat).await {
            Ok(hot) => {
                self.hits.fetch_add(1, Relaxed);
                Ok(hot.cell)
            }
            Err(guard) => {
                self.misses.fetch_add(1, Relaxed);
                // A second owner from the start, so that the cache keeps it whatever it weighs.
                let cell = Arc::new(load.await?);
                let hot = Hot { cell: cell.clone(), weight_bytes: weight_bytes(chat, cell.weight()) };
                // Refused where the place is taken already: by one who waited with us, has got this same cell, and has
                // said what it weighs now.
                drop(guard.insert(hot));
                Ok(cell)
            }
        }
    }

    /// How it does.
    pub(super) fn vitals(&self) -> CacheVitals {
        CacheVitals {
            name: "chats",
            bytes: self.cache.weight(),
            capacity_bytes: self.cache.capacity(),
            asked: Some(Asked { hits: self.hits.load(Relaxed), misses: self.misses.load(Relaxed) }),
        }
    }

    /// The cell of a chat, if it is hot.
    pub(super) fn hot(&self, chat: &Chat) -> Option<Arc<ChatCell>> {
        self.cache.get(chat).map(|hot| hot.cell)
    }

    /// Says what a cell weighs now. The caller holds the cell.
    pub(super) fn reweigh(&self, chat: &Chat, cell: &Arc<ChatCell>, weight: usize) {
        let hot = Hot { cell: cell.clone(), weight_bytes: weight_bytes(chat, weight) };
        self.cache.insert(chat.clone(), hot);
    }
}

fn weight_bytes(chat: &Chat, cell_bytes: usize) -> u64 {
    (chat.as_str().len() + cell_bytes) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedded::cell::Loaded;

    fn chat(n: usize) -> Chat {
        Chat::parse(&format!("a:{n}")).expect("valid").0
    }

    async fn get(cells: &Cells, n: usize, loads: &std::sync::atomic::AtomicUsize) -> Arc<ChatCell> {
        let load = async {
            loads.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            tokio::task::yield_now().await;
            Ok(ChatCell::new(Loaded::default()))
        };
        cells.get(&chat(n), load).await.expect("loaded")
    }

    #[tokio::test]
    async fn a_used_cell_outlives_any_crowd_and_the_cache_stays_small() {
        let cells = Cells::new(0);
        let loads = std::sync::atomic::AtomicUsize::new(0);
        let used: Vec<_> = futures_util::future::join_all((0..100).map(|n| get(&cells, n, &loads))).await;
        cells.reweigh(&chat(7), &used[7], 100 << 20);
        for n in 100..20_000 {
            get(&cells, n, &loads).await;
        }
        for (n, cell) in used.iter().enumerate() {
            assert!(Arc::ptr_eq(cell, &get(&cells, n, &loads).await), "chat {n}");
        }
        assert_eq!(loads.load(std::sync::atomic::Ordering::Relaxed), 20_000);
        cells.reweigh(&chat(7), &used[7], 400);
        drop(used);
        for n in 20_000..40_000 {
            get(&cells, n, &loads).await;
        }
        assert!(cells.cache.weight() <= 2 * CAPACITY_MIN_BYTES, "{} bytes", cells.cache.weight());
    }

    #[tokio::test]
    async fn many_who_ask_at_once_load_once() {
        let cells = Cells::new(0);
        let loads = std::sync::atomic::AtomicUsize::new(0);
        let all = futures_util::future::join_all((0..64).map(|_| get(&cells, 1, &loads))).await;
        assert_eq!(loads.load(std::sync::atomic::Ordering::Relaxed), 1);
        assert!(all.iter().all(|cell| Arc::ptr_eq(cell, &all[0])));
    }
}
