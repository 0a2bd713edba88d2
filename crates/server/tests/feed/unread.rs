//! Inboxes after each step of random histories, against the reference model: unread counts, markers, order and pages.

use crate::{
    actor::Actor,
    connection::Connection,
    random::Random,
    server::{Server, Setup},
};
use chinwag_model::{
    Chat, InboxEntry, InboxQuery, ManualClock, Mark, MarkerKind, Seq, Side, Ts, UserId,
};
use chinwag_store::{Store, contract::draft, memory::MemoryStore};
use serde_json::{Value, json};
use std::{path::Path, sync::Arc};

const USERS: [&str; 4] = ["apple", "banana", "cherry", "dill"];
const CHATS: [&str; 6] =
    ["apple:banana", "apple:cherry", "banana:cherry", "apple:apple", "apple:dill", "banana:dill"];
const STEPS: usize = 150;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unread_counts_are_those_of_the_model_after_each_step() {
    for seed in Random::seeds() {
        let directory = tempfile::tempdir().expect("a directory");
        Histories::new(seed, directory.path()).await.run(directory.path()).await;
    }
}

struct Histories {
    seed: u64,
    random: Random,
    model: MemoryStore,
    server: Server,
    connection: Connection,
    log: Vec<String>,
}

impl Histories {
    async fn new(seed: u64, directory: &Path) -> Self {
        let server = Setup::embedded(directory).start().await;
        let connection = Actor::connect(server.address).await;
        let model = MemoryStore::new(Arc::new(ManualClock::at(Ts(1_000_000))));
        Self { seed, random: Random::new(seed), model, server, connection, log: Vec::new() }
    }

    async fn run(mut self, directory: &Path) {
        for step in 0..STEPS {
            if step % 50 == 49 {
                // What is counted in memory is counted anew after a restart.
                self.server.stop().await;
                self.server = Setup::embedded(directory).start().await;
                self.connection = Actor::connect(self.server.address).await;
            }
            self.step().await;
            for user in USERS {
                self.compare(user).await;
            }
        }
        self.server.stop().await;
    }

    async fn step(&mut self) {
        let chat = *self.random.one_of(&CHATS);
        let (parsed, _) = Chat::parse(chat).expect("a chat");
        let side = *self.random.one_of(parsed.sides());
        let user = parsed.user(side).to_owned();
        if self.random.below(5) < 3 {
            self.log.push(format!("{user} sends in {chat}"));
            self.model.append(draft(chat, &user, "a text")).await.expect("stored");
            let request = json!({"chat": chat, "sender": user, "text": "a text"});
            self.connection.post("/api/send", &request).await.expect("an answer").ok();
            return;
        }
        let (name, kind) = *self.random.one_of(&[
            ("read", MarkerKind::Read),
            ("read", MarkerKind::Read),
            ("delivered", MarkerKind::Delivered),
        ]);
        let seq = 1 + self.random.below(20);
        self.log.push(format!("{user}: {name} to {seq} in {chat}"));
        let mark = Mark { chat: parsed, side, kind, seq: Seq(seq) };
        let marked = self.model.mark(mark).await.expect("marked");
        let request = json!({"chat": chat, "user": user, "seq": seq});
        let reply = self.connection.post(&format!("/api/{name}"), &request).await.expect("an answer").ok();
        assert_eq!(reply[name], marked.marker.seq.0, "seed {}: {:?}", self.seed, self.log);
    }

    /// The whole inbox, in pages of a random size, and one chat alone.
    async fn compare(&mut self, user: &str) {
        let id = UserId::parse("user", user).expect("a user");
        let query = InboxQuery { user: id.clone(), before: None, limit: 100, chat: None };
        let wanted = self.model.inbox(query).await.expect("an inbox");
        let limit = 1 + self.random.below(4);
        let (mut found, mut cursor) = (Vec::new(), 0);
        loop {
            let path = format!("/api/chats?user={user}&limit={limit}&cursor={cursor}");
            let page = self.connection.get(&path).await.expect("an answer").ok();
            assert_eq!(page["unread_total"], wanted.unread_total, "seed {}: {:?}", self.seed, self.log);
            found.extend(page["chats"].as_array().expect("chats").iter().map(told));
            match page["next_cursor"].as_u64() {
                Some(next) => cursor = next,
                None => break,
            }
        }
        let all: Vec<_> = wanted.entries.iter().map(modelled).collect();
        assert_eq!(found, all, "seed {}, {user}, {limit} a page: {:#?}", self.seed, self.log);
        let chat = *self.random.one_of(&CHATS);
        if chat.split(':').any(|member| member == user) {
            let path = format!("/api/chats?user={user}&chat={chat}");
            let page = self.connection.get(&path).await.expect("an answer").ok();
            let found: Vec<_> = page["chats"].as_array().expect("chats").iter().map(told).collect();
            let one: Vec<_> = all.into_iter().filter(|entry| entry["chat"] == chat).collect();
            assert_eq!(found, one, "seed {}, {user} in {chat}: {:#?}", self.seed, self.log);
        }
    }
}

/// What an entry says, but for times: the two have clocks of their own.
fn told(entry: &Value) -> Value {
    let mut entry = entry.clone();
    for time in ["ts", "send_time"] {
        let taken = entry["last_message"].as_object_mut().and_then(|message| message.remove(time));
        assert!(taken.is_some(), "{entry}");
    }
    entry
}

fn modelled(entry: &InboxEntry) -> Value {
    let InboxEntry { chat, side, last, unread, first_seq, markers } = entry;
    let of = |kind: MarkerKind| -> Value {
        let marker = |&side: &Side| (chat.user(side).to_owned(), json!(markers[side.index()].get(kind).seq.0));
        chat.sides().iter().map(marker).collect::<serde_json::Map<_, _>>().into()
    };
    json!({
        "chat": chat.as_str(),
        "peer": chat.user(side.other()),
        "last_message": {
            "chat": chat.as_str(),
            "text": *last.text,
            "sender": chat.user(last.sender),
            "seq": last.seq.0,
        },
        "unread": unread,
        "first_seq": first_seq.0,
        "read": of(MarkerKind::Read),
        "delivered": of(MarkerKind::Delivered),
    })
}
