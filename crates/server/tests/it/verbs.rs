//! Every verb, on HTTP and on a WebSocket: the same words, the same answers.

use crate::{
    server::{Server, Setup},
    socket::Socket,
    store::{PANIC, Stage},
    wire::{get, hello, post},
};
use serde_json::{Value, json};

/// A verb as both faces take it.
struct Verb {
    op: &'static str,
    request: Value,
}

fn verb(op: &'static str, request: Value) -> Verb {
    Verb { op, request }
}

impl Verb {
    fn http(&self) -> Vec<u8> {
        if !matches!(self.op, "chats" | "presence" | "pull") {
            return post(&format!("/api/{}", self.op), self.request.to_string());
        }
        let pairs = self.request.as_object().expect("an object").iter().flat_map(|(key, value)| {
            let values = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
            let text = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            values.into_iter().map(move |value| format!("{key}={}", text(value)))
        });
        get(&format!("/api/{}?{}", self.op, pairs.collect::<Vec<_>>().join("&")))
    }

    fn frame(&self, id: u64) -> String {
        let mut frame = self.request.clone();
        frame["id"] = id.into();
        frame["op"] = self.op.into();
        frame.to_string()
    }
}

/// Asks on both faces; the status and body, which are the same.
async fn both(server: &Server, socket: &mut Socket, id: u64, verb: Verb) -> (u16, Value) {
    let over_http = server.ask(verb.http()).await;
    let body = if over_http.body.is_empty() { Value::Null } else { over_http.json() };
    let reply = socket.ask(verb.frame(id)).await;
    assert_eq!(reply["reply"], id, "{reply}");
    assert_eq!(reply["status"], over_http.status, "{reply} {body}");
    assert_eq!(reply["body"], body, "{}", verb.op);
    (over_http.status, body)
}

#[tokio::test]
async fn both_faces_answer_the_same() {
    for setup in Setup::each() {
        let server = setup.start().await;
        let mut socket = Socket::open(&server, "user=apple").await;
        socket.expect("ready").await;
        server.ask(post("/api/send", hello("one"))).await.ok();
        let send = json!({"chat": "banana:apple", "text": "two", "sender": "banana", "key": "k"});
        let mut ids = 1..;
        let mut ask = async |verb| both(&server, &mut socket, ids.next().expect("endless"), verb).await;

        let (_, message) = ask(verb("send", send)).await;
        assert_eq!((&message["chat"], &message["seq"]), (&json!("banana:apple"), &json!(2)));
        let (_, page) = ask(verb("pull", json!({"chat": "apple:banana"}))).await;
        assert_eq!(page["messages"].as_array().map(Vec::len), Some(2));
        let (_, inbox) = ask(verb("chats", json!({"user": "apple", "limit": 5}))).await;
        assert_eq!((&inbox["unread_total"], &inbox["chats"][0]["peer"]), (&json!(1), &json!("banana")));
        let (_, read) = ask(verb("read", json!({"chat": "apple:banana", "user": "apple", "seq": 9}))).await;
        assert_eq!((&read["user"], &read["read"]), (&json!("apple"), &json!(2)));
        let (_, delivered) =
            ask(verb("delivered", json!({"chat": "banana:apple", "user": "banana", "seq": 1}))).await;
        assert_eq!((&delivered["chat"], &delivered["delivered"]), (&json!("banana:apple"), &json!(1)));
        let (status, _) = ask(verb("typing", json!({"chat": "apple:banana", "user": "banana"}))).await;
        assert_eq!(status, 204);
        let (_, presence) = ask(verb("presence", json!({"user": ["apple", "nobody"]}))).await;
        assert_eq!(presence, json!({"users": {"apple": {"online": true}, "nobody": {"online": false}}}));
        let (_, inbox) = ask(verb("chats", json!({"user": "apple", "chat": "banana:apple"}))).await;
        assert_eq!((&inbox["unread_total"], &inbox["chats"][0]["read"]["apple"]), (&json!(0), &json!(2)));
        let which = |user: &str| json!({"chat": "banana:apple", "seq": 1, user: "apple"});
        let with = |mut request: Value, key: &str, value: Value| {
            request[key] = value;
            request
        };
        let (_, edited) = ask(verb("edit", with(which("sender"), "text", json!("better")))).await;
        assert_eq!((&edited["text"], &edited["chat"]), (&json!("better"), &json!("banana:apple")));
        assert!(edited["edited_ts"].as_u64() > edited["ts"].as_u64(), "{edited}");
        let (_, message) = ask(verb("react", with(which("user"), "emoji", json!("👍")))).await;
        assert_eq!(message["reactions"], json!({"👍": ["apple"]}));
        let (status, unsent) = ask(verb("unsend", which("sender"))).await;
        assert_eq!((status, &unsent["text"], &unsent["unsent"]), (200, &json!(""), &json!(true)));
        assert_eq!(unsent.get("reactions"), None);
        let (_, page) = ask(verb("pull", json!({"chat": "banana:apple", "limit": 1}))).await;
        assert_eq!(page["messages"][0], unsent);
        server.stop_with(socket).await;
    }
}

