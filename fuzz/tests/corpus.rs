//! Gives each target its saved corpus, and mutations of it.

use chinwag_fuzz::{TARGETS, Target};
use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

const MUTATIONS: usize = 100_000;
/// Pieces that the parsers look out for.
const PIECES: [&[u8]; 16] = [
    b"\"",
    b"{",
    b"}",
    b"\\ud800",
    b"\\u0000",
    b":",
    b",",
    b"null",
    b"true",
    b"-1",
    b"9007199254740992",
    b"%",
    b"&",
    b"\xff",
    b"\0",
    b"\xf0\x9f\x91\x8d",
];

fn corpus(name: &str) -> Vec<(String, Vec<u8>)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let mut inputs: Vec<_> = fs::read_dir(&dir)
        .unwrap_or_else(|error| panic!("{}: {error}", dir.display()))
        .map(|entry| {
            let path = entry.expect("listed").path();
            (path.display().to_string(), fs::read(&path).expect("read"))
        })
        .collect();
    inputs.sort();
    assert!(!inputs.is_empty(), "{} is empty", dir.display());
    inputs
}

/// Runs a target, and says which input made it panic.
fn run(target: Target, name: &str, input: &[u8]) {
    let ran = catch_unwind(AssertUnwindSafe(|| target(input)));
    assert!(ran.is_ok(), "{name}: {}", input.escape_ascii());
}

/// `SplitMix64` (Steele, Lea, Flood 2014): enough for choosing mutations.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % bound.max(1) as u64).expect("below a usize")
    }

    fn byte(&mut self) -> u8 {
        u8::try_from(self.below(256)).expect("a byte")
    }

    fn mutate(&mut self, input: &mut Vec<u8>, other: &[u8]) {
        for _ in 0..=self.below(4) {
            let at = self.below(input.len() + 1);
            match self.below(6) {
                0 => input.insert(at, self.byte()),
                1 if at < input.len() => drop(input.remove(at)),
                2 if at < input.len() => input[at] ^= 1 << self.below(8),
                3 => input.truncate(at),
                4 => {
                    let piece = PIECES[self.below(PIECES.len())];
                    input.splice(at..at, piece.iter().copied());
                }
                _ => {
                    let from = self.below(other.len() + 1);
                    let to = from + self.below(other.len() - from + 1);
                    input.splice(at..at, other[from..to].iter().copied());
                }
            }
        }
    }
}

#[test]
fn each_target_takes_its_corpus() {
    for (name, target) in TARGETS {
        for (path, input) in corpus(name) {
            run(target, &path, &input);
        }
    }
}

#[test]
fn each_target_takes_mutations_of_its_corpus() {
    let seed = std::env::var("CHINWAG_FUZZ_SEED").map_or_else(
        |_| std::process::id().into(),
        |seed| seed.parse().expect("CHINWAG_FUZZ_SEED is a whole number"),
    );
    println!("CHINWAG_FUZZ_SEED={seed}");
    let mut random = Random(seed);
    for (name, target) in TARGETS {
        let corpus = corpus(name);
        for _ in 0..MUTATIONS {
            let mut input = corpus[random.below(corpus.len())].1.clone();
            let other = &corpus[random.below(corpus.len())].1;
            random.mutate(&mut input, other);
            run(target, name, &input);
        }
    }
}
