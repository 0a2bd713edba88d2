use std::time::Duration;

/// How often and how long a request is tried.
///
/// Tried again are failures of the connection, time-outs, 429, 502, 503, 504 and a 500 that says `outcome_unknown`;
/// every send carries a key, so a repeat can't store twice. Between two tries the client waits a random time of half
/// to the whole of `first_wait * 2^n`, at most `longest_wait`, and never less than the server's `Retry-After`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// Most tries of one request, the first among them; 1 never repeats.
    pub tries: u32,
    /// The longest that one request may take, all its tries and waits together.
    pub total: Duration,
    /// The wait after the first try, before the jitter.
    pub first_wait: Duration,
    /// The longest wait, before the jitter; a longer `Retry-After` is kept as it is.
    pub longest_wait: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            tries: 6,
            total: Duration::from_mins(1),
            first_wait: Duration::from_millis(100),
            longest_wait: Duration::from_secs(5),
        }
    }
}

impl Retry {
    /// Each request once.
    pub fn never() -> Self {
        Self { tries: 1, ..Self::default() }
    }

    /// How long a feed waits after `failures` connections in a row that came to nothing; it never gives up.
    pub(crate) fn wait_to_reconnect(
        &self,
        failures: u32,
        retry_after: Option<Duration>,
        random: u32,
    ) -> Duration {
        let endless = Self { tries: u32::MAX, total: Duration::MAX, ..*self };
        let failures = failures.clamp(1, u32::MAX - 1);
        endless.wait(failures, Duration::ZERO, retry_after, random).unwrap_or(self.longest_wait)
    }

    /// How long to wait after `tries` tries that took `elapsed`; `None` to give up. `random` is any number.
    pub(crate) fn wait(
        &self,
        tries: u32,
        elapsed: Duration,
        retry_after: Option<Duration>,
        random: u32,
    ) -> Option<Duration> {
        if tries >= self.tries {
            return None;
        }
        let doubled = self.first_wait.saturating_mul(1_u32.checked_shl(tries - 1).unwrap_or(u32::MAX));
        let whole = doubled.min(self.longest_wait);
        let jittered = whole.mul_f64(0.5 + f64::from(random) / f64::from(u32::MAX) / 2.0);
        let wait = jittered.max(retry_after.unwrap_or_default());
        (elapsed + wait < self.total).then_some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn policy() -> Retry {
        Retry { tries: 5, total: 1000 * MS, first_wait: 10 * MS, longest_wait: 25 * MS }
    }

    #[test]
    fn waits_double_up_to_the_longest_with_jitter_in_the_upper_half() {
        let bounds = [(1, 5, 10), (2, 10, 20), (3, 12, 25), (4, 12, 25)];
        for (tries, least, most) in bounds {
            let wait = |random| policy().wait(tries, Duration::ZERO, None, random).expect("tries are left");
            assert!(wait(0) >= least * MS && wait(0) <= (least + 1) * MS, "{tries}: {:?}", wait(0));
            assert_eq!(wait(u32::MAX), most * MS, "{tries}");
            assert!(wait(0) < wait(u32::MAX / 2) && wait(u32::MAX / 2) < wait(u32::MAX), "{tries}");
        }
    }

    #[test]
    fn the_servers_word_is_a_floor() {
        let wait = |after| policy().wait(1, Duration::ZERO, Some(after), u32::MAX);
        assert_eq!(wait(200 * MS), Some(200 * MS));
        assert_eq!(wait(Duration::ZERO), Some(10 * MS));
    }

    #[test]
    fn gives_up_on_tries_and_on_time() {
        assert_eq!(policy().wait(5, Duration::ZERO, None, 0), None, "the tries are spent");
        assert_eq!(policy().wait(1, 995 * MS, None, u32::MAX), None, "the time is spent");
        assert_eq!(
            policy().wait(1, Duration::ZERO, Some(1000 * MS), 0),
            None,
            "the server asks for more than there is"
        );
        assert_eq!(Retry::never().wait(1, Duration::ZERO, None, 0), None);
        let many = Retry { tries: u32::MAX, ..policy() };
        assert_eq!(many.wait(4_000_000, Duration::ZERO, None, u32::MAX), Some(25 * MS), "no overflow");
    }
}
