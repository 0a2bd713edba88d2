//! Random numbers that come again with their seed (`SplitMix64`).

use std::time::{Duration, Instant};

/// A source of random numbers.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    /// The same numbers for the same seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Seeds for a test: a fixed one, and one of this run, which `CHINWAG_TEST_SEED` replaces. Prints them.
    pub(crate) fn seeds() -> [u64; 2] {
        let chosen = std::env::var("CHINWAG_TEST_SEED")
            .ok()
            .map(|seed| seed.parse().expect("CHINWAG_TEST_SEED is a number"));
        let process = u64::from(std::process::id()) << 32;
        // Where the stack and the clock stand differs from run to run.
        let stack = std::ptr::from_ref(&chosen).addr() as u64;
        let moment = u64::from(Instant::now().elapsed().subsec_nanos());
        let seeds = [7, chosen.unwrap_or_else(|| Self::new(process ^ stack ^ moment).next())];
        println!("seeds: {seeds:?}; CHINWAG_TEST_SEED={} repeats the second", seeds[1]);
        seeds
    }

    /// The next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// One of these.
    pub(crate) fn one_of<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        let at = self.below(items.len() as u64);
        &items[usize::try_from(at).expect("an index of a slice")]
    }

    /// Whether a chance of one in `n` came up.
    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// A duration below `bound`.
    pub(crate) fn duration_below(&mut self, bound: Duration) -> Duration {
        Duration::from_nanos(self.below(u64::try_from(bound.as_nanos()).expect("a short time")))
    }
}

/// How many rounds the random tests go.
pub(crate) fn rounds() -> u64 {
    std::env::var("CHINWAG_TEST_ROUNDS")
        .map_or(5, |rounds| rounds.parse().expect("CHINWAG_TEST_ROUNDS is a number"))
}

/// Whether all must run, however long it takes; what cannot is then a failure.
pub(crate) fn full() -> bool {
    std::env::var_os("CHINWAG_TEST_FULL").is_some_and(|full| full == "1")
}
