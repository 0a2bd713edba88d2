//! Verb × face × identity, whole.

use super::{Guarded, SECRET, bearer, claims, claims_but, sign, token};
use crate::{
    socket::{HANDSHAKE, Socket},
    wire::{JSON, Reply, request},
};
use chinwag_model::{KeyId, Scope};
use data_encoding::BASE64URL_NOPAD;
use ring::hmac;
use serde_json::{Value, json};

/// What a verb needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needs {
    /// To be one of the chat's two.
    Member,
    /// To be the user who acts.
    Self_,
    /// To be the user whose it is.
    Own,
    /// To be known.
    Anyone,
    /// To be a user, and not a key.
    User,
    /// To be an administrator's key.
    Admin,
}

/// Every verb of HTTP, about `apple` and the chat `apple:banana`.
const VERBS: [(&str, &str, Needs); 20] = [
    ("POST /api/send", r#"{"chat":"apple:banana","text":"x","sender":"apple"}"#, Needs::Self_),
    ("GET /api/pull?chat=apple:banana", "", Needs::Member),
    ("POST /api/pull", r#"{"chat":"banana:apple"}"#, Needs::Member),
    ("GET /api/chats?user=apple", "", Needs::Own),
    ("GET /api/chats?user=apple&chat=apple:banana", "", Needs::Own),
    ("POST /api/read", r#"{"chat":"apple:banana","user":"apple","seq":1}"#, Needs::Self_),
    ("POST /api/delivered", r#"{"chat":"apple:banana","user":"apple","seq":1}"#, Needs::Self_),
    ("POST /api/typing", r#"{"chat":"apple:banana","user":"apple"}"#, Needs::Self_),
    ("GET /api/presence?user=apple", "", Needs::Anyone),
    ("POST /api/ticket", "", Needs::User),
    ("GET /api/poll?user=apple", "", Needs::Own),
    ("GET /api/events?user=apple", "", Needs::Own),
    ("POST /api/edit", r#"{"chat":"apple:banana","seq":1,"sender":"apple","text":"y"}"#, Needs::Self_),
    ("POST /api/unsend", r#"{"chat":"apple:banana","seq":2,"sender":"apple"}"#, Needs::Self_),
    ("POST /api/block", r#"{"user":"apple","peer":"zebra"}"#, Needs::Self_),
    ("POST /api/unblock", r#"{"user":"apple","peer":"zebra"}"#, Needs::Self_),
    ("GET /api/blocks?user=apple", "", Needs::Own),
    ("POST /api/sessions/end", r#"{"user":"zebra"}"#, Needs::Admin),
    ("POST /api/erase", r#"{"user":"zebra"}"#, Needs::Admin),
    ("POST /api/react", r#"{"chat":"apple:banana","seq":1,"user":"apple","emoji":"👍"}"#, Needs::Self_),
];

/// Every verb of a WebSocket, likewise.
const OPS: [(&str, Needs); 15] = [
    (r#"{"id":1,"op":"send","chat":"apple:banana","text":"x","sender":"apple"}"#, Needs::Self_),
    (r#"{"id":1,"op":"pull","chat":"apple:banana"}"#, Needs::Member),
    (r#"{"id":1,"op":"chats","user":"apple"}"#, Needs::Own),
    (r#"{"id":1,"op":"read","chat":"apple:banana","user":"apple","seq":1}"#, Needs::Self_),
    (r#"{"id":1,"op":"delivered","chat":"apple:banana","user":"apple","seq":1}"#, Needs::Self_),
    (r#"{"id":1,"op":"typing","chat":"apple:banana","user":"apple"}"#, Needs::Self_),
    (r#"{"id":1,"op":"presence","user":"apple"}"#, Needs::Anyone),
    (r#"{"id":1,"op":"edit","chat":"apple:banana","seq":1,"sender":"apple","text":"z"}"#, Needs::Self_),
    (r#"{"id":1,"op":"unsend","chat":"apple:banana","seq":2,"sender":"apple"}"#, Needs::Self_),
    (r#"{"id":1,"op":"block","user":"apple","peer":"zebra"}"#, Needs::Self_),
    (r#"{"id":1,"op":"unblock","user":"apple","peer":"zebra"}"#, Needs::Self_),
    (r#"{"id":1,"op":"blocks","user":"apple"}"#, Needs::Own),
    (r#"{"id":1,"op":"end_sessions","user":"zebra"}"#, Needs::Admin),
    (r#"{"id":1,"op":"erase","user":"zebra"}"#, Needs::Admin),
    (r#"{"id":1,"op":"react","chat":"apple:banana","seq":1,"user":"apple","emoji":"👍"}"#, Needs::Self_),
];

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    /// Refused with this code before anything else.
    Nobody(&'static str),
    /// `apple`.
    Apple,
    /// `banana`, the other of the chat's two.
    Peer,
    /// `cherry`.
    Stranger,
    Key(Scope),
}

/// The code of the refusal; `None` where it is served.
fn expected(who: Who, needs: Needs) -> Option<&'static str> {
    let stranger = matches!(who, Who::Peer | Who::Stranger);
    let denied = match needs {
        Needs::Member if who == Who::Stranger => return Some("not_a_member"),
        Needs::Self_ => stranger || who == Who::Key(Scope::Read),
        Needs::Own => stranger,
        Needs::User => matches!(who, Who::Key(_)),
        Needs::Admin => who != Who::Key(Scope::Admin),
        Needs::Member | Needs::Anyone => false,
    };
    match who {
        Who::Nobody(code) => Some(code),
        _ => denied.then_some("not_allowed"),
    }
}

/// Claims under a header of one's own, with an HMAC.
fn forged(header: &Value, secret: &[u8]) -> String {
    let encode = |json: &Value| BASE64URL_NOPAD.encode(json.to_string().as_bytes());
    let signed = format!("{}.{}", encode(header), encode(&claims("apple")));
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    format!("{signed}.{}", BASE64URL_NOPAD.encode(hmac::sign(&key, signed.as_bytes()).as_ref()))
}

/// Everyone there is: a name, the header, and who that is.
async fn everyone(guarded: &Guarded) -> Vec<(&'static str, Option<String>, Who)> {
    let invalid = Who::Nobody("token_invalid");
    let good = token("apple");
    let unsigned = forged(&json!({"alg": "none"}), SECRET);
    let unsigned = format!("{}.", unsigned.rsplit_once('.').expect("a signature").0);
    let revoked = guarded.api_keys.create("", Scope::Admin, super::NOW).await.expect("made");
    assert!(guarded.api_keys.revoke(&revoked.id, super::NOW).await.expect("revoked"));
    let unknown = KeyId::parse("zzzzzzzzzzzzzzzz").expect("an id");
    let act = guarded.key(Scope::Act).await;
    let signed = |change| Some(bearer(&sign(&claims_but("apple", &change))));
    vec![
        ("nobody", None, Who::Nobody("token_missing")),
        ("another scheme", Some("Authorization: Basic YTpi".into()), invalid),
        ("malformed", Some(bearer("abc")), invalid),
        ("three parts of nothing", Some(bearer("..")), invalid),
        ("cut", Some(bearer(&good[..good.len() - 2])), invalid),
        ("expired", signed(json!({"exp": super::NOW_S - 60})), Who::Nobody("token_expired")),
        ("no exp", signed(json!({"exp": null})), invalid),
        ("not yet", signed(json!({"nbf": super::NOW_S + 62})), invalid),
        ("of the future", signed(json!({"iat": super::NOW_S + 62})), invalid),
        ("wrong audience", signed(json!({"aud": "other"})), invalid),
        ("no audience", signed(json!({"aud": null})), invalid),
        ("wrong issuer", signed(json!({"iss": "https://evil.example"})), invalid),
        ("no name", signed(json!({"sub": "a:b"})), Who::Nobody("bad_subject")),
        ("no sub", signed(json!({"sub": null})), Who::Nobody("bad_subject")),
        ("a number for a name", signed(json!({"sub": 7})), Who::Nobody("bad_subject")),
        ("another secret", Some(bearer(&forged(&json!({"alg": "HS256"}), &[7; 32]))), invalid),
        ("wrong algorithm", Some(bearer(&forged(&json!({"alg": "RS256"}), SECRET))), invalid),
        ("unknown algorithm", Some(bearer(&forged(&json!({"alg": "HS512"}), SECRET))), invalid),
        ("alg none", Some(bearer(&unsigned)), invalid),
        ("alg none, signed", Some(bearer(&forged(&json!({"alg": "none"}), SECRET))), invalid),
        ("an extension", Some(bearer(&forged(&json!({"alg": "HS256", "crit": ["x"]}), SECRET))), invalid),
        ("revoked key", Some(bearer(&revoked.secret)), invalid),
        ("unknown key", Some(bearer(&format!("cwk_{unknown}_x"))), invalid),
        ("a key and a letter", Some(bearer(&format!("{act}a"))), invalid),
        ("in the leeway", signed(json!({"exp": super::NOW_S - 58, "nbf": super::NOW_S + 58})), Who::Apple),
        ("apple", Some(bearer(&good)), Who::Apple),
        ("apple again, from memory", Some(bearer(&good)), Who::Apple),
        ("the peer", Some(bearer(&token("banana"))), Who::Peer),
        ("a stranger", Some(bearer(&token("cherry"))), Who::Stranger),
        ("a reading key", Some(bearer(&guarded.key(Scope::Read).await)), Who::Key(Scope::Read)),
        ("an acting key", Some(bearer(&act)), Who::Key(Scope::Act)),
        ("an admin key", Some(bearer(&guarded.key(Scope::Admin).await)), Who::Key(Scope::Admin)),
    ]
}

async fn ask(guarded: &Guarded, line: &str, body: &str, header: Option<&str>) -> Reply {
    let json = (!body.is_empty()).then_some(JSON);
    let headers: Vec<_> = json.into_iter().chain(header).collect();
    let request = request(line, &headers, body);
    if line.contains("/api/events") {
        // A stream has no end: its head says all.
        let mut connection = guarded.server.connect().await;
        connection.write(&request).await;
        let reply = connection.head().await;
        if reply.status == 200 {
            return reply;
        }
    }
    guarded.server.ask(request).await
}

#[tokio::test]
async fn verb_by_face_by_identity() {
    let guarded = Guarded::start().await;
    let first = bearer(&token("apple"));
    for _ in 0..2 {
        ask(&guarded, VERBS[0].0, VERBS[0].1, Some(&first)).await.ok();
    }
    for (name, header, who) in everyone(&guarded).await {
        for (line, body, needs) in VERBS {
            let reply = ask(&guarded, line, body, header.as_deref()).await;
            let wanted = expected(who, needs);
            let status = match wanted {
                None if line.contains("typing") => 204,
                None => 200,
                Some(code) if code.starts_with("not_") => 403,
                Some(_) => 401,
            };
            assert_eq!(reply.status, status, "{name}: {line}: {reply:?}");
            if let Some(code) = wanted {
                reply.refused(status, code, "");
                assert_eq!(reply.header("www-authenticate"), (status == 401).then_some("Bearer"), "{name}");
            }
        }
        websocket(&guarded, name, header.as_deref(), who).await;
    }
    guarded.server.stop().await;
}

/// The feed of `apple`, and every op in the feed of the caller.
async fn websocket(guarded: &Guarded, name: &str, header: Option<&str>, who: Who) {
    let open = async |user: &str| {
        let mut connection = guarded.server.connect().await;
        let headers: Vec<_> = HANDSHAKE.into_iter().chain(header).collect();
        connection.write(request(&format!("GET /api/ws?user={user}"), &headers, "")).await;
        assert_eq!(connection.head().await.status, 101, "{name}");
        Socket::of(connection)
    };
    let mut socket = open("apple").await;
    let own = match who {
        Who::Nobody(_) => {
            assert_eq!(socket.closed().await, 4401, "{name}");
            return;
        }
        Who::Peer | Who::Stranger => {
            assert_eq!(socket.closed().await, 4403, "{name}");
            if who == Who::Peer { "banana" } else { "cherry" }
        }
        Who::Apple | Who::Key(_) => {
            socket.expect("ready").await;
            "apple"
        }
    };
    let mut socket = open(own).await;
    socket.expect("ready").await;
    for (op, needs) in OPS {
        let reply = socket.ask(op).await;
        let code = reply["body"]["code"].as_str();
        assert_eq!(code, expected(who, needs), "{name}: {op}: {reply}");
        assert_eq!(reply["status"].as_u64() < Some(300), code.is_none(), "{name}: {op}: {reply}");
    }
}

/// Whether there is anything or not, a refusal is the same bytes; and nothing was looked up to find that.
#[tokio::test]
async fn a_refusal_tells_nothing_of_what_there_is() {
    let guarded = Guarded::start().await;
    let apple = bearer(&token("apple"));
    for _ in 0..3 {
        ask(&guarded, VERBS[0].0, VERBS[0].1, Some(&apple)).await.ok();
    }
    let stranger = bearer(&token("cherry"));
    for (line, body, _) in VERBS.iter().filter(|(_, _, needs)| !matches!(needs, Needs::Anyone | Needs::User))
    {
        let there = ask(&guarded, line, body, Some(&stranger)).await;
        // The same words about users of whom nobody has ever heard.
        let not = |text: &str| text.replace("apple", "xpple").replace("banana", "xanana");
        let absent = ask(&guarded, &not(line), &not(body), Some(&stranger)).await;
        assert_eq!(there.status, 403, "{line}: {there:?}");
        assert_eq!((there.status, there.body), (absent.status, absent.body), "{line}");
    }
    // A store that is closed answers every look-up with 503: a refusal does not get so far.
    guarded.server.app.store().close().await.expect("closed");
    for (line, body, needs) in VERBS {
        let code = expected(Who::Stranger, needs);
        if let Some(code) = code {
            ask(&guarded, line, body, Some(&stranger)).await.refused(403, code, "");
        }
    }
    ask(&guarded, VERBS[1].0, "", Some(&apple)).await.refused(503, "unavailable", "");
    guarded.server.stop().await;
}

#[tokio::test]
async fn an_administrators_key_takes_any_message_back() {
    let guarded = Guarded::start().await;
    let (act, admin) = (guarded.key(Scope::Act).await, guarded.key(Scope::Admin).await);
    ask(&guarded, VERBS[0].0, VERBS[0].1, Some(&bearer(&act))).await.ok();
    let others = r#"{"chat":"apple:banana","seq":1,"sender":"banana"}"#;
    let unsend = async |key: &str| ask(&guarded, "POST /api/unsend", others, Some(&bearer(key))).await;
    unsend(&act).await.refused(403, "not_the_sender", "");
    let message = unsend(&admin).await.ok();
    assert_eq!((&message["unsent"], &message["text"]), (&json!(true), &json!("")));
    guarded.server.stop().await;
}

#[tokio::test]
async fn a_token_in_a_url_is_refused_in_words() {
    let guarded = Guarded::start().await;
    let good = token("apple");
    for name in ["token", "access_token", "Authorization"] {
        let line = format!("GET /api/pull?chat=apple:banana&{name}={good}");
        let reply = ask(&guarded, &line, "", Some(&bearer(&good))).await;
        reply.refused(400, "token_in_url", "");
        assert!(!String::from_utf8_lossy(&reply.body).contains(&good));
        crate::socket::refused(&guarded.server, &format!("/api/ws?user=apple&{name}={good}"), &HANDSHAKE)
            .await
            .refused(400, "token_in_url", "");
    }
    for path in ["/ping", "/healthz", "/readyz"] {
        ask(&guarded, &format!("GET {path}"), "", None).await.ok();
    }
    guarded.server.stop().await;
}
