//! Every stream ends with what proved who it is for. Time is the test's.

use super::{Guarded, bearer, claims_but, sign, token};
use crate::{
    server::NOW,
    socket::{HANDSHAKE, Socket},
    stream::Stream,
    wire::{get, request, within},
};
use chinwag_client::{Client, ClientError, Event, Subscription, TokenFuture, Tokens, Update};
use chinwag_model::Scope;
use futures_util::StreamExt;
use serde_json::json;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// A WebSocket of apple's feed.
pub(super) async fn open(guarded: &Guarded, token: &str) -> Socket {
    let mut connection = guarded.server.connect().await;
    let header = bearer(token);
    let headers: Vec<_> = HANDSHAKE.into_iter().chain([header.as_str()]).collect();
    connection.write(request("GET /api/ws?user=apple", &headers, "")).await;
    assert_eq!(connection.head().await.status, 101);
    let mut socket = Socket::of(connection);
    socket.expect("ready").await;
    socket
}

/// Good until this many seconds from the start.
fn until(seconds: u64) -> String {
    sign(&claims_but("apple", &json!({"exp": super::NOW_S + seconds})))
}

#[tokio::test]
async fn each_stream_ends_at_exp() {
    let guarded = Guarded::start().await;
    let short = until(30);
    let header = bearer(&short);
    let mut socket = open(&guarded, &short).await;
    let mut stream = Stream::open(&guarded.server, "user=apple", &[&header]).await;
    let ready = stream.expect("ready").await;
    let mut poll = guarded.server.connect().await;
    let since = ready.id.expect("an id");
    let line = format!("GET /api/poll?user=apple&timeout=60&since={since}");
    poll.write(request(&line, &[&header], "")).await;
    // One that lasts: the clock ends no other.
    let mut lasting = open(&guarded, &token("apple")).await;

    guarded.clock.advance(Duration::from_secs(31));
    assert_eq!(within("the WebSocket's end", socket.closed()).await, 4401);
    let close = stream.expect("close").await;
    assert_eq!(close.data, json!({"code": 4401}));
    within("the poll's end", poll.reply()).await.refused(401, "token_expired", "");
    assert_eq!(lasting.ask(r#"{"id":1,"op":"pull","chat":"apple:banana"}"#).await["status"], 200);

    // In its leeway a token still opens, until the leeway's end.
    let mut late = open(&guarded, &short).await;
    guarded.clock.advance(Duration::from_mins(1));
    assert_eq!(within("the end of the leeway", late.closed()).await, 4401);
    guarded.server.stop_with(lasting).await;
}

#[tokio::test]
async fn a_new_token_of_the_same_user_lets_a_websocket_live_on() {
    let guarded = Guarded::start().await;
    let mut socket = open(&guarded, &until(30)).await;
    let auth = |token: &str| json!({"id": 7, "op": "auth", "token": token}).to_string();

    let other = socket.ask(auth(&token("banana"))).await;
    assert_eq!((&other["status"], &other["body"]["code"]), (&json!(403), &json!("not_allowed")));
    let key = guarded.key(Scope::Admin).await;
    assert_eq!(socket.ask(auth(&key)).await["status"], 403);
    let bad = socket.ask(auth("nonsense")).await;
    assert_eq!((&bad["status"], &bad["body"]["code"]), (&json!(401), &json!("token_invalid")));
    let none = socket.ask(r#"{"id":7,"op":"auth"}"#).await;
    assert_eq!((&none["status"], &none["body"]["field"]), (&json!(400), &json!("token")));

    let renewed = socket.ask(auth(&until(100))).await;
    assert_eq!(renewed["status"], 200, "{renewed}");
    assert_eq!(renewed["body"]["until"], (super::NOW_S + 100) * 1_000_000);
    guarded.clock.advance(Duration::from_mins(1));
    // Past the first token's end; a second session that ends now shows that ends are looked at.
    let mut witness = open(&guarded, &until(70)).await;
    guarded.clock.advance(Duration::from_secs(11));
    assert_eq!(within("the witness's end", witness.closed()).await, 4401);
    assert_eq!(socket.ask(r#"{"id":1,"op":"pull","chat":"apple:banana"}"#).await["status"], 200);
    guarded.clock.advance(Duration::from_secs(40));
    assert_eq!(within("the end of the second token", socket.closed()).await, 4401);
    guarded.server.stop().await;
}

#[tokio::test]
async fn a_revoked_key_ends_at_once() {
    let guarded = Guarded::start().await;
    let key = guarded.api_keys.create("", Scope::Act, NOW).await.expect("made");
    let other = guarded.key(Scope::Act).await;
    let header = bearer(&key.secret);
    let mut socket = open(&guarded, &key.secret).await;
    let mut stream = Stream::open(&guarded.server, "user=apple", &[&header]).await;
    stream.expect("ready").await;
    let mut lasting = open(&guarded, &other).await;

    assert!(guarded.server.app.revoke_key(&key.id).await.expect("stored"));
    assert_eq!(socket.closed().await, 4401);
    assert_eq!(stream.expect("close").await.data, json!({"code": 4401}));
    let reply = guarded.server.ask(request("GET /api/presence?user=apple", &[&header], "")).await;
    reply.refused(401, "token_invalid", "");
    guarded.server.ask(get("/api/presence?user=apple")).await.refused(401, "token_missing", "");
    assert_eq!(lasting.ask(r#"{"id":1,"op":"presence","user":"apple"}"#).await["status"], 200);
    guarded.server.stop_with(lasting).await;
}

/// Gives a token that ends soon, then one that lasts.
#[derive(Default)]
struct Renewed {
    given: AtomicU64,
}

impl Tokens for Renewed {
    fn token(&self) -> TokenFuture<'_> {
        let seconds = if self.given.fetch_add(1, Relaxed) == 0 { 30 } else { 500 };
        Box::pin(async move { Ok(until(seconds)) })
    }
}

async fn update(feed: &mut Subscription) -> Result<Update, ClientError> {
    within("an update", feed.next()).await.expect("it goes on")
}

#[tokio::test]
async fn a_subscription_whose_token_ends_gets_a_new_one_and_misses_nothing() {
    let guarded = Guarded::start().await;
    let client = || Client::new(&format!("http://{}", guarded.server.address)).expect("an address");
    let tokens = Arc::new(Renewed::default());
    let mut feed = client().with_tokens(tokens.clone()).subscribe("apple");
    let mut fixed = client().with_token(&until(30)).subscribe("apple");
    for feed in [&mut feed, &mut fixed] {
        assert!(matches!(update(feed).await, Ok(Update::Ready { recovered: true, .. })));
    }
    guarded.clock.advance(Duration::from_secs(31));
    let lost = update(&mut feed).await;
    let is_its_end = |error: &ClientError| matches!(error, ClientError::Closed { code: 4401, .. });
    assert!(matches!(&lost, Ok(Update::Disconnected { error, .. }) if is_its_end(error)), "{lost:?}");
    let banana = client().with_token(&token("banana"));
    banana.send("apple:banana", "banana", "meanwhile").await.expect("sent");
    let told = update(&mut feed).await;
    assert!(
        matches!(&told, Ok(Update::Event(Event::Message { message, .. })) if message.text == "meanwhile"),
        "{told:?}"
    );
    let ready = update(&mut feed).await;
    assert!(matches!(ready, Ok(Update::Ready { recovered: true, .. })), "{ready:?}");
    assert_eq!(tokens.given.load(Relaxed), 2);
    // One that has no other says so, and ends.
    let ended = update(&mut fixed).await;
    assert!(matches!(&ended, Err(error) if is_its_end(error)), "{ended:?}");
    assert!(within("its end", fixed.next()).await.is_none());
}
