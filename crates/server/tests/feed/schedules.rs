//! A client that is cut at random points and comes back on a random face, while two users send, revise, mark and read.

use crate::{
    actor::Actor,
    follower::{Follower, State},
    random::Random,
    server::Setup,
    stream::{FACES, Stream},
    watch::within,
};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};
use tokio::{sync::watch, task::JoinSet};

const SCHEDULES: u64 = 1_000;
/// Schedules that run at once.
const AT_ONCE: usize = 24;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_is_cut_and_moves_between_faces_ends_with_what_the_store_has() {
    let [_, seed] = Random::seeds();
    let directory = tempfile::tempdir().expect("a directory");
    let server = Setup::embedded(directory.path()).start().await;
    let next = Arc::new(AtomicU64::new(0));
    let cuts = Arc::new(AtomicU64::new(0));
    let mut workers = JoinSet::new();
    for _ in 0..AT_ONCE {
        let (next, cuts, address) = (next.clone(), cuts.clone(), server.address);
        workers.spawn(async move {
            loop {
                let number = next.fetch_add(1, Relaxed);
                if number >= SCHEDULES {
                    return;
                }
                let schedule = Schedule::new(number, Random::new(seed.wrapping_add(number << 32)));
                let schedule = tokio::spawn(schedule.run(address));
                let run = within("a schedule to end", schedule).await;
                cuts.fetch_add(
                    run.unwrap_or_else(|error| panic!("schedule {number} of seed {seed}: {error}")),
                    Relaxed,
                );
            }
        });
    }
    while let Some(worker) = workers.join_next().await {
        worker.expect("every schedule held");
    }
    let cuts = cuts.load(Relaxed);
    println!("seed {seed}: {SCHEDULES} schedules, {cuts} cuts");
    assert!(cuts > SCHEDULES, "a client is cut more than once on average, was {cuts} times");
    server.stop().await;
}

struct Schedule {
    follower: Follower,
    actors: [Actor; 2],
    random: Random,
}

/// Where a stream is cut.
enum Cut {
    /// After so many bytes, in the midst of whatever they are.
    Bytes(usize),
    /// After so many events.
    Events(u64),
    /// Once the two users have done so many things more, whether or not it has heard of them.
    Actions(u64),
}

impl Schedule {
    fn new(number: u64, mut random: Random) -> Self {
        let [a, b, c] = ["a", "b", "c"].map(|name| format!("{name}{number}"));
        let (both, own, other) = (format!("{a}:{b}"), format!("{a}:{a}"), format!("{a}:{c}"));
        let mut first = Actor::new(&a, &[&both, &both, &own, &other], Random::new(random.next()));
        let mut second = Actor::new(&b, &[&both], Random::new(random.next()));
        (first.revises, second.revises) = (true, true);
        let follower = Follower::new(if random.one_in(3) { &b } else { &a });
        Self { follower, actors: [first, second], random }
    }

    /// How often the client was cut.
    async fn run(mut self, address: SocketAddr) -> u64 {
        // Before its first message the feed is idle: the client comes back from where `ready` said that it stands.
        let face = *self.random.one_of(&FACES);
        drop(self.follower.open_ready(address, face).await);
        let (done, progress) = watch::channel(0);
        let mut workers = JoinSet::new();
        for mut actor in self.actors {
            let (done, actions) = (done.clone(), 5 + self.random.below(20));
            workers.spawn(async move {
                let mut connection = Actor::connect(address).await;
                for _ in 0..actions {
                    actor.act(&mut connection).await.expect("an answer");
                    done.send_modify(|done| *done += 1);
                }
                actor.acknowledged
            });
        }
        drop(done);
        let (cuts, live) = follow_in_pieces(&mut self.follower, &mut self.random, address, progress).await;
        let acknowledged = workers.join_all().await.concat();
        let mut connection = Actor::connect(address).await;
        let wanted = State::of(&mut connection, &self.follower.user).await;
        wanted.assert_holds(&acknowledged);
        // A stream that nobody cut tells the rest of it.
        if let Some(mut live) = live {
            self.follower.follow_to(&mut live, &wanted).await;
        }
        // All of it has happened, so all of it comes before `ready`.
        let face = *self.random.one_of(&FACES);
        let stream = self.follower.open_ready(address, face).await;
        self.follower.assert_knows(&wanted);
        drop(stream);
        cuts + 1
    }
}

/// Follows in one stream after another until the users have done all they do: how often it was cut, and the last stream,
/// where that is not to be cut.
async fn follow_in_pieces(
    follower: &mut Follower,
    random: &mut Random,
    address: SocketAddr,
    mut progress: watch::Receiver<u64>,
) -> (u64, Option<Stream>) {
    let mut cuts = 0;
    loop {
        let now = *progress.borrow();
        let cut = match random.below(4) {
            0 => Cut::Bytes(usize::try_from(random.below(4_000)).expect("small")),
            1 => Cut::Events(random.below(8)),
            _ => Cut::Actions(now + random.below(12)),
        };
        let bytes = if let Cut::Bytes(bytes) = cut { Some(bytes) } else { None };
        let actions = if let Cut::Actions(actions) = cut { actions } else { u64::MAX };
        let mut left = if let Cut::Events(events) = cut { events } else { u64::MAX };
        let Ok(mut stream) = follower.open(address, *random.one_of(&FACES), bytes).await else {
            cuts += 1;
            continue;
        };
        let all_done = loop {
            if left == 0 {
                break false;
            }
            tokio::select! {
                biased;
                event = stream.next() => match event {
                    Ok(event) => {
                        follower.take(event);
                        left -= 1;
                    }
                    Err(end) => {
                        assert!(bytes.is_some(), "{}: {end:?}, though nobody cut it", follower.user);
                        break false;
                    }
                },
                reached = progress.wait_for(|done| *done >= actions) => break reached.is_err(),
            }
        };
        if all_done {
            return (cuts, bytes.is_none().then_some(stream));
        }
        cuts += 1;
    }
}
