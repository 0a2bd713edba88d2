//! The wire contract from outside: what is taken, what is refused and how, what goes out.

mod events;
mod feed;
mod frames;
mod inbox;
mod marks;
mod openapi;
mod problems;
mod pull;
mod replies;
mod send;

use chinwag_model::{Chat, Invalid, Message, Seq, Side, Ts};
use chinwag_wire::ProblemCode;

/// The founding document's message.
fn message(text: &str) -> Message {
    Message {
        chat: Chat::parse("apple:banana").expect("valid").0,
        seq: Seq(1),
        ts: Ts(1_686_404_158_123_456),
        sender: Side::First,
        nth: 1,
        text: text.into(),
        key: None,
        data: None,
        revision: None,
    }
}

fn refused<T: std::fmt::Debug>(asked: Result<T, Invalid>, code: ProblemCode, field: &str) {
    let invalid = asked.expect_err(field);
    assert_eq!((ProblemCode::from(invalid.code), &*invalid.field), (code, field), "{invalid}");
}

fn written(json: &[u8]) -> &str {
    str::from_utf8(json).expect("JSON is UTF-8")
}
