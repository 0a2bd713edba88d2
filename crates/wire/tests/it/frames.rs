use crate::written;
use chinwag_wire::{Op, ProblemCode, UpFrame, encode_reply};

#[test]
fn every_verb_comes_up() {
    let op = |frame: &str| {
        let frame = UpFrame::parse(frame.as_bytes()).expect("a request");
        match frame.op {
            Op::Send(send) => format!("{} send {} {} {}", frame.id, send.chat, send.sender, send.text),
            Op::Pull(pull) => format!("{} pull {} {:?}", frame.id, pull.chat, pull.limit),
            Op::Chats(chats) => format!("{} chats {} {:?}", frame.id, chats.user, chats.cursor),
            Op::Read(mark) => format!("{} read {} {} {}", frame.id, mark.chat, mark.user, mark.seq),
            Op::Delivered(mark) => format!("{} delivered {} {} {}", frame.id, mark.chat, mark.user, mark.seq),
            Op::Edit(edit) => {
                format!("{} edit {} {} {} {}", frame.id, edit.chat, edit.seq, edit.sender, edit.text)
            }
            Op::Unsend(unsend) => {
                format!("{} unsend {} {} {}", frame.id, unsend.chat, unsend.seq, unsend.sender)
            }
            Op::React(react) => format!(
                "{} react {} {} {} {} {}",
                frame.id, react.chat, react.seq, react.user, react.emoji, react.remove
            ),
            Op::Typing(typing) => format!("{} typing {} {}", frame.id, typing.chat, typing.user),
            Op::Presence(presence) => format!("{} presence {:?}", frame.id, presence.users),
            Op::Block(block) => format!("{} block {} {}", frame.id, block.user, block.peer),
            Op::Unblock(block) => format!("{} unblock {} {}", frame.id, block.user, block.peer),
            Op::Blocks(blocks) => {
                format!("{} blocks {} {:?} {:?}", frame.id, blocks.user, blocks.limit, blocks.cursor)
            }
            Op::EndSessions(end) => format!("{} end_sessions {}", frame.id, end.user),
            Op::Erase(erase) => format!("{} erase {} {:?}", frame.id, erase.user, erase.dry_run),
            Op::Auth(auth) => format!("{} auth {} {auth:?}", frame.id, auth.token),
        }
    };
    for (frame, expected) in [
        (r#"{"id":1,"op":"send","chat":"a:b","text":"Hi","sender":"a"}"#, "1 send a:b a Hi"),
        (r#"{"chat":"a:b","limit":3,"op":"pull","id":0}"#, "0 pull a:b Some(3)"),
        (r#"{"id":2,"op":"chats","user":"a","cursor":9}"#, "2 chats a Some(9)"),
        (r#"{"id":3,"op":"read","chat":"a:b","user":"a","seq":4}"#, "3 read a:b a 4"),
        (r#"{"id":4,"op":"delivered","chat":"a:b","user":"a","seq":4}"#, "4 delivered a:b a 4"),
        (r#"{"id":6,"op":"edit","chat":"a:b","seq":4,"sender":"a","text":"Ho"}"#, "6 edit a:b 4 a Ho"),
        (r#"{"id":7,"op":"unsend","chat":"a:b","seq":4,"sender":"a"}"#, "7 unsend a:b 4 a"),
        (r#"{"id":8,"op":"react","chat":"a:b","seq":4,"user":"b","emoji":"!"}"#, "8 react a:b 4 b ! false"),
        (
            r#"{"id":8,"op":"react","chat":"a:b","seq":4,"user":"b","emoji":"!","remove":true}"#,
            "8 react a:b 4 b ! true",
        ),
        (r#"{"id":5,"op":"typing","chat":"a:b","user":"a"}"#, "5 typing a:b a"),
        (r#"{"id":5,"op":"block","user":"a","peer":"b"}"#, "5 block a b"),
        (r#"{"id":5,"op":"unblock","user":"a","peer":"b"}"#, "5 unblock a b"),
        (r#"{"id":5,"op":"blocks","user":"a","cursor":"b"}"#, "5 blocks a None Some(\"b\")"),
        (r#"{"id":5,"op":"end_sessions","user":"a"}"#, "5 end_sessions a"),
        (r#"{"id":5,"op":"erase","user":"a","dry_run":true}"#, "5 erase a Some(true)"),
        (r#"{"id":6,"op":"auth","token":"t.o.k"}"#, "6 auth t.o.k AuthRequest"),
        (
            r#"{"id":9007199254740991,"\u006fp":"pr\u0065sence","user":["a","b"]}"#,
            "9007199254740991 presence [\"a\", \"b\"]",
        ),
    ] {
        assert_eq!(op(frame), expected);
    }
}

#[test]
fn a_frame_that_is_no_request_says_why_and_which_it_was() {
    for (frame, id, code, field) in [
        (&b""[..], None, ProblemCode::Malformed, "body"),
        (b"hello", None, ProblemCode::Malformed, "body"),
        (b"\xff", None, ProblemCode::Malformed, "body"),
        (b"[1]", None, ProblemCode::InvalidField, "body"),
        (br#"{"op":"send"}"#, None, ProblemCode::MissingField, "id"),
        (br#"{"id":-1,"op":"send"}"#, None, ProblemCode::InvalidField, "id"),
        (br#"{"id":9007199254740992,"op":"send"}"#, None, ProblemCode::InvalidField, "id"),
        (br#"{"id":"1","op":"send"}"#, None, ProblemCode::InvalidField, "id"),
        (br#"{"id":1,"id":1,"op":"send"}"#, None, ProblemCode::DuplicateField, "id"),
        (br#"{"id":1}"#, Some(1), ProblemCode::MissingField, "op"),
        (br#"{"id":1,"op":7}"#, Some(1), ProblemCode::InvalidField, "op"),
        (br#"{"id":1,"op":"Send"}"#, Some(1), ProblemCode::InvalidField, "op"),
        (br#"{"id":1,"op":"fly"}"#, Some(1), ProblemCode::InvalidField, "op"),
        (br#"{"id":1,"op":"send","chat":"a:b","sender":"a"}"#, Some(1), ProblemCode::MissingField, "text"),
        (br#"{"id":1,"op":"pull","chat":"a:b","limit":-1}"#, Some(1), ProblemCode::InvalidField, "limit"),
        (br#"{"id":1,"op":"chats"}"#, Some(1), ProblemCode::MissingField, "user"),
        (br#"{"id":1,"op":"read","chat":"a:b","user":"a"}"#, Some(1), ProblemCode::MissingField, "seq"),
        (br#"{"id":1,"op":"presence"}"#, Some(1), ProblemCode::MissingField, "user"),
    ] {
        let bad = UpFrame::parse(frame).expect_err("no request");
        let problem = ProblemCode::from(bad.invalid.code);
        assert_eq!((bad.id, problem, &*bad.invalid.field), (id, code, field), "{}", frame.escape_ascii());
    }
}

#[test]
fn a_reply_carries_the_number_of_its_request() {
    let reply = |id, status, body: Option<&str>, replayed| {
        written(&encode_reply(id, status, body.map(str::as_bytes), replayed)).to_owned()
    };
    assert_eq!(
        reply(Some(1), 200, Some(r#"{"seq":1}"#), false),
        r#"{"reply":1,"status":200,"body":{"seq":1}}"#
    );
    assert_eq!(
        reply(Some(9_007_199_254_740_991), 200, Some("{}"), true),
        r#"{"reply":9007199254740991,"status":200,"replayed":true,"body":{}}"#
    );
    assert_eq!(reply(Some(0), 204, None, false), r#"{"reply":0,"status":204}"#);
    assert_eq!(reply(None, 400, Some("{}"), false), r#"{"reply":null,"status":400,"body":{}}"#);
}
