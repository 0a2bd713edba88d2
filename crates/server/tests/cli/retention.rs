//! History that expires, as a client sees it of a server that was set to keep little.

use crate::process::{Server, chinwag, run};
use serde_json::{Value, json};
use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

fn ask(server: &Server, method: &str, path: &str, body: &str) -> (u16, Value) {
    let address = server.url.strip_prefix("http://").expect("an address");
    let mut socket = TcpStream::connect(address).expect("connected");
    let head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    let kind = format!("Content-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
    write!(socket, "{head}{kind}{body}").expect("sent");
    let mut reply = String::new();
    socket.read_to_string(&mut reply).expect("read");
    let (head, body) = reply.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, serde_json::from_str(body).unwrap_or_else(|error| panic!("{path}: {error}: {reply}")))
}

fn post(server: &Server, path: &str, body: &Value) -> (u16, Value) {
    ask(server, "POST", path, &body.to_string())
}

fn send(server: &Server, count: usize) {
    for n in 0..count {
        let body =
            json!({"chat": "apple:banana", "sender": "apple", "text": format!("{n}"), "key": format!("{n}")});
        assert_eq!(post(server, "/api/send", &body).0, 200);
    }
}

fn seqs(page: &Value) -> Vec<u64> {
    let messages = page["messages"].as_array().expect("an array");
    messages.iter().map(|message| message["seq"].as_u64().expect("a number")).collect()
}

fn keeping(dir: tempfile::TempDir, messages: &str) -> Server {
    Server::start_in(dir, |command| {
        command.args(["--data", "data", "--retain-messages", messages, "--retain-days", "30"]);
    })
}

#[test]
fn a_chat_begins_at_its_first_seq_everywhere() {
    let server = keeping(tempfile::tempdir().expect("a directory"), "3");
    let since = ask(&server, "GET", "/api/poll?user=banana", "").1["since"].clone();
    send(&server, 5);
    let pull = |query: &str| ask(&server, "GET", &format!("/api/pull?chat=apple:banana&{query}"), "").1;
    let page = pull("limit=2");
    assert_eq!((seqs(&page), &page["has_more"], &page["next_cursor"]), (vec![3, 4], &json!(true), &json!(4)));
    assert_eq!(seqs(&pull("cursor=1&limit=1")), [3], "a place below the beginning starts there");
    let back = pull("reverse=true");
    assert_eq!((seqs(&back), back.get("has_more")), (vec![5, 4, 3], None));
    assert_eq!(seqs(&pull("reverse=true&cursor=2")), [] as [u64; 0]);
    let inbox = ask(&server, "GET", "/api/chats?user=banana", "").1;
    let chat = &inbox["chats"][0];
    assert_eq!(
        (&chat["first_seq"], &chat["unread"], &inbox["unread_total"]),
        (&json!(3), &json!(3), &json!(3))
    );
    for (path, more) in
        [("edit", json!({"text": "x"})), ("unsend", json!({})), ("react", json!({"emoji": "👍"}))]
    {
        let mut body = json!({"chat": "apple:banana", "seq": 2, "sender": "apple", "user": "apple"});
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        let (status, problem) = post(&server, &format!("/api/{path}"), &body);
        assert_eq!((status, &problem["code"]), (404, &json!("no_such_message")), "{path}");
    }
    let read = json!({"chat": "apple:banana", "user": "banana", "seq": 1});
    assert_eq!(post(&server, "/api/read", &read).1["read"], json!(1), "a marker may stand below");
    let again = json!({"chat": "apple:banana", "sender": "apple", "text": "0", "key": "0"});
    assert_eq!(
        post(&server, "/api/send", &again).1["seq"],
        json!(1),
        "a repeat is answered with its message"
    );
    let since = since.as_str().expect("an id");
    let missed = ask(&server, "GET", &format!("/api/poll?user=banana&since={since}"), "").1;
    let told =
        missed["events"].as_array().expect("an array").iter().filter(|event| event["type"] == "message");
    assert_eq!(
        told.map(|event| event["message"]["seq"].as_u64().unwrap_or(0)).collect::<Vec<_>>(),
        [3, 4, 5]
    );

    // A looser setting brings nothing back, and what goes out and comes in begins there.
    let (_, dir) = server.stop();
    let server = keeping(dir, "100");
    assert_eq!(seqs(&ask(&server, "GET", "/api/pull?chat=apple:banana", "").1), [3, 4, 5]);
    let (_, dir) = server.stop();
    run(&mut chinwag(dir.path(), ["export", "history", "--data", "data"])).expect(0);
    run(&mut chinwag(dir.path(), ["import", "history", "--data", "moved"])).expect(0);
    let checked = run(&mut chinwag(dir.path(), ["check", "--data", "moved"])).expect(0).out;
    assert!(checked.contains("messages  3") && checked.contains("problems  none"), "{checked}");
}
