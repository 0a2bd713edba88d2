use crate::{
    client,
    script::{Act, Script, message, problem},
};
use chinwag_client::{ClientError, Inbox, Marked, Presence};
use futures_util::StreamExt;
use serde_json::json;

fn inbox(chats: &[&str], next: Option<u64>) -> String {
    let chats: Vec<_> = chats
        .iter()
        .map(|chat| {
            let last = message(3);
            format!(
                r#"{{"chat":"{chat}","peer":"banana","last_message":{last},"unread":2,"first_seq":1,"read":{{"apple":1,"banana":3}},"delivered":{{"apple":2,"banana":3}}}}"#
            )
        })
        .collect();
    let more = next.map(|next| format!(r#","has_more":true,"next_cursor":{next}"#)).unwrap_or_default();
    format!(r#"{{"chats":[{}],"unread_total":7{more}}}"#, chats.join(","))
}

#[tokio::test]
async fn an_inbox_is_read_page_by_page() {
    let script = Script::start([
        Act::answer(200, &inbox(&["apple:banana"], None)),
        Act::answer(200, &inbox(&["a:b", "a:c"], Some(90))),
        Act::DropConnection,
        Act::answer(200, &inbox(&["a:d"], Some(80))),
        Act::answer(200, &inbox(&[], None)),
    ])
    .await;
    let client = client(&script, 2);
    let page =
        client.inbox("apple & co").limit(3).cursor(1_000).chat("apple & co:b").page().await.expect("a page");
    let entry = &page.chats[0];
    assert_eq!((page.unread_total, entry.unread, entry.first_seq, entry.last_message.seq), (7, 2, 1, 3));
    assert_eq!((entry.read["apple"], entry.delivered["apple"], entry.peer.as_str()), (1, 2, "banana"));
    let pages: Vec<Inbox> = client.inbox("a").pages().map(|page| page.expect("a page")).collect().await;
    assert_eq!(pages.iter().map(|page| page.chats.len()).collect::<Vec<_>>(), [2, 1, 0]);
    let seen = script.finish().await;
    let lines: Vec<_> = seen.iter().filter_map(|request| request.head.lines().next()).collect();
    assert_eq!(
        lines,
        [
            "GET /api/chats?user=apple%20%26%20co&limit=3&cursor=1000&chat=apple%20%26%20co%3Ab HTTP/1.1",
            "GET /api/chats?user=a HTTP/1.1",
            "GET /api/chats?user=a&cursor=90 HTTP/1.1",
            "GET /api/chats?user=a&cursor=90 HTTP/1.1",
            "GET /api/chats?user=a&cursor=80 HTTP/1.1",
        ]
    );
}

#[tokio::test]
async fn a_stream_of_inbox_pages_never_turns_in_circles() {
    let script = Script::start([
        Act::answer(200, &inbox(&["a:b"], Some(90))),
        Act::answer(200, &inbox(&["a:b"], Some(90))),
    ])
    .await;
    let pages = client(&script, 1).inbox("a").pages().collect::<Vec<_>>().await;
    assert!(matches!(&pages[..], [Ok(_), Err(ClientError::Decode { .. })]), "{pages:?}");
    script.finish().await;
}

#[tokio::test]
async fn markers_are_moved_and_a_lost_answer_is_asked_for_again() {
    let script = Script::start([
        Act::CutBody,
        Act::answer(200, r#"{"chat":"b:a","user":"a","read":5,"ts":9,"more":1}"#),
        Act::answer(200, r#"{"chat":"b:a","user":"a","delivered":6,"ts":10}"#),
        Act::answer(403, &problem(403, "not_a_member")),
    ])
    .await;
    let client = client(&script, 3);
    let marked = |seq, ts| Marked { chat: "b:a".into(), user: "a".into(), seq, ts };
    assert_eq!(client.read("b:a", "a", 5).await.expect("moved"), marked(5, 9));
    assert_eq!(client.delivered("b:a", "a", 6).await.expect("moved"), marked(6, 10));
    let error = client.read("b:a", "c", 5).await.expect_err("a stranger");
    assert_eq!(error.problem().map(|problem| problem.code.as_str()), Some("not_a_member"));
    let seen = script.finish().await;
    assert_eq!(seen[1].json(), json!({"chat": "b:a", "user": "a", "seq": 5}));
    let paths: Vec<_> = seen.iter().filter_map(|request| request.head.split(' ').nth(1)).collect();
    assert_eq!(paths, ["/api/read", "/api/read", "/api/delivered", "/api/read"]);
}

#[tokio::test]
async fn typing_is_told_once_or_not_at_all() {
    let script = Script::start([Act::answer(204, ""), Act::answer(503, &problem(503, "overloaded"))]).await;
    let client = client(&script, 5);
    client.typing("a:b", "a").await.expect("told");
    let error = client.typing("a:b", "a").await.expect_err("overloaded");
    assert!(matches!(error, ClientError::Problem(_)), "{error:?}");
    let seen = script.finish().await;
    assert!(seen[0].head.starts_with("POST /api/typing HTTP/1.1\r\n"), "{}", seen[0].head);
    assert_eq!(seen[0].json(), json!({"chat": "a:b", "user": "a"}));
}

#[tokio::test]
async fn presence_comes_by_name() {
    let reply = r#"{"users":{"b c":{"online":true},"d":{"online":false,"last_seen":7}}}"#;
    let script = Script::start([Act::answer(200, reply)]).await;
    let users = client(&script, 1).presence(&["b c", "d"]).await.expect("presence");
    assert_eq!(users["b c"], Presence { online: true, last_seen: None });
    assert_eq!(users["d"], Presence { online: false, last_seen: Some(7) });
    let seen = script.finish().await;
    assert!(seen[0].head.starts_with("GET /api/presence?user=b%20c&user=d HTTP/1.1\r\n"), "{}", seen[0].head);
}
