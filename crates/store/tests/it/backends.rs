use chinwag_model::ManualClock;
use chinwag_store::{
    Retention, Store,
    contract::Backend,
    embedded::{EmbeddedStore, Options},
    memory::MemoryStore,
};
use std::{path::Path, sync::Arc};

/// The reference model.
pub(crate) struct Memory;

impl Backend for Memory {
    fn open_keeping(&self, clock: Arc<ManualClock>, retention: Retention) -> Arc<dyn Store> {
        let store = MemoryStore::new(clock);
        store.retain(retention);
        Arc::new(store)
    }

    fn is_durable(&self) -> bool {
        false
    }
}

/// The embedded store in a directory of its own.
pub(crate) struct Embedded {
    dir: tempfile::TempDir,
    options: Options,
}

impl Embedded {
    pub(crate) fn new() -> Self {
        let options = Options { disk_reserve_bytes: 0, ..Options::default() };
        Self { dir: tempfile::tempdir().expect("a directory"), options }
    }

    pub(crate) fn without_cache() -> Self {
        Self::with(|options| {
            options.chat_cache_bytes = 0;
            options.inbox_cache_bytes = 0;
            options.block_cache_bytes = 0;
        })
    }

    pub(crate) fn with(change: impl FnOnce(&mut Options)) -> Self {
        let mut embedded = Self::new();
        change(&mut embedded.options);
        embedded
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn store(&self, clock: Arc<ManualClock>) -> Arc<EmbeddedStore> {
        self.store_keeping(clock, self.options.retention)
    }

    pub(crate) fn store_keeping(&self, clock: Arc<ManualClock>, retention: Retention) -> Arc<EmbeddedStore> {
        let options = Options { retention, ..self.options.clone() };
        Arc::new(EmbeddedStore::open(self.path(), &options, clock).expect("opened"))
    }
}

impl Backend for Embedded {
    fn open_keeping(&self, clock: Arc<ManualClock>, retention: Retention) -> Arc<dyn Store> {
        self.store_keeping(clock, retention)
    }

    fn is_durable(&self) -> bool {
        true
    }
}
