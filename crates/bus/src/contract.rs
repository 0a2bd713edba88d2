//! What every bus must do, as tests: run them on a backend with [`bus_contract_tests!`](crate::bus_contract_tests).
//!
//! A case never counts on one delivery, since a bus may lose any; it counts on being told so.

use crate::{Bus, Listener, Topic};
use chinwag_model::{Chat, Event, Marked, Marker, MarkerKind, Seq, Side, Ts, UserId};
use parking_lot::{Condvar, Mutex};
use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

/// The longest that a case waits for what must come.
const WATCHDOG: Duration = Duration::from_mins(1);

/// The ends of a new bus, as they come.
pub type Nodes<'a> = Pin<Box<dyn Future<Output = Vec<Arc<dyn Bus>>> + Send + 'a>>;

/// Makes buses of one kind.
pub trait Backend: Sync {
    /// So many nodes' ends of one new bus.
    fn nodes(&self, count: usize) -> Nodes<'_>;
    /// Whether it joins more than one node.
    fn joins_nodes(&self) -> bool;
}

/// Writes the tests of the contract for a backend: an expression that makes a [`Backend`].
#[macro_export]
macro_rules! bus_contract_tests {
    ($backend:expr) => {
        $crate::bus_contract_tests!(@each $backend,
            what_a_node_publishes_comes_in_order
            many_threads_publish_and_nothing_is_lost_in_silence
            nodes_hear_what_they_follow
        );
    };
    (@each $backend:expr, $($case:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                $crate::contract::$case(&$backend).await;
            }
        )*
    };
}

/// What a listener heard.
#[derive(Default)]
struct Heard {
    state: Mutex<State>,
    more: Condvar,
}

#[derive(Default)]
struct State {
    events: Vec<Event>,
    lost: usize,
}

impl Listener for Heard {
    fn deliver(&self, event: &Event) {
        self.state.lock().events.push(event.clone());
        self.more.notify_all();
    }

    fn lost(&self) {
        self.state.lock().lost += 1;
        self.more.notify_all();
    }
}

impl Heard {
    /// Waits until `enough` holds, or something was lost; whether it holds.
    fn wait(&self, what: &str, enough: impl Fn(&[Event]) -> bool) -> bool {
        let deadline = Instant::now() + WATCHDOG;
        let mut state = self.state.lock();
        while !enough(&state.events) && state.lost == 0 {
            let timed_out = self.more.wait_until(&mut state, deadline).timed_out();
            assert!(!timed_out, "waited for {what}; heard {} events", state.events.len());
        }
        enough(&state.events)
    }
}

fn user(name: &str) -> UserId {
    UserId::parse("user", name).expect("a user")
}

fn moved(chat: &str, ts: u64) -> Event {
    let chat = Chat::parse(chat).expect("a chat").0;
    let marker = Marker { seq: Seq(ts), ts: Ts(ts) };
    Event::Marker(Marked { chat, side: Side::First, kind: MarkerKind::Read, marker })
}

async fn node(backend: &dyn Backend, users: &[&str]) -> (Arc<dyn Bus>, Arc<Heard>) {
    let bus = backend.nodes(1).await.remove(0);
    (bus.clone(), listen(&bus, users).await)
}

async fn listen(bus: &Arc<dyn Bus>, users: &[&str]) -> Arc<Heard> {
    let heard = Arc::new(Heard::default());
    bus.listen(heard.clone());
    for name in users {
        bus.follow(Topic::Feed(user(name))).await;
    }
    heard
}

/// From one thread, in its order, each once.
pub async fn what_a_node_publishes_comes_in_order(backend: &dyn Backend) {
    let (bus, heard) = node(backend, &["a", "b"]).await;
    for ts in 1..=1_000 {
        bus.publish(moved("a:b", ts));
    }
    let whole = heard.wait("1,000 events", |events| events.len() >= 1_000);
    let state = heard.state.lock();
    let times: Vec<_> = state.events.iter().filter_map(Event::ts).map(|ts| ts.0).collect();
    assert!(times.is_sorted_by(|a, b| a < b), "out of order or doubled: {times:?}");
    assert!(whole || state.lost > 0);
}

/// Each thread's events come in its order, and all of them, or the listener hears of a loss.
pub async fn many_threads_publish_and_nothing_is_lost_in_silence(backend: &dyn Backend) {
    const THREADS: u64 = 8;
    const EACH: u64 = 500;
    let names: Vec<String> = (0..THREADS).map(|n| format!("u{n}")).collect();
    let (bus, heard) = node(backend, &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    std::thread::scope(|scope| {
        for name in &names {
            let bus = &bus;
            scope.spawn(move || (1..=EACH).for_each(|ts| bus.publish(moved(&format!("{name}:x"), ts))));
        }
    });
    let all = usize::try_from(THREADS * EACH).expect("a count");
    let whole = heard.wait("every thread's events", |events| events.len() >= all);
    let state = heard.state.lock();
    assert!(whole || state.lost > 0);
    for name in &names {
        let mine = state.events.iter().filter(|event| event.hearers().any(|hearer| hearer == name));
        let times: Vec<_> = mine.filter_map(Event::ts).map(|ts| ts.0).collect();
        assert!(times.is_sorted_by(|a, b| a < b), "{name}: {times:?}");
    }
}

/// What one node publishes reaches the other, where the bus joins nodes, also a topic that is followed late, twice, and
/// left once.
pub async fn nodes_hear_what_they_follow(backend: &dyn Backend) {
    let nodes = backend.nodes(if backend.joins_nodes() { 2 } else { 1 }).await;
    let (here, there) = (&nodes[0], nodes.last().expect("a node"));
    if nodes.len() > 1 {
        listen(here, &[]).await;
    }
    let heard = listen(there, &["a", "a"]).await;
    there.leave(&Topic::Feed(user("a")));
    here.publish(moved("a:b", 1));
    heard.wait("the first event", |events| events.contains(&moved("a:b", 1)));
    there.follow(Topic::Presence(user("c"))).await;
    let came = Event::Presence(chinwag_model::Presence { user: user("c"), online: true, last_seen: None });
    here.publish(came.clone());
    heard.wait("a presence", |events| events.contains(&came));
}
