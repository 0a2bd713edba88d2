//! What is known of the request that is being served, wherever its task is: the id that the log, the reply and a trace name it by,
//! and who made it.
//!
//! The id is the trace id of [W3C Trace Context](https://www.w3.org/TR/trace-context/): the caller's, where it sent a good
//! `traceparent`, else a new one. A WebSocket and a stream keep the id of the request that opened them.
//!
//! **Architecture invariant:** this room knows neither routes nor JSON. An id is a name and no secret.

use chinwag_peer::Peer;
use hyper::{HeaderMap, header::HeaderName};
use std::{
    fmt,
    hash::{BuildHasher as _, RandomState},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

tokio::task_local! {
    static CURRENT: Request;
}

/// The id of a request: 32 hexadecimal digits, not all 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestId(pub u128);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// What the caller says of the trace that its request is a part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parent {
    /// The trace.
    pub trace: RequestId,
    /// The caller's own part of it; not 0.
    pub span: u64,
    /// Whether the caller records it.
    pub is_sampled: bool,
}

impl Parent {
    /// Reads a `traceparent`; `None` for one that is none. What a version after the first adds is left alone.
    pub fn parse(header: &[u8]) -> Option<Self> {
        let (fields, more) = header.split_at_checked(55)?;
        let hex = |from: usize, to: usize| {
            let digits = str::from_utf8(&fields[from..to]).ok()?;
            let good = |c: char| matches!(c, '0'..='9' | 'a'..='f');
            digits.chars().all(good).then_some(digits)
        };
        let (version, flags) = (hex(0, 2)?, u8::from_str_radix(hex(53, 55)?, 16).ok()?);
        let ends = if version == "00" { more.is_empty() } else { more.is_empty() || more[0] == b'-' };
        if version == "ff" || !ends || [2, 35, 52].iter().any(|at| fields[*at] != b'-') {
            return None;
        }
        let trace = u128::from_str_radix(hex(3, 35)?, 16).ok().filter(|trace| *trace != 0)?;
        let span = u64::from_str_radix(hex(36, 52)?, 16).ok().filter(|span| *span != 0)?;
        Some(Self { trace: RequestId(trace), span, is_sampled: flags & 1 == 1 })
    }
}

/// What is known of a request.
#[derive(Debug, Clone, Copy)]
pub struct Request {
    /// Its id.
    pub id: RequestId,
    /// What its caller said of it.
    pub parent: Option<Parent>,
    /// Who made it.
    pub peer: Peer,
    /// Its own part of the trace, where it is traced.
    pub span: Option<u64>,
    /// That of the request that opened the WebSocket which it came by.
    pub within: Option<u64>,
}

impl Request {
    /// The one that is being served by the task that asks; `None` outside of any.
    pub fn current() -> Option<Self> {
        CURRENT.try_with(|request| *request).ok()
    }

    /// The same future, whose every step knows of this request.
    pub fn scope<F: Future>(self, future: F) -> impl Future<Output = F::Output> {
        CURRENT.scope(self, future)
    }
}

/// Does something on behalf of a request, if it is one's.
pub fn on_behalf_of<T>(request: Option<Request>, act: impl FnOnce() -> T) -> T {
    match request {
        Some(request) => CURRENT.sync_scope(request, act),
        None => act(),
    }
}

/// Gives requests their ids. No two of a process are the same, and those of two processes are not but by a chance of 2^-64 and less.
#[derive(Debug)]
pub struct Ids {
    seed: [u64; 2],
    given: AtomicU64,
}

impl Default for Ids {
    fn default() -> Self {
        // Without randomness of the system, that of the standard library's hash maps: an id is no secret.
        let other = || RandomState::new().hash_one(0);
        let random = || getrandom::u64().unwrap_or_else(|_| other());
        Self { seed: [random(), random()], given: AtomicU64::new(0) }
    }
}

impl Ids {
    /// What is known of a request with these headers.
    pub fn begin(&self, headers: &HeaderMap, peer: Peer) -> Request {
        let mut values = headers.get_all(TRACEPARENT).iter();
        let value = values.next().filter(|_| values.next().is_none());
        let parent = value.and_then(|value| Parent::parse(value.as_bytes()));
        let id = parent.map_or_else(|| self.new_id(), |parent| parent.trace);
        Request { id, parent, peer, span: None, within: None }
    }

    fn new_id(&self) -> RequestId {
        let high = u128::from(self.number(0)) << 64;
        // 0 stands for no id, and only one number of 2^128 is 0.
        RequestId((high | u128::from(self.number(1))).max(1))
    }

    /// A new number, of the system's own parts; not 0.
    pub fn new_span(&self) -> u64 {
        self.number(1).max(1)
    }

    /// The next number of one of two series that look random: a counter, mixed as `SplitMix64` has it, by steps that never collide.
    fn number(&self, series: usize) -> u64 {
        const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
        let nth = self.given.fetch_add(1, Relaxed);
        let mut mixed = self.seed[series].wrapping_add(nth.wrapping_mul(GOLDEN));
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_good_traceparent_is_read() {
        let parent = Parent::parse(GOOD.as_bytes()).expect("the example of the standard");
        assert_eq!(parent.trace.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!((parent.span, parent.is_sampled), (0x00f0_67aa_0ba9_02b7, true));
        let not_sampled = GOOD.replace("-01", "-00");
        assert!(!Parent::parse(not_sampled.as_bytes()).expect("good").is_sampled);
        // Of a version to come.
        for later in [GOOD.replacen("00", "01", 1), GOOD.replacen("00", "cc", 1) + "-what-the-future-adds"] {
            assert_eq!(Parent::parse(later.as_bytes()).expect("read as the first").span, parent.span);
        }
    }

    #[test]
    fn a_bad_one_is_none() {
        for bad in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01more",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
            "00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-x1",
            "00-4bf92f3577b34da6a3ce929d0e0e473\u{e4}-00f067aa0ba902b-01",
            " 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(Parent::parse(bad.as_bytes()), None, "{bad:?}");
        }
    }

    #[test]
    fn no_two_ids_are_the_same() {
        let (ids, others) = (Ids::default(), Ids::default());
        let all: HashSet<_> = (0..10_000).flat_map(|_| [ids.new_id().0, others.new_id().0]).collect();
        assert_eq!(all.len(), 20_000);
    }
}
