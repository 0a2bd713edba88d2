//! Blocks through the front door: what is refused, what is kept silent, and what each face says of it.

use crate::{
    server::Setup,
    socket::Socket,
    wire::{get, hello, post},
};
use serde_json::{Value, json};

fn pair(user: &str, peer: &str) -> String {
    json!({"user": user, "peer": peer}).to_string()
}

fn text(sender: &str, text: &str) -> String {
    json!({"chat": "apple:banana", "sender": sender, "text": text, "key": text}).to_string()
}

#[tokio::test]
async fn a_send_to_one_who_blocks_is_refused_in_words_and_no_more() {
    for setup in Setup::each() {
        let server = setup.start().await;
        let ask = async |path: &str, body: String| server.ask(post(path, body)).await;
        ask("/api/send", text("banana", "before")).await.ok();
        let stands = ask("/api/block", pair("apple", "banana")).await.ok();
        assert_eq!(
            (&stands["user"], &stands["peer"], &stands["blocked"]),
            (&json!("apple"), &json!("banana"), &json!(true))
        );
        assert_eq!(
            ask("/api/block", pair("apple", "banana")).await.ok(),
            stands,
            "asked again it changes nothing"
        );
        let refused = ask("/api/send", text("banana", "after")).await;
        refused.refused(403, "blocked", "");
        assert_eq!(refused.json()["detail"], "the peer takes nothing from this user");
        let which = |more: Value| {
            let mut request = json!({"chat": "apple:banana", "seq": 1});
            request.as_object_mut().expect("an object").append(&mut more.as_object().expect("one").clone());
            request.to_string()
        };
        ask("/api/edit", which(json!({"sender": "banana", "text": "x"}))).await.refused(403, "blocked", "");
        ask("/api/react", which(json!({"user": "banana", "emoji": "👍"}))).await.refused(403, "blocked", "");
        let again = ask("/api/send", text("banana", "before")).await;
        assert_eq!((again.status, again.header("idempotent-replayed")), (200, Some("true")));
        assert_eq!(ask("/api/unsend", which(json!({"sender": "banana"}))).await.ok()["unsent"], true);
        assert_eq!(ask("/api/send", text("apple", "from-the-blocker")).await.ok()["seq"], 2);

        let listed = server.ask(get("/api/blocks?user=apple")).await.ok();
        assert_eq!(listed, json!({"blocks": [{"peer": "banana", "ts": stands["ts"]}]}));
        assert_eq!(server.ask(get("/api/blocks?user=banana")).await.ok(), json!({"blocks": []}));
        for peer in ["cherry", "date"] {
            ask("/api/block", pair("apple", peer)).await.ok();
        }
        let first = server.ask(get("/api/blocks?user=apple&limit=2")).await.ok();
        assert_eq!((&first["has_more"], &first["next_cursor"]), (&json!(true), &json!("cherry")));
        let second = server.ask(get("/api/blocks?user=apple&limit=2&cursor=cherry")).await.ok();
        assert_eq!((second["blocks"][0]["peer"].as_str(), second.get("has_more")), (Some("date"), None));

        ask("/api/block", pair("apple", "apple")).await.refused(400, "invalid_field", "peer");
        ask("/api/block", r#"{"user":"apple"}"#.into()).await.refused(400, "missing_field", "peer");
        server.ask(get("/api/blocks")).await.refused(400, "missing_field", "user");
        server.ask(get("/api/blocks?user=a&cursor=b:c")).await.refused(400, "invalid_field", "cursor");
        let ended = ask("/api/unblock", pair("apple", "banana")).await.ok();
        assert_eq!(ended, json!({"user": "apple", "peer": "banana", "blocked": false}));
        assert_eq!(ask("/api/send", text("banana", "after")).await.ok()["seq"], 3);
        server.stop().await;
    }
}

/// Two who watch one another: a block takes each out of the other's sight at once, and its end brings them back.
#[tokio::test]
async fn a_block_silences_typing_presence_and_markers_both_ways() {
    for setup in Setup::each() {
        let server = setup.start().await;
        for n in ["one", "two"] {
            server.ask(post("/api/send", hello(n))).await.ok();
        }
        let mut apple = Socket::open(&server, "user=apple&watch=banana&watch=cherry").await;
        let mut banana = Socket::open(&server, "user=banana&watch=apple").await;
        let sight = async |socket: &mut Socket| {
            let event = socket.expect("presence").await;
            (
                event["user"].as_str().expect("a name").to_owned(),
                event["online"] == true,
                event.get("last_seen").is_some(),
            )
        };
        let (there, gone) =
            (|name: &str| (name.to_owned(), true, false), |name: &str| (name.to_owned(), false, false));
        apple.expect("ready").await;
        // Whether banana had come by then is told at once or a moment later.
        while sight(&mut apple).await != there("banana") {}
        banana.expect("ready").await;
        assert_eq!(sight(&mut banana).await, there("apple"));

        let reply = apple.ask(format!(r#"{{"id":1,"op":"block",{}"#, &pair("apple", "banana")[1..])).await;
        assert_eq!((&reply["status"], &reply["body"]["blocked"]), (&json!(200), &json!(true)), "{reply}");
        // In which order one's own sessions hear of the two is not said.
        let mut own = [apple.event().await, apple.event().await];
        own.sort_by_key(|event| event["type"].as_str().map(str::to_owned));
        assert_eq!(
            (&own[0]["type"], &own[0]["peer"], &own[0]["blocked"]),
            (&json!("block"), &json!("banana"), &json!(true))
        );
        assert_eq!((&own[1]["type"], &own[1]["online"]), (&json!("presence"), &json!(false)));
        assert_eq!(sight(&mut banana).await, gone("apple"));

        let mut told = Vec::new();
        for (user, path, body) in [
            ("banana", "typing", json!({})),
            ("apple", "typing", json!({})),
            ("banana", "read", json!({"seq": 2})),
            ("apple", "delivered", json!({"seq": 1})),
        ] {
            let mut request = body;
            request["chat"] = "apple:banana".into();
            request["user"] = user.into();
            let reply = server.ask(post(&format!("/api/{path}"), request.to_string())).await;
            assert!(matches!(reply.status, 200 | 204), "{reply:?}");
            told.push(path);
        }
        // One's own markers are told, and nothing of the peer before the message that comes after it all.
        server.ask(post("/api/send", text("apple", "last"))).await.ok();
        assert_eq!(apple.expect("delivered").await["user"], "apple");
        assert_eq!(apple.expect("message").await["message"]["seq"], 3);
        assert_eq!(banana.expect("delivered").await["user"], "banana");
        assert_eq!(banana.expect("read").await["user"], "banana");
        assert_eq!(banana.expect("message").await["message"]["seq"], 3);
        let inbox = server.ask(get("/api/chats?user=apple")).await.ok();
        assert_eq!(inbox["chats"][0]["read"], json!({"apple": 0, "banana": 0}));
        let inbox = server.ask(get("/api/chats?user=banana")).await.ok();
        assert_eq!(inbox["chats"][0]["delivered"], json!({"apple": 0, "banana": 2}));

        // Who comes while it holds sees nothing either.
        let mut late = Socket::open(&server, "user=banana&watch=apple").await;
        late.expect("ready").await;
        assert_eq!(sight(&mut late).await, gone("apple"));
        server.ask(post("/api/unblock", pair("apple", "banana"))).await.ok();
        assert_eq!(sight(&mut late).await, there("apple"));
        assert_eq!(sight(&mut banana).await, there("apple"));
        server.ask(post("/api/typing", r#"{"chat":"apple:banana","user":"apple"}"#)).await;
        assert_eq!(banana.expect("typing").await["user"], "apple");
        let inbox = server.ask(get("/api/chats?user=apple")).await.ok();
        assert_eq!(inbox["chats"][0]["read"], json!({"apple": 0, "banana": 2}));
        drop((late, banana));
        server.stop_with(apple).await;
    }
}
