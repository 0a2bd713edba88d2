//! Random sends, repeats, revisions, blocks, marks, pages, inboxes, catch-ups and restarts against the store and the model, which must answer alike.

use crate::backends::Embedded;
use chinwag_model::{Chat, Data, Direction, Draft, ManualClock, MarkerKind, Ts};
use chinwag_store::{
    Retention, Store,
    contract::{
        START, UNSEND, block, blocks, draft, edit, erase, inbox, keyed, mark, query, react, revise, user,
    },
    memory::MemoryStore,
};
use proptest::{prelude::*, test_runner::TestCaseResult};
use std::{collections::HashMap, sync::Arc, time::Duration};

#[derive(Debug, Clone)]
enum Step {
    Send { chat: usize, sender: bool, text: u8, key: Option<u8>, data: Option<u8> },
    Page { chat: usize, from: u64, reverse: bool, limit: usize },
    Burst { chat: usize, count: usize },
    Mark { chat: usize, user: bool, read: bool, seq: u64 },
    Revise { chat: usize, user: bool, back: u64, change: u8 },
    Erase { chat: usize, user: bool, both: bool },
    Block { chat: usize, user: bool, on: bool },
    Inbox { user: usize, back: Option<usize>, limit: usize, chat: Option<usize> },
    CatchUp { user: usize, back: Option<usize> },
    Pass { seconds: u64 },
    SetBack { seconds: u64 },
    Jump { seconds: u64 },
    Sweep,
    Reopen { keep: usize },
}

const CHATS: [(&str, [&str; 2]); 4] =
    [("a:b", ["a", "b"]), ("b:a", ["a", "b"]), ("a:c", ["a", "c"]), ("me:me", ["me", "me"])];

/// Rules of how long history is kept: the hours, and the newest messages of a chat; 0 for all.
const KEEP: [(u64, u64); 8] = [(0, 0), (24, 0), (60, 0), (0, 1), (0, 7), (0, 40), (36, 20), (100, 64)];

const DAY_S: u64 = 24 * 60 * 60;

const USERS: [&str; 5] = ["a", "b", "c", "me", "nobody"];

fn step() -> impl Strategy<Value = Step> {
    let chat = 0..CHATS.len();
    prop_oneof![
        12 => (chat.clone(), any::<bool>(), 0..4_u8, prop::option::of(0..6_u8), prop::option::weighted(0.2, 0..2_u8))
            .prop_map(|(chat, sender, text, key, data)| Step::Send { chat, sender, text, key, data }),
        8 => (chat.clone(), prop_oneof![0..100_u64, Just((1 << 53) - 1)], any::<bool>(), 0..50_usize)
            .prop_map(|(chat, from, reverse, limit)| Step::Page { chat, from, reverse, limit }),
        8 => (chat.clone(), any::<bool>(), any::<bool>(), prop_oneof![1..100_u64, Just((1 << 53) - 1)])
            .prop_map(|(chat, user, read, seq)| Step::Mark { chat, user, read, seq }),
        8 => (chat.clone(), any::<bool>(), 0..40_u64, 0..8_u8)
            .prop_map(|(chat, user, back, change)| Step::Revise { chat, user, back, change }),
        4 => (0..CHATS.len() - 1, any::<bool>(), any::<bool>())
            .prop_map(|(chat, user, on)| Step::Block { chat, user, on }),
        6 => (0..USERS.len(), prop::option::of(0..100_usize), 0..4_usize, prop::option::weighted(0.2, chat.clone()))
            .prop_map(|(user, back, limit, chat)| Step::Inbox { user, back, limit, chat }),
        6 => (0..USERS.len(), prop::option::weighted(0.9, 0..150_usize))
            .prop_map(|(user, back)| Step::CatchUp { user, back }),
        3 => (chat.clone(), any::<bool>(), any::<bool>())
            .prop_map(|(chat, user, both)| Step::Erase { chat, user, both }),
        2 => (chat, 1..60_usize).prop_map(|(chat, count)| Step::Burst { chat, count }),
        2 => (0..60 * 60 * 30_u64).prop_map(|seconds| Step::Pass { seconds }),
        1 => (0..60 * 60 * 2_u64).prop_map(|seconds| Step::SetBack { seconds }),
        1 => (0..60 * 60 * 2_u64).prop_map(|seconds| Step::Jump { seconds }),
        1 => Just(Step::Sweep),
        1 => (0..KEEP.len()).prop_map(|keep| Step::Reopen { keep }),
    ]
}

fn send(chat: usize, sender: bool, text: u8, key: Option<u8>, data: Option<u8>) -> Draft {
    let (name, users) = CHATS[chat];
    let (user, text) = (users[usize::from(sender)], format!("text {text}"));
    let draft = match key {
        Some(key) => keyed(name, user, &text, &format!("key{key}")),
        None => draft(name, user, &text),
    };
    let data = data.map(|n| Data::from_compact(format!("{{\"n\":{n}}}")).expect("small"));
    Draft { data, ..draft }
}

