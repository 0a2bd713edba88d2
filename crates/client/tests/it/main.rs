//! The client against a server that follows a script, failing in every way that a network and a proxy can.

mod feed;
mod feed_script;
mod script;
mod verbs;

use chinwag_client::{Client, ClientError, Options, Retry};
use futures_util::StreamExt;
use script::{Act, Script, message, page, problem};
use serde_json::json;
use std::time::Duration;

/// Retries at once, so that no test waits.
fn quick(tries: u32) -> Options {
    Options { retry: Retry { tries, first_wait: Duration::ZERO, ..Retry::default() }, ..Options::default() }
}

fn client(script: &Script, tries: u32) -> Client {
    Client::with(&script.url(), quick(tries)).expect("a URL")
}

#[tokio::test]
async fn a_send_carries_its_request_and_a_key_of_its_own() {
    let script = Script::start([Act::answer(200, &message(7)), Act::answer(200, &message(8))]).await;
    let client = client(&script, 1);
    let sent = client.send("apple:banana", "apple", "Hello \"you\" 👍").await.expect("sent");
    assert_eq!((sent.message.seq, sent.message.sender.as_str(), sent.replayed), (7, "apple", false));
    assert_eq!(sent.message.data.expect("data").as_str(), r#"{"big":123456789012345678901234567890.10}"#);
    client.send("apple:banana", "apple", "x").key("mine").data(&json!({"a": [1, null]})).await.expect("sent");

    let seen = script.finish().await;
    let first = seen[0].json();
    let key = first["key"].as_str().expect("a key");
    assert!(key.len() == 32 && key.bytes().all(|b| b.is_ascii_hexdigit()), "{key}");
    assert_eq!(first["text"], "Hello \"you\" 👍");
    assert_eq!((first["chat"].as_str(), first["sender"].as_str()), (Some("apple:banana"), Some("apple")));
    assert!(seen[0].head.starts_with("POST /api/send HTTP/1.1\r\n"), "{}", seen[0].head);
    assert!(seen[0].head.to_lowercase().contains("content-type: application/json\r\n"), "{}", seen[0].head);
    let second = seen[1].json();
    assert_eq!(second["key"], "mine");
    assert_eq!(second["data"], json!({"a": [1, null]}));
    assert_eq!(seen[0].connection, seen[1].connection, "the connection is used again");
}

#[tokio::test]
async fn what_a_repeat_may_mend_is_repeated_with_the_same_key() {
    let script = Script::start([
        Act::DropConnection,
        Act::answer(503, &problem(503, "busy")).with("Retry-After: 0"),
        Act::answer(503, &problem(503, "outcome_unknown")),
        Act::answer(500, &problem(500, "outcome_unknown")),
        Act::answer(429, &problem(429, "slow_down")),
        Act::answer(502, "<html>Bad Gateway</html>"),
        Act::answer(504, ""),
        Act::CutBody,
        Act::answer(200, &message(3)).with("Idempotent-Replayed: true"),
    ])
    .await;
    let sent = client(&script, 9).send("apple:banana", "apple", "x").await.expect("sent in the end");
    assert!(sent.replayed);
    assert_eq!(sent.message.seq, 3);
    let seen = script.finish().await;
    assert_eq!(seen.len(), 9);
    assert!(seen.iter().all(|request| request.body == seen[0].body), "every try is the same request");
}

#[tokio::test]
async fn what_a_repeat_cannot_mend_is_not_repeated() {
    for (status, code) in [
        (400, "text_too_long"),
        (403, "not_a_member"),
        (404, "no_such_path"),
        (408, "timeout"),
        (413, "too_large"),
        (422, "key_reused"),
        (500, "internal"),
        (507, "storage_full"),
    ] {
        let script = Script::start([Act::answer(status, &problem(status, code))]).await;
        let error = client(&script, 5).send("apple:banana", "apple", "x").await.expect_err("refused");
        let ClientError::Problem(problem) = &error else { panic!("{error:?}") };
        assert_eq!((problem.status, problem.code.as_str()), (status, code));
        assert_eq!(problem.field.as_deref(), Some("text"));
        assert_eq!(error.to_string(), format!("text: a sentence ({code}, {status})"));
        assert_eq!(script.finish().await.len(), 1);
    }
}

#[tokio::test]
async fn an_answer_outside_the_contract_is_said_so() {
    let script = Script::start([Act::answer(200, r#"{"seq":"#)]).await;
    let error = client(&script, 5).send("apple:banana", "apple", "x").await.expect_err("garbage");
    assert!(matches!(error, ClientError::Decode { status: 200, .. }), "{error:?}");
    assert_eq!(script.finish().await.len(), 1);

    let script = Script::start([Act::Raw(b"SSH-2.0-OpenSSH_9.2\r\n\r\n".to_vec())]).await;
    let error = client(&script, 1).send("apple:banana", "apple", "x").await.expect_err("garbage");
    assert!(matches!(error, ClientError::Transport(_)), "{error:?}");
}

#[tokio::test]
async fn it_gives_up_and_says_on_what() {
    let busy = || Act::answer(503, &problem(503, "busy"));
    let script = Script::start([busy(), busy(), busy()]).await;
    let error = client(&script, 3).send("apple:banana", "apple", "x").await.expect_err("busy for ever");
    let ClientError::GaveUp { tries: 3, last } = &error else { panic!("{error:?}") };
    assert!(matches!(**last, ClientError::Problem(_)));
    assert_eq!(error.problem().map(|problem| problem.code.as_str()), Some("busy"));
    assert_eq!(script.finish().await.len(), 3);

    let script = Script::start([busy().with("Retry-After: 3600")]).await;
    let error = client(&script, 3).send("apple:banana", "apple", "x").await.expect_err("not within the time");
    let ClientError::GaveUp { tries: 1, last } = error else { panic!("{error:?}") };
    assert_eq!(last.problem().and_then(|problem| problem.retry_after), Some(Duration::from_hours(1)));
}

#[tokio::test]
async fn a_server_that_is_silent_or_gone_is_a_transport_error() {
    let script = Script::start([Act::Silence]).await;
    let options = Options { try_timeout: Duration::from_millis(50), ..quick(1) };
    let client = Client::with(&script.url(), options).expect("a URL");
    let error = client.pull("a:b").page().await.expect_err("silence");
    assert!(matches!(&error, ClientError::Transport(why) if why.contains("50ms")), "{error:?}");
    assert_eq!(script.finish().await.len(), 1);

    let gone = Script::start([]).await;
    let url = gone.url();
    gone.finish().await;
    let error = Client::with(&url, quick(2)).expect("a URL").ready().await.expect_err("gone");
    assert!(matches!(&error, ClientError::Transport(why) if why.contains("refused")), "{error:?}");
}

#[tokio::test]
async fn pages_follow_the_cursor_and_end() {
    let script = Script::start([
        Act::answer(200, &page(&[9, 8], Some(7))),
        Act::DropConnection,
        Act::answer(200, &page(&[7, 6], Some(5))),
        Act::answer(200, &page(&[5], None)),
    ])
    .await;
    let pull = client(&script, 2).pull("apple:banana").limit(2).reverse(true);
    let seqs = pull
        .pages()
        .map(|page| page.expect("a page").messages.iter().map(|message| message.seq).collect::<Vec<_>>())
        .collect::<Vec<_>>()
        .await;
    assert_eq!(seqs, [vec![9, 8], vec![7, 6], vec![5]]);
    let seen = script.finish().await;
    assert!(seen[0].head.starts_with("POST /api/pull HTTP/1.1\r\n"), "{}", seen[0].head);
    assert_eq!(seen[0].json(), json!({"chat": "apple:banana", "limit": 2, "reverse": true}));
    let cursors = seen.iter().map(|request| request.json()["cursor"].as_u64()).collect::<Vec<_>>();
    assert_eq!(cursors, [None, Some(7), Some(7), Some(5)]);
}

#[tokio::test]
async fn a_stream_of_pages_ends_after_an_error_and_never_turns_in_circles() {
    let script = Script::start([
        Act::answer(200, &page(&[1], Some(1))),
        Act::answer(200, &page(&[1], Some(1))),
        Act::answer(400, &problem(400, "invalid")),
    ])
    .await;
    let client = client(&script, 1);
    let pages = client.pull("a:b").pages().collect::<Vec<_>>().await;
    assert_eq!(pages.len(), 2);
    assert!(matches!(pages[1], Err(ClientError::Decode { .. })), "{:?}", pages[1]);
    let pages = client.pull("a:b").pages().collect::<Vec<_>>().await;
    assert!(matches!(pages[..], [Err(ClientError::Problem(_))]), "{pages:?}");
    script.finish().await;
}

#[tokio::test]
async fn ready_tells_and_does_not_repeat() {
    let script = Script::start([
        Act::answer(200, "{}"),
        Act::answer(503, &problem(503, "unavailable")).with("Retry-After: 1"),
    ])
    .await;
    let client = client(&script, 5);
    client.ready().await.expect("ready");
    let error = client.ready().await.expect_err("not ready");
    assert!(matches!(&error, ClientError::Problem(problem) if problem.code == "unavailable"), "{error:?}");
    let seen = script.finish().await;
    assert_eq!(seen.len(), 2);
    assert!(seen[0].head.starts_with("GET /readyz HTTP/1.1\r\n"), "{}", seen[0].head);
}

#[test]
fn a_bad_address_is_refused_before_anything_is_sent() {
    for bad in [
        "",
        "localhost:8080",
        "ftp://localhost",
        "https://",
        "http://",
        "/api",
        "http://localhost:8080/?a=b",
        "http://a b/",
    ] {
        assert!(matches!(Client::new(bad), Err(ClientError::Request(_))), "{bad:?}");
    }
    for good in [
        "http://localhost:8080",
        "https://localhost",
        "http://localhost:8080/",
        "http://[::1]:1/behind/a/proxy/",
    ] {
        assert!(Client::new(good).is_ok(), "{good:?}");
    }
}

/// Tokens that are numbered.
struct Numbered(std::sync::atomic::AtomicU32);

impl chinwag_client::Tokens for Numbered {
    fn token(&self) -> chinwag_client::TokenFuture<'_> {
        let number = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Box::pin(async move { Ok(format!("token-{number}")) })
    }
}

#[tokio::test]
async fn a_token_is_shown_and_renewed_once_when_it_is_taken_no_more() {
    let expired = || Act::answer(401, &problem(401, "token_expired"));
    let script =
        Script::start([Act::answer(200, &message(1)), expired(), Act::answer(200, &message(2))]).await;
    let renewing = client(&script, 5).with_tokens(std::sync::Arc::new(Numbered(0.into())));
    for _ in 0..2 {
        renewing.send("apple:banana", "apple", "x").await.expect("sent");
    }
    let seen = script.finish().await;
    let shown = |number: u32| format!("authorization: bearer token-{number}\r\n");
    for (request, number) in seen.iter().zip([0, 0, 1]) {
        assert!(request.head.to_lowercase().contains(&shown(number)), "{}", request.head);
    }

    let script = Script::start([expired(), expired()]).await;
    let renewing = client(&script, 5).with_tokens(std::sync::Arc::new(Numbered(0.into())));
    let error = renewing.send("apple:banana", "apple", "x").await.expect_err("refused twice");
    assert_eq!(error.problem().map(|problem| problem.code.as_str()), Some("token_expired"));
    assert_eq!(script.finish().await.len(), 2);

    let script = Script::start([expired()]).await;
    let fixed = client(&script, 5).with_token("secret");
    let error = fixed.send("apple:banana", "apple", "x").await.expect_err("refused");
    assert!(!format!("{fixed:?} {error:?} {error}").contains("secret"));
    assert_eq!(script.finish().await.len(), 1);
}
