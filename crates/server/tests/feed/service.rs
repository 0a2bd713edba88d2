//! The feed as the service gives it, on the reference model and on a bus that loses what it is told to lose.

use crate::watch::within;
use chinwag::{
    hub::{self, Close, Identity, Outgoing},
    service::{Feed, Service, Subscribe},
};
use chinwag_bus::{Bus, BusFuture, Listener, Topic};
use chinwag_model::{
    Caller, Change, Chat, Event, FeedId, ManualClock, Presence, Revise, Text, Ts, UserId,
    limits::{CATCH_UP_MAX_EVENTS, OUTBOX_MAX_EVENTS},
};
use chinwag_store::{contract::draft, memory::MemoryStore};
use futures_util::FutureExt;
use serde_json::{Value, json};
use std::{
    future::ready,
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

/// Delivers at once, but for what it is told to lose.
#[derive(Default)]
struct Lossy {
    listener: OnceLock<Weak<dyn Listener>>,
    loses: AtomicBool,
}

impl Lossy {
    /// Loses all from now on.
    fn lose(&self) {
        self.loses.store(true, Relaxed);
    }

    /// Delivers again, and says that something was lost.
    fn admit(&self) {
        self.loses.store(false, Relaxed);
        self.listener().lost();
    }

    fn listener(&self) -> Arc<dyn Listener> {
        self.listener.get().and_then(Weak::upgrade).expect("a listener")
    }
}

impl Bus for Lossy {
    fn listen(&self, listener: Arc<dyn Listener>) {
        assert!(self.listener.set(Arc::downgrade(&listener)).is_ok(), "one listener");
    }

    fn publish(&self, event: Event) {
        if !self.loses.load(Relaxed) {
            self.listener().deliver(&event);
        }
    }

    fn follow(&self, _topic: Topic) -> BusFuture<'_> {
        Box::pin(ready(()))
    }

    fn leave(&self, _topic: &Topic) {}
}

struct Bench {
    service: Service,
    bus: Arc<Lossy>,
}

/// Long past what any test takes.
const NEVER: Duration = Duration::from_mins(10);

fn bench(sessions_per_user_max: usize, presence_grace: Duration) -> Bench {
    bench_of(sessions_per_user_max, presence_grace, 256 << 20)
}

fn bench_of(sessions_per_user_max: usize, presence_grace: Duration, outboxes_max_bytes: usize) -> Bench {
    let clock = Arc::new(ManualClock::at(Ts(1_000_000)));
    let bus = Arc::new(Lossy::default());
    let store = Arc::new(MemoryStore::new(clock.clone()));
    let options = hub::Options {
        sessions_per_user_max,
        presence_grace,
        outboxes_max_bytes,
        watches_max_users: 1_000_000,
    };
    Bench { service: Service::new(store, bus.clone(), clock, options), bus }
}

fn user(name: &str) -> UserId {
    UserId::parse("user", name).expect("a user")
}

impl Bench {
    fn try_subscribe(&self, name: &str, since: Option<FeedId>, watch: &[&str]) -> Option<Feed> {
        let watch = watch.iter().map(|name| user(name)).collect();
        self.service.subscribe(Identity::ANYONE, Subscribe { user: user(name), since, watch }).ok()
    }

    /// A feed that has told `ready`, and where it stood.
    async fn live(&self, name: &str) -> (Feed, FeedId) {
        let mut feed = self.try_subscribe(name, None, &[]).expect("open");
        let ready = next(&mut feed).await;
        assert_eq!(ready.name, "ready");
        (feed, ready.id.expect("an id"))
    }

    async fn presence(&self, name: &str) -> Presence {
        let mut all = self.service.presence(&Caller::Anyone, &[user(name)]).await.expect("open");
        all.pop().expect("one for each")
    }

    async fn send(&self, count: usize) {
        for _ in 0..count {
            self.service
                .send(&Caller::Anyone, draft("apple:banana", "apple", "a text"))
                .await
                .expect("stored");
        }
    }
}

