//! How long history is kept: the rules that every backend keeps alike.

use chinwag_model::{
    Seq, Ts,
    limits::{CHANGES_KEEP, KEY_WINDOW, RETAIN_STEP},
};
use std::time::Duration;

/// How long history is kept. The default keeps all of it.
///
/// What has expired is in no reply and no event, counts as unread no more, and is changed no more, at once and for good: a
/// looser rule brings nothing back. A chat's numbers go on. Only a repeat of a send's key is still answered with its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retention {
    /// The age past which a message expires; shorter than [`KEY_WINDOW`] counts as that.
    pub max_age: Option<Duration>,
    /// The newest messages of each chat that are kept; 0 counts as 1.
    pub max_messages: Option<u64>,
}

impl Retention {
    /// Whether anything expires.
    pub(crate) fn is_on(&self) -> bool {
        *self != Self::default()
    }

    /// Once a server has run for so long, all that was stored before it began is too old for whatever goes by age.
    pub(crate) fn longest(&self) -> Duration {
        self.max_age.unwrap_or_default().max(CHANGES_KEEP).max(KEY_WINDOW)
    }

    /// The newest messages of each chat that are kept; 0: all.
    pub(crate) fn keep(&self) -> u64 {
        self.max_messages.map_or(0, |most| most.max(1))
    }
}

/// How far time has come, as expiry sees it: in steps, and never back, whatever the clock or the settings do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Reach {
    /// The step that time has reached.
    pub(crate) reached: Ts,
    /// Messages from before this have expired.
    pub(crate) cut: Ts,
}

impl Reach {
    /// Where it comes to at `now`; `None` where it stands there.
    pub(crate) fn at(self, retention: &Retention, now: Ts) -> Option<Self> {
        let step_us = us(RETAIN_STEP);
        let reached = self.reached.max(Ts(now.0 - now.0 % step_us));
        let age = retention.max_age.map(|age| us(age.max(KEY_WINDOW)));
        let cut = age.map_or(Ts(0), |age| Ts(reached.0.saturating_sub(age)));
        // Within a step there may be another setting, which holds at once.
        let next = Self { reached, cut: cut.max(self.cut) };
        (next != self).then_some(next)
    }

    /// Messages from before this hold no key that is still known.
    pub(crate) fn keys_cut(self) -> Ts {
        Ts(self.reached.0.saturating_sub(us(KEY_WINDOW)))
    }
}

/// Which messages of a chat have expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Limits {
    /// Those from before this.
    pub(crate) cut: Ts,
    /// Those that so many follow; 0: none for that.
    pub(crate) keep: u64,
}

impl Limits {
    /// The first message that is kept for its number, of a chat with this last one.
    pub(crate) fn by_count(self, last: Seq) -> Seq {
        first_kept(self.keep, last)
    }
}

/// The first of the newest `keep` messages of a chat; of all where that is 0.
pub(crate) fn first_kept(keep: u64, last: Seq) -> Seq {
    if keep == 0 { Seq(1) } else { Seq((last.0 + 1).saturating_sub(keep).max(1)) }
}

fn us(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expiry_moves_in_steps_and_never_back() {
        let day = Duration::from_hours(24);
        let (minute, day_us) = (us(RETAIN_STEP), us(day));
        let kept = Retention { max_age: Some(2 * day), max_messages: None };
        let now = Ts(10 * day_us + 5);
        let first = Reach::default().at(&kept, now).expect("it moves");
        assert_eq!(first, Reach { reached: Ts(10 * day_us), cut: Ts(8 * day_us) });
        assert_eq!(first.keys_cut(), Ts(9 * day_us));
        assert_eq!(first.at(&kept, Ts(now.0 + minute - 6)), None, "within the step");
        assert_eq!(first.at(&kept, Ts(day_us)), None, "the clock went back");
        let second = first.at(&kept, Ts(now.0 + minute)).expect("the next step");
        assert_eq!(second.cut, Ts(8 * day_us + minute));
        let shorter = Retention { max_age: Some(day), max_messages: None };
        assert_eq!(
            first.at(&shorter, now).expect("it moves").cut,
            Ts(9 * day_us),
            "another setting holds at once"
        );
        let looser = Retention { max_age: Some(9 * day), max_messages: None };
        assert_eq!(second.at(&looser, Ts(11 * day_us)).expect("a day").cut, second.cut);
        let off = second.at(&Retention::default(), Ts(11 * day_us)).expect("a day");
        assert_eq!(off, Reach { reached: Ts(11 * day_us), cut: second.cut }, "keys go on to be forgotten");
        let hour = Retention { max_age: Some(Duration::from_hours(1)), max_messages: None };
        assert_eq!(Reach::default().at(&hour, now).expect("it moves").cut, Ts(9 * day_us), "no key is lost");
    }

    #[test]
    fn the_newest_are_kept() {
        let first = |keep, last| first_kept(keep, Seq(last)).0;
        assert_eq!((first(0, 9), first(3, 0), first(3, 2), first(3, 3), first(3, 4)), (1, 1, 1, 1, 2));
        assert_eq!((first(1, 9), first(u64::MAX, 9)), (9, 1));
        assert_eq!(Retention { max_age: None, max_messages: Some(0) }.keep(), 1);
    }
}