#[tokio::test]
async fn both_users_hear_of_revisions() {
    for setup in Setup::each() {
        let server = setup.start().await;
        server.ask(post("/api/send", hello("one"))).await.ok();
        let mut sockets =
            [Socket::open(&server, "user=apple").await, Socket::open(&server, "user=banana").await];
        for socket in &mut sockets {
            socket.expect("ready").await;
        }
        let requests = [
            ("edit", "edit", json!({"chat": "apple:banana", "seq": 1, "sender": "apple", "text": "two"})),
            ("reaction", "react", json!({"chat": "apple:banana", "seq": 1, "user": "banana", "emoji": "🎉"})),
            ("unsend", "unsend", json!({"chat": "apple:banana", "seq": 1, "sender": "apple"})),
        ];
        for (event, op, request) in requests {
            let message = server.ask(post(&format!("/api/{op}"), request.to_string())).await.ok();
            for socket in &mut sockets {
                assert_eq!(socket.expect(event).await["message"], message);
            }
        }
        let [one, two] = sockets;
        drop(one);
        server.stop_with(two).await;
    }
}

#[tokio::test]
async fn both_faces_refuse_the_same() {
    let server = Setup::memory().start().await;
    let mut socket = Socket::open(&server, "user=apple").await;
    socket.expect("ready").await;
    server.ask(post("/api/send", hello("one"))).await.ok();
    let cases = [
        ("unsend", json!({"chat": "apple:banana", "seq": 2, "sender": "apple"}), 404),
        ("unsend", json!({"chat": "apple:banana", "seq": 1, "sender": "banana"}), 403),
        ("unsend", json!({"chat": "apple:banana", "seq": 0, "sender": "apple"}), 400),
        ("react", json!({"chat": "apple:banana", "seq": 1, "user": "apple", "emoji": ""}), 400),
        ("edit", json!({"chat": "apple:banana", "seq": 1, "sender": "apple", "text": ""}), 400),
        ("send", json!({"chat": "a:b", "text": "", "sender": "a"}), 400),
        ("send", json!({"chat": "a:b", "text": "x", "sender": "c"}), 403),
        ("send", json!({"chat": "a:b", "text": "x".repeat(17_000), "sender": "a"}), 400),
        ("pull", json!({"chat": "apple"}), 400),
        ("chats", json!({"limit": 1}), 400),
        ("chats", json!({"user": "a", "chat": "b:c"}), 403),
        ("read", json!({"chat": "a:b", "user": "a", "seq": 0}), 400),
        ("read", json!({"chat": "a:b", "user": "a"}), 400),
        ("read", json!({"chat": "a:b", "user": "c", "seq": 1}), 403),
        ("delivered", json!({"chat": "a:b", "user": "a", "seq": -1}), 400),
        ("typing", json!({"chat": "a:b", "user": "c"}), 403),
        ("presence", json!({}), 400),
    ];
    for (id, (op, request, status)) in (0..).zip(cases) {
        let (found, problem) = both(&server, &mut socket, id, verb(op, request)).await;
        assert_eq!((found, &problem["status"]), (status, &json!(status)), "{op} {problem}");
    }
    for (frame, id, field) in [
        ("nonsense", Value::Null, "body"),
        ("[]", Value::Null, "body"),
        (r#"{"op":"send"}"#, Value::Null, "id"),
        (r#"{"id":7}"#, json!(7), "op"),
        (r#"{"id":7,"op":"fly"}"#, json!(7), "op"),
    ] {
        let reply = socket.ask(frame).await;
        assert_eq!((&reply["reply"], &reply["status"]), (&id, &json!(400)), "{frame} {reply}");
        assert_eq!(reply["body"]["field"], field, "{reply}");
    }
    server.stop_with(socket).await;
}

#[tokio::test]
async fn a_send_that_is_repeated_says_so() {
    let server = Setup::memory().start().await;
    let mut socket = Socket::open(&server, "user=apple").await;
    let send = r#"{"id":1,"op":"send","chat":"apple:banana","text":"x","sender":"apple","key":"k"}"#;
    let first = socket.ask(send).await;
    assert_eq!(first.get("replayed"), None);
    let second = socket.ask(send).await;
    assert_eq!((&second["replayed"], &second["body"]), (&json!(true), &first["body"]));
    let other = socket.ask(send.replace("\"x\"", "\"y\"")).await;
    assert_eq!((&other["status"], &other["body"]["code"]), (&json!(422), &json!("key_reused")));
    server.stop_with(socket).await;
}

#[tokio::test]
async fn a_panic_is_answered_and_the_connection_goes_on() {
    let stage = Stage::new(Setup::memory().store);
    stage.release(1);
    let server = Setup::on(stage).start().await;
    let mut socket = Socket::open(&server, "user=apple").await;
    let send = |text: &str| format!(r#"{{"id":1,"op":"send","chat":"a:b","text":"{text}","sender":"a"}}"#);
    let reply = socket.ask(send(PANIC)).await;
    assert_eq!((&reply["reply"], &reply["status"]), (&json!(1), &json!(503)));
    assert_eq!(reply["body"]["code"], "outcome_unknown");
    assert_eq!(socket.ask(send("on")).await["status"], 200);
    server.stop_with(socket).await;
}

#[tokio::test]
async fn requests_of_one_connection_keep_their_order() {
    let server = Setup::embedded().start().await;
    let mut socket = Socket::open(&server, "user=nobody").await;
    socket.expect("ready").await;
    for id in 0..200 {
        let send = verb("send", json!({"chat": "a:b", "text": "x", "sender": "a"}));
        socket.write(crate::socket::frame(crate::socket::TEXT, send.frame(id))).await;
    }
    for id in 0..200 {
        let reply = socket.reply().await;
        assert_eq!((&reply["reply"], &reply["body"]["seq"]), (&json!(id), &json!(id + 1)));
    }
    server.stop_with(socket).await;
}
