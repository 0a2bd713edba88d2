use crate::{
    feed_script::{Down, FeedScript, Visit},
    quick,
    script::{message, problem},
};
use chinwag_client::{Client, ClientError, Event, Options, Retry, Subscription, Update};
use futures_util::StreamExt as _;
use std::time::Duration;
use tokio::time::timeout;

fn client(script: &FeedScript) -> Client {
    Client::with(&script.url(), quick(1)).expect("a URL")
}

fn ready(id: &str, recovered: bool) -> Down {
    Down::Text(format!(r#"{{"type":"ready","id":"{id}","recovered":{recovered}}}"#))
}

fn told(id: &str, seq: u64) -> Down {
    Down::Text(format!(r#"{{"type":"message","id":"{id}","message":{}}}"#, message(seq)))
}

fn text(json: &str) -> Down {
    Down::Text(json.to_owned())
}

/// The next update in few words; `end` where the stream has ended.
async fn next(feed: &mut Subscription) -> String {
    let update = timeout(Duration::from_mins(1), feed.next()).await.expect("waited for the next update");
    match update {
        None => "end".into(),
        Some(Ok(Update::Ready { id, recovered })) => format!("ready {id} {recovered}"),
        Some(Ok(Update::Gap)) => "gap".into(),
        Some(Ok(Update::Event(Event::Message { id, message }))) => format!("message {id} {}", message.seq),
        Some(Ok(Update::Event(event))) => serde_json::to_string(&event).expect("JSON"),
        Some(Ok(Update::Disconnected { error: ClientError::Closed { code, .. }, .. })) => {
            format!("lost {code}")
        }
        Some(Ok(Update::Disconnected { error: ClientError::Transport(_), .. })) => "lost".into(),
        Some(Ok(Update::Disconnected { error, .. })) => format!("lost {error}"),
        Some(Ok(update)) => panic!("an update that no test knows: {update:?}"),
        Some(Err(error)) => format!("error {error}"),
    }
}

async fn check(feed: &mut Subscription, expected: &[&str]) {
    for expected in expected {
        assert_eq!(next(feed).await, *expected);
    }
}

#[tokio::test]
async fn a_feed_tells_what_comes_and_answers_pings() {
    let read = r#"{"type":"read","id":"3","chat":"a:b","user":"a","seq":5,"ts":9}"#;
    let delivered = r#"{"type":"delivered","id":"4","chat":"a:b","user":"a","seq":5,"ts":9}"#;
    let typing = r#"{"type":"typing","chat":"a:b","user":"b"}"#;
    let gone = r#"{"type":"presence","user":"b","online":false,"last_seen":7}"#;
    let came = r#"{"type":"presence","user":"b","online":true}"#;
    let newer = r#"{"type":"later","id":"5","more":7}"#;
    let downs = [read, delivered, typing, typing, gone, came, newer].map(text);
    let first = [told("1", 7), ready("2", true), Down::Ping].into_iter().chain(downs).chain([told("6", 8)]);
    let script = FeedScript::start([Visit::Feed(first.collect())]).await;
    let mut feed = client(&script).subscribe("apple & co").since("0-0").watch(["b", "c d"]);
    check(
        &mut feed,
        &["message 1 7", "ready 2 true", read, delivered, typing, typing, gone, came, "message 6 8"],
    )
    .await;
    drop(feed);
    assert_eq!(script.finish().await, ["/api/ws?user=apple%20%26%20co&since=0-0&watch=b&watch=c%20d"]);
}

#[tokio::test]
async fn a_lost_connection_is_resumed_and_nothing_is_told_twice() {
    let script = FeedScript::start([
        Visit::Feed(vec![ready("1", true), Down::Drop]),
        Visit::Feed(vec![told("2", 1), text(r#"{"type":"poke","id":"3"}"#), Down::Close(4408)]),
        Visit::Feed(vec![
            told("2", 1),
            told("4", 2),
            told("5", 1),
            ready("6", true),
            told("6", 2),
            Down::Close(1012),
        ]),
        Visit::Feed(vec![ready("6", true), told("7", 3)]),
    ])
    .await;
    let mut feed = client(&script).subscribe("a");
    check(
        &mut feed,
        &["ready 1 true", "lost", "message 2 1", "lost 4408", "message 4 2", "ready 6 true", "lost 1012"],
    )
    .await;
    check(&mut feed, &["ready 6 true", "message 7 3"]).await;
    drop(feed);
    let asked = ["user=a", "user=a&since=1", "user=a&since=3", "user=a&since=6"];
    assert_eq!(script.finish().await, asked.map(|query| format!("/api/ws?{query}")));
}

#[tokio::test]
async fn a_gap_is_told_and_not_hidden() {
    let script = FeedScript::start([Visit::Feed(vec![ready("9", false), told("10", 1)])]).await;
    let mut feed = client(&script).subscribe("a").since("1");
    check(&mut feed, &["ready 9 false", "gap", "message 10 1"]).await;
    drop(feed);
    script.finish().await;
}

#[tokio::test]
async fn closes_that_pass_are_survived_and_those_that_do_not_are_the_end() {
    let passing = [1000, 1001, 1011, 1012, 1013, 4408, 4999];
    let visits = passing.map(|code| Visit::Feed(vec![Down::Close(code)])).into_iter();
    let script = FeedScript::start(visits.chain([Visit::Feed(vec![ready("1", true)])])).await;
    let mut feed = client(&script).subscribe("a");
    for code in passing {
        check(&mut feed, &[&format!("lost {code}")]).await;
    }
    check(&mut feed, &["ready 1 true"]).await;
    drop(feed);
    script.finish().await;

    for code in [1008, 4401, 4403, 4409] {
        let script = FeedScript::start([Visit::Feed(vec![ready("1", true), Down::Close(code)])]).await;
        let mut feed = client(&script).subscribe("a");
        let error = format!("error the server ended the feed: a reason ({code})");
        check(&mut feed, &["ready 1 true", &error, "end", "end"]).await;
        script.finish().await;
    }
}

fn refusal(status: u16, code: &str) -> Visit {
    let body = problem(status, code);
    Visit::Answer(format!("HTTP/1.1 {status} Said\r\ncontent-length: {}\r\n\r\n{body}", body.len()))
}

#[tokio::test]
async fn a_refused_handshake_is_the_end_unless_it_passes() {
    let script = FeedScript::start([
        refusal(503, "unavailable"),
        refusal(429, "slower"),
        refusal(408, "timeout"),
        Visit::Answer("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 2\r\n\r\nno".into()),
        Visit::Answer(String::new()),
        refusal(400, "invalid_field"),
    ])
    .await;
    let mut feed = client(&script).subscribe("a");
    check(
        &mut feed,
        &[
            "lost text: a sentence (unavailable, 503)",
            "lost text: a sentence (slower, 429)",
            "lost text: a sentence (timeout, 408)",
            "lost the server answered 502 with something else than the contract says: no problem document: expected ident at line 1 column 2",
            "lost",
            "error text: a sentence (invalid_field, 400)",
            "end",
        ],
    )
    .await;
    script.finish().await;
}

#[tokio::test]
async fn what_is_no_feed_is_said_so() {
    let accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
    let foreign = format!(
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: {accept}\r\n\r\n"
    );
    for visit in [
        Visit::Answer(foreign),
        Visit::Answer("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".into()),
        Visit::Feed(vec![text("hello")]),
        Visit::Feed(vec![text(r#"{"type":"read","id":"1"}"#)]),
        Visit::Feed(vec![Down::Binary]),
    ] {
        let script = FeedScript::start([visit]).await;
        let mut feed = client(&script).subscribe("a");
        let error = feed.next().await.expect("an update").expect_err("no feed");
        assert!(matches!(error, ClientError::Decode { .. }), "{error:?}");
        assert_eq!(next(&mut feed).await, "end");
        script.finish().await;
    }
}

#[tokio::test]
async fn a_connection_that_is_silent_for_too_long_is_lost() {
    let script = FeedScript::start([Visit::Feed(vec![]), Visit::Feed(vec![ready("1", true)])]).await;
    let options = Options { silence_timeout: Duration::from_millis(50), ..quick(1) };
    let mut feed = Client::with(&script.url(), options).expect("a URL").subscribe("a");
    let lost = feed.next().await.expect("an update").expect("it comes back");
    let why = match lost {
        Update::Disconnected { error: ClientError::Transport(why), .. } => why,
        lost => panic!("{lost:?}"),
    };
    assert_eq!(why, "not a word from the server within 50ms");
    check(&mut feed, &["ready 1 true"]).await;
    drop(feed);
    script.finish().await;
}

#[tokio::test]
async fn waits_grow_until_a_feed_is_ready_again() {
    let cut = || Visit::Feed(vec![Down::Drop]);
    let good = || Visit::Feed(vec![ready("1", true), Down::Drop]);
    let script = FeedScript::start([cut(), cut(), cut(), cut(), good(), cut()]).await;
    let retry = Retry {
        tries: 1,
        total: Duration::ZERO,
        first_wait: Duration::from_millis(2),
        longest_wait: Duration::from_millis(8),
    };
    let mut feed = Client::with(&script.url(), Options { retry, ..quick(1) }).expect("a URL").subscribe("a");
    for most in [2, 4, 8, 8, 2, 4] {
        let wait = loop {
            match feed.next().await.expect("an update").expect("it comes back") {
                Update::Disconnected { wait, .. } => break wait,
                Update::Ready { .. } => {}
                update => panic!("{update:?}"),
            }
        };
        let most = Duration::from_millis(most);
        assert!(wait >= most / 2 && wait <= most, "{wait:?} of {most:?}");
    }
    drop(feed);
    script.finish().await;
}
