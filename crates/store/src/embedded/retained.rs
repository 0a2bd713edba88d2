//! How far expiry has come. It is on disk before anything is hidden for it, so that what was hidden stays so: over a crash, a
//! clock that steps back, and another setting.

use super::{
    floors::{self, Expiry, Rule},
    tables::{Kept, Tables, View},
};
use crate::{
    Retention, StoreError,
    retention::{Limits, Reach},
};
use bytes::BytesMut;
use chinwag_model::Ts;
use parking_lot::Mutex;
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering::Acquire, Ordering::Release},
};

/// How far expiry has come.
pub(super) struct Retained {
    settings: Retention,
    /// Whether anything may have expired, or was removed.
    any: AtomicBool,
    keep: u64,
    reached: AtomicU64,
    cut: AtomicU64,
    rules: Mutex<Arc<[Rule]>>,
    /// Held while the row is written.
    writing: Mutex<()>,
}

impl Retained {
    /// Of a store that is opened with these settings, and whose latest time is `last`.
    ///
    /// A looser number of messages takes effect beside the one before, which goes on to hide what it hid until now.
    pub(super) fn open(tables: &Tables, settings: Retention, last: Ts) -> Result<Self, StoreError> {
        let view = tables.view();
        let found = floors::expiry_of(&view)?;
        if found.is_none() && !settings.is_on() {
            return Self::of(&view);
        }
        let mut expiry = found.clone().unwrap_or_default();
        let keep = settings.keep();
        if expiry.keep != 0 && (keep == 0 || keep > expiry.keep) {
            let rule = Rule { keep: expiry.keep, upto: last };
            // One that is looser and not later hides nothing that this one does not.
            expiry.rules.retain(|known| known.keep < rule.keep);
            expiry.rules.push(rule);
        }
        expiry.keep = keep;
        if found.as_ref() != Some(&expiry) {
            write(tables, &expiry).map_err(|error| super::tables::engine(&error))?;
        }
        Ok(Self::with(&expiry, settings, true))
    }

    /// As a view shows it, of a store that goes on or that nobody has open.
    pub(super) fn of(view: &View) -> Result<Self, StoreError> {
        let found = floors::expiry_of(view)?;
        let any = found.is_some() || view.rows(Kept::Floors).next().is_some();
        Ok(Self::with(&found.unwrap_or_default(), Retention::default(), any))
    }

    fn with(expiry: &Expiry, settings: Retention, any: bool) -> Self {
        Self {
            settings,
            any: AtomicBool::new(any),
            keep: expiry.keep,
            reached: AtomicU64::new(expiry.reach.reached.0),
            cut: AtomicU64::new(expiry.reach.cut.0),
            rules: Mutex::new(expiry.rules.as_slice().into()),
            writing: Mutex::default(),
        }
    }

    /// Whether anything may have expired, or was removed.
    pub(super) fn is_any(&self) -> bool {
        self.any.load(Acquire)
    }

    /// Takes in that a chat will be removed. It is on disk before the chat is, so that a store that is opened again knows. It blocks.
    pub(super) fn begin(&self, tables: &Tables) -> fjall::Result<()> {
        let _writing = self.writing.lock();
        if !self.is_any() {
            write(tables, &Expiry { reach: self.reach(), keep: self.keep, rules: self.rules().to_vec() })?;
            self.any.store(true, Release);
        }
        Ok(())
    }

    /// Whether anything expires.
    pub(super) fn is_on(&self) -> bool {
        self.settings.is_on()
    }

    /// What has expired.
    pub(super) fn limits(&self) -> Limits {
        Limits { cut: Ts(self.cut.load(Acquire)), keep: self.keep }
    }

    /// How far time has come.
    pub(super) fn reach(&self) -> Reach {
        // The cut first: it is never ahead of the time that it is of.
        let cut = Ts(self.cut.load(Acquire));
        Reach { reached: Ts(self.reached.load(Acquire)), cut }
    }

    /// The rules of before that are looser now.
    pub(super) fn rules(&self) -> Arc<[Rule]> {
        self.rules.lock().clone()
    }

    /// Whether time has come further than this.
    pub(super) fn is_due(&self, now: Ts) -> bool {
        self.reach().at(&self.settings, now).is_some()
    }

    /// Lets time come to `now`. It blocks.
    pub(super) fn advance(&self, tables: &Tables, now: Ts) -> fjall::Result<()> {
        let _writing = self.writing.lock();
        let Some(reach) = self.reach().at(&self.settings, now) else { return Ok(()) };
        write(tables, &Expiry { reach, keep: self.keep, rules: self.rules().to_vec() })?;
        self.reached.store(reach.reached.0, Release);
        self.cut.store(reach.cut.0, Release);
        Ok(())
    }

    /// Forgets these rules of before, once all that they hid is hidden by the rows of the chats.
    pub(super) fn forget(&self, tables: &Tables, swept: &[Rule]) -> fjall::Result<()> {
        if swept.is_empty() {
            return Ok(());
        }
        let _writing = self.writing.lock();
        write(tables, &Expiry { reach: self.reach(), keep: self.keep, rules: Vec::new() })?;
        *self.rules.lock() = Arc::default();
        Ok(())
    }
}

fn write(tables: &Tables, expiry: &Expiry) -> fjall::Result<()> {
    let mut bytes = BytesMut::new();
    let place = floors::encode_expiry(expiry, &mut bytes);
    let mut batch = tables.batch(1);
    batch.insert(&tables.floors, &bytes[place.key], &bytes[place.value]);
    Tables::commit(batch)
}
