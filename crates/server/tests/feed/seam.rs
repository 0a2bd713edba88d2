//! The seam between what was missed and what is live, with writers at full speed.

use crate::{
    actor::Actor,
    random::Random,
    server::Setup,
    stream::{End, FACES, Face, Stream, Wanted},
    watch::within,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};
use tokio::{
    sync::watch,
    task::{JoinHandle, JoinSet},
};

const WRITERS: usize = 16;
const SESSIONS: usize = 240;
/// Sessions that are open at once; fewer than one user may have.
const AT_ONCE: usize = 24;
const READER: &str = "reader";

/// The messages of all writers in order of their time: what any session must have heard of, from its place on.
type History = BTreeMap<u64, Value>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_that_come_while_all_write_hear_each_message_once_and_in_order() {
    let [_, seed] = Random::seeds();
    let mut random = Random::new(seed);
    let directory = tempfile::tempdir().expect("a directory");
    let server = Setup::embedded(directory.path()).start().await;
    // Tells the epoch.
    let mut stream = Stream::open(server.address, Wanted::new(Face::Sse, READER)).await.expect("a stream");
    let ready = within("ready", stream.next()).await.expect("ready");
    let epoch = ready["id"].as_str().and_then(|id| id.split_once('-')).expect("an id").0.to_owned();
    drop(stream);
    let (times, written) = watch::channel(Vec::<u64>::new());
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> =
        (0..WRITERS).map(|writer| start_writer(writer, server.address, times.clone(), stop.clone())).collect();
    let mut sessions = JoinSet::new();
    let mut heard = Vec::new();
    for _ in 0..SESSIONS {
        if sessions.len() == AT_ONCE {
            heard.push(sessions.join_next().await.expect("some are open").expect("a session"));
        }
        let (address, written, random) = (server.address, written.clone(), Random::new(random.next()));
        sessions.spawn(session(address, epoch.clone(), written, random));
    }
    heard.extend(sessions.join_all().await);
    stop.store(true, Relaxed);
    let mut history = History::new();
    for writer in writers {
        for message in writer.await.expect("a writer") {
            history.insert(message["ts"].as_u64().expect("a time"), message);
        }
    }
    let messages: usize = heard.iter().map(|heard| heard.messages.len()).sum();
    println!("seed {seed}: {} messages written, {messages} heard by {SESSIONS} sessions", history.len());
    for heard in &heard {
        heard.verify(&history, seed);
    }
    assert!(messages > SESSIONS * 20, "they hear of many");
    server.stop().await;
}

/// Sends, and marks what it sent as read, until it is to stop. Tells when each message was stored.
fn start_writer(
    number: usize,
    address: SocketAddr,
    times: watch::Sender<Vec<u64>>,
    stop: Arc<AtomicBool>,
) -> JoinHandle<Vec<Value>> {
    tokio::spawn(async move {
        let mut connection = Actor::connect(address).await;
        let (user, chat) = (format!("writer{number}"), format!("{READER}:writer{number}"));
        let mut sent = Vec::new();
        while !stop.load(Relaxed) {
            let send = json!({"chat": chat, "sender": user, "text": "at full speed"});
            let message = connection.post("/api/send", &send).await.expect("an answer").ok();
            times.send_modify(|times| times.push(message["ts"].as_u64().expect("a time")));
            let read = json!({"chat": chat, "user": READER, "seq": message["seq"]});
            connection.post("/api/read", &read).await.expect("an answer").ok();
            sent.push(message);
        }
        sent
    })
}

/// What one session heard.
struct Heard {
    face: Face,
    since: u64,
    messages: Vec<Value>,
    /// The time of its last event.
    upto: u64,
}

/// Comes from a place of before, long ago or of this moment, and listens for a while.
async fn session(
    address: SocketAddr,
    epoch: String,
    mut written: watch::Receiver<Vec<u64>>,
    mut random: Random,
) -> Heard {
    let since = {
        let times = written.wait_for(|times| !times.is_empty()).await.expect("a writer writes");
        let back = if random.one_in(2) { random.below(20) } else { random.below(2_000) };
        let at = times.len().saturating_sub(1 + usize::try_from(back).expect("small"));
        times[at]
    };
    let face = *random.one_of(&FACES);
    let wanted = Wanted::new(face, READER).since(&format!("{epoch}-{since:014x}"));
    let mut stream = Stream::open(address, wanted).await.expect("a stream");
    let mut heard = Heard { face, since, messages: Vec::new(), upto: since };
    let mut live = None;
    while live != Some(0) {
        let event = match within("an event while all write", stream.next()).await {
            Ok(event) => event,
            // It took too slowly: what it was told must be gapless all the same.
            Err(End::Closed(4408)) => break,
            Err(end) => panic!("{face:?}: {end:?}"),
        };
        let id = event["id"].as_str().and_then(|id| id.split_once('-')).expect("an id");
        let ts = u64::from_str_radix(id.1, 16).expect("digits");
        if event["type"] == "ready" {
            assert!(live.is_none() && event["recovered"] == true && ts >= heard.upto, "{face:?}: {event}");
            live = Some(20 + random.below(200));
        } else {
            assert!(ts > heard.upto, "{face:?}: {event} after {}", heard.upto);
            live = live.map(|left| left - 1);
        }
        heard.upto = ts;
        if event["type"] == "message" {
            heard.messages.push(event["message"].clone());
        }
    }
    heard
}

impl Heard {
    fn verify(&self, history: &History, seed: u64) {
        let wanted: Vec<_> = history.range(self.since + 1..=self.upto).map(|(_, message)| message).collect();
        let heard: Vec<_> = self.messages.iter().collect();
        let at = heard.iter().zip(&wanted).position(|(heard, wanted)| heard != wanted);
        assert!(
            at.is_none() && heard.len() == wanted.len(),
            "seed {seed}: on {:?} since {}: {} of {} messages, the first that is another: {at:?}",
            self.face,
            self.since,
            heard.len(),
            wanted.len(),
        );
    }
}
