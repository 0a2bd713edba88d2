use chinwag_model::{Draft, Invalid, Spelling, limits::TEXT_DEFAULT_MAX_BYTES};
use chinwag_wire::{ProblemCode, SendRequest};
use proptest::prelude::*;
use std::borrow::Cow;

fn take(body: &[u8], header: Option<&[u8]>) -> Result<(Draft, Spelling), Invalid> {
    SendRequest::parse(body)?.into_draft(header, TEXT_DEFAULT_MAX_BYTES)
}

/// A body is refused with this code and field.
fn refused(body: impl AsRef<[u8]>, code: ProblemCode, field: &str) {
    let body = body.as_ref();
    let shown = String::from_utf8_lossy(body);
    let invalid = take(body, None).expect_err(&shown);
    assert_eq!((ProblemCode::from(invalid.code), &*invalid.field), (code, field), "{shown}: {invalid}");
    assert!(!invalid.detail.is_empty());
}

fn taken(body: &str) -> (Draft, Spelling) {
    take(body.as_bytes(), None).unwrap_or_else(|invalid| panic!("{body}: {invalid}"))
}

#[test]
fn a_send_is_taken_as_the_founding_document_writes_it() {
    let (draft, spelling) = taken(
        "{\n\t\"chat\": \"apple:banana\",\n\t\"text\": \"Hello how are you?\",\n\t\"sender\": \"apple\"\n}",
    );
    assert_eq!((draft.chat.as_str(), draft.text.as_str()), ("apple:banana", "Hello how are you?"));
    assert_eq!((draft.chat.user(draft.sender), spelling), ("apple", Spelling::Canonical));
    assert_eq!((draft.key, draft.data), (None, None));
    let (draft, spelling) =
        taken(r#"{"chat":"b:a","text":"x","sender":"b","key":null,"data":null,"more":{"chat":1}}"#);
    assert_eq!((draft.chat.as_str(), spelling), ("a:b", Spelling::Swapped));
    assert_eq!(draft.chat.user(draft.sender), "b");
}

#[test]
fn the_usual_send_borrows_from_its_body() {
    let body = br#"{"chat":"a:b","text":"no escapes","sender":"a","key":"k"}"#;
    let request = SendRequest::parse(body).expect("valid");
    let borrowed = [request.chat, request.text, request.sender, request.key.expect("a key")];
    assert!(borrowed.iter().all(|text| matches!(text, Cow::Borrowed(_))), "{borrowed:?}");
    assert_eq!(
        taken(r#"{"chat":"a:b","text":"\u00e9\ud83d\udc4d\n","sender":"a"}"#).0.text.as_str(),
        "é👍\n"
    );
}

#[test]
fn what_is_no_json_object_is_refused() {
    for body in ["", " ", "{", "{}x", "nonsense", "{'chat':1}", "{\"a\":1,}"] {
        refused(body, ProblemCode::Malformed, "body");
    }
    refused("{\"chat\":}", ProblemCode::Malformed, "chat");
    for body in ["[]", "[\"a:b\",\"x\",\"a\"]", "1", "\"x\"", "true", "null"] {
        refused(body, ProblemCode::InvalidField, "body");
    }
    refused(b"{\"chat\":\"a:b\",\"text\":\"\xff\",\"sender\":\"a\"}", ProblemCode::Malformed, "text");
    refused(b"\xff", ProblemCode::Malformed, "body");
}

#[test]
fn a_wrong_field_is_named() {
    let with = |field: &str, value: &str| {
        let mut fields = vec![("chat", r#""a:b""#), ("text", r#""x""#), ("sender", r#""a""#)];
        fields.retain(|(name, _)| *name != field);
        fields.push((field, value));
        let fields: Vec<_> = fields.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}", fields.join(","))
    };
    for field in ["chat", "text", "sender"] {
        refused(with(field, "null"), ProblemCode::MissingField, field);
        for value in ["1", "[]", "{}", "true", "1.5"] {
            refused(with(field, value), ProblemCode::InvalidField, field);
        }
        let twice = format!(r#"{{"chat":"a:b","text":"x","sender":"a","more":1,"{field}":"a:b"}}"#);
        refused(twice, ProblemCode::DuplicateField, field);
        refused(with(field, r#""\ud800""#), ProblemCode::InvalidField, field);
        refused(with(field, r#""\ud800\u0041""#), ProblemCode::InvalidField, field);
    }
    refused(r#"{"text":"x","sender":"a"}"#, ProblemCode::MissingField, "chat");
    refused(r#"{"chat":"a:b","sender":"a"}"#, ProblemCode::MissingField, "text");
    refused(r#"{"chat":"a:b","text":"x"}"#, ProblemCode::MissingField, "sender");
    for chat in ["", "a", "a:b:c", "a:", ":a", " a:b", "a:b "] {
        refused(with("chat", &format!("{chat:?}")), ProblemCode::InvalidField, "chat");
    }
    refused(with("text", r#""""#), ProblemCode::InvalidField, "text");
    refused(with("text", r#""a\u0000""#), ProblemCode::InvalidField, "text");
    for stranger in ["app", "A", "", "a:b", "c"] {
        refused(with("sender", &format!("{stranger:?}")), ProblemCode::NotAMember, "sender");
    }
    for key in ["\"\"", "\"a b\"", "\"é\"", "1", &format!("\"{}\"", "k".repeat(65))] {
        refused(with("key", key), ProblemCode::InvalidField, "key");
    }
    for data in ["1", "[]", "\"{}\"", "true", r#"{"a":"\ud800"}"#, r#"{"a":1e999}"#] {
        refused(with("data", data), ProblemCode::InvalidField, "data");
    }
}

#[test]
fn bounds_hold_exactly() {
    let send =
        |text: &str, data: &str| format!(r#"{{"chat":"a:b","text":"{text}","sender":"a","data":{data}}}"#);
    let text = "é".repeat(TEXT_DEFAULT_MAX_BYTES / 2);
    assert_eq!(taken(&send(&text, "null")).0.text.as_str(), text);
    refused(send(&(text + "x"), "null"), ProblemCode::TextTooLong, "text");

    let of = |len: usize| format!("{{\"a\": \"{}\" }}", "x".repeat(len - 8));
    assert_eq!(taken(&send("x", &of(4_096))).0.data.expect("data").as_str().len(), 4_096, "as compact JSON");
    refused(send("x", &of(4_097)), ProblemCode::DataTooLong, "data");
    let deep = |levels: usize| format!("{}{}", "{\"a\":".repeat(levels - 1) + "{}", "}".repeat(levels - 1));
    assert!(taken(&send("x", &deep(32))).0.data.is_some());
    refused(send("x", &deep(33)), ProblemCode::InvalidField, "data");
    // As deep as a body goes, without an end to the stack.
    refused(send("x", &"{\"a\":".repeat(20_000)), ProblemCode::Malformed, "data");
}

#[test]
fn the_key_may_stand_in_the_header() {
    let body = br#"{"chat":"a:b","text":"x","sender":"a"}"#;
    let keyed = br#"{"chat":"a:b","text":"x","sender":"a","key":"k1"}"#;
    let key = |body: &[u8], header: &[u8]| {
        take(body, Some(header)).map(|(draft, _)| draft.key.expect("a key").as_str().to_owned())
    };
    assert_eq!(key(body, b"k1"), Ok("k1".to_owned()));
    assert_eq!(key(body, b"\"k1\""), Ok("k1".to_owned()));
    assert_eq!(key(body, br#""a\"b\\""#), Ok(r#"a"b\"#.to_owned()));
    assert_eq!(key(keyed, b"\"k1\""), Ok("k1".to_owned()));
    assert_eq!(key(keyed, b"k2").expect_err("they differ").field, "key");
    for bad in [&b""[..], b"\"\"", b"\"k", b"k 1", b"\"a\"b", b"\xff", &[b'k'; 65]] {
        let invalid = key(body, bad).expect_err("no key");
        assert_eq!(invalid.field, "Idempotency-Key", "{bad:?}");
    }
}

proptest! {
    #[test]
    fn any_text_comes_through_unchanged(text in "\\PC{1,200}", escape in any::<bool>()) {
        let json = serde_json::to_string(&text).expect("a string");
        let json = if escape {
            let units: Vec<_> = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
            format!("\"{}\"", units.concat())
        } else {
            json
        };
        let body = format!(r#"{{"chat":"a:b","text":{json},"sender":"a"}}"#);
        let (draft, _) = take(body.as_bytes(), None).expect("valid");
        prop_assert_eq!(draft.text.as_str(), text);
    }

    #[test]
    fn data_keeps_its_value(keys in prop::collection::vec("\\PC{0,8}", 0..6), quarters in any::<i32>(), n in any::<i64>()) {
        let mut object = serde_json::Map::new();
        for (at, key) in keys.into_iter().enumerate() {
            let value = if at % 2 == 0 { serde_json::json!({"n": n, "x": [f64::from(quarters) / 4.0, key, null]}) } else { serde_json::json!(" { ") };
            object.insert(key, value);
        }
        let object = serde_json::Value::Object(object);
        let pretty = serde_json::to_string_pretty(&object).expect("an object");
        let body = format!(r#"{{"chat":"a:b","text":"x","sender":"a","data":{pretty}}}"#);
        let data = take(body.as_bytes(), None).expect("valid").0.data.expect("data");
        prop_assert_eq!(serde_json::from_str::<serde_json::Value>(data.as_str()).expect("an object"), object.clone());
        prop_assert_eq!(data.as_str(), serde_json::to_string(&object).expect("an object"));
    }
}
