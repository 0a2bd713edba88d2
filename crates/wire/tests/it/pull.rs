use crate::refused;
use chinwag_model::{Direction, Invalid, PageQuery};
use chinwag_wire::{ProblemCode, PullRequest};

const MAX: u64 = (1 << 53) - 1;

fn json(body: &str) -> Result<PageQuery, Invalid> {
    PullRequest::parse_json(body.as_bytes())?.into_query().map(|(query, _)| query)
}

fn query(query: &str) -> Result<PageQuery, Invalid> {
    PullRequest::parse_query(query)?.into_query().map(|(query, _)| query)
}

fn check(asked: Result<PageQuery, Invalid>, from: u64, direction: Direction, limit: usize) {
    let asked = asked.expect("valid");
    assert_eq!((asked.chat.as_str(), asked.from.get()), ("a:b", from));
    assert_eq!((asked.direction, asked.limit), (direction, limit));
}

#[test]
fn both_forms_say_the_same() {
    use Direction::{Forward, Reverse};
    check(json(r#"{"chat":"a:b"}"#), 0, Forward, 10);
    check(json(r#"{"chat":"b:a","limit":null,"cursor":null,"reverse":null,"else":[]}"#), 0, Forward, 10);
    check(json(r#"{"chat":"a:b","limit":0,"cursor":0,"reverse":false}"#), 0, Forward, 10);
    check(
        json(r#"{"chat":"a:b","reverse":true,"limit":1000,"cursor":9007199254740991}"#),
        MAX,
        Reverse,
        1_000,
    );
    check(json(r#"{"chat":"a:b","limit":1001}"#), 0, Forward, 1_000);
    check(json(r#"{"chat":"a:b","limit":99999999999999999999999999}"#), 0, Forward, 1_000);
    check(query("chat=a:b"), 0, Forward, 10);
    check(query("chat=b%3Aa&else=1&&"), 0, Forward, 10);
    check(query("limit=1001&chat=a:b&reverse=true&cursor=9007199254740991"), MAX, Reverse, 1_000);
    check(query("chat=a:b&limit=0&reverse=false&cursor=0"), 0, Forward, 10);
    assert_eq!(query("chat=a+b:c%20d%f0%9f%91%8d").expect("valid").chat.as_str(), "a b:c d👍");
}

#[test]
fn a_wrong_field_is_named() {
    for bad in ["-1", "1.0", "1e3", "\"1\"", "[]", "true", "0.5"] {
        refused(json(&format!(r#"{{"chat":"a:b","limit":{bad}}}"#)), ProblemCode::InvalidField, "limit");
        refused(json(&format!(r#"{{"chat":"a:b","cursor":{bad}}}"#)), ProblemCode::InvalidField, "cursor");
    }
    for bad in ["9007199254740992", "18446744073709551616", "99999999999999999999999999"] {
        refused(json(&format!(r#"{{"chat":"a:b","cursor":{bad}}}"#)), ProblemCode::InvalidField, "cursor");
        refused(query(&format!("chat=a:b&cursor={bad}")), ProblemCode::InvalidField, "cursor");
    }
    for bad in ["1", "\"true\"", "[]", "0"] {
        refused(json(&format!(r#"{{"chat":"a:b","reverse":{bad}}}"#)), ProblemCode::InvalidField, "reverse");
    }
    refused(json("{}"), ProblemCode::MissingField, "chat");
    refused(json("[]"), ProblemCode::InvalidField, "body");
    refused(json(r#"{"chat":"a:b","chat":"a:b"}"#), ProblemCode::DuplicateField, "chat");
    refused(query(""), ProblemCode::MissingField, "chat");
    refused(query("limit=1"), ProblemCode::MissingField, "chat");
    refused(query("chat="), ProblemCode::InvalidField, "chat");
    for bad in ["", "-1", "1.0", "x", "+1", " 1", "%31x"] {
        refused(query(&format!("chat=a:b&limit={bad}")), ProblemCode::InvalidField, "limit");
    }
    for bad in ["", "1", "True", "yes"] {
        refused(query(&format!("chat=a:b&reverse={bad}")), ProblemCode::InvalidField, "reverse");
    }
    for (twice, name) in
        [("chat=a:b&chat=a:b", "chat"), ("chat=a:b&limit=1&limit=1", "limit"), ("chat=a:b&x=1&x=2", "x")]
    {
        refused(query(twice), ProblemCode::DuplicateField, name);
    }
    for bad in ["chat=%", "chat=a:b%2", "chat=%zz", "chat=%ff:a"] {
        refused(query(bad), ProblemCode::Malformed, "query");
    }
}
