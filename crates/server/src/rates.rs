//! How often a caller may ask: a bucket of tokens for each user and each key, and in it one for sends, one for reads, one
//! for typing and one for the rest.
//!
//! A bucket is one number, the time at which it is full again (GCRA), so that taking a token is exact however many take at
//! once. The buckets of those who have not asked for longest are forgotten, and full again, once there are too many.
//!
//! **Architecture invariant:** this room knows neither HTTP nor JSON; it takes the time from its caller.

use crate::metrics::Verb;
use chinwag_model::{
    Caller, KeyId, UserId,
    limits::{RATE_CALLERS_MAX, RATE_WINDOW},
};
use parking_lot::Mutex;
use quick_cache::sync::Cache;
use std::{convert::Infallible, sync::Arc, time::Duration};

/// What a request counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// A message is sent.
    Send,
    /// Something is read: a page, an inbox, a feed.
    Read,
    /// A user writes.
    Typing,
    /// All else: marks, revisions, blocks.
    Other,
}

/// How many requests of each class a caller may make within [`RATE_WINDOW`]; 0 of one that has no bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quotas {
    /// Sends.
    pub sends: u64,
    /// Reads.
    pub reads: u64,
    /// Word that a user writes.
    pub typing: u64,
    /// All else.
    pub others: u64,
}

/// The bounds of each kind of caller. Whoever calls an open server has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Of one user.
    pub user: Quotas,
    /// Of one API key, for whomever it acts.
    pub key: Quotas,
}

/// Where a caller stands after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// What the request counted as.
    pub class: Class,
    /// Requests that it may make within [`RATE_WINDOW`].
    pub quota: u64,
    /// Requests that it may make at once now.
    pub remaining: u64,
    /// Until it may make all of them at once again.
    pub full_after: Duration,
    /// Of a request that is one too many: until the next is none.
    pub refused_for: Option<Duration>,
}

impl Class {
    /// What a verb counts as; `None` of what is not counted.
    pub fn of(verb: Verb) -> Option<Self> {
        match verb {
            Verb::Send => Some(Self::Send),
            Verb::Pull
            | Verb::Chats
            | Verb::Presence
            | Verb::Blocks
            | Verb::WebSocket
            | Verb::Events
            | Verb::Poll => Some(Self::Read),
            Verb::Typing => Some(Self::Typing),
            // To be kept from renewing a token would end the session.
            Verb::Auth | Verb::Probe | Verb::OpenApi | Verb::Preflight | Verb::Bench => None,
            _ => Some(Self::Other),
        }
    }

    /// What clients know it as.
    pub fn name(self) -> &'static str {
        match self {
            Self::Send => "sends",
            Self::Read => "reads",
            Self::Typing => "typing",
            Self::Other => "others",
        }
    }
}

impl Quotas {
    /// No bound at all.
    pub const NONE: Self = Self { sends: 0, reads: 0, typing: 0, others: 0 };

    fn of(&self, class: Class) -> u64 {
        match class {
            Class::Send => self.sends,
            Class::Read => self.reads,
            Class::Typing => self.typing,
            Class::Other => self.others,
        }
    }
}

impl Options {
    /// No bound at all.
    pub const NONE: Self = Self { user: Quotas::NONE, key: Quotas::NONE };
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Who {
    User(UserId),
    Key(KeyId),
}

/// Of each class, when the bucket is full again, in nanoseconds of the steady clock.
type Buckets = Arc<Mutex<[u64; 4]>>;

/// The buckets of all callers.
pub struct Rates {
    options: Options,
    buckets: Cache<Who, Buckets>,
}

impl Rates {
    /// Full buckets for everyone.
    pub fn new(options: Options) -> Self {
        Self::of(options, RATE_CALLERS_MAX)
    }

    fn of(options: Options, callers_max: usize) -> Self {
        Self { options, buckets: Cache::new(callers_max) }
    }

