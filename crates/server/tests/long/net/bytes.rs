//! Bytes that a hostile client sends: valid ones, mutated.

use crate::{
    frame::{CLOSE, PING, PONG, TEXT, handshake, masked},
    random::Random,
};

const JSON: [(&str, &str); 9] = [
    (
        "send",
        r#"{"chat":"a:b","text":"hello 👍\ud83d\ude00","sender":"a","key":"k1","data":{"x":[1,{"y":null}]}}"#,
    ),
    ("pull", r#"{"chat":"a:b","limit":10,"cursor":3,"reverse":true}"#),
    ("read", r#"{"chat":"a:b","user":"b","seq":1}"#),
    ("delivered", r#"{"chat":"a:b","user":"b","seq":9007199254740991}"#),
    ("edit", r#"{"chat":"a:b","seq":1,"sender":"a","text":"other"}"#),
    ("unsend", r#"{"chat":"a:b","seq":2,"sender":"a"}"#),
    ("react", r#"{"chat":"a:b","seq":3,"user":"b","emoji":"👍","remove":false}"#),
    ("typing", r#"{"chat":"a:b","user":"a"}"#),
    ("ticket", ""),
];
const QUERIES: [&str; 9] = [
    "/api/pull?chat=a:b&limit=10&cursor=1&reverse=true",
    "/api/pull?chat=%61%3Ab",
    "/api/chats?user=a&limit=3&cursor=1686404158123456&chat=a:b",
    "/api/presence?user=a&user=b&user=%F0%9F%91%8D",
    "/api/events?user=a&since=8c1f0a5b3d2e4f60-05fdc6a3f6e640&watch=b",
    "/api/poll?user=a&timeout=0&since=8c1f0a5b3d2e4f60-05fdc6a3f6e640",
    "/api/ws?user=a&ticket=open",
    "/healthz?x",
    "/readyz",
];
const HEADERS: [&str; 22] = [
    "Host: localhost",
    "Host: [::1]:80",
    "Origin: http://localhost",
    "Origin: null",
    "Content-Type: application/json; charset=utf-8",
    "Content-Length: 10",
    "Content-Length: 18446744073709551616",
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: gzip, chunked",
    "Expect: 100-continue",
    "Connection: close",
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Upgrade: h2c",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
    "Idempotency-Key: \"k1\"",
    "Last-Event-ID: 8c1f0a5b3d2e4f60-05fdc6a3f6e640",
    "Authorization: Bearer x.y.z",
    "X-Forwarded-For: 192.0.2.7, unknown",
    "Forwarded: for=\"[2001:db8::7]:80\";proto=https",
    "Access-Control-Request-Method: POST",
];
const PIECES: [&[u8]; 24] = [
    b"\r\n",
    b"\r\n\r\n",
    b"\n",
    b"\0",
    b"\xff",
    b"\xc3",
    b"\xed\xa0\x80",
    b"\"",
    b"\\u0000",
    b"\\ud800",
    b"{",
    b"}",
    b"[[[[[[[[",
    b":",
    b",",
    b"null",
    b"-1",
    b"1e999",
    b"9007199254740992",
    b"%",
    b"%00",
    b"&",
    b"HTTP/2.0",
    b"0\r\n\r\n",
];

/// What a case sends.
pub(super) enum Case {
    /// Requests, or what is left of them.
    Http(Vec<u8>),
    /// What follows the handshake of a WebSocket.
    Frames(Vec<u8>),
}

impl Case {
    pub(super) fn random(random: &mut Random) -> Self {
        match random.below(6) {
            0 => Self::Http(mutated(random, &any_request(random.clone()))),
            1 => {
                let (verb, json) = *random.one_of(&JSON);
                let body = mutated(random, json.as_bytes());
                Self::Http(post(verb, &body))
            }
            2 => {
                let query = *random.one_of(&QUERIES);
                let query = mutated(random, query.as_bytes());
                let query = query.into_iter().filter(|byte| *byte > b' ').collect::<Vec<_>>();
                Self::Http([b"GET /", &query[..], b" HTTP/1.1\r\nHost: localhost\r\n\r\n"].concat())
            }
            3 => Self::Http(with_headers(random)),
            4 => {
                // Requests in a row, of which the last one is broken.
                let (verb, json) = *random.one_of(&JSON);
                let first = post(verb, json.as_bytes());
                let second = any_request(random.clone());
                Self::Http([first, mutated(random, &second)].concat())
            }
            _ => Self::Frames(frames(random)),
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Http(bytes) | Self::Frames(bytes) => bytes,
        }
    }
}

fn post(verb: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST /api/{verb} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

fn any_request(mut random: Random) -> Vec<u8> {
    match random.below(4) {
        0 => handshake("/api/ws?user=a").into_bytes(),
        1 => format!("GET {} HTTP/1.1\r\nHost: localhost\r\n\r\n", random.one_of(&QUERIES)).into_bytes(),
        2 => {
            let (verb, json) = *random.one_of(&JSON);
            let head = "Host: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked";
            format!("POST /api/{verb} HTTP/1.1\r\n{head}\r\n\r\n{:x}\r\n{json}\r\n0\r\n\r\n", json.len())
                .into_bytes()
        }
        _ => {
            let (verb, json) = *random.one_of(&JSON);
            post(verb, json.as_bytes())
        }
    }
}

fn with_headers(random: &mut Random) -> Vec<u8> {
    let (verb, json) = *random.one_of(&JSON);
    let line = match random.below(3) {
        0 => format!("GET {} HTTP/1.1", random.one_of(&QUERIES)),
        1 => format!("OPTIONS /api/{verb} HTTP/1.1"),
        _ => format!("POST /api/{verb} HTTP/1.1"),
    };
    let mut request = format!("{line}\r\nHost: localhost\r\n").into_bytes();
    for _ in 0..=random.below(4) {
        let header = random.one_of(&HEADERS).as_bytes();
        request.extend(if random.one_in(2) { header.to_vec() } else { mutated(random, header) });
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(format!("\r\n{json}").as_bytes());
    request
}

fn frames(random: &mut Random) -> Vec<u8> {
    let mut all = Vec::new();
    for id in 0..=random.below(4) {
        let (verb, json) = *random.one_of(&JSON);
        let request = json.replacen('{', &format!("{{\"id\":{id},\"op\":\"{verb}\","), 1);
        let frame = match random.below(8) {
            0 => masked(PING, b"are you there"),
            1 => masked(PONG, b""),
            2 => masked(CLOSE, &[3, 232, b'b', b'y', b'e']),
            3 => {
                let body = mutated(random, request.as_bytes());
                masked(TEXT, &body)
            }
            // In two pieces, with a ping between them.
            4 => {
                let (first, second) = request.as_bytes().split_at(request.len() / 2);
                let mut first = masked(TEXT, first);
                first[0] &= 0x7f;
                [first, masked(PING, b""), masked(0, second)].concat()
            }
            _ => masked(TEXT, request.as_bytes()),
        };
        all.extend(if random.one_in(3) { mutated(random, &frame) } else { frame });
    }
    all
}

/// The same with up to four bytes or pieces put in, taken out or changed.
fn mutated(random: &mut Random, bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=random.below(4) {
        let below = |random: &mut Random, bound: usize| {
            usize::try_from(random.below(bound.max(1) as u64)).expect("below a usize")
        };
        let at = below(random, bytes.len() + 1);
        match random.below(7) {
            0 => bytes.insert(at, u8::try_from(random.below(256)).expect("a byte")),
            1 if at < bytes.len() => drop(bytes.remove(at)),
            2 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            3 => bytes.truncate(at),
            4 => {
                let from = below(random, bytes.len() + 1);
                let to = from + below(random, bytes.len() - from + 1);
                let part = bytes[from..to].to_vec();
                bytes.splice(at..at, part);
            }
            // Something long, now and then longer than there may be.
            5 if random.one_in(16) => {
                let length = below(random, 200_000);
                bytes.splice(at..at, std::iter::repeat_n(b'x', length));
            }
            _ => {
                let piece = *random.one_of(&PIECES);
                bytes.splice(at..at, piece.iter().copied());
            }
        }
    }
    bytes
}
