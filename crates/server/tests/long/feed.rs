//! Feeds across restarts and kills of the real executable: clients on every face, users at work, nothing missed.

use crate::{
    actor::Actor,
    child::{Server, check_store},
    connection::Connection,
    follower::{Follower, State},
    random::{Random, rounds},
    stream::{End, FACES, Face},
    watch::within,
    watchdog::until,
};
use rustix::process::Signal;
use serde_json::Value;
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};
use tokio::{
    runtime::{Builder, Runtime},
    sync::watch,
    task::JoinHandle,
};

/// Pairs of users, each with a client that follows one of them.
const PAIRS: u64 = 12;

#[test]
fn feeds_resume_after_each_restart() {
    let [_, seed] = Random::seeds();
    let ends = survive(seed, Signal::TERM);
    // Each live stream was told that the server restarts, in the words of its face.
    let told = ends.iter().filter(|end| **end == End::Closed(1012)).count();
    println!("seed {seed}: {} streams ended by restarts, {told} with 1012", ends.len());
    assert!(told > 0, "{ends:?}");
    assert_eq!(told, ends.len(), "{ends:?}");
}

#[test]
fn feeds_resume_after_each_kill() {
    let [_, seed] = Random::seeds();
    let ends = survive(seed, Signal::KILL);
    println!("seed {seed}: {} streams ended by kills", ends.len());
    assert!(!ends.is_empty());
}

/// Where the server is; `None` while it is down, and once all is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    address: Option<SocketAddr>,
    /// How often it has started.
    life: u64,
    over: bool,
}

/// Ends the server in this way again and again, while users work and clients follow: how the streams ended that were live
/// on a WebSocket or an event stream.
fn survive(seed: u64, signal: Signal) -> Vec<End> {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("data");
    let mut random = Random::new(seed);
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let (place, _) = watch::channel(Place { address: None, life: 0, over: false });
    let done = Arc::new(AtomicU64::new(0));
    let mut server = Server::start(&data);
    tell(&place, Some(server.address()));
    let pairs: Vec<_> =
        (0..PAIRS).map(|number| Pair::start(number, &runtime, &place, &done, &mut random)).collect();
    for _ in 0..rounds() {
        let wanted = done.load(Relaxed) + 50 + random.below(600);
        until("users to work", || server.printed(), || (done.load(Relaxed) >= wanted).then_some(()));
        if signal == Signal::KILL {
            server.kill();
        } else {
            server.stop();
        }
        tell(&place, None);
        server = Server::start(&data);
        tell(&place, Some(server.address()));
    }
    let wanted = done.load(Relaxed) + 100;
    until("users to work", || server.printed(), || (done.load(Relaxed) >= wanted).then_some(()));
    place.send_modify(|place| place.over = true);
    let address = server.address();
    let ends = runtime.block_on(async {
        let mut ends = Vec::new();
        for pair in pairs {
            ends.extend(pair.finish(address).await);
        }
        ends
    });
    server.stop();
    check_store(&data);
    ends
}

fn tell(place: &watch::Sender<Place>, address: Option<SocketAddr>) {
    place.send_modify(|place| {
        place.address = address;
        place.life += 1;
    });
}

/// Two users at work, and a client that follows the first.
struct Pair {
    actors: Vec<JoinHandle<Vec<Value>>>,
    client: JoinHandle<(Follower, Vec<End>)>,
}

impl Pair {
    fn start(
        number: u64,
        runtime: &Runtime,
        place: &watch::Sender<Place>,
        done: &Arc<AtomicU64>,
        random: &mut Random,
    ) -> Self {
        let [a, b] = ["a", "b"].map(|name| format!("{name}{number}"));
        let (both, own) = (format!("{a}:{b}"), format!("{a}:{a}"));
        // What it does not hear from its first moment on would look like a gap.
        let mut follower = Follower::new(&a);
        let address = place.borrow().address.expect("a server");
        runtime.block_on(async { drop(follower.open_ready(address, Face::Sse).await) });
        let client = runtime.spawn(follow(follower, Random::new(random.next()), place.subscribe()));
        let actors = [
            Actor::new(&a, &[&both, &both, &own], Random::new(random.next())),
            Actor::new(&b, &[&both], Random::new(random.next())),
        ];
        let actors = actors.map(|actor| runtime.spawn(work(actor, place.subscribe(), done.clone())));
        Self { actors: actors.into(), client }
    }

    /// Compares what the client knows with what the store holds, and with what was acknowledged.
    async fn finish(self, address: SocketAddr) -> Vec<End> {
        let mut acknowledged = Vec::new();
        for actor in self.actors {
            acknowledged.extend(within("a user to end", actor).await.expect("every answer held"));
        }
        let (mut follower, ends) = within("a client to end", self.client).await.expect("every event held");
        let wanted = State::of(&mut Actor::connect(address).await, &follower.user).await;
        wanted.assert_holds(&acknowledged);
        assert!(acknowledged.len() > 10, "{} did next to nothing", follower.user);
        let stream = follower.open_ready(address, Face::Poll).await;
        follower.assert_knows(&wanted);
        drop(stream);
        ends
    }
}

/// Waits until there is a server in another life than `life`; `None` once all is over.
async fn await_server(place: &mut watch::Receiver<Place>, life: u64) -> Option<(SocketAddr, u64)> {
    let found = place.wait_for(|place| place.over || (place.address.is_some() && place.life > life)).await;
    let found = *found.expect("the test goes on");
    found.address.filter(|_| !found.over).map(|address| (address, found.life))
}

/// Works on one server after another.
async fn work(mut actor: Actor, mut place: watch::Receiver<Place>, done: Arc<AtomicU64>) -> Vec<Value> {
    let mut life = 0;
    loop {
        let Some((address, found)) = await_server(&mut place, life).await else { break };
        life = found;
        let Ok(mut connection) = Connection::open(address, None).await else { continue };
        while !place.borrow().over && actor.act(&mut connection).await.is_ok() {
            done.fetch_add(1, Relaxed);
        }
    }
    actor.acknowledged
}

/// Follows on one face after another, now and then cutting itself, until all is over: how the streams ended that others
/// ended, once they were live.
async fn follow(
    mut follower: Follower,
    mut random: Random,
    mut place: watch::Receiver<Place>,
) -> (Follower, Vec<End>) {
    let (mut ends, mut life) = (Vec::new(), 0);
    loop {
        let Some((address, found)) = await_server(&mut place, life).await else { return (follower, ends) };
        let face = *random.one_of(&FACES);
        let cut = random.one_in(2).then(|| usize::try_from(random.below(20_000)).expect("small"));
        let mut left = if random.one_in(2) { random.below(100) } else { u64::MAX };
        let Ok(mut stream) = follower.open(address, face, cut).await else {
            life = found;
            continue;
        };
        let end = loop {
            if left == 0 {
                break None;
            }
            tokio::select! {
                event = stream.next() => match event {
                    Ok(event) => follower.take(event),
                    Err(end) => break Some(end),
                },
                _ = place.wait_for(|place| place.over) => return (follower, ends),
            }
            left -= 1;
        };
        // One that it cut itself says nothing of the server, and is followed by another to the same.
        if let (Some(end), None) = (end, cut) {
            if follower.is_ready() && face != Face::Poll {
                ends.push(end);
            }
            life = found;
        }
    }
}
