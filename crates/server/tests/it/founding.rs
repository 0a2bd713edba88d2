//! The founding document's two commands, to the byte that its `curl` sends.

use crate::{server::Setup, wire::request};

const SEND: &str =
    "{\n\t\"chat\": \"apple:banana\",\n\t\"text\": \"Hello how are you?\",\n\t\"sender\": \"apple\"\n}";
const PULL: &str =
    "{\n    \"chat\": \"apple:banana\",\n\t\t\"reverse\": true,\n\t\t\"limit\": 10,\n\t\t\"cursor\": 1\n}";

/// What curl 8 sends besides the body, its `Host` with a port.
const CURL: [&str; 4] =
    ["Host: localhost:8080", "User-Agent: curl/8.14.1", "Accept: */*", "Content-Type: application/json"];

#[tokio::test]
async fn the_two_commands() {
    for setup in Setup::each() {
        let server = setup.start().await;
        let sent = server.ask(request("POST /api/send", &CURL, SEND)).await;
        sent.ok();
        assert_eq!(
            String::from_utf8(sent.body).expect("UTF-8"),
            r#"{"chat":"apple:banana","text":"Hello how are you?","sender":"apple","send_time":1686404158,"seq":1,"ts":1686404158123456}"#
        );
        let pulled = server.ask(request("GET /api/pull", &CURL, PULL)).await;
        pulled.ok();
        assert_eq!(
            String::from_utf8(pulled.body).expect("UTF-8"),
            r#"{"messages":[{"chat":"apple:banana","text":"Hello how are you?","sender":"apple","send_time":1686404158,"seq":1,"ts":1686404158123456}]}"#
        );
        server.stop().await;
    }
}

#[tokio::test]
async fn the_load_test_of_an_empty_chat() {
    let server = Setup::memory().start().await;
    let pulled =
        server.ask(request("GET /api/pull", &CURL, r#"{"chat":"apple:banana","reverse":true}"#)).await;
    pulled.ok();
    assert_eq!(pulled.body, br#"{"messages":[]}"#);
    server.stop().await;
}