async fn next(feed: &mut Feed) -> Arc<Outgoing> {
    within("an event", feed.next()).await.expect("an event")
}

/// What is there now.
fn nothing(feed: &mut Feed) -> bool {
    feed.next().now_or_never().is_none()
}

/// Takes as many messages as there are, one after another; the last one's id.
async fn take(feed: &mut Feed, seqs: std::ops::RangeInclusive<usize>) -> Option<FeedId> {
    let mut last = None;
    for seq in seqs {
        let event = next(feed).await;
        let json: Value = serde_json::from_slice(&event.json).expect("JSON");
        assert_eq!((event.name, &json["message"]["seq"]), ("message", &json!(seq)));
        assert!(event.id.map(|id| id.ts) > last.map(|id: FeedId| id.ts), "ids rise");
        last = event.id;
    }
    last
}

#[tokio::test]
async fn what_the_bus_lost_is_read_from_the_store() {
    let bench = bench(32, NEVER);
    let (mut feed, _) = bench.live("banana").await;
    bench.send(2).await;
    take(&mut feed, 1..=1).await;
    bench.bus.lose();
    bench.send(3).await;
    assert!(!nothing(&mut feed), "the second still waits");
    bench.bus.admit();
    bench.send(1).await;
    // The second was given above.
    take(&mut feed, 3..=6).await;
    assert!(nothing(&mut feed), "no second ready, and nothing twice");
}

#[tokio::test]
async fn what_waited_when_the_bus_had_lost_something_is_told_once() {
    let bench = bench(32, NEVER);
    let (mut feed, _) = bench.live("banana").await;
    bench.send(2).await;
    bench.bus.lose();
    bench.send(1).await;
    bench.bus.admit();
    bench.bus.admit();
    bench.send(1).await;
    take(&mut feed, 1..=4).await;
    assert!(nothing(&mut feed));
}

#[tokio::test]
async fn where_too_much_was_lost_the_session_has_fallen_behind() {
    let bench = bench(32, NEVER);
    let (mut feed, _) = bench.live("banana").await;
    bench.bus.lose();
    bench.send(CATCH_UP_MAX_EVENTS + 1).await;
    bench.bus.admit();
    assert_eq!(within("the end", feed.next()).await, Err(Close::FellBehind));
}

#[tokio::test]
async fn an_outbox_that_overflows_while_the_feed_catches_up_loses_nothing() {
    let bench = bench(32, NEVER);
    let (feed, start) = bench.live("banana").await;
    drop(feed);
    bench.send(5).await;
    let mut feed = bench.try_subscribe("banana", Some(start), &[]).expect("open");
    // The store is asked only now; the outbox has had all of it before.
    bench.send(OUTBOX_MAX_EVENTS + 10).await;
    let all = OUTBOX_MAX_EVENTS + 15;
    take(&mut feed, 1..=3).await;
    // And it overflows again while that is told.
    bench.send(OUTBOX_MAX_EVENTS + 10).await;
    take(&mut feed, 4..=all).await;
    let ready = next(&mut feed).await;
    assert_eq!((ready.name, ready.recovered), ("ready", Some(true)));
    take(&mut feed, all + 1..=all + OUTBOX_MAX_EVENTS + 10).await;
    bench.send(1).await;
    take(&mut feed, all + OUTBOX_MAX_EVENTS + 11..=all + OUTBOX_MAX_EVENTS + 11).await;
    assert!(nothing(&mut feed));
}

#[tokio::test]
async fn a_live_session_that_takes_nothing_falls_behind_and_resumes() {
    let bench = bench(32, NEVER);
    let (mut slow, _) = bench.live("banana").await;
    let (mut other, _) = bench.live("banana").await;
    assert!(nothing(&mut slow) && nothing(&mut other));
    bench.send(1).await;
    let seen = take(&mut slow, 1..=1).await;
    for seq in 1..=OUTBOX_MAX_EVENTS + 2 {
        take(&mut other, seq..=seq).await;
        bench.send(1).await;
    }
    assert_eq!(within("the end", slow.next()).await, Err(Close::FellBehind));
    drop(slow);
    let mut back = bench.try_subscribe("banana", seen, &[]).expect("open");
    take(&mut back, 2..=OUTBOX_MAX_EVENTS + 3).await;
    assert_eq!(next(&mut back).await.name, "ready");
    take(&mut other, OUTBOX_MAX_EVENTS + 3..=OUTBOX_MAX_EVENTS + 3).await;
}

