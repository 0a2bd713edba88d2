//! A hundred thousand requests and frames of a seeded fuzzer, each answered as the API's page has it, or cut off.

use super::{Beside, bytes::Case, connect, read_until};
use crate::{
    child::{Server, check_store},
    frame::{CLOSE, TEXT, handshake, parse},
    random::Random,
    watchdog::PATIENCE,
};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    net::{Shutdown, SocketAddr},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
};

/// How many, unless `CHINWAG_TEST_CASES` says.
const CASES: u64 = 100_000;
/// So many go before anything is measured: what is made once is there then.
const WARM_UP: u64 = 2_000;
/// What is in the head of a stream that has no end of its own.
const EVENTS: &[u8] = b"text/event-stream";
const CLIENTS: u64 = 4;
/// What the server may have grown by: what its caches, its journal's buffers and its allocator keep, and none of the cases.
const GROWTH_MAX_MIB: u64 = 96;

/// How often each status was given.
type Statuses = BTreeMap<String, u64>;

#[test]
fn each_hostile_request_and_frame_gets_a_documented_answer_or_the_end() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("data");
    let server = Server::start(&data);
    let address = server.address();
    let documented = Arc::new(documented());
    let [_, seed] = Random::seeds();
    attack(address, seed, 0..WARM_UP, &documented);
    let before = server.resident_bytes() >> 20;
    let good = Beside::start(address, "well");
    let cases = std::env::var("CHINWAG_TEST_CASES")
        .map_or(CASES, |cases| cases.parse().expect("CHINWAG_TEST_CASES is a number"));
    let statuses = attack(address, seed, 0..cases, &documented);
    let good = good.finish();
    let after = server.resident_bytes() >> 20;
    println!(
        "seed {seed}: {cases} cases, {statuses:?}; {} good turns beside, {:?} the slowest; {before} MiB before, {after} after",
        good.sends, good.slowest
    );
    assert!(after < before + GROWTH_MAX_MIB, "{}", server.printed());
    assert!(!server.printed().contains("panicked"), "{}", server.printed());
    server.stop();
    check_store(&data);
}

/// Every case of these numbers, from several clients at once.
fn attack(
    address: SocketAddr,
    seed: u64,
    cases: std::ops::Range<u64>,
    documented: &Arc<Documented>,
) -> Statuses {
    let next = Arc::new(AtomicU64::new(cases.start));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (next, documented) = (next.clone(), documented.clone());
            thread::spawn(move || {
                let mut statuses = Statuses::new();
                loop {
                    let number = next.fetch_add(1, Relaxed);
                    if number >= cases.end {
                        return statuses;
                    }
                    let case =
                        Case::random(&mut Random::new(seed.wrapping_add(number.wrapping_mul(0x9E37_79B9))));
                    if let Err(why) = try_case(address, &case, &documented, &mut statuses) {
                        panic!("case {number} of seed {seed}: {why}\n{}", case.bytes().escape_ascii());
                    }
                }
            })
        })
        .collect();
    let mut all = Statuses::new();
    for client in clients {
        for (status, count) in client.join().expect("every case got a documented answer") {
            *all.entry(status).or_default() += count;
        }
    }
    all
}

fn try_case(
    address: SocketAddr,
    case: &Case,
    documented: &Documented,
    statuses: &mut Statuses,
) -> Result<(), String> {
    let mut stream = connect(address).map_err(|error| format!("no connection: {error}"))?;
    // Whoever is refused midway may be cut off while still sending.
    if let Case::Frames(_) = case {
        let _cut = stream.write_all(handshake("/api/ws?user=a").as_bytes());
    }
    let _cut = stream.write_all(case.bytes()).and_then(|()| stream.shutdown(Shutdown::Write));
    // The longest poll takes a minute, and what a client sends after it hides that the client has ended.
    stream.set_read_timeout(Some(2 * PATIENCE)).expect("a socket");
    // An event stream goes on for whoever takes it, where more was sent after its request.
    let is_stream = |read: &[u8]| read.windows(EVENTS.len()).any(|window| window == EVENTS);
    let read = read_until(&mut stream, is_stream);
    let mut count = |status: &str| *statuses.entry(status.into()).or_default() += 1;
    let mut rest = &read[..];
    if rest.is_empty() {
        count("closed");
    }
    while !rest.is_empty() {
        let Some(reply) = Reply::parse(&mut rest)? else { break };
        count(&reply.status.to_string());
        documented.check(&reply)?;
        if reply.status == 101 {
            let codes = frames(rest)?;
            for code in &codes {
                count(code);
            }
            break;
        }
    }
    Ok(())
}

