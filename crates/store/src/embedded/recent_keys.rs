//! The keys of a chat's recent sends, by which a repeat is known.

use chinwag_model::{SendKey, Seq, Side, Ts, limits::KEY_WINDOW};
use std::collections::HashMap;
use xxhash_rust::xxh3::Xxh3;

/// A hash of a key and its sender, wide enough to stand for them.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct KeyHash(u128);

impl KeyHash {
    /// `seed` is random, so that nobody outside can make two keys meet.
    pub(super) fn of(seed: u64, sender: Side, key: &SendKey) -> Self {
        let mut hasher = Xxh3::with_seed(seed);
        hasher.update(&[u8::from(sender == Side::Second)]);
        hasher.update(key.as_str().as_bytes());
        Self(hasher.digest128())
    }
}

/// Which message a key stored, and when.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct KeyUse {
    pub(super) seq: Seq,
    pub(super) ts: Ts,
}

/// The recent keys of a chat.
pub(super) type Keys = HashMap<KeyHash, KeyUse>;

/// Whether a key first used at `first` is forgotten at `now`.
pub(super) fn expired(first: Ts, now: Ts) -> bool {
    u128::from(now.0.saturating_sub(first.0)) > KEY_WINDOW.as_micros()
}