fn retention(keep: usize) -> Retention {
    let (hours, messages) = KEEP[keep];
    Retention {
        max_age: (hours > 0).then(|| Duration::from_hours(hours)),
        max_messages: (messages > 0).then_some(messages),
    }
}

/// A marker that moves, or stands where it is.
async fn compare_mark(
    store: &dyn Store,
    model: &MemoryStore,
    chat: usize,
    user: bool,
    read: bool,
    seq: u64,
) -> TestCaseResult {
    let (name, users) = CHATS[chat];
    let kind = if read { MarkerKind::Read } else { MarkerKind::Delivered };
    let mark = mark(name, users[usize::from(user)], kind, seq);
    prop_assert_eq!(store.mark(mark.clone()).await, model.mark(mark).await);
    Ok(())
}

/// An edit, an unsend or a reaction, of a message so many before the last.
async fn compare_revise(
    store: &dyn Store,
    model: &MemoryStore,
    chat: usize,
    user: bool,
    back: u64,
    change: u8,
) -> TestCaseResult {
    let (name, users) = CHATS[chat];
    let last = model.page(query(name, 0, Direction::Reverse, 1)).await.expect("a page");
    let seq = last.messages.first().map_or(0, |last| last.seq.0).saturating_sub(back).max(1);
    let change = match change {
        0..=2 => edit(&format!("text {change}")),
        3 | 4 => UNSEND,
        _ => react(["👍", "🎉"][usize::from(change % 2)], change == 7),
    };
    let revise = revise(name, users[usize::from(user)], seq, change);
    prop_assert_eq!(store.revise(revise.clone()).await, model.revise(revise).await);
    Ok(())
}

/// Erases a user from a chat, in the store as in the model.
async fn erase_from(store: &dyn Store, model: &MemoryStore, chat: &str, user: &str) -> TestCaseResult {
    let last = model.page(query(chat, 0, Direction::Reverse, 1)).await.expect("a page");
    for seq in 1..=last.messages.first().map_or(0, |last| last.seq.0) {
        let erase = erase(chat, user, seq);
        prop_assert_eq!(store.revise(erase.clone()).await, model.revise(erase).await);
    }
    let (chat, _) = Chat::parse(chat).expect("a chat");
    let side = chat.side_of(user).expect("a member");
    prop_assert_eq!(store.forget(chat.clone(), side).await, model.forget(chat, side).await);
    Ok(())
}

/// Which keys may be asked with. While time is in doubt one of over 24 hours may still be known, or its message may be gone by then,
/// and both are right: so it is not asked with.
#[derive(Default)]
struct Keys {
    passed_s: u64,
    /// Whether the clock may have jumped since the start.
    in_doubt: bool,
    /// When each was first sent, by chat, sender and key.
    first_s: HashMap<(Chat, &'static str, u8), u64>,
}

impl Keys {
    fn of(chat: usize, sender: bool, key: u8) -> (Chat, &'static str, u8) {
        let (name, users) = CHATS[chat];
        (Chat::parse(name).expect("a chat").0, users[usize::from(sender)], key)
    }

    fn ask(&self, chat: usize, sender: bool, key: Option<u8>) -> Option<u8> {
        let first = |key| self.first_s.get(&Self::of(chat, sender, key));
        key.filter(|key| !(self.in_doubt && first(*key).is_some_and(|first| self.passed_s - first > DAY_S)))
    }