#[tokio::test]
async fn a_session_too_many_replaces_the_oldest_even_while_it_catches_up() {
    let bench = bench(2, NEVER);
    let (_, start) = bench.live("banana").await;
    bench.send(3).await;
    let mut oldest = bench.try_subscribe("banana", Some(start), &[]).expect("open");
    take(&mut oldest, 1..=1).await;
    let (mut second, _) = bench.live("banana").await;
    let (mut third, _) = bench.live("banana").await;
    assert_eq!(within("the end", oldest.next()).await, Err(Close::Replaced));
    bench.send(1).await;
    take(&mut second, 4..=4).await;
    take(&mut third, 4..=4).await;
}

#[tokio::test]
async fn when_the_server_leaves_every_feed_ends_and_none_begins() {
    let bench = bench(32, NEVER);
    let (mut live, start) = bench.live("banana").await;
    bench.send(1).await;
    let mut asking = bench.try_subscribe("banana", Some(start), &[]).expect("open");
    bench.service.leave();
    assert_eq!(within("the end", live.next()).await, Err(Close::Restart));
    assert_eq!(within("the end", asking.next()).await, Err(Close::Restart));
    assert!(bench.try_subscribe("banana", Some(start), &[]).is_none());
}

#[tokio::test]
async fn where_something_was_lost_those_who_are_watched_are_told_anew() {
    let bench = bench(32, NEVER);
    let mut feed = bench.try_subscribe("carol", None, &["apple"]).expect("open");
    assert_eq!(next(&mut feed).await.name, "ready");
    let presence =
        |event: &Outgoing| serde_json::from_slice::<Value>(&event.json).expect("JSON")["online"].clone();
    assert_eq!(presence(&*next(&mut feed).await), false);
    assert!(nothing(&mut feed));
    bench.bus.lose();
    let (_apple, _) = bench.live("apple").await;
    // The one task that tells it has told it, into the void.
    within("the news to be told", async {
        while !bench.presence("apple").await.online {
            tokio::task::yield_now().await;
        }
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    bench.bus.admit();
    assert_eq!(presence(&*next(&mut feed).await), true);
    assert!(nothing(&mut feed), "once, and no second ready");
}

#[tokio::test]
async fn a_session_that_was_replaced_brings_nobody_back_when_it_goes() {
    let bench = bench(1, Duration::ZERO);
    let mut watcher = bench.try_subscribe("carol", None, &["banana"]).expect("open");
    assert_eq!(next(&mut watcher).await.name, "ready");
    let mut presence = async || {
        let event = next(&mut watcher).await;
        serde_json::from_slice::<Value>(&event.json).expect("JSON")["online"] == true
    };
    assert!(!presence().await);
    let (replaced, _) = bench.live("banana").await;
    assert!(presence().await);
    let (second, _) = bench.live("banana").await;
    drop(second);
    assert!(!presence().await);
    // Its face was slow to let go of it.
    drop(replaced);
    assert!(!bench.presence("banana").await.online);
}

/// Changes a message as its sender, apple.
async fn revise(bench: &Bench, seq: u64, change: Change) {
    let chat = Chat::parse("apple:banana").expect("a chat").0;
    let revise = Revise::new(chat, "sender", "apple", seq, change).expect("a member");
    bench.service.revise(&Caller::Anyone, revise).await.expect("revised");
}

async fn edit(bench: &Bench, seq: u64) {
    let text = Text::parse("another text", 100).expect("a text");
    revise(bench, seq, Change::Edit { text, window: NEVER }).await;
}

async fn unsend(bench: &Bench, seq: u64) {
    revise(bench, seq, Change::Unsend { window: NEVER }).await;
}

/// The next event's type, its message's place, whether that is unsent, and what it says.
async fn told(feed: &mut Feed) -> (&'static str, u64, bool, String) {
    let event = next(feed).await;
    let json: Value = serde_json::from_slice(&event.json).expect("JSON");
    let message = &json["message"];
    let text = message["text"].as_str().unwrap_or_default().to_owned();
    (event.name, message["seq"].as_u64().unwrap_or_default(), message["unsent"] == true, text)
}

#[tokio::test]
async fn what_waits_carries_no_text_that_was_unsent_meanwhile() {
    let bench = bench(32, NEVER);
    let (mut feed, _) = bench.live("banana").await;
    assert!(nothing(&mut feed));
    bench.send(2).await;
    edit(&bench, 1).await;
    edit(&bench, 2).await;
    unsend(&bench, 1).await;
    assert_eq!(told(&mut feed).await, ("message", 1, true, String::new()));
    assert_eq!(told(&mut feed).await, ("message", 2, false, "a text".into()));
    assert_eq!(told(&mut feed).await, ("edit", 2, false, "another text".into()));
    assert_eq!(told(&mut feed).await, ("unsend", 1, true, String::new()));
    assert!(nothing(&mut feed));
}

#[tokio::test]
async fn what_was_missed_is_told_without_the_text_that_was_unsent_meanwhile() {
    let bench = bench(32, NEVER);
    bench.send(1).await;
    let (feed, start) = bench.live("banana").await;
    drop(feed);
    bench.send(3).await;
    edit(&bench, 1).await;
    let mut feed = bench.try_subscribe("banana", Some(start), &[]).expect("open");
    assert_eq!(told(&mut feed).await, ("message", 2, false, "a text".into()));
    // The store was asked before this.
    unsend(&bench, 3).await;
    unsend(&bench, 1).await;
    assert_eq!(told(&mut feed).await, ("message", 3, true, String::new()));
    // So many more that the outbox overflows, and what was unsent then is not forgotten.
    bench.send(OUTBOX_MAX_EVENTS).await;
    unsend(&bench, 4).await;
    assert_eq!(told(&mut feed).await, ("message", 4, true, String::new()));
    assert_eq!(told(&mut feed).await.0, "ready");
    assert_eq!(told(&mut feed).await, ("unsend", 3, true, String::new()));
    assert_eq!(told(&mut feed).await, ("unsend", 1, true, String::new()));
    take(&mut feed, 5..=4 + OUTBOX_MAX_EVENTS).await;
    assert_eq!(told(&mut feed).await, ("unsend", 4, true, String::new()));
    assert!(nothing(&mut feed));
}

/// Those who take what comes stay; the one for whom the most waits goes first, and what waits stays within the bound.
#[tokio::test]
async fn where_too_much_waits_for_all_the_furthest_behind_is_closed() {
    const ROOM: usize = 64 * 1024;
    const SENT: usize = 200;
    let bench = bench_of(32, NEVER, ROOM);
    let (mut quick, start) = bench.live("banana").await;
    let (mut slow, _) = bench.live("banana").await;
    let (mut other, _) = bench.live("banana").await;
    assert!(nothing(&mut quick) && nothing(&mut slow) && nothing(&mut other));
    for sent in 1..=SENT {
        bench.send(1).await;
        take(&mut quick, sent..=sent).await;
        if sent % 2 == 0 {
            // Half as far behind.
            take(&mut other, sent / 2..=sent / 2).await;
        }
    }
    assert_eq!(within("the end", slow.next()).await, Err(Close::FellBehind));
    take(&mut other, SENT / 2 + 1..=SENT).await;
    drop(slow);
    let mut back = bench.try_subscribe("banana", Some(start), &[]).expect("open");
    take(&mut back, 1..=SENT).await;
}
