use crate::refused;
use chinwag_model::{Epoch, FeedId, Ts};
use chinwag_wire::{FeedRequest, ProblemCode, encode_query};
use proptest::prelude::*;
use std::time::Duration;

fn id(ts: u64) -> FeedId {
    FeedId { epoch: Epoch(7), ts: Ts(ts) }
}

#[test]
fn a_feed_is_asked_for_with_all_or_with_little() {
    let little = FeedRequest::parse_query("user=a", None).expect("valid");
    assert_eq!((little.user.as_str(), little.since, little.watch.len()), ("a", None, 0));
    assert_eq!(little.timeout(), Ok(Duration::from_secs(25)));
    let query = format!("watch=c&since={}&user=a&watch=b%20b&other=1&watch=c&timeout=3", id(5));
    let all = FeedRequest::parse_query(&query, None).expect("valid");
    let watch: Vec<_> = all.watch.iter().map(chinwag_model::UserId::as_str).collect();
    assert_eq!((all.since, watch), (Some(id(5)), vec!["c", "b b"]));
    assert_eq!(all.timeout(), Ok(Duration::from_secs(3)));
}

#[test]
fn the_header_wins_over_the_url_that_an_event_source_keeps() {
    let since =
        |query: &str, header: &str| FeedRequest::parse_query(query, Some(header.as_bytes())).map(|r| r.since);
    assert_eq!(since("user=a", &id(9).to_string()), Ok(Some(id(9))));
    assert_eq!(since(&format!("user=a&since={}", id(5)), &format!(" {} ", id(9))), Ok(Some(id(9))));
    for bad in ["", "0", "\u{e9}"] {
        assert_eq!(since("user=a", bad), Ok(Some(FeedId::UNKNOWN)), "{bad:?}");
    }
    let bytes = FeedRequest::parse_query("user=a", Some(b"\xff")).map(|request| request.since);
    assert_eq!(bytes, Ok(Some(FeedId::UNKNOWN)));
    assert_eq!(since("user=a&since=x", &id(9).to_string()), Ok(Some(id(9))));
}

#[test]
fn only_a_poll_looks_at_its_timeout() {
    let timeout = |value: &str| {
        FeedRequest::parse_query(&format!("user=a&timeout={value}"), None)
            .expect("another face ignores it")
            .timeout()
    };
    for (value, seconds) in [("0", 0), ("60", 60), ("61", 60), ("99999999999999999999999", 60)] {
        assert_eq!(timeout(value), Ok(Duration::from_secs(seconds)), "{value}");
    }
    for bad in ["", "-1", "1.5", "1s", "0x1"] {
        refused(timeout(bad), ProblemCode::InvalidField, "timeout");
    }
}

#[test]
fn a_wrong_field_is_named() {
    let many = (0..101).map(|n| format!("&watch=u{n}")).collect::<Vec<_>>().concat();
    let most = &many[..many.rfind('&').expect("several")];
    assert_eq!(
        FeedRequest::parse_query(&format!("user=a{most}&watch=u0"), None).expect("100").watch.len(),
        100
    );
    for (query, code, field) in [
        ("", ProblemCode::MissingField, "user"),
        ("user=a:b", ProblemCode::InvalidField, "user"),
        ("user=a&since=", ProblemCode::InvalidField, "since"),
        ("user=a&since=5", ProblemCode::InvalidField, "since"),
        ("user=a&watch=", ProblemCode::InvalidField, "watch"),
        (&format!("user=a{many}"), ProblemCode::InvalidField, "watch"),
        ("user=a&user=a", ProblemCode::DuplicateField, "user"),
        ("user=a&timeout=1&timeout=1", ProblemCode::DuplicateField, "timeout"),
        ("user=a&x=1&x=1", ProblemCode::DuplicateField, "x"),
        ("user=a&%zz", ProblemCode::Malformed, "query"),
    ] {
        refused(FeedRequest::parse_query(query, None), code, field);
    }
}

proptest! {
    #[test]
    fn a_query_string_that_is_written_is_read_back(names in prop::collection::vec("[a-z&=+% é👍]{1,8}", 1..5)) {
        let names: Vec<_> = names.iter().map(|name| format!("x{name}x")).collect();
        let pairs = names.iter().map(|name| ("watch", name.as_str()));
        let query = encode_query(pairs.chain([("user", names[0].as_str())]));
        let asked = FeedRequest::parse_query(&query, None).expect("valid");
        prop_assert_eq!(asked.user.as_str(), &names[0]);
        for name in &names {
            prop_assert!(asked.watch.iter().any(|user| user.as_str() == name));
        }
    }
}
