use chinwag_wire::{Problem, ProblemCode};

#[test]
fn the_codes_are_stable() {
    let table: Vec<_> =
        ProblemCode::ALL.iter().map(|code| format!("{} {}", code.status(), code.as_str())).collect();
    let expected = [
        "400 malformed_json",
        "400 invalid_field",
        "400 missing_field",
        "400 duplicate_field",
        "400 text_too_long",
        "400 data_too_long",
        "400 body_and_query",
        "400 token_in_url",
        "400 bad_request",
        "401 token_missing",
        "401 token_invalid",
        "401 token_expired",
        "401 bad_subject",
        "403 not_allowed",
        "403 not_a_member",
        "403 not_the_sender",
        "403 blocked",
        "403 session_ended",
        "403 origin",
        "403 host",
        "404 no_such_path",
        "404 no_such_message",
        "405 method_not_allowed",
        "408 timeout",
        "409 replaced",
        "409 unsent",
        "409 too_late",
        "409 too_many_reactions",
        "409 too_many_blocks",
        "413 body_too_large",
        "415 unsupported_media_type",
        "422 key_reused",
        "426 upgrade_required",
        "429 rate_limited",
        "500 internal",
        "503 overloaded",
        "503 unavailable",
        "503 outcome_unknown",
        "507 storage_full",
    ];
    assert_eq!(table, expected);
}

#[test]
fn a_problem_is_what_rfc_9457_says_and_reads_back() {
    let problem = Problem::new(ProblemCode::InvalidField, "it must be \"so\"").of_field("limit");
    let json = problem.to_json();
    assert_eq!(
        str::from_utf8(&json),
        Ok(concat!(
            r#"{"type":"urn:chinwag:problem:invalid_field","title":"A field of the request is invalid.","status":400,"#,
            r#""detail":"it must be \"so\"","code":"invalid_field","field":"limit"}"#
        ))
    );
    let read: Problem<'_> = serde_json::from_slice(&json).expect("it reads back");
    assert_eq!((read.known_code(), read), (Some(ProblemCode::InvalidField), problem));
    let plain = Problem::new(ProblemCode::NoSuchPath, "x").to_json();
    assert!(!str::from_utf8(&plain).expect("UTF-8").contains("field"));
}

#[test]
fn the_document_lists_every_code_with_its_status() {
    let document = include_str!("../../../../docs/API.md");
    for code in ProblemCode::ALL {
        let row = format!("| `{}` | {} |", code.as_str(), code.status());
        assert!(document.contains(&row), "docs/API.md has no row {row}");
    }
}