    fn answered(&mut self, chat: usize, sender: bool, key: Option<u8>, stored: bool) {
        if let (Some(key), true) = (self.ask(chat, sender, key), stored) {
            self.first_s.insert(Self::of(chat, sender, key), self.passed_s);
        }
    }
}

/// A block, whom its user then blocks, and with whom that user is silent.
async fn compare_block(
    store: &dyn Store,
    model: &dyn Store,
    chat: usize,
    second: bool,
    on: bool,
) -> TestCaseResult {
    let users = CHATS[chat].1;
    let (name, peer) = (users[usize::from(second)], users[usize::from(!second)]);
    let asked = block(name, peer, on);
    prop_assert_eq!(store.block(asked.clone()).await, model.block(asked).await);
    let listed = blocks(name, None, 2);
    prop_assert_eq!(store.blocks(listed.clone()).await, model.blocks(listed).await);
    let others = || USERS.map(user).to_vec();
    let of = user(name);
    prop_assert_eq!(store.silent(of.clone(), others()).await, model.silent(of, others()).await);
    Ok(())
}

async fn compare(backend: &Embedded, keep: usize, steps: &[Step]) -> TestCaseResult {
    let clock = Arc::new(ManualClock::at(START));
    let model = MemoryStore::new(clock.clone());
    model.retain(retention(keep));
    let mut store = backend.store_keeping(clock.clone(), retention(keep));
    let mut wall = START.0;
    let mut keys = Keys::default();
    // The times at which the store stood after each step.
    let mut times = vec![0];
    for step in steps {
        times.extend(model.catch_up(user("a"), None).await.map(|caught| caught.upto.0));
        match *step {
            Step::Send { chat, sender, text, key, data } => {
                let draft = send(chat, sender, text, keys.ask(chat, sender, key), data);
                let (stored, expected) = (store.append(draft.clone()).await, model.append(draft).await);
                prop_assert_eq!(&stored, &expected);
                keys.answered(chat, sender, key, stored.is_ok_and(|stored| !stored.replayed));
            }
            Step::Burst { chat, count } => {
                for n in 0..count {
                    let draft = send(chat, n % 3 == 0, 9, None, None);
                    prop_assert_eq!(store.append(draft.clone()).await, model.append(draft).await);
                }
            }
            Step::Page { chat, from, reverse, limit } => {
                let direction = if reverse { Direction::Reverse } else { Direction::Forward };
                let query = query(CHATS[chat].0, from, direction, limit);
                prop_assert_eq!(store.page(query.clone()).await, model.page(query).await);
            }
            Step::Mark { chat, user, read, seq } => {
                compare_mark(&*store, &model, chat, user, read, seq).await?;
            }
            Step::Revise { chat, user, back, change } => {
                compare_revise(&*store, &model, chat, user, back, change).await?;
            }
            Step::Erase { chat, user, both } => {
                let (name, users) = CHATS[chat];
                for second in [user, !user].into_iter().take(1 + usize::from(both)) {
                    erase_from(&*store, &model, name, users[usize::from(second)]).await?;
                }
            }
            Step::Block { chat, user, on } => compare_block(&*store, &model, chat, user, on).await?,
            Step::Inbox { user, back, limit, chat } => {
                let name = USERS[user];
                let chat =
                    chat.map(|chat| CHATS[chat].0).filter(|chat| chat.split(':').any(|one| one == name));
                let cursor = back.map_or(0, |back| times[times.len().saturating_sub(back + 1)]);
                let query = inbox(name, cursor, limit, chat);
                prop_assert_eq!(store.inbox(query.clone()).await, model.inbox(query).await);
            }
            Step::CatchUp { user: name, back } => {
                // Back 0 is ahead of the store.
                let at = |back| times.len().checked_sub(back).and_then(|at| times.get(at));
                let since = back.map(|back| Ts(at(back).copied().unwrap_or(1 << 52)));
                let user = user(USERS[name]);
                prop_assert_eq!(store.catch_up(user.clone(), since).await, model.catch_up(user, since).await);
            }
            Step::Pass { seconds } => {
                clock.advance(Duration::from_secs(seconds));
                keys.passed_s += seconds;
                wall += seconds * 1_000_000;
            }
            Step::SetBack { seconds } => {
                wall -= seconds * 1_000_000;
                clock.step_to(Ts(wall));
            }
            Step::Jump { seconds } => {
                keys.in_doubt = true;
                wall += seconds * 1_000_000;
                clock.step_to(Ts(wall));
            }
            Step::Sweep => drop(store.sweep().await.expect("swept")),
            Step::Reopen { keep } => {
                keys.in_doubt = false;
                store.close().await.expect("closed");
                drop(store);
                store = backend.store_keeping(clock.clone(), retention(keep));
                // A start trusts the clock.
                model.confirm_clock();
                model.retain(retention(keep));
            }
        }
        // Both see each step of the clock, as the thread that sweeps may at any time.
        let query = query("a:b", 0, Direction::Forward, 50);
        prop_assert_eq!(store.page(query.clone()).await, model.page(query).await);
    }
    store.close().await.expect("closed");
    drop(store);
    let report = chinwag_store::embedded::check(backend.path(), &mut |_| {}).expect("checked");
    prop_assert_eq!(report.problems, Vec::<String>::new());
    Ok(())
}

fn run(backend: impl Fn() -> Embedded, keep: usize, steps: &[Step]) -> TestCaseResult {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(compare(&backend(), keep, steps))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_store_answers_as_the_model(keep in 0..KEEP.len(), steps in prop::collection::vec(step(), 1..120)) {
        run(Embedded::new, keep, &steps)?;
    }

    #[test]
    fn the_store_answers_as_the_model_without_cache(keep in 0..KEEP.len(), steps in prop::collection::vec(step(), 1..120)) {
        run(Embedded::without_cache, keep, &steps)?;
    }
}
