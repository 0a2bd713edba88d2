//! One server, tormented for a short while, and what the judge says.

use crate::{
    planted::{Plant, Planted},
    server::Setup,
};
use chinwag::{
    identity::{ApiKeys, Door, Expectations, KeySet, SigningKey},
    torture::{ApiKey, Gate, Pace, Random, Setting, torment},
};
use chinwag_model::{Clock, Scope, SystemClock};
use chinwag_store::embedded::{self, EmbeddedStore};
use chinwag_torture::{
    history::Record,
    judge::{Broken, Promise, judge},
};
use std::{io, sync::Arc, time::Duration};
use tokio::runtime;

const SECRET: &[u8] = b"a secret of tests, of 32 bytes or more";
/// Records after which the clients are stopped.
const RECORDS: usize = 4_000;
const PACE: Pace = Pace { rest: Duration::from_millis(1), follow: Duration::from_millis(120) };

/// How the server finds out who asks.
pub(crate) enum Asks {
    /// As it should.
    Well,
    /// Not at all.
    Nobody,
    /// By this clock.
    By(Arc<dyn Clock>),
}

pub(crate) fn seed() -> u64 {
    std::env::var("CHINWAG_TEST_SEED").map_or(1, |seed| seed.parse().expect("a number"))
}

/// Torments a server with this fault; the history.
pub(crate) fn history(plant: Plant, asks: &Asks, seed: u64) -> Vec<Record> {
    let runtime = runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let directory = tempfile::tempdir().expect("a directory");
    let clock = Arc::new(SystemClock::default());
    let options = embedded::Options { disk_reserve_bytes: 0, ..embedded::Options::default() };
    let (server, api_keys, lasting, doomed) = runtime.block_on(async {
        let store =
            Arc::new(EmbeddedStore::open(directory.path(), &options, clock.clone()).expect("a store"));
        let keys = KeySet::open(Some(SECRET), None, None, clock.clone()).await.expect("a secret");
        let api_keys = ApiKeys::open(store.clone()).await.expect("none yet");
        let key = async || {
            let made = api_keys.create("", Scope::Act, clock.read().wall).await.expect("made");
            ApiKey { id: made.id.as_str().to_owned(), secret: made.secret }
        };
        let (lasting, doomed) = (key().await, key().await);
        let of_door = match asks {
            Asks::By(clock) => Some(clock.clone()),
            Asks::Well => Some(clock.clone() as Arc<dyn Clock>),
            Asks::Nobody => None,
        };
        let mut setup = Setup::on(Arc::new(Planted::new(store.clone(), plant)), clock.clone());
        if let Some(clock) = of_door {
            setup.door = Door::guarded(keys, api_keys.clone(), Expectations::default(), clock);
        }
        (setup.start().await, api_keys, lasting, doomed)
    });
    let signer = SigningKey::of_secret(SECRET).expect("long enough");
    let setting = Setting {
        address: server.address,
        users: ["apple", "banana", "cherry"].map(str::to_owned).to_vec(),
        gate: Some(Gate { signer, clock: clock.clone(), lasting, doomed }),
        clients: 4,
        pace: PACE,
    };
    let ended = torment(setting, &mut Random::new(seed), |round| {
        round.await_records(RECORDS / 2)?;
        round.revoke(|id| {
            let id = chinwag_model::KeyId::parse(id).expect("an id");
            let revoked = runtime.block_on(api_keys.revoke(&id, clock.read().wall));
            revoked.map(drop).map_err(io::Error::other)
        })?;
        round.await_records(RECORDS)
    });
    runtime.block_on(server.stop());
    ended.expect("the server answers").0
}

/// Plants a fault, and demands that the judge names the promise that it breaks: with this seed, or with one of the two next,
/// for what the threads do in which order is nobody's choice.
pub(crate) fn finds(promise: Promise, plant: Plant, asks: &Asks) {
    let mut found = Vec::new();
    for seed in seed()..seed() + 3 {
        found = judge(&history(plant, asks, seed));
        let of_it: Vec<&Broken> = found.iter().filter(|broken| broken.promise == promise).collect();
        if let [one, ..] = of_it[..] {
            return println!("{plant:?}, seed {seed}: {} times, such as {one}", of_it.len());
        }
    }
    panic!("{plant:?}: {promise:?} is not among {found:#?}");
}
