//! Every bound of a request: exactly at it, and one past it.

use crate::{
    server::Setup,
    wire::{JSON, Reply, get, post, request},
};
use serde_json::{Value, json};

async fn send(change: impl FnOnce(&mut Value)) -> Reply {
    let server = Setup::embedded().start().await;
    let mut body = json!({"chat": "apple:banana", "text": "x", "sender": "apple"});
    change(&mut body);
    let reply = server.ask(post("/api/send", body.to_string())).await;
    if reply.status == 200 {
        let chat = body["chat"].clone();
        let page = server.ask(post("/api/pull", json!({ "chat": chat }).to_string())).await.ok();
        assert_eq!(page["messages"], json!([reply.json()]), "what was stored is what was sent");
        for (name, value) in body.as_object().expect("an object") {
            assert_eq!(&reply.json()[name], value);
        }
    }
    server.stop().await;
    reply
}

#[tokio::test]
async fn text() {
    send(|body| body["text"] = "x".repeat(16_384).into()).await.ok();
    send(|body| body["text"] = "👍".repeat(4_096).into()).await.ok();
    send(|body| body["text"] = "x".repeat(16_385).into()).await.refused(400, "text_too_long", "text");
    send(|body| body["text"] = "👍".repeat(4_097).into()).await.refused(400, "text_too_long", "text");
}

#[tokio::test]
async fn text_by_setting() {
    let mut setup = Setup::memory();
    setup.http.text_max_bytes = 4;
    let server = setup.start().await;
    server.ask(post("/api/send", crate::wire::hello("four"))).await.ok();
    server.ask(post("/api/send", crate::wire::hello("fiver"))).await.refused(400, "text_too_long", "text");
    server.stop().await;
}

#[tokio::test]
async fn key() {
    send(|body| body["key"] = "k".repeat(64).into()).await.ok();
    send(|body| body["key"] = "k".repeat(65).into()).await.refused(400, "invalid_field", "key");
    send(|body| body["key"] = "".into()).await.refused(400, "invalid_field", "key");
    let server = Setup::memory().start().await;
    for (length, status) in [(64, 200), (65, 400)] {
        let header = format!("Idempotency-Key: {}", "k".repeat(length));
        let reply = server.ask(request("POST /api/send", &[JSON, &header], crate::wire::hello("x"))).await;
        assert_eq!(reply.status, status, "{reply:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn data() {
    let of = |bytes: usize| json!({"a": "x".repeat(bytes - r#"{"a":""}"#.len())});
    let deep = |levels: usize| {
        let mut data = json!({});
        for _ in 1..levels {
            data = json!({ "a": data });
        }
        data
    };
    send(|body| body["data"] = of(4_096)).await.ok();
    send(|body| body["data"] = of(4_097)).await.refused(400, "data_too_long", "data");
    send(|body| body["data"] = deep(32)).await.ok();
    send(|body| body["data"] = deep(33)).await.refused(400, "invalid_field", "data");
}

#[tokio::test]
async fn users() {
    let of = |left: usize, right: usize| {
        let (left, right) = ("a".repeat(left), "b".repeat(right));
        move |body: &mut Value| {
            body["chat"] = format!("{left}:{right}").into();
            body["sender"] = left.into();
        }
    };
    send(of(128, 128)).await.ok();
    send(of(129, 1)).await.refused(400, "invalid_field", "chat");
    send(of(1, 129)).await.refused(400, "invalid_field", "chat");
    send(of(0, 1)).await.refused(400, "invalid_field", "chat");
}

#[tokio::test]
async fn body() {
    let of = |bytes: usize| {
        let bare = r#"{"chat":"apple:banana","text":"x","sender":"apple","padding":""}"#;
        bare.replace("\"\"}", &format!("\"{}\"}}", "x".repeat(bytes - bare.len())))
    };
    let server = Setup::memory().start().await;
    server.ask(post("/api/send", of(131_072))).await.ok();
    server.ask(post("/api/send", of(131_073))).await.refused(413, "body_too_large", "");
    for (bytes, status) in [(131_072, 200), (131_073, 413)] {
        let body = of(bytes);
        let chunk = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
        let mut bytes = request("POST /api/send", &[JSON, "Transfer-Encoding: chunked"], "");
        bytes.extend_from_slice(chunk.as_bytes());
        assert_eq!(server.ask(bytes).await.status, status, "chunked");
    }
    server.stop().await;
}

#[tokio::test]
async fn limit_and_cursor() {
    let server = Setup::memory().start().await;
    let mut connection = server.connect().await;
    for _ in 0..1_001 {
        connection.ask(post("/api/send", crate::wire::hello("x"))).await.ok();
    }
    for (limit, served) in
        [("1", 1), ("999", 999), ("1000", 1_000), ("1001", 1_000), ("99999999999999999999", 1_000)]
    {
        let by_query = connection.ask(get(&format!("/api/pull?chat=apple:banana&limit={limit}"))).await.ok();
        let body = format!(r#"{{"chat":"apple:banana","limit":{limit}}}"#);
        let by_body = connection.ask(post("/api/pull", body)).await.ok();
        for page in [by_query, by_body] {
            assert_eq!(page["messages"].as_array().expect("messages").len(), served, "{limit}");
            assert_eq!(page["next_cursor"], served, "{limit}");
        }
    }
    for (cursor, status) in
        [("9007199254740991", 200), ("9007199254740992", 400), ("99999999999999999999", 400), ("-1", 400)]
    {
        let by_query = connection.ask(get(&format!("/api/pull?chat=apple:banana&cursor={cursor}"))).await;
        let body = format!(r#"{{"chat":"apple:banana","cursor":{cursor}}}"#);
        let by_body = connection.ask(post("/api/pull", body)).await;
        for reply in [by_query, by_body] {
            if status == 200 {
                assert_eq!(reply.ok(), json!({"messages": []}));
            } else {
                reply.refused(400, "invalid_field", "cursor");
            }
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_page_ends_at_a_mebibyte() {
    for setup in Setup::each() {
        let server = setup.start().await;
        let mut connection = server.connect().await;
        for _ in 0..70 {
            connection.ask(post("/api/send", crate::wire::hello(&"x".repeat(16_384)))).await.ok();
        }
        let first = connection.ask(get("/api/pull?chat=apple:banana&limit=1000")).await;
        assert!((1_000_000..1_100_000).contains(&first.body.len()), "{}", first.body.len());
        let first = first.ok();
        let length = first["messages"].as_array().expect("messages").len();
        assert_eq!(first["next_cursor"], length);
        let path = format!("/api/pull?chat=apple:banana&limit=1000&cursor={length}");
        let second = connection.ask(get(&path)).await.ok();
        assert_eq!(second["messages"].as_array().expect("messages").len(), 70 - length);
        server.stop().await;
    }
}