    /// Takes a token of a caller at a time of the steady clock; where the caller then stands, if there is a bound.
    pub fn take(&self, caller: &Caller, class: Class, now: Duration) -> Option<Standing> {
        let (who, quotas) = match caller {
            Caller::Anyone => return None,
            Caller::User(user) => (Who::User(user.clone()), &self.options.user),
            Caller::Key { id, .. } => (Who::Key(id.clone()), &self.options.key),
        };
        let quota = quotas.of(class);
        if quota == 0 {
            return None;
        }
        let make = || Ok::<_, Infallible>(Buckets::default());
        let Ok(buckets) = self.buckets.get_or_insert_with(&who, make);
        let mut buckets = buckets.lock();
        Some(take(&mut buckets[class as usize], class, quota, nanos(now)))
    }
}

/// Takes one token of a bucket.
fn take(full_at: &mut u64, class: Class, quota: u64, now: u64) -> Standing {
    let each = (nanos(RATE_WINDOW) / quota).max(1);
    let most = each.saturating_mul(quota);
    let missing = full_at.saturating_sub(now);
    let after = missing.saturating_add(each);
    let refused = after.checked_sub(most).filter(|over| *over > 0);
    let missing = if refused.is_some() { missing } else { after };
    *full_at = now.saturating_add(missing);
    Standing {
        class,
        quota,
        remaining: most.saturating_sub(missing) / each,
        full_after: Duration::from_nanos(missing),
        refused_for: refused.map(Duration::from_nanos),
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chinwag_model::Scope;

    const TEN: Quotas = Quotas { sends: 10, reads: 20, typing: 0, others: 1_000_000 };

    fn user(name: &str) -> Caller {
        Caller::User(UserId::parse("user", name).expect("a name"))
    }

    fn key(id: &str) -> Caller {
        Caller::Key { id: KeyId::parse(id).expect("an id"), scope: Scope::Act }
    }

    fn takes(rates: &Rates, caller: &Caller, class: Class, now: Duration) -> usize {
        (0..100)
            .take_while(|_| rates.take(caller, class, now).is_none_or(|one| one.refused_for.is_none()))
            .count()
    }

    #[test]
    fn a_bucket_holds_its_quota_and_fills_evenly() {
        let rates = Rates::new(Options { user: TEN, key: Quotas::NONE });
        let (apple, at) = (user("apple"), Duration::from_millis);
        let first = rates.take(&apple, Class::Send, at(5)).expect("bounded");
        assert_eq!(
            (first.quota, first.remaining, first.full_after, first.refused_for),
            (10, 9, at(1_000), None)
        );
        assert_eq!(takes(&rates, &apple, Class::Send, at(5)), 9);
        let refused = rates.take(&apple, Class::Send, at(5)).expect("bounded");
        assert_eq!((refused.remaining, refused.refused_for), (0, Some(at(1_000))));
        // A refusal costs nothing, and the other classes and users are bounded apart.
        let refused = rates.take(&apple, Class::Send, at(1_004)).expect("bounded");
        assert_eq!(refused.refused_for, Some(at(1)));
        assert_eq!(takes(&rates, &apple, Class::Send, at(1_005)), 1);
        assert_eq!(takes(&rates, &apple, Class::Read, at(1_005)), 20);
        assert_eq!(takes(&rates, &user("banana"), Class::Send, at(1_005)), 10);
        assert_eq!(takes(&rates, &apple, Class::Send, at(3_600_000)), 10, "no more than its quota");
        assert_eq!(takes(&rates, &apple, Class::Other, at(0)), 100);
    }

    #[test]
    fn who_has_no_bound_takes_none() {
        let rates = Rates::new(Options { user: TEN, key: Quotas { sends: 3, ..Quotas::NONE } });
        assert_eq!(rates.take(&Caller::Anyone, Class::Send, Duration::ZERO), None);
        assert_eq!(rates.take(&user("apple"), Class::Typing, Duration::ZERO), None);
        assert_eq!(rates.take(&key("k1"), Class::Read, Duration::ZERO), None);
        assert_eq!(takes(&rates, &key("k1"), Class::Send, Duration::ZERO), 3);
        assert_eq!(takes(&rates, &key("k2"), Class::Send, Duration::ZERO), 3);
    }

    #[test]
    fn it_is_exact_however_many_take_at_once() {
        let rates = Rates::new(Options { user: Quotas { others: 1_000, ..TEN }, key: Quotas::NONE });
        let taken: usize = std::thread::scope(|scope| {
            let taking: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        let take =
                            || rates.take(&user("apple"), Class::Other, Duration::ZERO).expect("bounded");
                        (0..400).filter(|_| take().refused_for.is_none()).count()
                    })
                })
                .collect();
            taking.into_iter().map(|one| one.join().expect("no panic")).sum()
        });
        assert_eq!(taken, 1_000);
    }

    #[test]
    fn those_who_asked_long_ago_are_forgotten_and_memory_stays_bounded() {
        let rates = Rates::of(Options { user: TEN, key: Quotas::NONE }, 100);
        for n in 0..10_000 {
            rates.take(&user(&format!("user{n}")), Class::Send, Duration::ZERO);
        }
        assert!(rates.buckets.len() <= 100, "{}", rates.buckets.len());
    }
}
