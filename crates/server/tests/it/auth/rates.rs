//! How often a caller may ask, on every face, by the clock that was passed in.

use super::{Guarded, NOW_S, SECRET, bearer, claims_but, sign, token};
use crate::{
    openapi::check_headers,
    server::NOW,
    socket::{HANDSHAKE, Socket},
    wire::{JSON, Reply, request},
};
use chinwag::{
    identity::KeySet,
    rates::{self, Quotas},
};
use chinwag_model::{ManualClock, Scope};
use chinwag_wire::openapi;
use serde_json::json;
use std::{sync::Arc, time::Duration};

const SEND: &str = r#"{"chat":"apple:banana","text":"x","sender":"apple"}"#;

async fn guarded(user: Quotas, key: Quotas) -> Guarded {
    let clock = Arc::new(ManualClock::at(NOW));
    let keys = KeySet::open(Some(SECRET), None, None, clock.clone()).await.expect("a secret");
    Guarded::on(keys, clock, rates::Options { user, key }, |store| store).await
}

async fn ask(guarded: &Guarded, line: &str, body: &str, token: &str) -> Reply {
    let header = bearer(token);
    let json = (!body.is_empty()).then_some(JSON);
    let headers: Vec<_> = json.into_iter().chain([header.as_str()]).collect();
    guarded.server.ask(request(line, &headers, body)).await
}

#[tokio::test]
async fn a_user_has_a_quota_of_each_kind_and_hears_of_it() {
    let quotas = Quotas { sends: 2, reads: 3, typing: 1, others: 0 };
    let guarded = guarded(quotas, Quotas::NONE).await;
    let apple = token("apple");
    let send = async || ask(&guarded, "POST /api/send", SEND, &apple).await;
    let first = send().await;
    assert_eq!((first.status, first.header("ratelimit-policy")), (200, Some("\"sends\";q=2;w=10")));
    assert_eq!(first.header("ratelimit"), Some("\"sends\";r=1;t=5"));
    assert_eq!(send().await.header("ratelimit"), Some("\"sends\";r=0;t=10"));
    // Before the body is read, so that what is wrong with that is not even seen.
    let refused = ask(&guarded, "POST /api/send", "no JSON", &apple).await;
    refused.refused(429, "rate_limited", "");
    let document = openapi("0");
    check_headers(&document, "POST", "/api/send", &first);
    check_headers(&document, "POST", "/api/send", &refused);
    assert_eq!(
        (refused.header("retry-after"), refused.header("ratelimit")),
        (Some("5"), Some("\"sends\";r=0;t=10"))
    );
    assert_eq!(refused.json()["retry_after"], 5);
    assert_eq!(refused.json()["detail"], "sends: at most 2 in 10 s; come back in 5 s");

    // Of one user alone, and of one kind.
    for _ in 0..3 {
        let read = ask(&guarded, "GET /api/pull?chat=apple:banana", "", &apple).await;
        assert_eq!((read.status, read.header("ratelimit-policy")), (200, Some("\"reads\";q=3;w=10")));
    }
    ask(&guarded, "GET /api/chats?user=apple", "", &apple).await.refused(429, "rate_limited", "");
    let typing = r#"{"chat":"apple:banana","user":"apple"}"#;
    assert_eq!(ask(&guarded, "POST /api/typing", typing, &apple).await.status, 204);
    ask(&guarded, "POST /api/typing", typing, &apple).await.refused(429, "rate_limited", "");
    let mark =
        ask(&guarded, "POST /api/read", r#"{"chat":"apple:banana","user":"apple","seq":1}"#, &apple).await;
    assert_eq!((mark.status, mark.header("ratelimit")), (200, None));
    let other = r#"{"chat":"apple:banana","text":"x","sender":"banana"}"#;
    assert_eq!(ask(&guarded, "POST /api/send", other, &token("banana")).await.status, 200);
    // A new token is no new user.
    let again = sign(&claims_but("apple", &json!({"iat": NOW_S - 1})));
    ask(&guarded, "POST /api/send", SEND, &again).await.refused(429, "rate_limited", "");

    guarded.clock.advance(Duration::from_millis(4_999));
    send().await.refused(429, "rate_limited", "");
    guarded.clock.advance(Duration::from_millis(1));
    assert_eq!(send().await.status, 200);
    send().await.refused(429, "rate_limited", "");
    guarded.server.stop().await;
}

#[tokio::test]
async fn a_websocket_counts_like_http() {
    let quotas = Quotas { sends: 2, reads: 1, typing: 0, others: 0 };
    let guarded = guarded(quotas, Quotas::NONE).await;
    let apple = token("apple");
    let header = bearer(&apple);
    let headers: Vec<_> = HANDSHAKE.into_iter().chain([header.as_str()]).collect();
    let mut connection = guarded.server.connect().await;
    connection.write(request("GET /api/ws?user=apple", &headers, "")).await;
    assert_eq!(connection.head().await.status, 101);
    let mut socket = Socket::of(connection);
    socket.expect("ready").await;
    // To open it was a read.
    let reply = crate::socket::refused(&guarded.server, "/api/ws?user=apple", &headers).await;
    reply.refused(429, "rate_limited", "");
    let frame = format!(r#"{{"id":1,"op":"send",{}"#, &SEND[1..]);
    assert_eq!(socket.ask(&frame).await["status"], 200);
    ask(&guarded, "POST /api/send", SEND, &apple).await.ok();
    let reply = socket.ask(&frame).await;
    assert_eq!((&reply["status"], &reply["body"]["code"]), (&json!(429), &json!("rate_limited")), "{reply}");
    assert_eq!(reply["body"]["retry_after"], 5);
    guarded.clock.advance(Duration::from_secs(5));
    assert_eq!(socket.ask(&frame).await["status"], 200);
    guarded.server.stop_with(socket).await;
}

#[tokio::test]
async fn a_key_counts_for_itself_whomever_it_acts_for() {
    let key = Quotas { sends: 3, ..Quotas::NONE };
    let guarded = guarded(Quotas { sends: 1, ..Quotas::NONE }, key).await;
    let (first, second) = (guarded.key(Scope::Act).await, guarded.key(Scope::Act).await);
    for sender in ["apple", "banana", "apple"] {
        let body = SEND.replace("\"sender\":\"apple\"", &format!("\"sender\":\"{sender}\""));
        assert_eq!(ask(&guarded, "POST /api/send", &body, &first).await.status, 200);
    }
    ask(&guarded, "POST /api/send", SEND, &first).await.refused(429, "rate_limited", "");
    assert_eq!(ask(&guarded, "POST /api/send", SEND, &second).await.status, 200);
    assert_eq!(ask(&guarded, "POST /api/send", SEND, &token("apple")).await.status, 200);
    let read = ask(&guarded, "GET /api/pull?chat=apple:banana", "", &first).await;
    assert_eq!((read.status, read.header("ratelimit-policy")), (200, None));
    guarded.server.stop().await;
}