/// What a server sent as one reply.
#[derive(Debug)]
struct Reply {
    status: u16,
    problem: Option<Value>,
}

impl Reply {
    /// Takes the first reply; `None` where its body goes on for as long as it likes, or was cut off with the connection.
    fn parse(rest: &mut &[u8]) -> Result<Option<Self>, String> {
        let Some(end) = rest.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
        let head = str::from_utf8(&rest[..end]).map_err(|_| "a head that is no text")?;
        let status = head.strip_prefix("HTTP/1.1 ").or_else(|| head.strip_prefix("HTTP/1.0 "));
        let status = status
            .and_then(|rest| rest.get(..3)?.parse().ok())
            .ok_or_else(|| format!("no status: {head}"))?;
        let value = |name: &str| {
            let mut lines = head.lines().filter_map(|line| line.split_once(": "));
            lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
        };
        let body = &rest[end + 4..];
        // What answers a HEAD has a length and no body.
        let length = value("content-length").and_then(|length| length.parse().ok());
        let length = if body.starts_with(b"HTTP/1.") { Some(0) } else { length };
        let is_problem = value("content-type") == Some("application/problem+json");
        let chunked = value("transfer-encoding").is_some();
        let length = length.unwrap_or(if chunked { body.len() } else { 0 }).min(body.len());
        let problem = (is_problem && length > 0).then(|| {
            serde_json::from_slice(&body[..length]).map_err(|error| format!("no JSON: {error}: {head}"))
        });
        *rest = &body[length..];
        Ok(Some(Self { status, problem: problem.transpose()? }))
    }
}

/// The frames after a handshake, each of them sound; the codes with which it ended.
fn frames(mut rest: &[u8]) -> Result<Vec<String>, String> {
    let mut ends = Vec::new();
    while let Some((frame, bytes)) = parse(rest) {
        rest = &rest[bytes..];
        match frame.opcode {
            TEXT => {
                let said: Value =
                    serde_json::from_slice(&frame.payload).map_err(|error| format!("no JSON: {error}"))?;
                let status = said["status"].as_u64();
                if said.get("reply").is_some() && status.is_none_or(|status| status >= 500) {
                    return Err(said.to_string());
                }
            }
            CLOSE => {
                let code = frame.payload.first_chunk().map(|code| u16::from_be_bytes(*code));
                // 1011 would be a defect of the server's own; 1000 and 3000 on are the client's own codes, given back.
                if !matches!(code, None | Some(1000..=1003 | 1007..=1010 | 1012..=1014 | 3000..=4999)) {
                    return Err(format!("it closed with {code:?}"));
                }
                ends.push(code.map_or("ws end".into(), |code| format!("ws {code}")));
            }
            _ => {}
        }
    }
    Ok(ends)
}

/// Each code of a problem with its status, as the API's page has it.
struct Documented(BTreeMap<String, u64>);

fn documented() -> Documented {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/API.md");
    let page = fs::read_to_string(page).expect("docs/API.md");
    let row = |line: &str| {
        let mut cells = line.strip_prefix("| `")?.split(" | ");
        let code = cells.next()?.strip_suffix('`')?.to_owned();
        Some((code, cells.next()?.parse().ok()?))
    };
    let codes: BTreeMap<_, _> = page.lines().filter_map(row).collect();
    assert!(codes.len() > 25, "the page's table of problems: {codes:?}");
    Documented(codes)
}

impl Documented {
    fn check(&self, reply: &Reply) -> Result<(), String> {
        let Some(problem) = &reply.problem else {
            // Without a problem: what went well, and what the HTTP library refuses before there is a request.
            let good = matches!(reply.status, 100 | 101 | 200 | 204 | 400 | 414 | 431)
                || self.0.values().any(|status| *status == u64::from(reply.status));
            return if good && reply.status < 500 { Ok(()) } else { Err(format!("{reply:?}")) };
        };
        let code = problem["code"].as_str().unwrap_or_default();
        let status = self.0.get(code).copied();
        let agrees = status == Some(reply.status.into()) && problem["status"] == reply.status;
        // Nothing is overloaded here, and a 500 is a defect.
        if agrees && reply.status < 500 { Ok(()) } else { Err(format!("{reply:?}")) }
    }
}
